/** Counting how many may do something at a time. */

import { InvalidStateError, WouldBlock, type WaitOptions } from '@taskscope/core';
import {
  checkCount,
  checkFunction,
  checkOptions,
  completed,
  nowOrNextTurn,
  refusal,
  rejected,
  scopeOfWait,
  WaitQueue,
  type WaitScope,
} from '@taskscope/core/lowlevel';

import { runHolding, type Releaser } from './releaser.js';

/** Options of a {@link Semaphore}. */
export interface SemaphoreOptions {
  /** Releasing beyond this value is an error. Default: no limit. */
  maxValue?: number | undefined;
}

/** What `Semaphore.statistics()` returns. */
export interface SemaphoreStatistics {
  readonly tasksWaiting: number;
}

/**
 * A counter: acquiring takes one, and waits while it is 0; releasing gives one back, from whatever task. A
 * unit that is released goes straight to the one who has waited longest. It knows no owners; where it
 * should, use CapacityLimiter.
 *
 * Semantics: `Semaphore` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { all, sleep } from '@taskscope/core';
 * import { Semaphore } from '@taskscope/sync';
 * import assert from 'node:assert/strict';
 *
 * const semaphore = new Semaphore(2);
 * let [running, peak] = [0, 0];
 * const work = (): Promise<void> =>
 *   semaphore.run(async () => {
 *     peak = Math.max(peak, ++running);
 *     await sleep(1);
 *     running--;
 *   });
 * await all([work, work, work, work]);
 * assert.equal(peak, 2);
 * ```
 */
export class Semaphore {
  #value: number;
  readonly #maxValue: number;
  readonly #queue = new WaitQueue<Releaser>();

  /**
   * @param initialValue - How many may acquire before anybody releases: 0 or more, or Infinity.
   * @throws TypeError or RangeError when it is no such number, or greater than `maxValue`.
   */
  constructor(initialValue: number, options?: SemaphoreOptions) {
    const where = 'new Semaphore()';
    checkCount(where, 'initialValue', initialValue, 0);
    checkOptions(where, options);
    const { maxValue = Infinity } = options ?? {};
    checkCount(where, 'options.maxValue', maxValue, initialValue);
    this.#value = initialValue;
    this.#maxValue = maxValue;
  }

  /** How many can acquire now without waiting. */
  get value(): number {
    return this.#value;
  }

  /** The greatest value that it can have; Infinity for no limit. */
  get maxValue(): number {
    return this.#maxValue;
  }

  /**
   * Takes one, waiting while there is none.
   *
   * Cancelled before or during: rejects, and takes none. Cancelled after it was handed over: it is taken.
   *
   * @returns What gives it back: `using one = await semaphore.acquire()`.
   * @throws Cancelled when the scope is cancelled; `signal.reason` when a foreign signal aborts.
   */
  acquire(options?: WaitOptions): Promise<Releaser> {
    const where = 'Semaphore.acquire()';
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      return this.#value === 0 ? this.#wait(scope, options) : this.#take().promised();
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Takes one if there is one.
   *
   * Does not wait.
   *
   * @throws WouldBlock when there is none.
   */
  acquireNowait(): Releaser {
    if (this.#value === 0) throw new WouldBlock('the value of the semaphore is 0');
    return this.#take();
  }

  /**
   * Gives one back, or adds one.
   *
   * Does not wait.
   *
   * @throws InvalidStateError when the value is `maxValue` already.
   */
  release(): void {
    const next = this.#queue.shift();
    if (next !== undefined) {
      next.resolve(new Unit(this));
      return;
    }
    if (this.#value >= this.#maxValue && this.#maxValue !== Infinity) {
      throw new InvalidStateError(
        `Semaphore.release(): the value is ${this.#value}, its maximum: it was released more often than acquired`,
      );
    }
    this.#value++;
  }

  /**
   * Runs `fn` while one is taken.
   *
   * Waits for one, then until `fn` has ended. If there is one, `fn` begins in this call, or in the next turn of
   * the event loop when the budget of this one is used up. Cancelled before or while waiting for it: rejects
   * without calling `fn`.
   *
   * @returns What `fn` returned.
   * @throws What `fn` throws; Cancelled when the scope is cancelled; TypeError when `fn` is no function.
   */
  run<T>(fn: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    const where = 'Semaphore.run()';
    try {
      checkFunction(where, 'fn', fn);
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      const acquired = this.#value === 0 ? this.#wait(scope, options) : nowOrNextTurn(this.#take());
      return runHolding(where, acquired, fn, options);
    } catch (error) {
      return rejected(error);
    }
  }

  #take(): Unit {
    this.#value--;
    return new Unit(this);
  }

  #wait(scope: WaitScope, options: WaitOptions | undefined): Promise<Releaser> {
    return this.#queue.wait('a semaphore', scope, undefined, options);
  }

  /** A snapshot for people and tests. */
  statistics(): SemaphoreStatistics {
    return { tasksWaiting: this.#queue.size };
  }
}

/** One that was taken. */
class Unit implements Releaser {
  #semaphore: Semaphore | undefined;

  constructor(semaphore: Semaphore) {
    this.#semaphore = semaphore;
  }

  release(): void {
    const semaphore = this.#semaphore;
    this.#semaphore = undefined;
    semaphore?.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** See `Tenant.promised()`. */
  promised(): Promise<Releaser> {
    return completed(this);
  }
}
