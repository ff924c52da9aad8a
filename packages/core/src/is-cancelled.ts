/** Telling a cancellation from an error. */

import { peekScope } from './ambient.js';
import { isCancellationOf } from './scope-exit.js';

/**
 * Whether an error is a cancellation: a `Cancelled`, or an AbortError that some API raised because a
 * scope's signal aborted. Ask it in a `catch` that takes everything, and rethrow what it says yes to.
 *
 * Does not wait.
 *
 * @example
 * ```ts
 * import { isCancelled, moveOnAfter, sleepForever } from '@taskscope/core';
 *
 * await moveOnAfter(1, async () => {
 *   try {
 *     await sleepForever();
 *   } catch (error) {
 *     if (isCancelled(error)) throw error;
 *     console.error('that went wrong:', error);
 *   }
 * });
 * ```
 */
export function isCancelled(error: unknown): boolean {
  return isCancellationOf(peekScope(), error);
}
