/** Who holds something: a task. Code outside of every task (the root) is nobody in particular. */

import { currentTask, detached, type TaskInfo } from '@taskscope/core';

const root = detached(currentTask);

/** Whether the task is the root, which stands for all code that is in no task. */
export function isNobody(task: TaskInfo): boolean {
  return task === root;
}
