/** Who holds something: a task. Code outside of every task (the root) is nobody in particular. */

import type { TaskInfo } from '@taskscope/core';

/** Whether the task is the root, which stands for all code that is in no task. */
export function isNobody(task: TaskInfo): boolean {
  return task.parentId === undefined;
}
