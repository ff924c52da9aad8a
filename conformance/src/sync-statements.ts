import type { Body, Op } from './language.js';
import { toNumber } from './objects.js';
import type { Statements, Task } from './task.js';

export const syncStatements = {
  async wait_event(task, { op, event }) {
    if (await task.attempt(op, event, true, () => task.env.events.get(event).wait())) task.record(op, event);
  },

  set_event(task, { op, event }) {
    task.env.events.get(event).set();
    task.record(op, event);
  },

  async acquire(task, { op, object, borrower, raise }) {
    const ownable = findOwnable(task, object, borrower);
    if (await task.attempt(op, object, raise, () => ownable.acquire())) task.record(op, object);
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
    await holdAround(task, 'acquire', statement, ownable, () => ownable.acquire());
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
    if (await task.attempt(op, object, raise, () => condition.wait())) task.record(op, object);
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
  acquire(): Promise<unknown>;
  acquireNowait(): unknown;
  release(): void;
}

function findOwnable({ env }: Task, name: string, borrower: string | undefined): Ownable {
  const limiter = env.limiters.find(name);
  if (limiter !== undefined && borrower !== undefined) {
    return {
      acquire: () => limiter.acquireOnBehalfOf(borrower),
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
