/**
 * Task groups: the only place where tasks come from, and the place that no task outlives.
 *
 * A group is a scope with children below it. It is left when its body and all children have ended. What
 * they failed with is collected in the order in which it happened; the first failure cancels the scope, so
 * that everyone else comes to an end.
 */

import { callIn, checkParent, currentScopeNode, invoke, storage } from './ambient.js';
import { describeScope, showByToString } from './inspect.js';
import { checkFunction, checkName, checkOptions, checkSignal } from './arguments.js';
import { facadeOf, openScopeNode, parentCell, type CancelScope } from './cancel-scope.js';
import { Cancelled, createTaskGroupError, InvalidStateError, UNNAMED_GROUP } from './errors.js';
import { CAUGHT, isCancellationOf, leaveWithError, strayCancellation } from './scope-exit.js';
import { openScope, ScopeNode } from './scope-tree.js';
import { startChild, type StartingPlace, type TaskStatus } from './start.js';
import { rejected, silence } from './promises.js';
import { Task, type TaskContext, type TaskHandle, type TaskOwner } from './task.js';
import { hasBudget, noteActivity, putOff } from './turn.js';

/** Options of {@link taskGroup}. */
export interface TaskGroupOptions {
  /** For messages and the task tree. */
  name?: string | undefined;
  /**
   * Cancels the group when it aborts; the group catches that, and its result is undefined. In explicit mode
   * (without AsyncLocalStorage), the signal of a CancelScope makes that scope the parent.
   */
  signal?: AbortSignal | undefined;
}

/** Options of `TaskGroup.createTask()` and `TaskGroup.startTask()`. */
export interface TaskOptions {
  /** Default: the name of the function. */
  name?: string | undefined;
}

/**
 * Begins tasks. It may be handed on, and used from plain callbacks; the tasks still belong to this group.
 * Once it has been left, to begin a task throws InvalidStateError, and to cancel it does nothing.
 *
 * Semantics: AnyIO's `TaskGroup`, Trio's `Nursery`.
 */
export interface TaskGroup {
  /** The scope that the body and all children are in. */
  readonly cancelScope: CancelScope;
  /**
   * Begins a task that calls `fn(...args)`. Tasks begin in the order of these calls, each in a later
   * microtask, never synchronously. Does not wait.
   */
  startSoon<A extends unknown[], T>(fn: (...args: A) => T | PromiseLike<T>, ...args: A): TaskHandle<T>;
  /** The same for a function without arguments, with options. The function is given the task's signal. */
  createTask<T>(fn: (task: TaskContext) => T | PromiseLike<T>, options?: TaskOptions): TaskHandle<T>;
  /**
   * Begins a task that gets ready first. Waits until it calls `status.started(value)`, and resolves to that
   * value. Its type comes from the parameter: `async (status: TaskStatus<number>) => …`.
   *
   * Until then the task belongs to the caller: it is cancelled with the caller's scope, and what it throws
   * is thrown here, as it is. From then on it belongs to the group. This is a cancellation point only
   * through the task: a task that never waits is not interrupted.
   */
  start<V, A extends unknown[]>(fn: (status: TaskStatus<V>, ...args: A) => unknown, ...args: A): Promise<V>;
  /** The same, but resolves to the handle; its `startValue` holds the value. */
  startTask<V, T>(
    fn: (status: TaskStatus<V>) => T | PromiseLike<T>,
    options?: TaskOptions,
  ): Promise<TaskHandle<T, V>>;
  /**
   * Begins a background task that serves the others: it is cancelled once the body and all ordinary
   * children have ended, also when the group is cancelled, so that cleaning up can still use it. Its
   * failure is that of any child.
   */
  startService<A extends unknown[]>(fn: (...args: A) => unknown, ...args: A): TaskHandle<unknown>;
  /** Shortcut for `cancelScope.cancel(reason)`. */
  cancel(reason?: unknown): void;
}

