/** A task: a function that runs concurrently with others, in a scope of its own. */

import { callIn, newTaskId, peekScope, scopeOfWait, storage, type WaitOptions } from './ambient.js';
import { checkOptions } from './arguments.js';
import { InvalidStateError, messageOf, TaskCancelled, TaskFailed, TaskNotFinished } from './errors.js';
import { notify, observing } from './instruments.js';
import { ParkingLot } from './parking-lot.js';
import { completed } from './operations.js';
import { CAUGHT, isCancellationOf, leaveWithError, strayCancellation } from './scope-exit.js';
import { openCell, ScopeNode, type Named } from './scope-tree.js';
import { DONE, ignore, rejected, settled } from './promises.js';
import { refusal } from './suspend.js';
import { runExitActions, type TaskRecord } from './task-exit.js';
import { noteActivity } from './turn.js';
import { showByToString } from './inspect.js';

/** How a task is doing. `cancelling`: it is effectively cancelled and has not ended yet. */
export type TaskState = 'pending' | 'cancelling' | 'finished' | 'cancelled' | 'failed';

/**
 * A running or ended task, as seen from outside. It is no thenable, so returning one from an async function
 * is safe.
 *
 * Nobody has to look at it: an error of the task is reported by its task group.
 *
 * Semantics: AnyIO's `TaskHandle`.
 */
export interface TaskHandle<T, V = never> {
  readonly name: string;
  readonly status: TaskState;
  /**
   * What the task returned. Throws TaskNotFinished, TaskCancelled, or TaskFailed with the error as its
   * cause.
   */
  readonly returnValue: T;
  /** The error that ended the task; undefined if it finished. Throws TaskNotFinished or TaskCancelled. */
  readonly exception: unknown;
  /**
   * What the task passed to `started()`. Throws InvalidStateError unless it was begun with `startTask()`.
   */
  readonly startValue: V;
  /**
   * Aborts when the task is cancelled. In explicit mode, what a function given to `startSoon()` or
   * `startService()` waits with.
   */
  readonly signal: AbortSignal;
  /** Waits until the task has ended, however it ended. Cancelled: rejects, and the task goes on. */
  wait(options?: WaitOptions): Promise<void>;
  /** Waits until the task has ended, and resolves to its value or rejects as `returnValue` throws. */
  result(options?: WaitOptions): Promise<T>;
  /** Cancels this task alone; its group goes on. Does nothing to a task that has ended. */
  cancel(reason?: unknown): void;
}

/** What a task's function may ask for: a signal that aborts when the task is cancelled. */
export interface TaskContext {
  /** Created on first use. In explicit mode, pass it to every wait of the task. */
  readonly signal: AbortSignal;
}

/** Who has to know that a task has ended. */
export interface TaskOwner {
  /** The task that it is in, and so the parent of those that it owns. */
  readonly taskId: number;
  /** The task returned, or was cancelled alone. */
  taskEnded(task: Task<unknown, unknown>): void;
  taskFailed(task: Task<unknown, unknown>, error: unknown, isCancellation: boolean): void;
}

export class Task<T, V = never> implements TaskHandle<T, V>, TaskRecord, TaskContext {
  readonly id: number = newTaskId();
  readonly scope: ScopeNode;
  hasEnded = false;
  onExit: TaskRecord['onExit'] = undefined;
  owner: TaskOwner;
  #state: 'pending' | 'finished' | 'cancelled' | 'failed' = 'pending';
  #outcome: unknown = undefined;
  #joiners: ParkingLot | undefined = undefined;

  constructor(named: string | Named, parent: ScopeNode, owner: TaskOwner) {
    this.owner = owner;
    this.scope = new ScopeNode('task', named, parent.context, this);
    if (observing.count > 0) notify(parent.context.observers, 'taskSpawned', this);
    this.scope.open(parent);
    noteActivity();
  }

  get name(): string {
    return this.scope.name;
  }

  get parentId(): number {
    return this.owner.taskId;
  }

