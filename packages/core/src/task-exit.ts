/** What has to happen when a task ends, for things that a task owns. */

import { describe } from './arguments.js';
import type { TaskInfo } from './instruments.js';
import { callSafely } from './turn.js';

/** A task as the runtime knows it. */
export interface TaskRecord extends TaskInfo {
  hasEnded: boolean;
  /** Created on first use: few tasks own anything when they end. */
  onExit: Set<{ readonly action: () => void }> | undefined;
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
  const record = task as Partial<TaskRecord> | null;
  if (typeof record !== 'object' || record === null || typeof record.hasEnded !== 'boolean') {
    throw new TypeError(`${where}: task must be what currentTask() returned, got ${describe(task)}`);
  }
  if (record.hasEnded) return undefined;
  const actions = (record.onExit ??= new Set());
  // An entry of its own, since the same action may be registered twice.
  const entry = { action };
  actions.add(entry);
  return {
    [Symbol.dispose](): void {
      actions.delete(entry);
    },
  };
}

/** The task has ended. */
export function runExitActions(record: TaskRecord): void {
  record.hasEnded = true;
  const actions = record.onExit;
  record.onExit = undefined;
  if (actions === undefined) return;
  for (const { action } of actions) callSafely(action);
}
