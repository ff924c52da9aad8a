import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { describe, expect, test, vi } from 'vitest';

import { createStorage, platform } from './node.js';
import type { ContextStorage } from './platform.js';

const call = <R>(fn: () => R): R => fn();

function run<R>(storage: ContextStorage<string>, store: string, fn: () => R): R {
  return storage.run(store, call<R>, fn, undefined);
}

function runLast<R>(storage: ContextStorage<string>, store: string, fn: () => R): R {
  return storage.runLast(store, call<R>, fn, undefined, undefined);
}

describe.each([
  ['run()', false],
  ['a resource', true],
])('a context storage by %s', (_by, byResource) => {
  test('holds the store while a function runs, and in what that leaves behind, and comes back to what was there', async () => {
    const storage = createStorage<string>(byResource);
    expect(storage.getStore()).toBeUndefined();
    const seen = run(storage, 'outer', () => {
      const inner = run(storage, 'inner', async () => {
        const before = storage.getStore();
        await Promise.resolve();
        return [before, storage.getStore()];
      });
      return { inner, outer: storage.getStore() };
    });
    expect(storage.getStore()).toBeUndefined();
    expect(seen.outer).toBe('outer');
    expect(await seen.inner).toEqual(['inner', 'inner']);
  });

  test('comes back from a function that throws, which is passed on', () => {
    const storage = createStorage<string>(byResource);
    const error = new Error('out of tea');
    expect(() =>
      run(storage, 'store', () => {
        throw error;
      }),
    ).toThrow(error);
    expect(storage.getStore()).toBeUndefined();
  });

  test('calls the function with its arguments', () => {
    const storage = createStorage<string>(byResource);
    const add = (a: number, b: number, c = 0): unknown[] => [storage.getStore(), a + b + c];
    expect(storage.run('store', add, 1, 2)).toEqual(['store', 3]);
    new AsyncResource('test').runInAsyncScope(() => {
      expect(storage.runLast('store', add, 3, 4, 5)).toEqual(['store', 12]);
    });
  });

  test('leaves the values of others as they are', async () => {
    const others = new AsyncLocalStorage<string>();
    const storage = createStorage<string>(byResource);
    await others.run('theirs', async () => {
      const inside = run(storage, 'ours', () =>
        others.run('inner', () => [others.getStore(), storage.getStore()]),
      );
      expect(inside).toEqual(['inner', 'ours']);
      expect(others.getStore()).toBe('theirs');
      expect(await run(storage, 'ours', async () => others.getStore())).toBe('theirs');
    });
  });

  test('runLast() holds the store, and returns or throws what the function does', () => {
    const storage = createStorage<string>(byResource);
    const error = new Error('out of tea');
    // Whatever it leaves behind ends with the resource.
    new AsyncResource('test').runInAsyncScope(() => {
      expect(runLast(storage, 'store', () => storage.getStore())).toBe('store');
      expect(() =>
        runLast(storage, 'store', () => {
          throw error;
        }),
      ).toThrow(error);
    });
  });
});

test('what runLast() enters is not there any more in the next microtask', async () => {
  const storage = platform.createStorage<string>();
  const ready = Promise.resolve();
  const seen: Record<string, string | undefined> = {};
  const last = ready.then(() =>
    runLast(storage, 'store', async () => {
      await ready;
      seen['inside'] = storage.getStore();
    }),
  );
  void ready.then(() => (seen['a reaction'] = storage.getStore()));
  queueMicrotask(() => (seen['a callback'] = storage.getStore()));
  await ready;
  seen['another function'] = storage.getStore();
  await last;
  await new Promise((resolve) => setImmediate(resolve));
  seen['another turn'] = storage.getStore();
  expect(seen).toEqual({
    'a callback': undefined,
    'a reaction': undefined,
    'another function': undefined,
    'another turn': undefined,
    inside: 'store',
  });
});

test('a platform without enterWith() and disable() will do', async () => {
  class Storage<T> {
    static readonly snapshot = (): unknown => AsyncLocalStorage.snapshot();
    readonly #storage = new AsyncLocalStorage<T>();

    getStore(): T | undefined {
      return this.#storage.getStore();
    }

    run<A extends unknown[], R>(store: T, fn: (...args: A) => R, ...args: A): R {
      return this.#storage.run(store, fn, ...args);
    }
  }
  vi.resetModules();
  vi.doMock('node:async_hooks', () => ({ AsyncLocalStorage: Storage, AsyncResource }));
  try {
    const { platform: poorer } = await import('./node.js');
    const storage = poorer.createStorage<string>();
    expect(run(storage, 'store', () => storage.getStore())).toBe('store');
    expect(runLast(storage, 'store', () => storage.getStore())).toBe('store');
  } finally {
    vi.doUnmock('node:async_hooks');
  }
});
