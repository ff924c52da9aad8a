/**
 * Limiting how many do something at a time, and knowing who they are.
 *
 * Waiters are served in order: while anybody waits, nobody passes. A token that is given back goes straight
 * to the one who has waited longest, so never are more out than there are, except after the total was
 * lowered.
 */

import { currentTask, InvalidStateError, WouldBlock, type TaskInfo, type WaitOptions } from '@taskscope/core';
import {
  checkCount,
  checkFunction,
  completed,
  describe,
  findSection,
  nowOrNextTurn,
  refusal,
  rejected,
  scopeOfWait,
  suspend,
  WaitQueue,
  type WaitScope,
} from '@taskscope/core/lowlevel';

import { isNobody } from './owner.js';
import { runHolding, type Releaser } from './releaser.js';

/** What `CapacityLimiter.statistics()` returns. */
export interface CapacityLimiterStatistics {
  readonly borrowedTokens: number;
  readonly totalTokens: number;
  /** Who has a token: tasks, or what was given to `acquireOnBehalfOf`. */
  readonly borrowers: readonly unknown[];
  readonly tasksWaiting: number;
}

/** Who borrows a token, and what gives it back. */
class Borrower implements Releaser {
  /** What the statistics show: a task, or what somebody acquires on behalf of. */
  readonly shown: unknown;
  /** What there is one token for. Undefined for a call of `run`, and for code in no task: each is one of its own. */
  readonly key: unknown;
  /** The running code, which may not be inside of `run` already; a call of `run` by it; or somebody else. */
  readonly kind: 'caller' | 'section' | 'other';
  /** Its neighbours among those who have a token. */
  previous: Borrower | undefined = undefined;
  next: Borrower | undefined = undefined;
  /** Until it was given back. */
  limiter: CapacityLimiter | undefined;

  constructor(limiter: CapacityLimiter, shown: unknown, key: unknown, kind: Borrower['kind']) {
    this.limiter = limiter;
    this.shown = shown;
    this.key = key;
    this.kind = kind;
  }

  release(): void {
    const { limiter } = this;
    this.limiter = undefined;
    if (limiter !== undefined) giveBack(limiter, this);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

let giveBack: (limiter: CapacityLimiter, borrower: Borrower) => void;

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
  /** Those who have a token. They are a list, since to add to a Set and delete from it took 85 of 450 ns of `run()`. */
  #firstBorrower: Borrower | undefined = undefined;
  #lastBorrower: Borrower | undefined = undefined;
  #borrowedTokens = 0;
  /** Those of them who have a key, by that. */
  readonly #byKey = new Map<unknown, Borrower>();
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
    return this.#borrowedTokens;
  }