  /** Has the first step taken in a later microtask, in the async context of the caller. */
  begin<A extends unknown[]>(fn: (...args: A) => T | PromiseLike<T>, args: A): void {
    const { scheduler } = this.scope.context;
    const ready = scheduler === undefined ? DONE : new Promise<void>((wake) => scheduler.ready(wake));
    void ready.then(() => this.run(fn, args));
  }

  private run<A extends unknown[]>(fn: (...args: A) => T | PromiseLike<T>, args: A): void {
    noteActivity();
    if (observing.count > 0) notify(this.scope.context.observers, 'taskStarted', this);
    storage.runLast(this.scope.cell, callTask<T, A>, this, fn, args);
  }

  finished(value: T): void {
    if (this.hasEnded) return; // a promise may have a then() of its own, which tells more than once
    const { scope } = this;
    if (tellsOthers(scope)) storage.run(openCell(scope.cell.outer!), leave, scope, undefined);
    else scope.leave();
    this.ended('finished', value);
    this.owner.taskEnded(this);
  }

  failed(raised: unknown): void {
    if (this.hasEnded) return;
    const { scope } = this;
    const { cancellation } = scope;
    const wasCancelled = isCancellationOf(scope, raised);
    const stray = wasCancelled ? strayCancellation(scope, raised, 'task') : undefined;
    const isCancellation = wasCancelled && stray === undefined;
    const error = stray ?? raised;
    const cause = isCancellation ? (cancellation ?? error) : error;
    const cancelsOthers = !isCancellation || scope.owner!.cancellation === undefined;
    const rest = tellsOthers(scope)
      ? storage.run(openCell(scope.cell.outer!), leaveWithError, scope, error)
      : leaveWithError(scope, error);
    // Those who wait for this task learn how it ended before its failure cancels them.
    this.ended(isCancellation ? 'cancelled' : 'failed', rest === CAUGHT || isCancellation ? cause : rest);
    if (rest === CAUGHT) this.owner.taskEnded(this);
    else if (!cancelsOthers) this.owner.taskFailed(this, rest, isCancellation);
    else cancelOthers(this, rest, isCancellation);
  }

  private ended(state: 'finished' | 'cancelled' | 'failed', outcome: unknown): void {
    this.#state = state;
    this.#outcome = outcome;
    noteActivity();
    if (observing.count === 0 && this.onExit === undefined) this.tellEnded();
    else callAround(this, this.tellEnded.bind(this));
  }

  private tellEnded(): void {
    if (observing.count > 0) notify(this.scope.context.observers, 'taskExited', this);
    this.#joiners?.unparkAll();
    this.#joiners = undefined;
    runExitActions(this);
  }

  get status(): TaskState {
    return this.#state === 'pending' && this.scope.cancellation !== undefined ? 'cancelling' : this.#state;
  }

  get signal(): AbortSignal {
    return this.scope.signal;
  }

  get returnValue(): T {
    this.throwUnlessDone();
    if (this.#state === 'failed') {
      const cause = this.#outcome;
      throw new TaskFailed(`the task "${this.name}" failed: ${messageOf(cause)}`, { cause });
    }
    return this.#outcome as T;
  }

  get exception(): unknown {
    this.throwUnlessDone();
    return this.#state === 'failed' ? this.#outcome : undefined;
  }

