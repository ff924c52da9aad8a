/** Reading somebody else's iterable, where the reader may be cancelled at any time. */

import type { WaitOptions } from './ambient.js';
import { describe, isThenable } from './arguments.js';
import { checkpoint } from './checkpoint.js';
import { cleanup } from './cleanup.js';
import { isCancellation } from './errors.js';
import { abandonOnCancel } from './foreign.js';
import { ignore } from './promises.js';

/** Reads an iterable. One read at a time. */
export interface IterableReader<T> {
  /**
   * Waits for the next item. Cancelled: rejects; an item or an error that comes afterwards is kept for the
   * next call.
   */
  next(options?: WaitOptions): Promise<IteratorResult<T, unknown>>;
  /**
   * The next item, if the source gives it at once; undefined where that has to be waited for, as always with an async
   * iterable. It is no cancellation point.
   */
  nextNow(): IteratorResult<T, unknown> | undefined;
  /**
   * Tells the source that no more is wanted, unless it has ended by itself. A step that is still going on
   * is given a grace period. Not interrupted by a cancellation.
   */
  close(): Promise<void>;
}

/**
 * Begins to read an iterable or async iterable, a foreign generator for instance.
 *
 * Does not wait.
 *
 * @param where - The name of the operation, for messages.
 * @throws TypeError when `items` is not iterable.
 *
 * @example
 * ```ts
 * import { moveOnAfter } from '@taskscope/core';
 * import { readIterable } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * const reader = readIterable('example()', ['tea', 'milk']);
 * await moveOnAfter(0, () => reader.next()); // cancelled: nothing is lost
 * assert.deepEqual(await reader.next(), { done: false, value: 'tea' });
 * await reader.close();
 * ```
 */
export function readIterable<T>(where: string, items: Iterable<T> | AsyncIterable<T>): IterableReader<T> {
  const source = items as Partial<Iterable<T> & AsyncIterable<T>> | null | undefined;
  const asyncIterator = source?.[Symbol.asyncIterator]?.();
  const iterator = asyncIterator ?? source?.[Symbol.iterator]?.();
  if (iterator === undefined) {
    throw new TypeError(`${where}: items must be iterable or async iterable, got ${describe(items)}`);
  }
  let isOpen = true;
  /** A step that was begun, and not awaited to its end. */
  let pending: PromiseLike<IteratorResult<T, unknown>> | undefined;
  /** What it failed with, until somebody is told. */
  let failure: { readonly error: unknown } | undefined;

  const ended = (): void => {
    isOpen = false;
  };
  const failed = (error: unknown): void => {
    pending = undefined;
    // A source that waits in this scope is cancelled with it, and has not ended for that.
    if (isCancellation(error)) return;
    ended();
    failure = { error };
  };
  const begin = (): PromiseLike<IteratorResult<T, unknown>> | IteratorResult<T, unknown> => {
    try {
      const answer = iterator.next();
      if (!isThenable(answer)) return answer;
      // A foreign thenable may begin its work at each call of then().
      const step = Promise.resolve(answer);
      step.then(ignore, failed);
      return step;
    } catch (error) {
      failed(error);
      throw error;
    }
  };
  const take = (): PromiseLike<IteratorResult<T, unknown>> | IteratorResult<T, unknown> => {
    if (failure !== undefined) throw failure.error;
    return pending ?? begin();
  };

  return {
    async next(options) {
      // Between the items of a source that is always ready, a cancellation must be noticed as well.
      await checkpoint(options);
      try {
        let step = take();
        if (isThenable(step)) {
          pending = step;
          const awaited = abandonOnCancel(step, options);
          step = await awaited;
          pending = undefined;
        }
        if (step.done === true) ended();
        return step;
      } catch (error) {
        if (failure?.error === error) failure = undefined;
        throw error;
      }
    },
    nextNow() {
      if (asyncIterator !== undefined || pending !== undefined || failure !== undefined) return undefined;
      try {
        const step = begin();
        if (isThenable(step)) {
          pending = step;
          return undefined;
        }
        if (step.done === true) ended();
        return step;
      } catch (error) {
        failure = undefined;
        throw error;
      }
    },
    async close() {
      if (!isOpen) return;
      ended();
      await cleanup(async () => {
        const answer = iterator.return?.();
        // A generator that is stuck in its last step never answers: the grace period ends that, too.
        if (isThenable(answer)) await abandonOnCancel(answer);
      });
    },
  };
}