/**
 * Runs `body` with a task group, and waits until the body and all tasks of the group have ended, whatever
 * happens: no task outlives this call.
 *
 * When the body or a task fails, the others are cancelled and awaited, and one TaskGroupError is thrown
 * that holds every error. Leaving a group lets others run, but is by itself no cancellation point.
 *
 * @returns What `body` returned; undefined when the body was cancelled and the group caught that.
 * @throws TaskGroupError when the body or a task failed; `Cancelled` when a scope around is cancelled;
 * TypeError for bad arguments.
 *
 * Semantics: AnyIO's `create_task_group`, Trio's `open_nursery` with strict exception groups.
 *
 * @example
 * ```ts
 * import { sleep, taskGroup } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const order: string[] = [];
 * await taskGroup(async (tg) => {
 *   tg.startSoon(async (name: string) => {
 *     await sleep(2);
 *     order.push(name);
 *   }, 'child');
 *   order.push('body');
 * });
 * assert.deepEqual(order, ['body', 'child']);
 * ```
 */
export function taskGroup<T>(
  body: (tg: TaskGroup) => T | PromiseLike<T>,
  options?: TaskGroupOptions,
): Promise<T | undefined> {
  const where = 'taskGroup()';
  try {
    checkFunction(where, 'body', body);
    checkOptions(where, options);
    checkName(where, options?.name);
    checkSignal(where, options?.signal);
    const around = parentCell(where, options?.signal);
    const parent = openScope(around);
    const scope = new ScopeNode('group', options?.name ?? UNNAMED_GROUP, parent.context, parent.task);
    openScopeNode(scope, around, options?.signal);
    return new Group<T>(scope).runBody(body);
  } catch (error) {
    return rejected(error);
  }
}

/** The scope of a group. */
export function scopeOf(tg: TaskGroup): ScopeNode {
  return (tg as Group<unknown>).scope;
}

class Group<T> implements TaskGroup, StartingPlace {
  readonly scope: ScopeNode;
  /** What its body and children have failed with. */
  #errors: unknown[] | undefined = undefined;
  #cancellation: unknown = undefined;
  #wasCancelled = false;
  /** What keeps the group open: the body, children, and children that are starting. */
  #running = 1;
  #value: T | undefined = undefined;
  #services: Services | undefined = undefined;
  #isLeft = false;
  readonly #exit: Promise<T | undefined>;
  #resolve!: (value: T | undefined) => void;
  #reject!: (error: unknown) => void;

