/** What the combinators share: the functions that they run as tasks. */

import { storage, type WaitOptions } from './ambient.js';
import { checkFunction, checkOptions, describe } from './arguments.js';
import { causeOf } from './cancel-scope.js';
import { TaskCancelled } from './errors.js';
import type { TaskGroup } from './task-group.js';
import type { Task, TaskContext } from './task.js';

/** A function that a combinator runs as a task. */
export type TaskFunction<T> = (task: TaskContext) => T | PromiseLike<T>;

export function checkTasks<T>(
  where: string,
  tasks: Iterable<TaskFunction<T>>,
  options: WaitOptions | undefined,
): TaskFunction<T>[] {
  if (typeof tasks !== 'object' || tasks === null || typeof tasks[Symbol.iterator] !== 'function') {
    throw new TypeError(
      `${where}: tasks must be an array (or another iterable) of functions, as in all([a, b]), got ${describe(tasks)}`,
    );
  }
  const list = [...tasks];
  for (const [index, task] of list.entries()) checkFunction(where, `tasks[${index}]`, task);
  checkOptions(where, options);
  return list;
}

/** In explicit mode, what binds a wait in the body of a group to the group. */
export function waitIn(tg: TaskGroup): WaitOptions | undefined {
  return storage.getStore() === undefined ? { signal: tg.cancelScope.signal } : undefined;
}

/**
 * When the group of a combinator was cancelled and has caught that itself, there is no result. Throws what every
 * wait does: the reason of the caller's signal, or the cancellation (a task may have brought one from elsewhere).
 */
export function throwIfCaught(tg: TaskGroup | undefined, options: WaitOptions | undefined): void {
  if (tg === undefined || !tg.cancelScope.cancelledCaught) return;
  const signal = options?.signal;
  throw signal?.aborted === true ? signal.reason : causeOf(tg.cancelScope);
}

/** What stands for the result of a task that was cancelled alone. */
export function cancelledItself(): TaskCancelled {
  return new TaskCancelled('the task cancelled itself');
}

/** Whether the task that has this context is effectively cancelled. */
export function isCancelledTask(context: TaskContext): boolean {
  return (context as Task<unknown>).scope.cancellation !== undefined;
}