  /** How many tokens are there; negative after the total was lowered below what is out. */
  get availableTokens(): number {
    return this.#totalTokens - this.#borrowedTokens;
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
    const where = 'CapacityLimiter.acquire()';
    try {
      const scope = scopeOfWait(where, options);
      return this.#acquire(where, this.#caller(scope.task), scope, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Takes a token for the current task if there is one and nobody waits.
   *
   * Does not wait.
   *
   * @throws WouldBlock when there is none; InvalidStateError when the task has a token or waits for one.
   */
  acquireNowait(): Releaser {
    return this.#takeNowait('CapacityLimiter.acquireNowait()', this.#caller(currentTask()));
  }

  /**
   * The same as `acquire`, on behalf of somebody else.
   *
   * @param borrower - Any object, or a name. It gives the token back with `releaseOnBehalfOf`.
   * @throws As `acquire`; TypeError when `borrower` is null or undefined.
   */
  acquireOnBehalfOf(borrower: unknown, options?: WaitOptions): Promise<Releaser> {
    const where = 'CapacityLimiter.acquireOnBehalfOf()';
    try {
      const scope = scopeOfWait(where, options);
      return this.#acquire(where, this.#onBehalfOf(where, borrower), scope, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** The same as `acquireNowait`, on behalf of somebody else. */
  acquireOnBehalfOfNowait(borrower: unknown): Releaser {
    const where = 'CapacityLimiter.acquireOnBehalfOfNowait()';
    return this.#takeNowait(where, this.#onBehalfOf(where, borrower));
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
    const borrower = isNobody(task) ? this.#anybody() : this.#byKey.get(task);
    this.#release('CapacityLimiter.release()', borrower, () => `task "${task.name}"`);
  }

  /** The same as `release`, on behalf of somebody else. */
  releaseOnBehalfOf(borrower: unknown): void {
    const where = 'CapacityLimiter.releaseOnBehalfOf()';
    checkBorrower(where, borrower);
    this.#release(where, this.#byKey.get(borrower), () => describe(borrower));
  }

  /**
   * Runs `fn` with a token. Each call is a borrower of its own: in a task that has acquired a token it takes a second one.
   *
   * Waits for a token, then until `fn` has ended. If there is a token, `fn` begins in this call, or in the next turn of
   * the event loop when the budget of this one is used up. Cancelled before or while waiting for it: rejects
   * without calling `fn`.
   *
   * @returns What `fn` returned.
   * @throws What `fn` throws; InvalidStateError inside of itself on the same call chain; Cancelled when the
   * scope is cancelled; TypeError when `fn` is no function.
   */
  run<T>(fn: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    const where = 'CapacityLimiter.run()';
    try {
      checkFunction(where, 'fn', fn);
      const scope = scopeOfWait(where, options);
      const borrower = new Borrower(this, scope.task, undefined, 'section');
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      this.#checkBorrows(where, borrower);
      const acquired = this.#hasFree()
        ? nowOrNextTurn(this.#give(borrower))
        : this.#wait(borrower, scope, options);
      return runHolding(where, acquired, fn, options, borrower);
    } catch (error) {
      return rejected(error);
    }
  }

  /** A snapshot for people and tests. */
  statistics(): CapacityLimiterStatistics {
    return {
      borrowedTokens: this.borrowedTokens,
      totalTokens: this.#totalTokens,
      borrowers: Array.from(this.#borrowers(), ({ shown }) => shown),
      tasksWaiting: this.#queue.size,
    };
  }

  #acquire(
    where: string,
    borrower: Borrower,
    scope: WaitScope,
    options: WaitOptions | undefined,
  ): Promise<Releaser> {
    const refused = refusal(where, scope, options);
    if (refused !== undefined) return refused;
    this.#checkBorrows(where, borrower);
    return this.#hasFree() ? completed(this.#give(borrower)) : this.#wait(borrower, scope, options);
  }

  #wait(borrower: Borrower, scope: WaitScope, options: WaitOptions | undefined): Promise<Releaser> {
    if (borrower.key !== undefined) return this.#waitWithKey(borrower, options);
    // A call of run() in a task that has acquired a token: not wrong as such, but where a deadlock mostly comes from.
    const isSecond = this.#byKey.size > 0 && this.#byKey.has(borrower.shown);
    const label = isSecond ? 'a second token, beside the one that the task holds' : 'a token';
    return this.#queue.wait(label, scope, borrower, options);
  }

  /** By `suspend`, since the key has to go in the very call that cancels, as the place in the queue does. */
  #waitWithKey(borrower: Borrower, options: WaitOptions | undefined): Promise<Releaser> {
    return suspend<Releaser>(
      (resolve, reject) => {
        this.#waiting.add(borrower.key);
        const leave = this.#queue.enlist(borrower, { resolve, reject });
        return () => {
          leave();
          this.#waiting.delete(borrower.key);
        };
      },
      { ...options, label: 'a token' },
    );
  }

  #takeNowait(where: string, borrower: Borrower): Releaser {
    this.#checkBorrows(where, borrower);
    if (!this.#hasFree()) throw new WouldBlock('no token is free');
    return this.#give(borrower);
  }

  #checkBorrows(where: string, borrower: Borrower): void {
    const { key, kind } = borrower;
    if (key !== undefined) {
      if (this.#byKey.has(key)) {
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
    }
    if (this.#borrowedTokens > 0 && kind !== 'other' && this.#isAround()) {
      throw new InvalidStateError(
        `${where}: this is called inside of run() of the same limiter, which has a token already`,
      );
    }
  }

  /** Whether the running code is inside of `run(fn)`, on the same call chain. */
  #isAround(): boolean {
    return findSection((mark) => mark instanceof Borrower && mark.limiter === this) !== undefined;
  }

  #hasFree(): boolean {
    return this.#queue.size === 0 && this.#borrowedTokens < this.#totalTokens;
  }

  #give(borrower: Borrower): Borrower {
    const last = this.#lastBorrower;
    if (last === undefined) this.#firstBorrower = borrower;
    else last.next = borrower;
    borrower.previous = last;
    this.#lastBorrower = borrower;
    this.#borrowedTokens++;
    const { key } = borrower;
    if (key !== undefined) {
      this.#waiting.delete(key);
      this.#byKey.set(key, borrower);
    }
    return borrower;
  }

  #release(where: string, borrower: Borrower | undefined, who: () => string): void {
    if (borrower === undefined) {
      throw new InvalidStateError(`${where}: ${who()} has no token to give back`);
    }
    borrower.release();
  }

  #giveBack(borrower: Borrower): void {
    const { previous, next } = borrower;
    if (previous === undefined) this.#firstBorrower = next;
    else previous.next = next;
    if (next === undefined) this.#lastBorrower = previous;
    else next.previous = previous;
    // Somebody may keep the Releaser, and shall not keep others with it.
    borrower.previous = borrower.next = undefined;
    this.#borrowedTokens--;
    if (borrower.key !== undefined) this.#byKey.delete(borrower.key);
    this.#serve();
  }

  #serve(): void {
    while (this.#borrowedTokens < this.#totalTokens) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      next.resolve(this.#give(next.data));
    }
  }

  /** The running code. Where that is in no task, there is no telling one borrower from another. */
  #caller(task: TaskInfo): Borrower {
    return new Borrower(this, task, isNobody(task) ? undefined : task, 'caller');
  }

  #onBehalfOf(where: string, borrower: unknown): Borrower {
    checkBorrower(where, borrower);
    return new Borrower(this, borrower, borrower, 'other');
  }

  *#borrowers(): Generator<Borrower, void, undefined> {
    for (let each = this.#firstBorrower; each !== undefined; each = each.next) yield each;
  }

  /** Somebody who acquired in no task. */
  #anybody(): Borrower | undefined {
    for (const borrower of this.#borrowers()) {
      if (borrower.kind === 'caller' && borrower.key === undefined) return borrower;
    }
    return undefined;
  }

  static {
    giveBack = (limiter, borrower) => limiter.#giveBack(borrower);
  }
}

/** For messages. */
function nameOf({ shown, kind }: Borrower): string {
  return kind === 'other' ? describe(shown) : `task "${(shown as TaskInfo).name}"`;
}

function checkBorrower(where: string, borrower: unknown): void {
  if (borrower === undefined || borrower === null) {
    throw new TypeError(`${where}: borrower must be an object or a name, got ${describe(borrower)}`);
  }
}
