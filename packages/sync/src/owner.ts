/**
 * Who holds something. That is a task, or, inside of `run(fn)`, a section: each call of `run` is an owner
 * of its own, so that calls that run at the same time in one task queue up. Code outside of every task (the
 * root) is nobody in particular.
 */

import type { TaskInfo } from '@taskscope/core';
import { findSection } from '@taskscope/core/lowlevel';

/** One call of `run(fn)`. */
export class Section {
  readonly task: TaskInfo;

  constructor(task: TaskInfo) {
    this.task = task;
  }

  /** Whether the running code is inside, on the same call chain. A child task is not. */
  get isAround(): boolean {
    return findSection((mark) => mark === this) !== undefined;
  }
}

export type Owner = TaskInfo | Section;

/** Whether the task is the root, which stands for all code that is in no task. */
export function isNobody(task: TaskInfo): boolean {
  return task.parentId === undefined;
}

export function taskOf(owner: Owner): TaskInfo {
  return owner instanceof Section ? owner.task : owner;
}