  constructor(scope: ScopeNode) {
    this.scope = scope;
    this.#exit = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  runBody(body: (tg: TaskGroup) => T | PromiseLike<T>): Promise<T | undefined> {
    let result: T | Promise<T>;
    try {
      result = invoke(this.scope.cell, body, [this]);
      if (result instanceof Promise) {
        // In here, since a promise may have a then() of its own, which throws.
        result.then(this.#bodyEnded.bind(this), this.#bodyFailed.bind(this));
        return this.#exit;
      }
    } catch (error) {
      this.#bodyFailed(error);
      return this.#exit;
    }
    this.#bodyEnded(result);
    return this.#exit;
  }

  get cancelScope(): CancelScope {
    return facadeOf(this.scope);
  }

  get taskId(): number {
    return this.scope.task.id;
  }

  startSoon<A extends unknown[], R>(fn: (...args: A) => R | PromiseLike<R>, ...args: A): TaskHandle<R> {
    checkFunction('TaskGroup.startSoon()', 'fn', fn);
    this.#checkOpen('startSoon');
    this.#running++;
    const task = new Task<R>(fn, this.scope, this);
    task.begin(fn, args);
    return task;
  }

  createTask<R>(fn: (task: TaskContext) => R | PromiseLike<R>, options?: TaskOptions): TaskHandle<R> {
    checkFunction('TaskGroup.createTask()', 'fn', fn);
    checkOptions('TaskGroup.createTask()', options, 'name');
    checkName('TaskGroup.createTask()', options?.name);
    this.#checkOpen('createTask');
    this.#running++;
    const task = new Task<R>(options?.name ?? fn, this.scope, this);
    task.begin(fn, [task]);
    return task;
  }

  start<V, A extends unknown[]>(fn: (status: TaskStatus<V>, ...args: A) => unknown, ...args: A): Promise<V> {
    try {
      checkFunction('TaskGroup.start()', 'fn', fn);
      this.#checkOpen('start');
      return startChild(this, this.#startingParent(), fn, fn, args, (task) => task.startValue);
    } catch (error) {
      return rejected(error);
    }
  }

  startTask<V, R>(
    fn: (status: TaskStatus<V>) => R | PromiseLike<R>,
    options?: TaskOptions,
  ): Promise<TaskHandle<R, V>> {
    try {
      checkFunction('TaskGroup.startTask()', 'fn', fn);
      checkOptions('TaskGroup.startTask()', options, 'name');
      checkName('TaskGroup.startTask()', options?.name);
      this.#checkOpen('startTask');
      return startChild(this, this.#startingParent(), options?.name ?? fn, fn, [], (task) => task);
    } catch (error) {
      return rejected(error);
    }
  }

  startService<A extends unknown[]>(fn: (...args: A) => unknown, ...args: A): TaskHandle<unknown> {
    checkFunction('TaskGroup.startService()', 'fn', fn);
    this.#checkOpen('startService');
    this.#services ??= new Services(
      this.scope,
      (error, isCancellation) => this.#note(error, isCancellation),
      () => this.#leaveIfDone(),
    );
    return this.#services.begin(fn, args);
  }

  cancel(reason?: unknown): void {
    this.scope.cancel('cancel', reason);
  }

  toString(): string {
    return describeScope(this.scope);
  }

  toJSON(): unknown {
    return this.cancelScope.toJSON();
  }

  taskEnded(): void {
    this.release();
  }

  taskFailed(_task: Task<unknown, unknown>, error: unknown, isCancellation: boolean): void {
    this.#note(error, isCancellation);
    this.release();
  }

  hold(): void {
    this.#running++;
  }

  release(): void {
    this.#running--;
    this.#leaveIfDone();
  }

  #bodyEnded(value: T): void {
    if (this.scope.isJoining) return; // as for a task: see there
    this.#value = value;
    this.scope.isJoining = true;
    this.release();
  }

  #bodyFailed(error: unknown): void {
    if (this.scope.isJoining) return;
    const wasCancelled = isCancellationOf(this.scope, error);
    const stray = wasCancelled ? strayCancellation(this.scope, error, 'the body of task group') : undefined;
    this.#note(stray ?? error, wasCancelled && stray === undefined);
    this.scope.isJoining = true;
    this.release();
  }

  /** Something in the group ended with an error, or with a cancellation that it did not catch itself. */
  #note(error: unknown, isCancellation: boolean): void {
    if (isCancellation) {
      this.#wasCancelled = true;
      this.#cancellation ??= error;
    } else {
      (this.#errors ??= []).push(error);
    }
    // If a cancellation from outside is what ended it, that very cancellation becomes the group's own.
    if (isCancellation && this.scope.cancellation !== undefined)
      this.scope.cancelWith(this.scope.cancellation);
    else this.scope.cancel('task-failure', error);
  }

  #leaveIfDone(): void {
    if (this.#running > 0 || this.#isLeft) return;
    const services = this.#services;
    if (services !== undefined) {
      if (!services.end()) return;
      this.#services = undefined;
      services.leave();
      // Instruments were told, and may have begun something new.
      this.#leaveIfDone();
      return;
    }
    this.#isLeft = true;
    if (this.#errors === undefined && !this.#wasCancelled) {
      this.scope.leave();
      this.#settle(CAUGHT);
    } else {
      this.#settle(this.#leaveFailed());
    }
  }

