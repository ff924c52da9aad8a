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

/** `promise.then(then)`; and if it rejects with a cancellation, nobody needs to look at it. */
export function chain<T, R>(promise: Promise<T>, then: (value: T) => R | PromiseLike<R>): Promise<R> {
  const chained: Promise<R> = promise.then(then, (error: unknown) => {
    silence(chained, error);
    throw error;
  });
  return chained;
}
