/** What has to happen when a task ends, for things that a task owns. */

import { describe } from './arguments.js';
import type { TaskInfo } from './instruments.js';
import { callSafely } from './turn.js';

/** A task as the runtime knows it. */
export interface TaskRecord extends TaskInfo {
  hasEnded: boolean;
  /** The first of those who watch for its end. */
  onExit: ExitWatch | undefined;
}

/**
 * Watches for the end of a task, and then of another one: for things that pass from task to task.
 *
 * @example
 * ```ts
 * import { currentTask, sleep, taskGroup } from '@taskscope/core';
 * import { ExitWatch } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * let ended = 0;
 * const watch = new ExitWatch(() => ended++);
 * const hold = async (): Promise<void> => {
 *   watch.watch('example()', currentTask());
 *   await sleep(1);
 * };
 * await taskGroup((tg) => {
 *   tg.startSoon(hold);
 *   tg.startSoon(hold);
 * });
 * assert.equal(ended, 1);
 * ```
 */
export class ExitWatch implements Disposable {
  /** Called when the task ends that is watched. */
  readonly action: () => void;
  private task: TaskRecord | undefined = undefined;
  // Those who watch the same task are a ring: nobody searches for anything, or makes anything, when a lock is handed over.
  private previous: ExitWatch = this;
  private next: ExitWatch = this;

  constructor(action: () => void) {
    this.action = action;
  }

  /**
   * Watches `task`, and no longer another one.
   *
   * Does not wait.
   *
   * @param where - The name of the operation, for messages.
   * @param task - What `currentTask()` returned, or the task of a `WaitScope`.
   * @returns Whether it does: false if the task has ended already.
   * @throws TypeError when `task` is no task.
   */
  watch(where: string, task: TaskInfo): boolean {
    const record = task as TaskRecord | null;
    if (typeof record?.hasEnded !== 'boolean') {
      throw new TypeError(`${where}: task must be what currentTask() returned, got ${describe(task)}`);
    }
    if (record === this.task) return true;
    this.unwatch();
    if (record.hasEnded) return false;
    this.task = record;
    const first = record.onExit;
    if (first === undefined) {
      record.onExit = this;
    } else {
      const last = first.previous;
      last.next = first.previous = this;
      this.previous = last;
      this.next = first;
    }
    return true;
  }

  /** Watches no task any more. */
  unwatch(): void {
    const { task, previous, next } = this;
    if (task === undefined) return;
    this.task = undefined;
    // Mostly it is the only one.
    if (next === this) {
      task.onExit = undefined;
      return;
    }
    if (task.onExit === this) task.onExit = next;
    previous.next = next;
    next.previous = previous;
    this.previous = this.next = this;
  }

  [Symbol.dispose](): void {
    this.unwatch();
  }
}

/**
 * Calls `action` when a task ends, unless the result is disposed of before. For things that a task owns.
 *
 * Does not wait.
 *
 * @param where - The name of the operation, for messages.
 * @param task - What `currentTask()` returned, or the task of a `WaitScope`.
 * @returns undefined if the task has ended already; then `action` is not called.
 * @throws TypeError when `task` is no task.
 *
 * @example
 * ```ts
 * import { currentTask, taskGroup } from '@taskscope/core';
 * import { onTaskExit } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * let ended = false;
 * await taskGroup((tg) => {
 *   tg.startSoon(() => void onTaskExit('example()', currentTask(), () => (ended = true)));
 * });
 * assert.ok(ended);
 * ```
 */
export function onTaskExit(where: string, task: TaskInfo, action: () => void): Disposable | undefined {
  const watch = new ExitWatch(action);
  return watch.watch(where, task) ? watch : undefined;
}

/** The task has ended. */
export function runExitActions(record: TaskRecord): void {
  record.hasEnded = true;
  // Each may have others end their watch.
  for (let first = record.onExit; first !== undefined; first = record.onExit) {
    first.unwatch();
    callSafely(first.action);
  }
}
