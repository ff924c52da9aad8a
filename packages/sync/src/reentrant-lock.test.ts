import {
  BrokenResourceError,
  CancelScope,
  currentTask,
  detached,
  InvalidStateError,
  moveOnAfter,
  run,
  sleep,
  taskGroup,
  WouldBlock,
} from '@taskscope/core';
import {
  cancelEverywhere,
  expectCheckpoint,
  fuzzSchedule,
  virtualTime,
  waitAllTasksBlocked,
} from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { testCancellation } from './cancellation.fixture.js';
import { Lock, ReentrantLock, type Releaser } from './index.js';
import { checkLockModel } from './lock-model.fixture.js';
import { errorOf } from '../../core/src/observing.fixture.js';

describe('a reentrant lock', () => {
  test(
    'may be acquired again by its owner, and is free after as many releases',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      expect(lock).toBeInstanceOf(Lock);
      expect(lock.depth).toBe(0);
      await lock.acquire();
      await expectCheckpoint(() => lock.acquire());
      lock.acquireNowait();
      expect(lock.depth).toBe(3);
      expect(lock.statistics()).toEqual({ locked: true, owner: currentTask(), tasksWaiting: 0 });
      for (const depth of [2, 1]) {
        lock.release();
        expect([lock.depth, lock.locked]).toEqual([depth, true]);
      }
      lock.release();
      expect([lock.depth, lock.locked]).toEqual([0, false]);
      expect(() => lock.release()).toThrow(InvalidStateError);
    }),
  );

  test(
    'each Releaser gives back one level, in whatever order',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      const first = await lock.acquire();
      const second = await lock.acquire();
      first.release();
      first.release();
      expect(lock.depth).toBe(1);
      second.release();
      expect(lock.locked).toBe(false);
      using _outer = await lock.acquire();
      {
        using _inner = await lock.acquire();
        expect(lock.depth).toBe(2);
      }
      second.release();
      expect(lock.depth).toBe(1);
    }),
  );

  test(
    'goes to the next only when it is free',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      let got = false;
      await taskGroup(async (tg) => {
        lock.acquireNowait();
        lock.acquireNowait();
        tg.startSoon(async () => {
          using _holding = await lock.acquire();
          got = true;
          expect(lock.depth).toBe(1);
        });
        await waitAllTasksBlocked();
        lock.release();
        await waitAllTasksBlocked();
        expect(got).toBe(false);
        lock.release();
        expect(lock.statistics().owner).not.toBe(currentTask());
      });
      expect(got).toBe(true);
    }),
  );

  test(
    'keeps other tasks out, children of the owner as well',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      using _holding = await lock.acquire();
      await taskGroup((tg) => {
        tg.startSoon(() => {
          expect(() => lock.acquireNowait()).toThrow(WouldBlock);
          expect(() => lock.release()).toThrow(InvalidStateError);
        });
      });
    }),
  );

  test(
    'run() inside of run() on the same call chain goes through at once',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      const recurse = (levels: number): Promise<number> =>
        lock.run(async () => {
          await sleep(1);
          return levels === 0 ? lock.depth : recurse(levels - 1);
        });
      expect(await recurse(4)).toBe(5);
      expect(lock.depth).toBe(0);
      const result = await lock.run(() => new CancelScope().run(() => lock.run(() => lock.depth)));
      expect(result).toBe(2);
    }),
  );

  test(
    'calls of run() side by side queue up',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      const order: string[] = [];
      const branch = (name: string): Promise<void> =>
        lock.run(async () => {
          order.push(`${name} in`);
          await lock.run(() => sleep(1));
          order.push(`${name} out`);
        });
      await Promise.all([branch('a'), branch('b')]);
      expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
    }),
  );

  test(
    'run() in a task that holds it is one more level, and acquire() in run() as well',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      using _holding = await lock.acquire();
      await lock.run(() => expect(lock.depth).toBe(2));
      expect(lock.depth).toBe(1);
      lock.release();
      await lock.run(async () => {
        await lock.acquire();
        expect(lock.depth).toBe(2);
        lock.release();
        expect(lock.depth).toBe(1);
        expect(() => lock.release()).toThrow('the lock is held by run(), which releases it by itself');
        using _inner = lock.acquireNowait();
        expect(lock.depth).toBe(2);
        await taskGroup((tg) => {
          tg.startSoon(() => expect(() => lock.release()).toThrow(InvalidStateError));
        });
        expect(lock.depth).toBe(2);
      });
      expect(lock.locked).toBe(false);
    }),
  );

  test(
    'is released when a nested run() throws or is cancelled',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      await lock.run(async () => {
        await errorOf(lock.run(() => Promise.reject(new Error('no'))));
        await moveOnAfter(1, () => lock.run(() => sleep(2)));
        expect(lock.depth).toBe(1);
      });
      expect(lock.locked).toBe(false);
    }),
  );

  test(
    'that was acquired in run() and not released is what its task holds when run() has ended',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      await lock.run(() => lock.acquire());
      expect([lock.depth, lock.statistics().owner]).toEqual([1, currentTask()]);
      lock.release();
      expect(lock.locked).toBe(false);
      // And if the task does not release it either, it breaks.
      await taskGroup(async (tg) => {
        tg.startSoon(() => lock.run(() => lock.acquire().then(() => sleep(1))));
        await waitAllTasksBlocked();
        expect(await errorOf(lock.acquire())).toBeInstanceOf(BrokenResourceError);
      });
      expect(await errorOf(lock.acquire())).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test(
    'that a call of run() still needs when the one around it has ended is kept until then',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      let open!: () => void;
      const gate = new Promise<void>((resolve) => (open = resolve));
      let inner: Promise<void> | undefined;
      await lock.run(() => {
        inner = lock.run(() => gate);
      });
      expect(lock.depth).toBe(1);
      await taskGroup(async (tg) => {
        tg.startSoon(() => lock.run(() => {}));
        await waitAllTasksBlocked();
        expect(lock.statistics()).toMatchObject({ owner: currentTask(), tasksWaiting: 1 });
        open();
      });
      await inner;
      expect(lock.locked).toBe(false);
    }),
  );

  test(
    'whose owner ends without as many releases breaks',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          await lock.acquire();
          await lock.acquire();
          lock.release();
        });
      });
      expect(await errorOf(lock.acquire())).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test('outside of every task there is no owner: acquire() queues, run() nests', async () => {
    const lock = new ReentrantLock();
    const first = await lock.acquire();
    const second = lock.acquire();
    expect(lock.statistics().tasksWaiting).toBe(1);
    first.release();
    (await second).release();
    expect(await lock.run(() => lock.run(() => lock.depth))).toBe(2);
    await run(() => lock.run(() => {}));
    expect(lock.depth).toBe(0);
  });
});

