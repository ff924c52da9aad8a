import type { WaitOptions } from '@taskscope/core';
import type { Body, Op } from './language.js';
import { toNumber } from './objects.js';
import type { Statements, Task } from './task.js';

export const syncStatements = {
  async wait_event(task, { op, event }) {
    if (await task.attempt(op, event, true, () => task.env.events.get(event).wait(task.options)))
      task.record(op, event);
  },

  set_event(task, { op, event }) {
    task.env.events.get(event).set();
    task.record(op, event);
  },

  async acquire(task, { op, object, borrower, raise }) {
    const ownable = findOwnable(task, object, borrower);
    if (await task.attempt(op, object, raise, () => ownable.acquire(task.options))) task.record(op, object);
  },

  async acquire_nowait(task, { op, object, borrower, raise }) {
    const ownable = findOwnable(task, object, borrower);
    if (await task.attempt(op, object, raise, () => ownable.acquireNowait())) task.record(op, object);
  },

  async release(task, { op, object, borrower, raise }) {
    const ownable = findOwnable(task, object, borrower);
    if (await task.attempt(op, object, raise, () => ownable.release())) task.record(op, object);
  },

  async with(task, statement) {
    const ownable = findOwnable(task, statement.object, statement.borrower);
    await holdAround(task, 'acquire', statement, ownable, () => ownable.acquire(task.options));
  },

  async with_nowait(task, statement) {
    const ownable = findOwnable(task, statement.object, statement.borrower);
    await holdAround(task, 'acquire_nowait', statement, ownable, () => ownable.acquireNowait());
  },

  set_total(task, { op, object, total }) {
    task.env.limiters.get(object).totalTokens = toNumber(total);
    task.record(op, object, total);
  },

  async cond_wait(task, { op, object, raise }) {
    const condition = task.env.conditions.get(object);
    if (await task.attempt(op, object, raise, () => condition.wait(task.options))) task.record(op, object);
  },

  async notify(task, { op, object, n = 1, raise }) {
    const condition = task.env.conditions.get(object);
    if (await task.attempt(op, object, raise, () => condition.notify(n))) task.record(op, object, n);
  },

  async notify_all(task, { op, object, raise }) {
    const condition = task.env.conditions.get(object);
    if (await task.attempt(op, object, raise, () => condition.notifyAll())) task.record(op, object);
  },
} satisfies Statements;

/** What can be acquired and released: a lock, a semaphore, a limiter, the lock of a condition. */
interface Ownable {
  acquire(options: WaitOptions): Promise<unknown>;
  acquireNowait(): unknown;
  release(): void;
}

function findOwnable(task: Task, name: string, namedBorrower: string | undefined): Ownable {
  const { env } = task;
  const limiter = env.limiters.find(name);
  // In explicit mode `release()` is not told its task.
  const borrower = namedBorrower ?? (env.explicit ? task : undefined);
  if (limiter !== undefined && borrower !== undefined) {
    return {
      acquire: (options) => limiter.acquireOnBehalfOf(borrower, options),
      acquireNowait: () => limiter.acquireOnBehalfOfNowait(borrower),
      release: () => limiter.releaseOnBehalfOf(borrower),
    };
  }
  return limiter ?? env.semaphores.find(name) ?? env.conditions.find(name) ?? env.locks.get(name);
}

/** Acquires, runs the body, and releases however the body is left. */
async function holdAround(
  task: Task,
  op: Op,
  { object, body, raise }: { readonly object: string; readonly body: Body; readonly raise?: boolean },
  ownable: Ownable,
  acquire: () => unknown,
): Promise<void> {
  if (!(await task.attempt(op, object, raise, acquire))) return;
  task.record(op, object);
  try {
    await task.do(body);
  } finally {
    if (await task.attempt('release', object, false, () => ownable.release())) task.record('release', object);
  }
}