  /** Leaves the scope after something has failed or was cancelled. Returns what is left of that, or CAUGHT. */
  #leaveFailed(): unknown {
    const { scope } = this;
    const errors = this.#errors;
    if (this.#wasCancelled && scope.catches()) scope.withExtras().caught = true;
    const error =
      errors !== undefined
        ? createTaskGroupError(scope.name, errors)
        : scope.cancellation instanceof Cancelled
          ? scope.cancellation
          : this.#cancellation;
    const rest = leaveWithError(scope, error);
    if (rest !== CAUGHT) silence(this.#exit, rest);
    return rest;
  }

  #settle(rest: unknown): void {
    noteActivity();
    // Joining counts as a hand-over: a loop of groups that end at once must not starve the event loop
    // either.
    if (this.scope.context.scheduler === undefined && hasBudget('hand-over')) this.#settleNow(rest);
    else this.#settleLater(rest);
  }

  #settleNow(rest: unknown): void {
    if (rest === CAUGHT) this.#resolve(this.#value);
    else this.#reject(rest);
  }

  /** A function of its own for its closure, as in `Wait`. */
  #settleLater(rest: unknown): void {
    const { scheduler } = this.scope.context;
    const settle = (): void => this.#settleNow(rest);
    if (scheduler === undefined) putOff(settle);
    else scheduler.ready(settle);
  }

  #checkOpen(method: string): void {
    if (!this.#isLeft) return;
    throw new InvalidStateError(
      `TaskGroup.${method}(): the task group "${this.scope.name}" has been left, so it takes no more tasks. ` +
        'Call it while the body or a task of the group is running; is an await missing in the body?',
    );
  }

  /**
   * Where a child starts. Without an ambient scope nothing is known of the caller, so that is the group
   * itself.
   */
  #startingParent(): ScopeNode {
    if (storage.getStore() === undefined) return this.scope;
    const parent = currentScopeNode('TaskGroup.start()');
    checkParent(parent);
    return parent;
  }

  static {
    showByToString(Group);
  }
}

/**
 * The background tasks of a group. They live in a scope of their own that is shielded from the group's, so
 * that whatever ends the group ends the ordinary work first, which may need them while it cleans up.
 */
class Services implements TaskOwner {
  readonly #scope: ScopeNode;
  readonly #note: (error: unknown, isCancellation: boolean) => void;
  readonly #ended: () => void;
  #running = 0;

  constructor(group: ScopeNode, note: (error: unknown, isCancellation: boolean) => void, ended: () => void) {
    this.#note = note;
    this.#ended = ended;
    this.#scope = new ScopeNode('services', group.name, group.context, group.task);
    this.#scope.shield = true;
    this.#scope.open(group);
  }

  get taskId(): number {
    return this.#scope.task.id;
  }

  begin<A extends unknown[]>(fn: (...args: A) => unknown, args: A): TaskHandle<unknown> {
    this.#running++;
    const task = new Task<unknown>(fn, this.#scope, this);
    task.begin(fn, args);
    return task;
  }

  /** Nobody needs them any more. Returns whether all have ended; those who have not are cancelled. */
  end(): boolean {
    if (this.#running > 0) {
      // Listeners of their signals are called: in the group, and not in the context of whoever ended last.
      callIn(this.#scope.owner!.cell, () => this.#scope.end('everyone whom this service served has ended'));
      return false;
    }
    return true;
  }

  leave(): void {
    this.#scope.leave();
  }

  taskEnded(): void {
    this.#running--;
    this.#ended();
  }

  taskFailed(_task: Task<unknown, unknown>, error: unknown, isCancellation: boolean): void {
    // Being told to end is how a service ends, and says nothing about the group.
    if (!isCancellation || this.#scope.ownCancellation === undefined) this.#note(error, isCancellation);
    this.taskEnded();
  }
}