testCancellation('ReentrantLock.acquire()', () => {
  const lock = new ReentrantLock();
  const other = detached(() => lock.acquireNowait());
  return {
    begin: (options) => lock.acquire(options),
    satisfy: () => other.release(),
    end: (got) => (got as Releaser | undefined)?.release(),
    waiting: () => lock.statistics().tasksWaiting,
    out: () => lock.depth,
  };
});

test(
  'in a cancelled scope it is not entered once more',
  virtualTime(async () => {
    const lock = new ReentrantLock();
    const scope = new CancelScope();
    await scope.run(async () => {
      using _holding = await lock.acquire();
      scope.cancel();
      for (const again of [() => lock.acquire(), () => lock.run(() => {})]) {
        expect(await errorOf(again())).toMatchObject({ name: 'Cancelled' });
      }
      expect(lock.depth).toBe(1);
    });
    expect(lock.depth).toBe(0);
  }),
);

describe('nothing is lost', () => {
  const setUp = (): { lock: ReentrantLock; order: number[]; tasks: (() => Promise<void>)[] } => {
    const lock = new ReentrantLock();
    const order: number[] = [];
    const byAcquire = (index: number) => async (): Promise<void> => {
      await sleep(index);
      using _outer = await lock.acquire();
      await sleep(10);
      using _inner = await lock.acquire();
      expect(lock.depth).toBe(2);
      await sleep(10);
      order.push(index);
    };
    const byRun = (index: number) => async (): Promise<void> => {
      await sleep(index);
      await lock.run(async () => {
        await sleep(10);
        await lock.run(async () => {
          expect(lock.depth).toBe(2);
          await sleep(10);
          order.push(index);
        });
      });
    };
    return { lock, order, tasks: [byAcquire(0), byRun(1), byAcquire(2), byRun(3)] };
  };

  test('whoever is cancelled at whatever step', async () => {
    const { waits } = await cancelEverywhere(() => {
      const { lock, order, tasks } = setUp();
      return {
        tasks,
        check(cancelled) {
          expect(lock.depth).toBe(0);
          expect(lock.statistics()).toEqual({ locked: false, owner: undefined, tasksWaiting: 0 });
          expect(order).toEqual([0, 1, 2, 3].filter((index) => !cancelled[index]));
        },
      };
    });
    expect(waits).toBeGreaterThanOrEqual(15);
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed))('under the schedule of seed %i', (seed) =>
    fuzzSchedule(seed, async () => {
      const { lock, order, tasks } = setUp();
      await taskGroup((tg) => {
        for (const task of tasks) tg.startSoon(task);
      });
      expect(order).toEqual([0, 1, 2, 3]);
      expect(lock.depth).toBe(0);
    }),
  );

  test('whatever happens in whatever order: as the model says', () => checkLockModel('ReentrantLock'));
});
