import { enter } from './context.js';

/** What every wait in a cancelled scope rejects with: one for all, since taking a stack for each costs more than all else. */
export const CANCELLED = new Error('cancelled');

/** What hangs below a scope: a scope, or a wait. */
export interface Member {
  /** Undefined when it is over. */
  parent: Scope | undefined;
  newer: Member | undefined;
  older: Member | undefined;
  cancel(): void;
}

/** Hangs a member below a scope. */
export function attach(member: Member, parent: Scope): void {
  const newest = parent.newest;
  member.older = newest;
  if (newest !== undefined) newest.newer = member;
  parent.newest = member;
}

/** Takes a member away, when it is over. */
export function detach(member: Member): void {
  const { parent, newer, older } = member;
  if (newer === undefined) parent!.newest = older;
  else newer.older = older;
  if (older !== undefined) older.newer = newer;
  member.parent = member.newer = member.older = undefined;
}

/** A part of a program that can be cancelled. */
export abstract class Scope implements Member {
  parent: Scope | undefined;
  newer: Member | undefined = undefined;
  older: Member | undefined = undefined;
  newest: Member | undefined = undefined;
  /** Whether it, or a scope around it, was cancelled. */
  isCancelled: boolean;

  constructor(parent: Scope | undefined) {
    this.parent = parent;
    if (parent === undefined) {
      this.isCancelled = false;
    } else {
      this.isCancelled = parent.isCancelled;
      attach(this, parent);
    }
  }

  /** The task that it belongs to. */
  abstract get task(): Task;

  /** All that waits below rejects. */
  cancel(): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    for (let member = this.newest; member !== undefined;) {
      const { older } = member;
      member.cancel();
      member = older;
    }
  }

  /** Whether an error that leaves this scope is its own cancellation, which ends here. Ask before it is left. */
  catches(error: unknown): boolean {
    return error === CANCELLED && this.isCancelled && !this.parent!.isCancelled;
  }
}

/** The scope of a task is the task. */
export class Task extends Scope {
  get task(): Task {
    return this;
  }
}

const root = new Task(undefined);

/** Runs a program: what it calls has a scope. */
export const run = <T>(program: () => T): T => enter(root, program, undefined, undefined);
