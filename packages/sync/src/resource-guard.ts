/** Finding out that two tasks use something at the same time that only one can. */

import { BusyResourceError } from '@taskscope/core';
import { chain, checkFunction, describe, rejected } from '@taskscope/core/lowlevel';

/**
 * Guards something that only one task can use at a time, where a second one is a mistake and not to be kept
 * waiting: reading from one socket in two tasks, say.
 *
 * Semantics: AnyIO's `ResourceGuard`, Trio's `ConflictDetector`.
 *
 * @example
 * ```ts
 * import { BusyResourceError } from '@taskscope/core';
 * import { ResourceGuard } from '@taskscope/sync';
 * import assert from 'node:assert/strict';
 *
 * const guard = new ResourceGuard('reading from');
 * const using = guard.enter();
 * assert.throws(() => guard.enter(), BusyResourceError);
 * using[Symbol.dispose]();
 * ```
 */
export class ResourceGuard {
  readonly #action: string;
  #isUsed = false;

  /**
   * @param action - What is done with the resource, for the message: "another task is already *using* this
   * resource".
   * @throws TypeError when it is no string.
   */
  constructor(action = 'using') {
    if (typeof action !== 'string') {
      throw new TypeError(`new ResourceGuard(): action must be a string, got ${describe(action)}`);
    }
    this.#action = action;
  }

  /**
   * Begins to use the resource. Dispose of the result at the end.
   *
   * Does not wait.
   *
   * @throws BusyResourceError when it is in use.
   */
  enter(): Disposable {
    if (this.#isUsed) throw new BusyResourceError(`another task is already ${this.#action} this resource`);
    this.#isUsed = true;
    let isInside = true;
    return {
      [Symbol.dispose]: () => {
        if (!isInside) return;
        isInside = false;
        this.#isUsed = false;
      },
    };
  }

  /**
   * Runs `fn` while using the resource.
   *
   * Waits until `fn` has ended.
   *
   * @throws BusyResourceError when it is in use; what `fn` throws; TypeError when `fn` is no function.
   */
  run<T>(fn: () => T | PromiseLike<T>): Promise<T> {
    try {
      checkFunction('ResourceGuard.run()', 'fn', fn);
      return chain(this.#run(fn, this.enter()), (result) => result);
    } catch (error) {
      return rejected(error);
    }
  }

  async #run<T>(fn: () => T | PromiseLike<T>, inside: Disposable): Promise<T> {
    try {
      return await fn();
    } finally {
      inside[Symbol.dispose]();
    }
  }

  /** A snapshot for people and tests. */
  statistics(): { readonly inUse: boolean } {
    return { inUse: this.#isUsed };
  }
}
