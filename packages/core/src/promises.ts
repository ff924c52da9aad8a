/** Small things that are done with promises everywhere. */

import { isThenable } from './arguments.js';
import { isCancellation } from './errors.js';

export function ignore(): void {}

/** What operations return that complete at once: one promise for all of them. */
export const DONE: Promise<void> = Promise.resolve();

/**
 * A promise that rejects with `error`, for functions that return promises and must not throw. If it is a
 * cancellation that nobody looks at, that is no unhandled rejection.
 *
 * @example
 * ```ts
 * import { rejected } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * await assert.rejects(rejected(new RangeError('out of tea')), RangeError);
 * ```
 */
export function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  silence(promise, error);
  return promise;
}

/**
 * `promise` rejects with `error`. If that is a cancellation, nobody needs to look at it. For async functions, whose waits may be
 * cancelled.
 *
 * Does not wait.
 *
 * @param signal - The foreign signal that was given to those waits: its reason counts as a cancellation.
 *
 * @example
 * ```ts
 * import { sleep, type WaitOptions } from '@taskscope/core';
 * import { silence } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * function brew(options?: WaitOptions): Promise<string> {
 *   const work = async (): Promise<string> => {
 *     try {
 *       await sleep(1, options);
 *       return 'tea';
 *     } catch (error) {
 *       silence(brewing, error, options?.signal);
 *       throw error;
 *     }
 *   };
 *   const brewing = work();
 *   return brewing;
 * }
 * const controller = new AbortController();
 * void brew({ signal: controller.signal });
 * controller.abort();
 * assert.equal(await brew(), 'tea');
 * ```
 */
export function silence(promise: Promise<unknown>, error: unknown, signal?: AbortSignal): void {
  if (isCancellation(error) || (signal?.aborted === true && error === signal.reason)) promise.catch(ignore);
}

/** A value, or a native promise of it. */
export function settled<R>(result: R | PromiseLike<R>): R | Promise<R> {
  if (result instanceof Promise && result.constructor === Promise) return result as Promise<R>;
  // A foreign thenable, or a subclass, may begin its work only when then() is called: that has to happen here.
  return isThenable(result) ? Promise.resolve(result) : result;
}

/**
 * `promise.then(then)`; and if it rejects with a cancellation that nobody looks at, that is no unhandled
 * rejection. For functions that return promises made from those of waits.
 *
 * @param signal - The foreign signal that was given to those waits: its reason counts as a cancellation.
 *
 * @example
 * ```ts
 * import { CancelScope, checkpoint } from '@taskscope/core';
 * import { chain } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * assert.equal(await chain(Promise.resolve(20), (n) => n + 1), 21);
 * await new CancelScope().run((scope) => {
 *   scope.cancel();
 *   void chain(checkpoint(), () => 'never');
 * });
 * ```
 */
export function chain<T, R>(
  promise: Promise<T>,
  then: (value: T) => R | PromiseLike<R>,
  signal?: AbortSignal,
): Promise<R> {
  let resolve!: (result: R | PromiseLike<R>) => void;
  let reject!: (error: unknown) => void;
  const chained = new Promise<R>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  const failed = (error: unknown): void => {
    silence(chained, error, signal);
    reject(error);
  };
  promise.then((value) => {
    let result: R | Promise<R>;
    try {
      result = settled(then(value));
    } catch (error) {
      failed(error);
      return;
    }
    // To resolve with a promise would take two more turns of the microtask queue, and tell nothing of its error.
    if (result instanceof Promise) result.then(resolve, failed);
    else resolve(result);
  }, failed);
  return chained;
}
