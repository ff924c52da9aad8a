import { CancelScope, checkpoint, run, sleep, sleepForever } from '@taskscope/core';
import { describe, expect, test } from 'vitest';

import { CapacityLimiter, Lock, ReentrantLock, Semaphore } from './index.js';
import { throwing } from '../../core/src/failing.fixture.js';
import { unhandledRejections } from '../../core/src/observing.fixture.js';

describe('a releaser', () => {
  test('gives back once, however often and in whichever way it is asked to', () => {
    const semaphore = new Semaphore(2);
    const first = semaphore.acquireNowait();
    semaphore.acquireNowait();
    first.release();
    first.release();
    first[Symbol.dispose]();
    expect(semaphore.value).toBe(1);
  });

  test('is disposed of by using, also when the block throws', async () => {
    const lock = new Lock();
    const block = async (): Promise<void> => {
      using holding = await lock.acquire();
      expect(holding).toHaveProperty('release');
      expect(lock.locked).toBe(true);
      throw new Error('no');
    };
    await expect(block()).rejects.toThrow('no');
    expect(lock.locked).toBe(false);
  });

  test('released within a using block, does nothing at its end', () => {
    const semaphore = new Semaphore(1);
    {
      using one = semaphore.acquireNowait();
      one.release();
      semaphore.acquireNowait();
    }
    expect(semaphore.value).toBe(0);
  });
});

describe.each([
  ['Lock', () => new Lock()],
  ['ReentrantLock', () => new ReentrantLock()],
  ['Semaphore', () => new Semaphore(1)],
  ['CapacityLimiter', () => new CapacityLimiter(1)],
])('run() of a %s', (_name, make) => {
  test('begins in the call if it need not wait, and otherwise when its turn has come', async () => {
    await run(async () => {
      await sleep(0); // a turn begins, with the whole budget
      const primitive = make();
      const record: string[] = [];
      const use = (name: string): Promise<void> =>
        primitive.run(async () => {
          record.push(name);
          await checkpoint();
        });
      const both = [use('first'), use('second')];
      record.push('called');
      await Promise.all(both);
      expect(record).toEqual(['first', 'called', 'second']);
    });
  });

  test('in a loop starves no timer: where the budget is used up, it begins in the next turn', async () => {
    let isDue = false;
    setTimeout(() => (isDue = true), 1);
    await run(async () => {
      const primitive = make();
      let [inCall, later] = [0, 0];
      while (!isDue) {
        let isCalled = false;
        const running = primitive.run(() => void (isCalled = true));
        if (isCalled) inCall++;
        else later++;
        await running;
      }
      expect(inCall).toBeGreaterThan(later);
      expect(later).toBeGreaterThan(0);
    });
  });

  test.each<[string, () => unknown]>([
    ['a value', () => 'tea'],
    ['a promise', () => Promise.resolve('tea')],
    ['an error', throwing(new Error('no'))],
    ['a promise of an error', () => Promise.reject(new Error('no'))],
  ])('gives back before anybody is told: %s', async (_what, fn) => {
    await run(async () => {
      const primitive = make();
      for (const gotAtOnce of [true, false]) {
        const holding = gotAtOnce ? undefined : await primitive.acquire();
        const told = primitive.run(fn).then(
          () => primitive.acquireNowait(),
          () => primitive.acquireNowait(),
        );
        holding?.release();
        (await told).release();
      }
    });
  });

  test.each<[string, () => unknown]>([
    ['throws', throwing(new Error('no then'))],
    ['tells nobody', () => {}],
  ])('asks no then() that a promise has of its own: one that %s', async (_what, then) => {
    await run(async () => {
      const primitive = make();
      for (const gotAtOnce of [true, false]) {
        const held = gotAtOnce ? undefined : primitive.run(() => sleep(0));
        // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
        const tea = Object.defineProperty(Promise.resolve('tea'), 'then', { value: then });
        const running = primitive.run(() => tea);
        expect(await running).toBe('tea');
        await held;
      }
      primitive.acquireNowait().release();
    });
  });

  test('gives back if what its function returned cannot be waited for', async () => {
    await run(async () => {
      const primitive = make();
      for (const gotAtOnce of [true, false]) {
        const held = gotAtOnce ? undefined : primitive.run(() => sleep(0));
        const get = throwing(new Error('no constructor'));
        const tea = Object.defineProperty(Promise.resolve('tea'), 'constructor', { get });
        await expect(primitive.run(() => tea)).rejects.toThrow('no constructor');
        await held;
      }
      primitive.acquireNowait().release();
    });
  });

  test('whose function throws the reason of the signal in the call, while nobody looks at it, is no unhandled rejection', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error('enough');
    const rejections = await unhandledRejections(() =>
      run(() => {
        const aborting = (): never => {
          controller.abort(reason);
          throw reason;
        };
        void make().run(aborting, { signal });
      }),
    );
    expect(rejections).toEqual([]);
  });

  test('whose function is cancelled while nobody looks at it is no unhandled rejection', async () => {
    const controller = new AbortController();
    const rejections = await unhandledRejections(() =>
      run(async () => {
        await new CancelScope().run(async (scope) => {
          void make().run(() => sleepForever());
          await Promise.resolve();
          scope.cancel();
        });
        const { signal } = controller;
        void make().run(() => sleepForever({ signal }), { signal });
        await Promise.resolve();
        controller.abort(new Error('enough'));
      }),
    );
    expect(rejections).toEqual([]);
  });

  test('whose function fails while nobody looks at it is one', async () => {
    const error = new Error('no');
    const rejections = await unhandledRejections(() =>
      run(() => void make().run(() => Promise.reject(error))),
    );
    expect(rejections).toEqual([error]);
  });
});

describe('where giving back fails', () => {
  test.each<[string, () => unknown]>([
    ['a value', () => 'tea'],
    ['a promise of an error', () => Promise.reject(new Error('no'))],
  ])('run() fails with that, whatever its function came to: %s', async (_what, fn) => {
    const semaphore = new Semaphore(1, { maxValue: 1 });
    const running = semaphore.run(() => {
      semaphore.release();
      return fn();
    });
    await expect(running).rejects.toThrow('it was released more often than acquired');
  });
});
