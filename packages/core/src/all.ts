/** Running several things at once, for all their results. */

import type { WaitOptions } from './ambient.js';
import { isCancellation } from './errors.js';
import { chain, rejected } from './promises.js';
import { taskGroup } from './task-group.js';
import {
  cancelledItself,
  checkTasks,
  isCancelledTask,
  throwIfCaught,
  type TaskFunction,
} from './task-functions.js';
import { nameOf } from './scope-tree.js';
import type { TaskHandle } from './task.js';

/** @inline */
type Functions = readonly TaskFunction<unknown>[];

/** The results of an array of functions, in their order. */
export type AllResults<F extends Functions> = { -readonly [K in keyof F]: Awaited<ReturnType<F[K]>> };

/** The same, settled. */
export type AllSettledResults<F extends Functions> = {
  -readonly [K in keyof F]: PromiseSettledResult<Awaited<ReturnType<F[K]>>>;
};

/**
 * Runs functions concurrently, for all their results. Like `Promise.all`, but when one fails the others are
 * cancelled and awaited, and no error is lost.
 *
 * Waits until all have ended.
 *
 * @param tasks - Functions, not promises. Each is given its task's signal.
 * @returns The results in the order of `tasks`.
 * @throws TaskGroupError with every error; `Cancelled` when a scope around is cancelled; `signal.reason` when a
 * foreign signal aborts; TaskCancelled when a task cancelled itself; TypeError for bad arguments.
 *
 * Semantics: AnyIO's `gather`.
 *
 * @example
 * ```ts
 * import { all, sleep } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const [tea, count] = await all([() => sleep(1).then(() => 'tea'), () => 2]);
 * assert.deepEqual([tea, count], ['tea', 2]);
 * ```
 */
export function all<const F extends Functions>(tasks: F, options?: WaitOptions): Promise<AllResults<F>> {
  try {
    const functions = checkTasks('all()', tasks, options);
    let handles: TaskHandle<unknown>[] = [];
    const group = taskGroup(
      (tg) => {
        handles = functions.map((fn) => tg.createTask(fn));
        return tg;
      },
      { ...options, name: 'all' },
    );
    return chain(group, (tg) => {
      throwIfCaught(tg, options);
      return handles.map((handle) => handle.returnValue) as AllResults<F>;
    });
  } catch (error) {
    return rejected(error);
  }
}

/**
 * Runs functions concurrently, and tells of each how it ended. A failure cancels nobody.
 *
 * Waits until all have ended.
 *
 * @param tasks - Functions, not promises. Each is given its task's signal.
 * @returns What `Promise.allSettled` returns, in the order of `tasks`.
 * @throws `Cancelled` when a scope around is cancelled; `signal.reason` when a foreign signal aborts; TypeError for
 * bad arguments.
 *
 * @example
 * ```ts
 * import { allSettled } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const [good, bad] = await allSettled([
 *   () => 'tea',
 *   () => {
 *     throw new RangeError('no milk');
 *   },
 * ]);
 * assert.equal(good.status, 'fulfilled');
 * assert.equal(bad.status, 'rejected');
 * ```
 */
export function allSettled<const F extends Functions>(
  tasks: F,
  options?: WaitOptions,
): Promise<AllSettledResults<F>> {
  try {
    const functions = checkTasks('allSettled()', tasks, options);
    const results: PromiseSettledResult<unknown>[] = [];
    const group = taskGroup(
      (tg) => {
        for (const [index, fn] of functions.entries()) {
          tg.createTask(
            async (task) => {
              try {
                results[index] = { status: 'fulfilled', value: await fn(task) };
              } catch (reason) {
                if (isCancellation(reason) && isCancelledTask(task)) throw reason;
                results[index] = { status: 'rejected', reason };
              }
            },
            { name: nameOf(fn) },
          );
        }
        return tg;
      },
      { ...options, name: 'allSettled' },
    );
    return chain(group, (tg) => {
      throwIfCaught(tg, options);
      for (const index of functions.keys()) {
        results[index] ??= { status: 'rejected', reason: cancelledItself() };
      }
      return results as AllSettledResults<F>;
    });
  } catch (error) {
    return rejected(error);
  }
}
