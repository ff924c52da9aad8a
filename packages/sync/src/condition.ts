/**
 * Waiting, under a lock, for something to become true.
 *
 * Those who wait have let go of the lock. `notify` moves them, in order, to the queue of the lock; so they
 * have it again when they go on, and a notification costs no wake-up for nothing.
 */

import { currentTask, InvalidStateError, shield, type WaitOptions } from '@taskscope/core';
import {
  checkCount,
  checkFunction,
  completed,
  describe,
  refusal,
  rejected,
  chain,
  scopeOfWait,
  WaitQueue,
} from '@taskscope/core/lowlevel';

import { accessTo, Lock, type LockAccess, type LockStatistics, type Tenant } from './lock.js';
import { isNobody } from './owner.js';
import type { Releaser } from './releaser.js';

/** What `Condition.statistics()` returns. */
export interface ConditionStatistics {
  /** Tasks that wait and have not been notified. */
  readonly tasksWaiting: number;
  readonly lockStatistics: LockStatistics;
}

/**
 * A condition variable: a lock, and a queue of those who wait for a change of what the lock protects.
 *
 * Semantics: `Condition` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { Condition } from '@taskscope/sync';
 * import assert from 'node:assert/strict';
 *
 * const condition = new Condition();
 * const cups: string[] = [];
 * await taskGroup((tg) => {
 *   tg.startSoon(() =>
 *     condition.run(async () => {
 *       await condition.waitFor(() => cups.length === 2);
 *       assert.deepEqual(cups, ['first', 'second']);
 *     }),
 *   );
 *   for (const cup of ['first', 'second']) {
 *     tg.startSoon(() =>
 *       condition.run(() => {
 *         cups.push(cup);
 *         condition.notify();
 *       }),
 *     );
 *   }
 * });
 * ```
 */
export class Condition {
  readonly #lock: Lock;
  readonly #access: LockAccess;
  readonly #queue = new WaitQueue<Releaser, Tenant>();

  /**
   * @param lock - The lock to use; it may be shared with other conditions. Default: one of its own.
   * @throws TypeError when it is no Lock.
   */
  constructor(lock: Lock = new Lock()) {
    if (!(lock instanceof Lock)) {
      throw new TypeError(`new Condition(): lock must be a Lock, got ${describe(lock)}`);
    }
    this.#lock = lock;
    this.#access = accessTo(lock);
  }

  /** Whether the lock is held. */
  get locked(): boolean {
    return this.#lock.locked;
  }

  /** Acquires the lock: see `Lock.acquire()`. */
  acquire(options?: WaitOptions): Promise<Releaser> {
    return this.#lock.acquire(options);
  }

  /** Acquires the lock if it is free: see `Lock.acquireNowait()`. */
  acquireNowait(): Releaser {
    return this.#lock.acquireNowait();
  }

  /** Releases the lock: see `Lock.release()`. */
  release(): void {
    this.#lock.release();
  }

  /** Runs `fn` while holding the lock: see `Lock.run()`. */
  run<T>(fn: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    return this.#lock.run(fn, options);
  }

