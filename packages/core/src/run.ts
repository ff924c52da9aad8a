/** Running a program. */

import { invoke, lostContextWatchers, PlainTask, root, storage } from './ambient.js';
import { checkFunction, checkName, checkOptions, checkSignal, describe } from './arguments.js';
import { openScopeNode, parentCell } from './cancel-scope.js';
import type { Clock } from './clock.js';
import { DeadlineQueue } from './deadlines.js';
import { Cancelled } from './errors.js';
import { checkInstrument, dismiss, notify, observers, observing, type Instrument } from './instruments.js';
import { formatTaskTree, isStuck, snapshot } from './introspection.js';
import type { RunContext, WakeScheduler } from './run-context.js';
import { CAUGHT, leaveWithError } from './scope-exit.js';
import { cellOfSignal, openScope, ScopeNode } from './scope-tree.js';
import { rejected, silence } from './promises.js';
import type { TaskContext } from './task.js';
import { runExitActions } from './task-exit.js';

/** Options of {@link run}. */
export interface RunOptions {
  /** The name of the main task. Default: `main`. */
  name?: string | undefined;
  /** Where the time comes from. Default: real time, or that of the run around. */
  clock?: Clock | undefined;
  /** Cancels the run when it aborts; the run then rejects with `signal.reason`, after clean-up. */
  signal?: AbortSignal | undefined;
  /** Told of what happens in the run. */
  instruments?: readonly Instrument[] | undefined;
  /**
   * What to do about a wait that outlived its scope, mostly because an `await` is missing: let the nearest
   * open scope around adopt it, warn once a scope, or make it reject with ScopeExitedError. Default:
   * `adopt`, or that of the run around.
   */
  escapes?: 'adopt' | 'warn' | 'error' | undefined;
  /**
   * What to do about a wait that has no ambient scope while this run is open: nothing can cancel it.
   * Default: `ignore`, or that of the run around.
   */
  lostContext?: 'ignore' | 'warn' | 'error' | undefined;
  /** Decides in which order ready tasks go on. For testing. */
  scheduler?: WakeScheduler | undefined;
}

/**
 * Runs a program: `main` is its first task, in a scope of its own. Everything works without it, too; a run
 * is for those who want a name, a clock, a signal, instruments or checks for the whole of it, and gives
 * locks an owner for the code that is in no other task. Inside of another run, it is a scope of that one.
 *
 * Waits until `main` has ended.
 *
 * @param main - In explicit mode, the signal that it is given stands for the run: what is told that signal has
 * the clock and the checks of the run, and is cancelled with it.
 * @returns What `main` returned, also when it finished in spite of a cancellation.
 * @throws What `main` throws; `signal.reason` when the signal ended it; `Cancelled` when its scope was
 * cancelled; TypeError for bad arguments.
 *
 * Semantics: `anyio.run` and `trio.run`.
 *
 * @example
 * ```ts
 * import { run, sleepForever } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * assert.equal(await run(async () => 42), 42);
 *
 * const timeUp = new Error('time is up');
 * const controller = new AbortController();
 * setTimeout(() => controller.abort(timeUp), 1);
 * await assert.rejects(run(() => sleepForever(), { signal: controller.signal }), timeUp);
 * ```
 */
export function run<T>(main: (task: TaskContext) => T | PromiseLike<T>, options?: RunOptions): Promise<T> {
  const where = 'run()';
  try {
    checkFunction(where, 'main', main);
    checkRunOptions(where, options);
    return begin(where, main, options ?? {});
  } catch (error) {
    return rejected(error);
  }
}

