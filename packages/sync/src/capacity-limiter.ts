/**
 * Limiting how many do something at a time, and knowing who they are.
 *
 * Waiters are served in order: while anybody waits, nobody passes. A token that is given back goes straight
 * to the one who has waited longest, so never are more out than there are, except after the total was
 * lowered.
 */

import {
  CancelScope,
  currentTask,
  InvalidStateError,
  WouldBlock,
  type TaskInfo,
  type WaitOptions,
} from '@taskscope/core';
import {
  checkCount,
  checkFunction,
  completed,
  describe,
  findScope,
  refusal,
  rejected,
  scopeOfWait,
  suspend,
  WaitQueue,
} from '@taskscope/core/lowlevel';

import { isNobody } from './owner.js';
import { Releaser, runHolding } from './releaser.js';

/** What `CapacityLimiter.statistics()` returns. */
export interface CapacityLimiterStatistics {
  readonly borrowedTokens: number;
  readonly totalTokens: number;
  /** Who has a token: tasks, or what was given to `acquireOnBehalfOf`. */
  readonly borrowers: readonly unknown[];
  readonly tasksWaiting: number;
}

/** Who borrows: what is counted, and what the statistics show for it. */
interface Borrower {
  /** A task, the scope of a call of `run`, a Nobody, or what somebody acquires on behalf of. */
  readonly key: unknown;
  readonly shown: unknown;
  /** Whether it stands for the running code itself, which then may not be inside of `run` already. */
  readonly isCaller: boolean;
}

/** A key for code that is in no task: there is no telling one from another. */
class Nobody {}

/**
 * A number of tokens that are lent: one a borrower, who alone gives it back. A borrower is a task, or any
 * object on whose behalf a task acquires; each call of `run(fn)` is one of its own. The total may be
 * changed at any time.
 *
 * Semantics: `CapacityLimiter` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { CapacityLimiter } from '@taskscope/sync';
 * import assert from 'node:assert/strict';
 *
 * const limiter = new CapacityLimiter(2);
 * const connection = {};
 * await limiter.acquireOnBehalfOf(connection);
 * assert.equal(limiter.availableTokens, 1);
 * limiter.releaseOnBehalfOf(connection);
 * ```
 */
export class CapacityLimiter {
  #totalTokens: number;
  readonly #borrowers = new Map<unknown, Borrower>();
  /** The keys of those who wait. */
  readonly #waiting = new Set<unknown>();
  readonly #queue = new WaitQueue<Releaser, Borrower>();

  /**
   * @param totalTokens - 0 or more, or Infinity.
   * @throws TypeError or RangeError when it is no such number.
   */
  constructor(totalTokens: number) {
    checkCount('new CapacityLimiter()', 'totalTokens', totalTokens, 0);
    this.#totalTokens = totalTokens;
  }

  /**
   * How many tokens there are. When it grows, waiters are let in at once; when it shrinks, those who have
   * tokens keep them.
   */
  get totalTokens(): number {
    return this.#totalTokens;
  }

  set totalTokens(value: number) {
    checkCount('CapacityLimiter', 'totalTokens', value, 0);
    this.#totalTokens = value;
    this.#serve();
  }

  /** How many tokens are out. */
  get borrowedTokens(): number {
    return this.#borrowers.size;
  }

  /** How many tokens are there; negative after the total was lowered below what is out. */
  get availableTokens(): number {
    return this.#totalTokens - this.#borrowers.size;
  }

  /**
   * Waits for a token for the current task.
   *
   * Cancelled before or during: rejects, and borrows none. Cancelled after it was handed over: it is
   * borrowed.
   *
   * @returns What gives it back: `using token = await limiter.acquire()`.
   * @throws InvalidStateError when the task has a token or waits for one, or inside of `run(fn)` on the
   * same call chain; Cancelled when the scope is cancelled; `signal.reason` when a foreign signal aborts.
   */
  acquire(options?: WaitOptions): Promise<Releaser> {
    return this.#acquire('CapacityLimiter.acquire()', callerOf, options);
  }

  /**
   * Takes a token for the current task if there is one and nobody waits.
   *
   * Does not wait.
   *
   * @throws WouldBlock when there is none; InvalidStateError when the task has a token or waits for one.
   */
  acquireNowait(): Releaser {
    return this.#takeNowait('CapacityLimiter.acquireNowait()', callerOf(currentTask()));
  }

  /**
   * The same as `acquire`, on behalf of somebody else.
   *
   * @param borrower - Any object, or a name. It gives the token back with `releaseOnBehalfOf`.
   * @throws As `acquire`; TypeError when `borrower` is null or undefined.
   */
  acquireOnBehalfOf(borrower: unknown, options?: WaitOptions): Promise<Releaser> {
    const where = 'CapacityLimiter.acquireOnBehalfOf()';
    return this.#acquire(where, () => onBehalfOf(where, borrower), options);
  }

  /** The same as `acquireNowait`, on behalf of somebody else. */
  acquireOnBehalfOfNowait(borrower: unknown): Releaser {
    const where = 'CapacityLimiter.acquireOnBehalfOfNowait()';
    return this.#takeNowait(where, onBehalfOf(where, borrower));
  }

  /**
   * Gives the token of the current task back.
   *
   * Does not wait.
   *
   * @throws InvalidStateError when the task has none.
   */
  release(): void {
    const task = currentTask();
    const key = isNobody(task) ? this.#anybody() : task;
    this.#release('CapacityLimiter.release()', key, `task "${task.name}"`);
  }

