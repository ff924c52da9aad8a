/** Browsers: nothing is ambient, and every wait is told its scope, and so its task, by `{ signal }`. */

import {
  BrokenResourceError,
  CancelScope,
  currentTask,
  InvalidStateError,
  run,
  taskGroup,
} from '@taskscope/core';
import { currentScope } from '@taskscope/core/lowlevel';
import { describe, expect, test, vi } from 'vitest';

import {
  CapacityLimiter,
  Condition,
  Event,
  Future,
  Lock,
  ReentrantLock,
  ResourceGuard,
  Semaphore,
} from './index.js';
import { errorOf, listeners, turns } from '../../core/src/observing.fixture.js';

vi.mock('../../core/src/platform/node.js', () => import('../../core/src/platform/browser.js'));

test('nothing is ambient', async () => {
  const root = currentScope();
  await run(() => new CancelScope().run(() => expect(currentScope()).toBe(root)));
});

describe('a wait with the signal of a scope is cancelled with it, and leaves no trace', () => {
  const event = new Event();
  const future = new Future();
  const semaphore = new Semaphore(0);
  const limiter = new CapacityLimiter(0);
  const lock = new Lock();
  lock.acquireNowait();
  const waits: [string, (options: { signal: AbortSignal }) => Promise<unknown>, () => number][] = [
    ['Event.wait()', (options) => event.wait(options), () => event.statistics().tasksWaiting],
    ['Future.wait()', (options) => future.wait(options), () => future.statistics().tasksWaiting],
    ['Future.result()', (options) => future.result(options), () => future.statistics().tasksWaiting],
    [
      'Semaphore.acquire()',
      (options) => semaphore.acquire(options),
      () => semaphore.statistics().tasksWaiting,
    ],
    [
      'Semaphore.run()',
      (options) => semaphore.run(() => {}, options),
      () => semaphore.statistics().tasksWaiting,
    ],
    [
      'CapacityLimiter.acquire()',
      (options) => limiter.acquire(options),
      () => limiter.statistics().tasksWaiting,
    ],
    [
      'CapacityLimiter.run()',
      (options) => limiter.run(() => {}, options),
      () => limiter.statistics().tasksWaiting,
    ],
    ['Lock.acquire()', (options) => lock.acquire(options), () => lock.statistics().tasksWaiting],
    ['Lock.run()', (options) => lock.run(() => {}, options), () => lock.statistics().tasksWaiting],
  ];
  test.each(waits)('%s', async (_name, wait, waiting) => {
    const scope = new CancelScope();
    const { signal } = scope;
    const result = await scope.run(async () => {
      const promise = wait({ signal });
      expect(waiting()).toBe(1);
      expect(listeners(signal)).toBe(0);
      scope.cancel();
      expect(waiting()).toBe(0);
      expect(await errorOf(wait({ signal }))).toMatchObject({ name: 'Cancelled' });
      await promise;
      return 'not reached';
    });
    expect(result).toBe(undefined);
    expect(scope.cancelledCaught).toBe(true);
  });
});

