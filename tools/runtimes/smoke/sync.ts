/** A test for each export of `@taskscope/sync`, the same in both modes. */

import { CancelScope, InvalidStateError, sleepForever, taskGroup } from '@taskscope/core';
import {
  CapacityLimiter,
  Condition,
  Event,
  Future,
  Lock,
  ReentrantLock,
  ResourceGuard,
  Semaphore,
} from '@taskscope/sync';
import type * as sync from '@taskscope/sync';
import { equal, nextTurn, rejects, type TestsOf } from './check.js';

/** What two tasks do one after the other, if only one of them is let in. */
async function takeTurns(
  enter: (options: { signal: AbortSignal }) => Promise<{ release(): void }>,
): Promise<string[]> {
  const log: string[] = [];
  await taskGroup((tg) => {
    for (const name of ['a', 'b']) {
      tg.createTask(async ({ signal }) => {
        const releaser = await enter({ signal });
        log.push(`${name} in`);
        await nextTurn();
        log.push(`${name} out`);
        releaser.release();
      });
    }
  });
  return log;
}

const inTurn = ['a in', 'a out', 'b in', 'b out'];

/** A wait that is cancelled leaves nothing in the queue. */
async function cancelled(
  waiting: () => number,
  wait: (options: { signal: AbortSignal }) => Promise<unknown>,
): Promise<void> {
  const scope = new CancelScope();
  await scope.run(async ({ signal }) => {
    const promise = wait({ signal });
    equal(waiting(), 1);
    scope.cancel();
    equal(waiting(), 0);
    await promise;
  });
  equal(scope.cancelledCaught, true);
}

export const syncTests: TestsOf<typeof sync> = {
  async Event() {
    const event = new Event();
    await cancelled(
      () => event.statistics().tasksWaiting,
      (options) => event.wait(options),
    );
    setTimeout(() => event.set(), 0);
    await event.wait();
    equal(event.isSet, true);
  },

  async Lock() {
    const lock = new Lock();
    equal(await takeTurns((options) => lock.acquire(options)), inTurn);
    await taskGroup((tg) => {
      tg.createTask(async ({ signal }) => {
        await lock.run(() => equal(lock.locked, true), { signal });
        await lock.acquire({ signal });
        // The task would wait for itself.
        await rejects(lock.acquire({ signal }), InvalidStateError);
        lock.release();
      });
    });
    equal(lock.locked, false);
  },

  async ReentrantLock() {
    const lock = new ReentrantLock();
    equal(await takeTurns((options) => lock.acquire(options)), inTurn);
    await taskGroup((tg) => {
      tg.createTask(async ({ signal }) => {
        const [outer, inner] = [await lock.acquire({ signal }), await lock.acquire({ signal })];
        equal(lock.depth, 2);
        inner.release();
        outer.release();
      });
    });
    equal(lock.locked, false);
  },

  async Semaphore() {
    const semaphore = new Semaphore(1, { maxValue: 1 });
    equal(await takeTurns((options) => semaphore.acquire(options)), inTurn);
    semaphore.acquireNowait();
    await cancelled(
      () => semaphore.statistics().tasksWaiting,
      (options) => semaphore.acquire(options),
    );
    semaphore.release();
    equal(semaphore.value, 1);
    // What acquiring gives back by `using` or release(), a second time for nothing.
    const one = new Semaphore(1);
    await taskGroup(async (tg) => {
      const waiting = tg.createTask(async ({ signal }) => {
        const releaser = await one.acquire({ signal });
        try {
          await sleepForever({ signal });
        } finally {
          releaser[Symbol.dispose]();
          releaser.release(); // a second time, which does nothing
        }
      });
      await nextTurn();
      equal(one.value, 0);
      waiting.cancel();
    });
    equal(one.value, 1);
  },

  async CapacityLimiter() {
    const limiter = new CapacityLimiter(1);
    equal(await takeTurns((options) => limiter.acquire(options)), inTurn);
    limiter.totalTokens = 0;
    await cancelled(
      () => limiter.statistics().tasksWaiting,
      (options) => limiter.acquire(options),
    );
    equal([limiter.borrowedTokens, limiter.availableTokens], [0, 0]);
  },

  async Condition() {
    const condition = new Condition();
    const cups: string[] = [];
    await taskGroup((tg) => {
      tg.createTask(({ signal }) =>
        condition.run(() => condition.waitFor(() => cups.length === 2, { signal }), { signal }),
      );
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
    const { tasksWaiting, lockStatistics } = condition.statistics();
    equal([tasksWaiting, lockStatistics.locked], [0, false]);
  },

  async ResourceGuard() {
    const guard = new ResourceGuard('pouring');
    equal(await guard.run(() => 'tea'), 'tea');
    await guard.run(async () => {
      const error = await rejects(
        guard.run(() => {}),
        Error,
      );
      equal([error.name, error.message.includes('pouring')], ['BusyResourceError', true]);
    });
    equal(guard.statistics().inUse, false);
  },

  async Future() {
    const future = new Future<string>();
    await cancelled(
      () => future.statistics().tasksWaiting,
      (options) => future.result(options),
    );
    setTimeout(() => future.setResult('tea'), 0);
    equal(await future.result(), 'tea');
    equal([future.status, future.returnValue], ['finished', 'tea']);
  },
};