  /** The same as `release`, on behalf of somebody else. */
  releaseOnBehalfOf(borrower: unknown): void {
    const where = 'CapacityLimiter.releaseOnBehalfOf()';
    this.#release(where, onBehalfOf(where, borrower).key, describe(borrower));
  }

  /**
   * Runs `fn` with a token. Each call is a borrower of its own: in a task that has acquired a token it takes a second one.
   *
   * Waits for a token, then until `fn` has ended. Cancelled before or while waiting for it: rejects without
   * calling `fn`.
   *
   * @returns What `fn` returned.
   * @throws What `fn` throws; InvalidStateError inside of itself on the same call chain; Cancelled when the
   * scope is cancelled; TypeError when `fn` is no function.
   */
  run<T>(fn: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    const where = 'CapacityLimiter.run()';
    try {
      checkFunction(where, 'fn', fn);
      const section = new CancelScope({ name: where });
      const borrowerOf = (task: TaskInfo): Borrower => ({ key: section, shown: task, isCaller: true });
      // Nobody cancels the section but from around, so there is always a result.
      const acquiring = this.#acquire(where, borrowerOf, options);
      return runHolding(acquiring, () => section.run(fn) as Promise<T>, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** A snapshot for people and tests. */
  statistics(): CapacityLimiterStatistics {
    return {
      borrowedTokens: this.borrowedTokens,
      totalTokens: this.#totalTokens,
      borrowers: [...this.#borrowers.values()].map(({ shown }) => shown),
      tasksWaiting: this.#queue.size,
    };
  }

  #acquire(
    where: string,
    borrowerOf: (task: TaskInfo) => Borrower,
    options: WaitOptions | undefined,
  ): Promise<Releaser> {
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      const borrower = borrowerOf(scope.task);
      this.#checkBorrows(where, borrower);
      if (this.#hasFree()) return completed(this.#give(borrower));
      return this.#wait(borrower, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** By `suspend`, since the key has to go in the very call that cancels, as the place in the queue does. */
  #wait(borrower: Borrower, options: WaitOptions | undefined): Promise<Releaser> {
    // A call of run() in a task that has acquired a token: not wrong as such, but where a deadlock mostly comes from.
    const isSecond = borrower.isCaller && this.#borrowers.has(borrower.shown);
    return suspend<Releaser>(
      (resolve, reject) => {
        this.#waiting.add(borrower.key);
        const leave = this.#queue.enlist(borrower, { resolve, reject });
        return () => {
          leave();
          this.#waiting.delete(borrower.key);
        };
      },
      { ...options, label: isSecond ? 'a second token, beside the one that the task holds' : 'a token' },
    );
  }

  #takeNowait(where: string, borrower: Borrower): Releaser {
    this.#checkBorrows(where, borrower);
    if (!this.#hasFree()) throw new WouldBlock('no token is free');
    return this.#give(borrower);
  }

  #checkBorrows(where: string, borrower: Borrower): void {
    const { key, isCaller } = borrower;
    if (this.#borrowers.has(key)) {
      throw new InvalidStateError(
        `${where}: ${nameOf(borrower)} has a token already, and there is one for each. The branches of a Promise.all() are one task: ` +
          'use limiter.run(fn), tasks of a group, or acquireOnBehalfOf()',
      );
    }
    if (this.#waiting.has(key)) {
      throw new InvalidStateError(
        `${where}: ${nameOf(borrower)} waits for a token already, and there is one for each`,
      );
    }
    // Somebody may borrow on behalf of a scope, too: that is no call of run().
    if (isCaller && findScope((scope) => this.#borrowers.get(scope)?.isCaller === true) !== undefined) {
      throw new InvalidStateError(
        `${where}: this is called inside of run() of the same limiter, which has a token already`,
      );
    }
  }

  #hasFree(): boolean {
    return this.#queue.size === 0 && this.#borrowers.size < this.#totalTokens;
  }

  #give(borrower: Borrower): Releaser {
    this.#waiting.delete(borrower.key);
    this.#borrowers.set(borrower.key, borrower);
    return new Releaser(() => {
      // Unless it was given back otherwise, and perhaps borrowed again since.
      if (this.#borrowers.get(borrower.key) !== borrower) return;
      this.#borrowers.delete(borrower.key);
      this.#serve();
    });
  }

  #release(where: string, key: unknown, who: string): void {
    if (!this.#borrowers.delete(key)) {
      throw new InvalidStateError(`${where}: ${who} has no token to give back`);
    }
    this.#serve();
  }

  #serve(): void {
    while (this.#borrowers.size < this.#totalTokens) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      next.resolve(this.#give(next.data));
    }
  }

  #anybody(): unknown {
    for (const key of this.#borrowers.keys()) if (key instanceof Nobody) return key;
    return undefined;
  }
}

function callerOf(task: TaskInfo): Borrower {
  return { key: isNobody(task) ? new Nobody() : task, shown: task, isCaller: true };
}

/** For messages. */
function nameOf({ shown, isCaller }: Borrower): string {
  return isCaller ? `task "${(shown as TaskInfo).name}"` : describe(shown);
}

function onBehalfOf(where: string, borrower: unknown): Borrower {
  if (borrower === undefined || borrower === null) {
    throw new TypeError(`${where}: borrower must be an object or a name, got ${describe(borrower)}`);
  }
  return { key: borrower, shown: borrower, isCaller: false };
}