  /**
   * Lets go of the lock, waits to be notified, and takes the lock again.
   *
   * Cancelled before: rejects, and the lock stays held. Cancelled during: takes the lock again, which
   * cannot be interrupted, and then rejects. If it had been notified already, the notification goes to the
   * next who waits.
   *
   * @throws InvalidStateError when the caller does not hold the lock; Cancelled when the scope is
   * cancelled; `signal.reason` when a foreign signal aborts; BrokenResourceError when the lock broke
   * meanwhile.
   */
  wait(options?: WaitOptions): Promise<void> {
    const where = 'Condition.wait()';
    try {
      const scope = scopeOfWait(where, options);
      const tenant = this.#access.holder(scope.task);
      if (tenant === undefined) throw notHeld(where);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      tenant.isNotified = false;
      const notified = this.#queue.wait('a condition', scope, tenant, options);
      this.#access.breakWith(this.#queue);
      this.#access.handOver();
      return chain(this.#lockAgain(notified, tenant), () => undefined, options?.signal);
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Whoever was notified has the lock already. Whoever was cancelled has to take it again, come what may.
   */
  async #lockAgain(notified: Promise<Releaser>, tenant: Tenant): Promise<void> {
    try {
      await notified;
    } catch (error) {
      if (tenant.isNotified) this.#notifyNext();
      await shield(
        (inside) => {
          const scope = scopeOfWait('Condition.wait()', { signal: inside.signal });
          return this.#access.acquireAs(tenant, scope);
        },
        { name: 'Condition.wait()' },
      );
      throw error;
    }
  }

  /**
   * Waits until `predicate` returns something true, looking at once and then after each notification. It
   * must not be an async function.
   *
   * Cancelled before: rejects without calling `predicate`. Otherwise as `wait()`.
   *
   * @returns What `predicate` returned.
   * @throws What `predicate` throws; as `wait()`; TypeError when `predicate` is no function, or returns a promise.
   */
  waitFor<T>(predicate: () => T, options?: WaitOptions): Promise<T> {
    const where = 'Condition.waitFor()';
    try {
      checkFunction(where, 'predicate', predicate);
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      const result = predicate();
      checkAnswer(where, result);
      if (result) return completed(result);
      return chain(this.#waitFor(where, predicate, options), (satisfied) => satisfied, options?.signal);
    } catch (error) {
      return rejected(error);
    }
  }

  async #waitFor<T>(where: string, predicate: () => T, options: WaitOptions | undefined): Promise<T> {
    for (;;) {
      await this.wait(options);
      const result = predicate();
      checkAnswer(where, result);
      if (result) return result;
    }
  }

  /**
   * Notifies those who have waited longest: they go on as soon as they have the lock.
   *
   * Does not wait.
   *
   * @param n - How many. Default: 1.
   * @throws InvalidStateError when the caller does not hold the lock; TypeError or RangeError when `n` is
   * no count.
   */
  notify(n = 1): void {
    checkCount('Condition.notify()', 'n', n, 0);
    this.#checkHeld('Condition.notify()');
    for (let left = n; left > 0 && this.#notifyNext(); left--);
  }

  /**
   * Notifies everyone who waits.
   *
   * Does not wait.
   *
   * @throws InvalidStateError when the caller does not hold the lock.
   */
  notifyAll(): void {
    this.#checkHeld('Condition.notifyAll()');
    while (this.#notifyNext());
  }

  /** A snapshot for people and tests. */
  statistics(): ConditionStatistics {
    return { tasksWaiting: this.#queue.size, lockStatistics: this.#lock.statistics() };
  }

  #notifyNext(): boolean {
    const first = this.#queue.first;
    if (first === undefined) return false;
    first.data.isNotified = true;
    this.#access.enqueueFrom(this.#queue);
    return true;
  }

  #checkHeld(where: string): void {
    const task = currentTask();
    // Outside of every task, as always in explicit mode, there is nobody to compare with the owner.
    const isHeld = isNobody(task) ? this.#lock.locked : this.#access.holder(task) !== undefined;
    if (!isHeld) throw notHeld(where);
  }
}

/** A promise is true, whatever it resolves to. */
function checkAnswer(where: string, answer: unknown): void {
  if (typeof (answer as { then?: unknown } | null | undefined)?.then !== 'function') return;
  Promise.resolve(answer).catch(ignore);
  throw new TypeError(
    `${where}: predicate must not be async: the promise that it returns counts as true. What takes time belongs in a loop around wait()`,
  );
}

function ignore(): void {}

function notHeld(where: string): InvalidStateError {
  return new InvalidStateError(
    `${where}: the caller does not hold the lock of this condition. Acquire it first`,
  );
}
