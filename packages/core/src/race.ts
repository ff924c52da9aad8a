/** Running several things at once, for the first of them. */

import type { WaitOptions } from './ambient.js';
import { isThenable } from './arguments.js';
import { createTaskGroupError, isCancellation, TaskCancelled, TaskGroupError } from './errors.js';
import { chain, ignore, rejected } from './promises.js';
import { scopeOf, taskGroup, type TaskGroup } from './task-group.js';
import {
  cancelledItself,
  checkTasks,
  isCancelledTask,
  throwIfCaught,
  type TaskFunction,
} from './task-functions.js';
import { nameOf } from './scope-tree.js';

type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

/**
 * Runs functions concurrently; the first to end decides, whether it returned or threw. The others are
 * cancelled and awaited, so none of them goes on behind your back.
 *
 * What a loser returns all the same, because it was too late to cancel it, is dropped. If that is something
 * that has to be closed, have each function put it into a list as it is opened, and close afterwards what has
 * not won; or open it, use it and close it in the function, by `withResource`. An item that a loser has
 * received from a stream is gone: use `select` of `@taskscope/streams` to wait on several streams at once.
 *
 * Waits until all have ended.
 *
 * @param tasks - At least one function. Each is given its task's signal.
 * @returns What the winner returned.
 * @throws The winner's own error; TaskGroupError when losers threw while they were cleaning up (with the
 * winner's error as the first, if it threw); `Cancelled` when a scope around is cancelled; `signal.reason`
 * when a foreign signal aborts; RangeError when there are no tasks; TaskCancelled when every task cancelled
 * itself; TypeError for bad arguments.
 *
 * @example
 * ```ts
 * import { race, sleep } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const winner = await race([() => sleep(1).then(() => 'hare'), () => sleep(1_000).then(() => 'tortoise')]);
 * assert.equal(winner, 'hare');
 * ```
 */
export function race<const F extends readonly TaskFunction<unknown>[]>(
  tasks: F,
  options?: WaitOptions,
): Promise<Awaited<ReturnType<F[number]>>>;
export function race<T>(tasks: Iterable<TaskFunction<T>>, options?: WaitOptions): Promise<T>;
export function race<T>(tasks: Iterable<TaskFunction<T>>, options?: WaitOptions): Promise<T> {
  try {
    const functions = checkTasks('race()', tasks, options);
    if (functions.length === 0)
      throw new RangeError('race(): tasks must not be empty: nobody could ever win');
    let winner: Outcome<T> | undefined;
    const group = runRivals('race', functions, options, (outcome, tg) => {
      if (winner !== undefined) return false;
      winner = outcome;
      scopeOf(tg).end('the race was won');
      return true;
    });
    const raced = group.catch((error: unknown) => {
      if (winner === undefined || winner.ok) throw error;
      // It is not lost because a scope around was cancelled while the losers cleaned up.
      if (!(error instanceof TaskGroupError)) throw winner.error;
      throw createTaskGroupError('race', [winner.error, ...error.errors]);
    });
    const result: Promise<T> = chain(raced, (tg) => {
      if (winner !== undefined) return resultOf(winner);
      throwIfCaught(tg, options);
      // Each has cancelled itself, or the scope around that was cancelled has been left without awaiting this.
      result.catch(ignore);
      throw new TaskCancelled('race(): every task was cancelled, so none has won');
    });
    return result;
  } catch (error) {
    return rejected(error);
  }
}

/**
 * Runs functions concurrently; the first to succeed decides. The others are cancelled and awaited.
 *
 * What a loser returns all the same, because it was too late to cancel it, is dropped: see {@link race} for
 * what to do if that has to be closed.
 *
 * Waits until all have ended.
 *
 * @param tasks - Functions. Each is given its task's signal.
 * @returns What the first one to succeed returned.
 * @throws AggregateError with every error (TaskCancelled for a task that cancelled itself), in the order of
 * `tasks`, when all fail or there are none;
 * TaskGroupError when losers threw while they were cleaning up; `Cancelled` when a scope around is
 * cancelled; `signal.reason` when a foreign signal aborts; TypeError for bad arguments.
 *
 * @example
 * ```ts
 * import { any } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const mirror = await any([
 *   () => {
 *     throw new Error('out of order');
 *   },
 *   () => 'mirror 2',
 * ]);
 * assert.equal(mirror, 'mirror 2');
 * ```
 */
export function any<const F extends readonly TaskFunction<unknown>[]>(
  tasks: F,
  options?: WaitOptions,
): Promise<Awaited<ReturnType<F[number]>>>;
export function any<T>(tasks: Iterable<TaskFunction<T>>, options?: WaitOptions): Promise<T>;
export function any<T>(tasks: Iterable<TaskFunction<T>>, options?: WaitOptions): Promise<T> {
  try {
    const functions = checkTasks('any()', tasks, options);
    let winner: Outcome<T> | undefined;
    const errors: unknown[] = [];
    const group = runRivals('any', functions, options, (outcome, tg, index) => {
      if (winner !== undefined) return false;
      if (outcome.ok) {
        winner = outcome;
        scopeOf(tg).end('another one succeeded');
      } else {
        errors[index] = outcome.error;
      }
      return true;
    });
    return chain(group, (tg) => {
      if (winner !== undefined) return resultOf(winner);
      throwIfCaught(tg, options);
      for (const index of functions.keys()) if (!(index in errors)) errors[index] = cancelledItself();
      throw new AggregateError(errors, 'any(): no task succeeded');
    });
  } catch (error) {
    return rejected(error);
  }
}

/**
 * Runs functions in a group. What `decide` does not take note of, and is an error, is an error of the
 * group.
 */
function runRivals<T>(
  name: string,
  functions: readonly TaskFunction<T>[],
  options: WaitOptions | undefined,
  decide: (outcome: Outcome<T>, tg: TaskGroup, index: number) => boolean,
): Promise<TaskGroup | undefined> {
  return taskGroup(
    (tg) => {
      for (const [index, fn] of functions.entries()) {
        tg.createTask(
          async (task) => {
            let value: T;
            try {
              const result = fn(task);
              // What is there already is not overtaken by what is thrown at once.
              value = isThenable(result) ? await result : result;
            } catch (error) {
              const wasCancelled = isCancellation(error) && isCancelledTask(task);
              if (wasCancelled || !decide({ ok: false, error }, tg, index)) throw error;
              return;
            }
            decide({ ok: true, value }, tg, index);
          },
          { name: nameOf(fn) },
        );
      }
      return tg;
    },
    { ...options, name },
  );
}

function resultOf<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw outcome.error;
}