function begin<T>(
  where: string,
  main: (task: TaskContext) => T | PromiseLike<T>,
  options: RunOptions,
): Promise<T> {
  // A program that is started where nothing is ambient has not lost its context: it begins one.
  const isForeign = options.signal === undefined || cellOfSignal(options.signal) === undefined;
  const isOutermost = isForeign && storage.getStore() === undefined;
  const around = isOutermost ? root.cell : parentCell(where, options.signal);
  const parent = openScope(around);
  const context = contextFor(parent.context, options);
  const name = options.name ?? 'main';
  const task = parent === root ? new PlainTask(name, parent.task.id) : undefined;
  const scope = new ScopeNode('run', name, context, task ?? parent.task);
  if (task !== undefined && observing.count > 0) notify(context.observers, 'taskSpawned', task);
  openScopeNode(scope, around, options.signal);
  if (context.lostContext !== 'ignore') lostContextWatchers.push(context);
  if (task !== undefined && observing.count > 0) notify(context.observers, 'taskStarted', task);
  let failure: { readonly error: Error } | undefined;
  const detachClock = options.clock?.attach?.({
    isStuck: () => isStuck(scope),
    drawing: () => formatTaskTree(snapshot(scope)),
    fail(error) {
      failure ??= { error };
      scope.cancel('cancel', error);
    },
  });

  const close = (): void => {
    detachClock?.();
    const watcher = lostContextWatchers.indexOf(context);
    if (watcher !== -1) lostContextWatchers.splice(watcher, 1);
    if (task !== undefined) {
      runExitActions(task);
      if (observing.count > 0) notify(context.observers, 'taskExited', task);
    }
    dismiss(context.observers);
  };
  const ended = (value: T): T => {
    scope.leave();
    close();
    if (failure !== undefined) throw failure.error;
    return value;
  };
  const failed = (error: unknown): unknown => {
    const rest = leaveWithError(scope, error);
    close();
    if (rest !== CAUGHT) return rest;
    if (failure !== undefined) return failure.error;
    const cause = scope.ownCancellation;
    return cause instanceof Cancelled && cause.source === 'signal' ? cause.reason : cause;
  };

  let result: T | Promise<T>;
  try {
    const context: TaskContext = {
      get signal() {
        return scope.signal;
      },
    };
    result = invoke(scope.cell, main, [context]);
  } catch (error) {
    return rejected(failed(error));
  }
  if (!(result instanceof Promise)) return Promise.resolve(ended(result));
  const promise: Promise<T> = result.then(ended, (error: unknown) => {
    const outcome = failed(error);
    silence(promise, outcome);
    throw outcome;
  });
  return promise;
}

function contextFor(outer: RunContext, options: RunOptions): RunContext {
  return {
    deadlines: options.clock === undefined ? outer.deadlines : new DeadlineQueue(options.clock),
    observers: observers(options.instruments, outer.observers),
    escapes: options.escapes ?? outer.escapes,
    lostContext: options.lostContext ?? outer.lostContext,
    scheduler: options.scheduler ?? outer.scheduler,
    foreignWaits: 0,
    leftUnwatched: undefined,
  };
}

function checkRunOptions(where: string, options: RunOptions | undefined): void {
  checkOptions(where, options);
  if (options === undefined) return;
  checkName(where, options.name);
  checkSignal(where, options.signal);
  checkOneOf(where, 'escapes', options.escapes, ['adopt', 'warn', 'error']);
  checkOneOf(where, 'lostContext', options.lostContext, ['ignore', 'warn', 'error']);
  checkMethods(where, 'clock', options.clock, ['now', 'schedule']);
  checkMethods(where, 'scheduler', options.scheduler, ['ready']);
  if (options.instruments !== undefined) {
    if (!Array.isArray(options.instruments)) {
      throw new TypeError(
        `${where}: options.instruments must be an array, got ${describe(options.instruments)}`,
      );
    }
    for (const instrument of options.instruments) checkInstrument(where, instrument);
  }
}

function checkMethods(where: string, option: string, value: unknown, methods: readonly string[]): void {
  if (value === undefined) return;
  for (const method of methods) {
    if (typeof (value as Record<string, unknown> | null)?.[method] === 'function') continue;
    throw new TypeError(
      `${where}: options.${option} must be an object with a method ${method}(), got ${describe(value)}`,
    );
  }
}

function checkOneOf(where: string, option: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined || (allowed as readonly unknown[]).includes(value)) return;
  const list = allowed.map((each) => JSON.stringify(each)).join(', ');
  throw new TypeError(`${where}: options.${option} must be one of ${list}, got ${describe(value)}`);
}
