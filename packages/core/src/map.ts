/** Doing the same with every item of a collection, some of them at a time. */

import type { WaitOptions } from './ambient.js';
import { checkCount, checkFunction, checkOptions } from './arguments.js';
import { TaskCancelled } from './errors.js';
import { readIterable } from './iterable-reader.js';
import { ParkingLot } from './parking-lot.js';
import { chain, rejected } from './promises.js';
import { scopeOf, taskGroup, type TaskGroup } from './task-group.js';
import { isCancelledTask, throwIfCaught, waitIn } from './task-functions.js';
import { nameOf } from './scope-tree.js';
import type { TaskContext } from './task.js';
import { hasBudget, putOff } from './turn.js';

/** Options of {@link map}. */
export interface MapOptions extends WaitOptions {
  /**
   * How many items are worked on at a time, and so how many are read ahead. At least 1; default: Infinity.
   */
  limit?: number | undefined;
}

/**
 * Calls `fn` with every item, in at most `limit` tasks at a time. When one fails the others are cancelled and awaited.
 *
 * A task that is done with its item may go on with the next, so what belongs to the task carries over: `currentTask()`,
 * its signal, and a lock or token that was not released.
 *
 * Waits until all have ended. The source is read only as far as there are tasks free, and its `return()` is
 * called when reading stops early. Without a limit as many items as one turn of the event loop has time for may be read
 * before `fn` is called with the first.
 *
 * @param items - An iterable or async iterable.
 * @param fn - Called with the item, its index, and the signal of the task that it is in.
 * @returns The results in the order of the items.
 * @throws TaskGroupError with every error; `Cancelled` when a scope around is cancelled; `signal.reason` when a
 * foreign signal aborts; TaskCancelled when a task cancelled itself; TypeError or RangeError for bad arguments.
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
    checkOptions(where, options, 'limit');
    const { limit = Infinity } = options ?? {};
    checkCount(where, 'options.limit', limit, 1);
    const source = readIterable(where, items);
    const results: R[] = [];
    let group: TaskGroup | undefined;
    let missing = 0;
    const ended = taskGroup(
      async (tg) => {
        group = tg;
        const placeFreed = new ParkingLot();
        const scope = scopeOf(tg);
        let running = 0;
        let count = 0;
        let isOver = false;
        /** The next item, where nothing has to be waited for. */
        const nextNow = (): IteratorResult<T, unknown> | undefined => {
          if (isOver || scope.cancellation !== undefined) return undefined;
          const step = source.nextNow();
          if (step?.done === true) isOver = true;
          return step;
        };
        const work = async (item: T, index: number, task: TaskContext): Promise<void> => {
          try {
            for (;;) {
              missing++;
              results[index] = await fn(item, index, task);
              missing--;
              if (!hasBudget()) await new Promise<void>(putOff);
              // Only while the body waits for a place; otherwise it is the one who reads. A task that was cancelled alone
              // would fail the next item as well.
              const step = placeFreed.size > 0 && !isCancelledTask(task) ? nextNow() : undefined;
              if (step === undefined || step.done === true) break;
              item = step.value;
              index = count++;
            }
          } catch (error) {
            // That ends the group, in a moment: nobody shall take up another item meanwhile.
            if (!isCancelledTask(task)) isOver = true;
            throw error;
          } finally {
            running--;
            placeFreed.unpark();
          }
        };
        const inGroup = waitIn(tg);
        try {
          for (;;) {
            if (running >= limit) await placeFreed.park({ ...inGroup, label: 'a free place in map()' });
            if (!hasBudget()) await new Promise<void>(putOff);
            if (isOver) break;
            let step = nextNow();
            if (step === undefined) step = await source.next(inGroup);
            if (isOver || step.done === true) break;
            running++;
            const index = count++;
            tg.createTask((task) => work(step.value, index, task), { name: nameOf(fn) });
          }
        } finally {
          await source.close();
        }
      },
      { signal: options?.signal, name: 'map' },
    );
    return chain(ended, () => {
      throwIfCaught(group, options);
      if (missing > 0) throw new TaskCancelled(`map(): ${missing} of the tasks cancelled themselves`);
      return results;
    });
  } catch (error) {
    return rejected(error);
  }
}
