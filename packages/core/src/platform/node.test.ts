import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { describe, expect, test, vi } from 'vitest';

import { createStorage, platform } from './node.js';

describe.each([
  ['run()', false],
  ['a resource', true],
])('a context storage by %s', (_by, byResource) => {
  test('holds the store while a function runs, and in what that leaves behind, and comes back to what was there', async () => {
    const storage = createStorage<string>(byResource);
    expect(storage.getStore()).toBeUndefined();
    const seen = storage.run('outer', () => {
      const inner = storage.run('inner', async () => {
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
      storage.run('store', () => {
        throw error;
      }),
    ).toThrow(error);
    expect(storage.getStore()).toBeUndefined();
  });

  test('leaves the values of others as they are', async () => {
    const others = new AsyncLocalStorage<string>();
    const storage = createStorage<string>(byResource);
    await others.run('theirs', async () => {
      const inside = storage.run('ours', () =>
        others.run('inner', () => [others.getStore(), storage.getStore()]),
      );
      expect(inside).toEqual(['inner', 'ours']);
      expect(others.getStore()).toBe('theirs');
      expect(await storage.run('ours', async () => others.getStore())).toBe('theirs');
    });
  });

  test('runLast() holds the store, and returns or throws what the function does', () => {
    const storage = createStorage<string>(byResource);
    const error = new Error('out of tea');
    // Whatever it leaves behind ends with the resource.
    new AsyncResource('test').runInAsyncScope(() => {
      expect(storage.runLast('store', () => storage.getStore())).toBe('store');
      expect(() =>
        storage.runLast('store', () => {
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
    storage.runLast('store', async () => {
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

    run<R>(store: T, fn: () => R): R {
      return this.#storage.run(store, fn);
    }
  }
  vi.resetModules();
  vi.doMock('node:async_hooks', () => ({ AsyncLocalStorage: Storage, AsyncResource }));
  try {
    const { platform: poorer } = await import('./node.js');
    const storage = poorer.createStorage<string>();
    expect(storage.run('store', () => storage.getStore())).toBe('store');
    expect(storage.runLast('store', () => storage.getStore())).toBe('store');
  } finally {
    vi.doUnmock('node:async_hooks');
  }
});
