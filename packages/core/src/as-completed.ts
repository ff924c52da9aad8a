/** Running several things at once, and looking at each as soon as it has ended. */

import type { WaitOptions } from './ambient.js';
import { checkFunction } from './arguments.js';
import { checkpoint } from './checkpoint.js';
import { ParkingLot } from './parking-lot.js';
import { chain, rejected } from './promises.js';
import { onTaskExit } from './task-exit.js';
import { taskGroup, type TaskGroup } from './task-group.js';
import { checkTasks, throwIfCaught, waitIn, type TaskFunction } from './task-functions.js';
import type { Task, TaskHandle } from './task.js';

/**
 * Runs functions concurrently, and gives `body` their handles in the order in which they end. When one
 * fails, the others and `body` are cancelled; when `body` returns before all have ended, the rest are
 * cancelled.
 *
 * Waits until `body` and all tasks have ended.
 *
 * @param tasks - Functions. Each is given its task's signal.
 * @param body - Its argument can be iterated once. Iterating is cancel-safe: a cancelled step loses no
 * handle.
 * @returns What `body` returned.
 * @throws TaskGroupError with every error; `Cancelled` when a scope around is cancelled; `signal.reason` when a
 * foreign signal aborts; TypeError for bad
 * arguments.
 *
 * Semantics: AnyIO's `as_completed`.
 *
 * @example
 * ```ts
 * import { asCompleted, sleep } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const order = await asCompleted([() => sleep(3).then(() => 'slow'), () => 'fast'], async (completed) => {
 *   const values: string[] = [];
 *   for await (const task of completed) values.push(task.returnValue);
 *   return values;
 * });
 * assert.deepEqual(order, ['fast', 'slow']);
 * ```
 */
export function asCompleted<const F extends readonly TaskFunction<unknown>[], R>(
  tasks: F,
  body: (completed: AsyncIterable<TaskHandle<Awaited<ReturnType<F[number]>>>>) => R | PromiseLike<R>,
  options?: WaitOptions,
): Promise<R>;
export function asCompleted<T, R>(
  tasks: Iterable<TaskFunction<T>>,
  body: (completed: AsyncIterable<TaskHandle<T>>) => R | PromiseLike<R>,
  options?: WaitOptions,
): Promise<R>;
export function asCompleted<T, R>(
  tasks: Iterable<TaskFunction<T>>,
  body: (completed: AsyncIterable<TaskHandle<T>>) => R | PromiseLike<R>,
  options?: WaitOptions,
): Promise<R> {
  const where = 'asCompleted()';
  try {
    const functions = checkTasks(where, tasks, options);
    checkFunction(where, 'body', body);
    let group: TaskGroup | undefined;
    let hasResult = false;
    const ended = taskGroup(
      async (tg) => {
        group = tg;
        const handles: TaskHandle<T>[] = [];
        const somethingEnded = new ParkingLot();
        for (const fn of functions) {
          const task = tg.createTask(fn);
          onTaskExit(where, task as Task<T>, () => {
            handles.push(task);
            somethingEnded.unpark();
          });
        }
        let given = 0;
        const inGroup = waitIn(tg);
        const next = async (): Promise<IteratorResult<TaskHandle<T>, undefined>> => {
          if (given < handles.length) await checkpoint(inGroup);
          // Somebody else may have asked meanwhile.
          while (given === handles.length) {
            if (given === functions.length) return { done: true, value: undefined };
            await somethingEnded.park({ ...inGroup, label: 'the next task to end' });
          }
          const value = handles[given++]!;
          if (given === functions.length) somethingEnded.unparkAll();
          return { done: false, value };
        };
        const result = await body({ [Symbol.asyncIterator]: () => ({ next }) });
        hasResult = true;
        tg.cancel('the body of asCompleted() has ended');
        return result;
      },
      { ...options, name: 'asCompleted' },
    );
    return chain(ended, (result) => {
      if (!hasResult) throwIfCaught(group, options);
      return result as R;
    });
  } catch (error) {
    return rejected(error);
  }
}