  private throwUnlessDone(): void {
    if (this.status === 'cancelling') {
      throw new TaskCancelled(`the task "${this.name}" is being cancelled`, {
        cause: this.scope.cancellation,
      });
    }
    if (this.#state === 'pending') {
      throw new TaskNotFinished(
        `the task "${this.name}" has not ended yet: await its wait() or result() first`,
      );
    }
    if (this.#state === 'cancelled') {
      throw new TaskCancelled(`the task "${this.name}" was cancelled`, { cause: this.#outcome });
    }
  }

  get startValue(): V {
    throw new InvalidStateError(
      `the task "${this.name}" has no start value: only a task that was begun with startTask() has one`,
    );
  }

  wait(options?: WaitOptions): Promise<void> {
    const where = 'TaskHandle.wait()';
    try {
      checkOptions(where, options);
      const scope = scopeOfWait(where, options);
      if (this.hasEnded) return refusal(where, scope, options) ?? completed();
      if (scope.task === this) {
        throw new InvalidStateError(
          `${where}: the task "${this.name}" waits for itself, which would never end`,
        );
      }
      this.#joiners ??= new ParkingLot();
      return this.#joiners.park({ ...options, label: `the end of task "${this.name}"` });
    } catch (error) {
      return rejected(error);
    }
  }

  result(options?: WaitOptions): Promise<T> {
    const result = this.wait(options).then(() => this.returnValue);
    // The group reports the error. A result that nobody awaits is none of its own.
    result.catch(ignore);
    return result;
  }

  cancel(reason?: unknown): void {
    if (!this.hasEnded) this.scope.cancel('cancel', reason);
  }

  /** For people: what would otherwise be shown is the whole tree around it. */
  toString(): string {
    return `task "${this.name}" (task ${this.id}), ${this.status}`;
  }

  toJSON(): unknown {
    return { id: this.id, name: this.name, status: this.status };
  }

  hasPendingCancellation(): boolean {
    return peekScope().cancellation !== undefined;
  }

  static {
    showByToString(Task);
  }
}

/** Calls the function of a task, in the context of the task. */
function callTask<T, A extends unknown[]>(
  task: Task<T, unknown>,
  fn: (...args: A) => T | PromiseLike<T>,
  args: A,
): void {
  let result: T | Promise<T>;
  try {
    result = settled(fn(...args));
    if (result instanceof Promise) {
      // In here, since a promise may have a then() of its own, which throws.
      hearOfEnd(task, result);
      return;
    }
  } catch (error) {
    task.failed(error);
    return;
  }
  task.finished(result);
}

// oxlint-disable-next-line typescript/unbound-method -- to compare with
const { then } = Promise.prototype;
/**
 * There are libraries that put another one in its place, for all promises, and call back in whatever context. What bind() or a
 * proxy makes of theirs is native code, too, but has not that name there.
 */
const isPlatforms = /^function then\(\)\s*\{\s*\[native code\]\s*\}$/.test(String(then));

/**
 * The platform's then() calls back in the context in which it was called, and so the task is found there: two functions that
 * know it would be 96 bytes more for each task that waits. In explicit mode, and for another then(), there is no other way.
 */
function hearOfEnd<T>(task: Task<T, unknown>, promise: Promise<T>): void {
  const isFoundThere = isPlatforms && promise.then === then && storage.getStore() === task.scope.cell;
  if (isFoundThere) promise.then(taskFinished, taskFailed);
  else promise.then(task.finished.bind(task), task.failed.bind(task));
}

function taskFinished(value: unknown): void {
  endingTask().finished(value);
}

function taskFailed(error: unknown): void {
  endingTask().failed(error);
}

/** The task in whose context, and in none of its scopes, this is called. It has not ended: that is told once. */
const endingTask = (): Task<unknown, unknown> => storage.getStore()!.scope!.task as Task<unknown, unknown>;

/** Whether code of others may run when a scope is left: instruments, and listeners of the signals of what is left behind. */
function tellsOthers(scope: ScopeNode): boolean {
  return observing.count > 0 || scope.firstMember !== undefined;
}

function leave(scope: ScopeNode): void {
  scope.leave();
}

/** Listeners of their signals are called. */
function cancelOthers(task: Task<unknown, unknown>, error: unknown, isCancellation: boolean): void {
  callAround(task, () => task.owner.taskFailed(task, error, isCancellation));
}

/** Calls what may run code of others. It must not begin anything in a scope that was left, and a task ends in its own context. */
function callAround(task: Task<unknown, unknown>, fn: () => void): void {
  callIn(openCell(task.scope.cell), fn);
}