describe('Lock', () => {
  test('the signal tells the owner: acquiring again is reported, others queue', async () => {
    const lock = new Lock();
    const order: string[] = [];
    await taskGroup((tg) => {
      for (const name of ['a', 'b']) {
        tg.createTask(
          async ({ signal }) => {
            using _holding = await lock.acquire({ signal });
            expect(lock.statistics().owner?.name).toBe(name);
            expect(await errorOf(lock.acquire({ signal }))).toBeInstanceOf(InvalidStateError);
            await turns();
            order.push(name);
          },
          { name },
        );
      }
    });
    expect(order).toEqual(['a', 'b']);
    expect(lock.locked).toBe(false);
  });

  test('release() is told nothing, so whoever calls it may', async () => {
    const lock = new Lock();
    await taskGroup((tg) => {
      tg.createTask(async ({ signal }) => {
        await lock.acquire({ signal });
        lock.release();
      });
    });
    expect(lock.locked).toBe(false);
  });

  test('an owner that ends without releasing breaks it', async () => {
    const lock = new Lock();
    await taskGroup((tg) => void tg.createTask(({ signal }) => lock.acquire({ signal })));
    expect(await errorOf(lock.acquire())).toBeInstanceOf(BrokenResourceError);
  });

  test('run() queues up', async () => {
    const lock = new Lock();
    const order: string[] = [];
    const branch = (name: string): Promise<void> =>
      lock.run(async () => {
        order.push(`${name} in`);
        await turns();
        order.push(`${name} out`);
      });
    await Promise.all([branch('a'), branch('b')]);
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
  });

  test('a reentrant one is entered again by the same task', async () => {
    const lock = new ReentrantLock();
    await taskGroup((tg) => {
      tg.createTask(async ({ signal }) => {
        using _outer = await lock.acquire({ signal });
        using _inner = await lock.acquire({ signal });
        expect(lock.depth).toBe(2);
        await lock.run(() => expect(lock.depth).toBe(3), { signal });
      });
    });
    expect(lock.depth).toBe(0);
  });
});

describe('Condition', () => {
  test.each(['acquire()', 'run()', 'run() without a signal'])('is waited for in %s', async (form) => {
    const condition = new Condition();
    const cups: string[] = [];
    await taskGroup((tg) => {
      tg.createTask(async ({ signal }) => {
        const options = form === 'run() without a signal' ? undefined : { signal };
        const wait = async (): Promise<void> => {
          await condition.waitFor(() => cups.length === 2, options);
          expect(condition.locked).toBe(true);
        };
        if (form === 'acquire()') {
          using _holding = await condition.acquire(options);
          await wait();
        } else {
          await condition.run(wait, options);
        }
      });
      for (const cup of ['first', 'second']) {
        tg.createTask(({ signal }) =>
          condition.run(
            () => {
              cups.push(cup);
              condition.notify();
            },
            { signal },
          ),
        );
      }
    });
    expect(condition.statistics()).toMatchObject({ tasksWaiting: 0, lockStatistics: { locked: false } });
  });

  test('a wait that is cancelled has the lock again', async () => {
    const condition = new Condition();
    await taskGroup(async (tg) => {
      const waiting = tg.createTask(async ({ signal }) => {
        using _holding = await condition.acquire({ signal });
        try {
          await condition.wait({ signal });
        } finally {
          expect(condition.locked).toBe(true);
        }
      });
      await turns();
      waiting.cancel();
      await waiting.wait();
      expect(waiting.status).toBe('cancelled');
    });
    expect(condition.locked).toBe(false);
  });

  test('of another task is not waited for', async () => {
    const condition = new Condition();
    await taskGroup((tg) => {
      tg.createTask(({ signal }) => condition.run(() => turns(3), { signal }));
      tg.createTask(async ({ signal }) => {
        await turns();
        expect(await errorOf(condition.wait({ signal }))).toBeInstanceOf(InvalidStateError);
      });
    });
  });
});

test('CapacityLimiter: the signal tells the borrower', async () => {
  const limiter = new CapacityLimiter(2);
  await taskGroup((tg) => {
    for (let i = 0; i < 3; i++) {
      tg.createTask(async ({ signal }) => {
        using _token = await limiter.acquire({ signal });
        expect(await errorOf(limiter.acquire({ signal }))).toBeInstanceOf(InvalidStateError);
        await turns();
      });
    }
  });
  expect(limiter.borrowedTokens).toBe(0);
  await Promise.all([1, 2, 3].map(() => limiter.run(() => turns())));
  expect(limiter.borrowedTokens).toBe(0);
});

test('Semaphore and ResourceGuard', async () => {
  const semaphore = new Semaphore(1);
  const guard = new ResourceGuard();
  const use = (): Promise<void> => semaphore.run(() => guard.run(() => turns()));
  await Promise.all([use(), use()]);
  expect([semaphore.value, guard.statistics().inUse]).toEqual([1, false]);
  expect(currentTask().id).toBe(0);
});
