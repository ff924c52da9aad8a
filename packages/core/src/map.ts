/** Doing the same with every item of a collection, some of them at a time. */

import type { WaitOptions } from './ambient.js';
import { checkCount, checkFunction, checkOptions, describe, isThenable } from './arguments.js';
import { checkpoint } from './checkpoint.js';
import { cleanup } from './cleanup.js';
import { isCancellation } from './errors.js';
import { abandonOnCancel } from './foreign.js';
import { ParkingLot } from './parking-lot.js';
import { chain, rejected } from './promises.js';
import { taskGroup } from './task-group.js';
import { waitIn } from './task-functions.js';
import { nameOf, type TaskContext } from './task.js';

/** Options of {@link map}. */
export interface MapOptions extends WaitOptions {
  /**
   * How many items are worked on at a time, and so how many are read ahead. At least 1; default: Infinity.
   */
  limit?: number | undefined;
}

/**
 * Calls `fn` with every item, in tasks of their own, at most `limit` at a time. When one fails the others
 * are cancelled and awaited.
 *
 * Waits until all have ended. The source is read only as far as there are tasks free, and its `return()` is
 * called when reading stops early.
 *
 * @param items - An iterable or async iterable.
 * @param fn - Called with the item, its index, and its task's signal.
 * @returns The results in the order of the items.
 * @throws TaskGroupError with every error; `Cancelled` when a scope around is cancelled; TypeError or
 * RangeError for bad arguments.
 *
 * Semantics: AnyIO's `amap`, with a limit.
 *
 * @example
 * ```ts
 * import { map, sleep } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const squares = await map([3, 2, 1], (n) => sleep(n).then(() => n * n), { limit: 2 });
 * assert.deepEqual(squares, [9, 4, 1]);
 * ```
 */
export function map<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  fn: (item: T, index: number, task: TaskContext) => R | PromiseLike<R>,
  options?: MapOptions,
): Promise<R[]> {
  const where = 'map()';
  try {
    checkFunction(where, 'fn', fn);
    checkOptions(where, options);
    const limit = options?.limit ?? Infinity;
    checkCount(where, 'options.limit', limit, 1);
    const source = readerOf(where, items);
    const results: R[] = [];
    const group = taskGroup(
      async (tg) => {
        const placeFreed = new ParkingLot();
        let running = 0;
        const work = (item: T, index: number): void => {
          running++;
          tg.createTask(
            async (task) => {
              try {
                results[index] = await fn(item, index, task);
              } finally {
                running--;
                placeFreed.unpark();
              }
            },
            { name: nameOf(fn) },
          );
        };
        const inGroup = waitIn(tg);
        try {
          for (let index = 0; ; index++) {
            if (running >= limit) await placeFreed.park({ ...inGroup, label: 'a free place in map()' });
            const step = await source.next(inGroup);
            if (step.done === true) break;
            work(step.value, index);
          }
        } finally {
          await source.close();
        }
      },
      { signal: options?.signal, name: 'map' },
    );
    return chain(group, () => results);
  } catch (error) {
    return rejected(error);
  }
}

/** Reads an iterable whose reader may be cancelled. */
interface Reader<T> {
  next(options: WaitOptions | undefined): Promise<IteratorResult<T, unknown>>;
  /** Tells the source that no more is wanted, unless it knows. */
  close(): Promise<void>;
}

function readerOf<T>(where: string, items: Iterable<T> | AsyncIterable<T>): Reader<T> {
  const source = items as Partial<Iterable<T> & AsyncIterable<T>> | null | undefined;
  const iterator = source?.[Symbol.asyncIterator]?.() ?? source?.[Symbol.iterator]?.();
  if (iterator === undefined) {
    throw new TypeError(`${where}: items must be iterable or async iterable, got ${describe(items)}`);
  }
  let isOpen = true;
  return {
    async next(options) {
      // Between the items of a source that is always ready, a cancellation must be noticed as well.
      await checkpoint(options);
      let step: IteratorResult<T, unknown>;
      try {
        const answer = iterator.next();
        // A step that does not come is left behind when this is cancelled; the source is closed after it.
        step = isThenable(answer) ? await abandonOnCancel(answer, options) : answer;
      } catch (error) {
        // What threw by itself is closed; what was cancelled is not.
        isOpen = isCancellation(error);
        throw error;
      }
      if (step.done === true) isOpen = false;
      return step;
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await cleanup(async () => {
        await iterator.return?.();
      });
    },
  };
}
