/** Small things that are done with promises everywhere. */

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

/** `promise` rejects with `error`. If that is a cancellation, nobody needs to look at it. */
export function silence(promise: Promise<unknown>, error: unknown): void {
  if (isCancellation(error)) promise.catch(ignore);
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
  const failed = (error: unknown): never => {
    if (signal?.aborted === true && error === signal.reason) chained.catch(ignore);
    else silence(chained, error);
    throw error;
  };
  const chained: Promise<R> = promise.then((value) => {
    try {
      const result = then(value);
      return result instanceof Promise ? (result as Promise<R>).catch(failed) : result;
    } catch (error) {
      return failed(error);
    }
  }, failed);
  return chained;
}
