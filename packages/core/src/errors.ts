/**
 * The errors of the three packages. Those that mark a cancellation or a group of errors carry a brand under
 * a registered symbol, so that two copies of the package in one process recognise each other's.
 */

import { describe } from './arguments.js';

const CANCELLED = Symbol.for('taskscope.Cancelled');
const GROUP = Symbol.for('taskscope.TaskGroupError');

/** Held only by this module: what has it was made by the runtime. */
const KEY = Symbol('made by the runtime');

/** With a stack only where somebody called cancel(): otherwise it would show what the runtime did, at some cost. */
export let createCancelled: (
  message: string,
  source: CancelSource,
  reason: unknown,
  hasStack?: boolean,
) => Cancelled;
export let createTaskGroupError: (group: string, errors: readonly unknown[]) => TaskGroupError;

/*
 * Anything can be thrown, also what throws when it is looked at: a Proxy, an error with a getter. That must not
 * come between the end of a task and those who wait for it, so what cannot be looked at is simply no
 * cancellation, no AbortError and no group.
 */

function hasBrand(value: unknown, mark: symbol): boolean {
  try {
    return typeof value === 'object' && value !== null && mark in value;
  } catch {
    return false;
  }
}

/** Puts a name (where stack traces and `toString` look for it) and a brand on the prototype. */
function brand(constructor: { readonly prototype: object }, name: string, mark?: symbol): void {
  Object.defineProperty(constructor.prototype, 'name', { value: name, configurable: true, writable: true });
  if (mark !== undefined) Object.defineProperty(constructor.prototype, mark, { value: true });
}

export function isInstance<T>(value: unknown, type: new () => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** What an error says. Anything can be thrown, also what cannot be made a string. */
export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.message}` : String(error);
  } catch {
    return describe(error);
  }
}

/** How many different messages the message of a group tells of. */
const MESSAGES_SHOWN = 3;

/** The name of a group that was given none. */
export const UNNAMED_GROUP = 'taskGroup';

/** What the errors of a group say, with those that say the same told once. */
export function messagesOf(errors: readonly unknown[]): string {
  const counts = new Map<string, number>();
  for (const error of errors) {
    // That it came by way of a group that has no name says nothing.
    const message = messageOf(error).replace(/^1 error in a task group: /, '');
    counts.set(message, (counts.get(message) ?? 0) + 1);
  }
  const shown = [...counts].slice(0, MESSAGES_SHOWN);
  const left = shown.reduce((rest, [, count]) => rest - count, errors.length);
  const parts = shown.map(([message, count]) => (count === 1 ? message : `${count} × ${message}`));
  if (left > 0) parts.push(`and ${left} more`);
  return parts.join('; ');
}

/** Makes an error without a stack, where that would show nothing but the runtime's own frames. */
function withoutStack<E extends Error>(make: () => E): E {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** What began a cancellation. */
export type CancelSource = 'cancel' | 'deadline' | 'task-failure' | 'signal';

/**
 * What every wait rejects with while its scope is cancelled. Let it pass: clean up in `finally`, and
 * rethrow it where a `catch` takes everything. The scope that was cancelled catches it.
 *
 * One object serves a whole cancellation, so its stack tells who cancelled. Users do not construct it.
 *
 * Semantics: Trio's `Cancelled`.
 *
 * @see [Cancelled in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#cancelled)
 *
 * @example
 * ```ts
 * import { Cancelled, CancelScope, checkpoint } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const scope = new CancelScope();
 * await scope.run(async () => {
 *   scope.cancel('enough');
 *   await assert.rejects(checkpoint(), (error) => error instanceof Cancelled && error.reason === 'enough');
 * });
 * ```
 */
export class Cancelled extends Error {
  /**
   * What was passed to `cancel(reason)`, the reason of the signal, or the error of the task that failed.
   */
  declare readonly reason: unknown;
  /** What began the cancellation. */
  declare readonly source: CancelSource;

  private constructor(key: typeof KEY, message: string, source: CancelSource, reason: unknown) {
    if (key !== KEY) {
      throw new TypeError(
        'Cancelled is not constructed by users: call cancel() on a scope or a task group instead',
      );
    }
    super(message);
    this.source = source;
    this.reason = reason;
  }

  /** Recognises the cancellations of every copy of the package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return hasBrand(value, CANCELLED);
  }

  static {
    createCancelled = (message, source, reason, hasStack = source === 'cancel') => {
      const make = (): Cancelled => new Cancelled(KEY, message, source, reason);
      return hasStack ? make() : withoutStack(make);
    };
    brand(Cancelled, 'Cancelled', CANCELLED);
  }
}

/**
 * What a task group throws when its body or a child failed: always a group, even for a single error, so
 * that the type to catch does not depend on timing. `errors` holds them in the order in which they
 * happened; `cause` is the error when there is only one. Users do not construct it.
 *
 * Semantics: Trio's strict exception groups.
 *
 * @see [TaskGroupError in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#taskgrouperror)
 *
 * @example
 * ```ts
 * import { taskGroup, TaskGroupError } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * await assert.rejects(
 *   taskGroup((tg) => {
 *     tg.startSoon(() => {
 *       throw new RangeError('out of tea');
 *     });
 *   }),
 *   (error) => error instanceof TaskGroupError && error.errors[0] instanceof RangeError,
 * );
 * ```
 */
export class TaskGroupError extends AggregateError {
  /** The name of the task group that failed; `taskGroup` if it was given none. */
  declare readonly group: string;

  private constructor(key: typeof KEY, group: string, errors: readonly unknown[]) {
    if (key !== KEY) {
      throw new TypeError('TaskGroupError is not constructed by users: it is what taskGroup() throws');
    }
    const isSingle = errors.length === 1;
    const isNamed = group !== UNNAMED_GROUP;
    const messages = messagesOf(errors);
    const count = isSingle ? '1 error' : `${errors.length} errors`;
    const where = isNamed ? `task group "${group}"` : 'a task group';
    // A group without a name has nothing to add to what the one group in it says.
    const addsNothing = isSingle && !isNamed && /^\d+ errors? in (a )?task group/.test(messages);
    const prefix = addsNothing ? '' : `${count} in ${where}: `;
    super(errors, `${prefix}${messages}`, isSingle ? { cause: errors[0] } : undefined);
    this.group = group;
  }

  /** Recognises the groups of every copy of the package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return hasBrand(value, GROUP);
  }

  static {
    // It is made when the last task has ended; where things went wrong, the stacks of its errors tell.
    createTaskGroupError = (group, errors) => withoutStack(() => new TaskGroupError(KEY, group, errors));
    brand(TaskGroupError, 'TaskGroupError', GROUP);
  }
}

/**
 * What `failAfter` and `failAt` reject with when their own deadline passed.
 *
 * Semantics: AnyIO's TimeoutError, Trio's TooSlowError.
 *
 * @see [TimeoutError in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#timeouterror)
 *
 * @example
 * ```ts
 * import { failAfter, sleepForever, TimeoutError } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * await assert.rejects(failAfter(1, () => sleepForever()), TimeoutError);
 * ```
 */
export class TimeoutError extends Error {
  static {
    brand(TimeoutError, 'TimeoutError');
  }
}

/**
 * What the forms that never wait (`acquireNowait`, `sendNowait`, …) throw when they would have to.
 *
 * Semantics: AnyIO's and Trio's WouldBlock.
 *
 * @see [WouldBlock in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#wouldblock)
 *
 * @example
 * ```ts
 * import { WouldBlock } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const tokens: string[] = [];
 * function takeNowait(): string {
 *   const token = tokens.pop();
 *   if (token === undefined) throw new WouldBlock('no token is free');
 *   return token;
 * }
 * assert.throws(takeNowait, WouldBlock);
 * ```
 */
export class WouldBlock extends Error {
  static {
    brand(WouldBlock, 'WouldBlock');
  }
}

/**
 * What using something that this side has closed throws.
 *
 * Semantics: AnyIO's and Trio's ClosedResourceError.
 *
 * @see [ClosedResourceError in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#closedresourceerror)
 *
 * @example
 * ```ts
 * import { ClosedResourceError } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * class Door {
 *   open = true;
 *   enter(): void {
 *     if (!this.open) throw new ClosedResourceError('the door is closed');
 *   }
 * }
 * const door = new Door();
 * door.open = false;
 * assert.throws(() => door.enter(), ClosedResourceError);
 * ```
 */
export class ClosedResourceError extends Error {
  static {
    brand(ClosedResourceError, 'ClosedResourceError');
  }
}

/**
 * What using something throws that became unusable from outside: the other side is gone, or an owner ended
 * without giving it back.
 *
 * Semantics: AnyIO's and Trio's BrokenResourceError.
 *
 * @see [BrokenResourceError in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#brokenresourceerror)
 *
 * @example
 * ```ts
 * import { BrokenResourceError } from '@taskscope/core';
 * import { ParkingLot } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * const lot = new ParkingLot();
 * const parked = lot.park();
 * lot.breakLot();
 * await assert.rejects(parked, BrokenResourceError);
 * ```
 */
export class BrokenResourceError extends Error {
  static {
    brand(BrokenResourceError, 'BrokenResourceError');
  }
}

/**
 * What a resource throws that one task uses when another tries to use it as well.
 *
 * Semantics: AnyIO's and Trio's BusyResourceError.
 *
 * @see [BusyResourceError in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#busyresourceerror)
 *
 * @example
 * ```ts
 * import { BusyResourceError } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * let reading = false;
 * function read(): void {
 *   if (reading) throw new BusyResourceError('another task is reading from this socket');
 *   reading = true;
 * }
 * read();
 * assert.throws(read, BusyResourceError);
 * ```
 */
export class BusyResourceError extends Error {
  static {
    brand(BusyResourceError, 'BusyResourceError');
  }
}

/**
 * What receiving throws when the other side has ended the stream and nothing is left to receive.
 *
 * Semantics: AnyIO's EndOfStream, Trio's EndOfChannel.
 *
 * @see [EndOfStream in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#endofstream)
 *
 * @example
 * ```ts
 * import { EndOfStream } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const lines = ['first', 'last'];
 * function receive(): string {
 *   const line = lines.shift();
 *   if (line === undefined) throw new EndOfStream('no line is left');
 *   return line;
 * }
 * receive();
 * receive();
 * assert.throws(receive, EndOfStream);
 * ```
 */
export class EndOfStream extends Error {
  static {
    brand(EndOfStream, 'EndOfStream');
  }
}

/**
 * What an exact read throws when the stream ended in the middle of it.
 *
 * Semantics: AnyIO's IncompleteRead.
 *
 * @see [IncompleteRead in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#incompleteread)
 *
 * @example
 * ```ts
 * import { IncompleteRead } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * function readExactly(bytes: Uint8Array, count: number): Uint8Array {
 *   if (bytes.length < count) throw new IncompleteRead(`wanted ${count} bytes, the stream ended after ${bytes.length}`);
 *   return bytes.subarray(0, count);
 * }
 * assert.throws(() => readExactly(new Uint8Array(3), 4), IncompleteRead);
 * ```
 */
export class IncompleteRead extends Error {
  static {
    brand(IncompleteRead, 'IncompleteRead');
  }
}

/**
 * What a read up to a delimiter throws when the delimiter did not come within the limit.
 *
 * Semantics: AnyIO's DelimiterNotFound.
 *
 * @see [DelimiterNotFound in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#delimiternotfound)
 *
 * @example
 * ```ts
 * import { DelimiterNotFound } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * function line(text: string, limit: number): string {
 *   const end = text.indexOf('\n');
 *   if (end === -1 || end > limit) throw new DelimiterNotFound(`no line feed within ${limit} characters`);
 *   return text.slice(0, end);
 * }
 * assert.throws(() => line('endless', 4), DelimiterNotFound);
 * ```
 */
export class DelimiterNotFound extends Error {
  static {
    brand(DelimiterNotFound, 'DelimiterNotFound');
  }
}

/**
 * What reading a task's result throws while the task is running.
 *
 * Semantics: AnyIO's TaskNotFinished.
 *
 * @see [TaskNotFinished in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#tasknotfinished)
 *
 * @example
 * ```ts
 * import { taskGroup, TaskNotFinished } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * await taskGroup((tg) => {
 *   const task = tg.startSoon(() => 42);
 *   assert.throws(() => task.returnValue, TaskNotFinished);
 * });
 * ```
 */
export class TaskNotFinished extends Error {
  static {
    brand(TaskNotFinished, 'TaskNotFinished');
  }
}

/**
 * What reading the result of a cancelled task throws; `cause` is the cancellation.
 *
 * Semantics: AnyIO's TaskCancelled.
 *
 * @see [TaskCancelled in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#taskcancelled)
 *
 * @example
 * ```ts
 * import { sleepForever, taskGroup, TaskCancelled } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * await taskGroup(async (tg) => {
 *   const task = tg.startSoon(() => sleepForever());
 *   task.cancel();
 *   await assert.rejects(task.result(), TaskCancelled);
 * });
 * ```
 */
export class TaskCancelled extends Error {
  static {
    brand(TaskCancelled, 'TaskCancelled');
  }
}

/**
 * What reading the result of a failed task throws; `cause` is the task's error.
 *
 * Semantics: AnyIO's TaskFailed.
 *
 * @see [TaskFailed in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#taskfailed)
 *
 * @example
 * ```ts
 * import { taskGroup, TaskFailed, type TaskHandle } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * let task: TaskHandle<void> | undefined;
 * await taskGroup((tg) => {
 *   task = tg.startSoon(() => {
 *     throw new RangeError('out of tea');
 *   });
 * }).catch(() => {});
 * assert.throws(() => task?.returnValue, (error) => error instanceof TaskFailed && error.cause instanceof RangeError);
 * ```
 */
export class TaskFailed extends Error {
  static {
    brand(TaskFailed, 'TaskFailed');
  }
}

/**
 * What waiting for a future throws that was cancelled instead of being given a result.
 *
 * Semantics: AnyIO's FutureCancelled.
 *
 * @see [FutureCancelled in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#futurecancelled)
 *
 * @example
 * ```ts
 * import { FutureCancelled } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const error = new FutureCancelled('the future was cancelled');
 * assert.equal(error.name, 'FutureCancelled');
 * ```
 */
export class FutureCancelled extends Error {
  static {
    brand(FutureCancelled, 'FutureCancelled');
  }
}

/**
 * What a wait rejects with that was begun in a scope which has been left, in a run with `escapes: 'error'`.
 * Nearly always an `await` is missing.
 *
 * @see [ScopeExitedError in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#scopeexitederror)
 *
 * @example
 * ```ts
 * import { run, ScopeExitedError, CancelScope, sleep } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * await run(
 *   async () => {
 *     let floating: Promise<void> | undefined;
 *     await new CancelScope().run(() => {
 *       floating = sleep(1); // not awaited: it outlives its scope
 *     });
 *     await assert.rejects(floating!, ScopeExitedError);
 *   },
 *   { escapes: 'error' },
 * );
 * ```
 */
export class ScopeExitedError extends Error {
  static {
    brand(ScopeExitedError, 'ScopeExitedError');
  }
}

/**
 * What every misuse throws: a task group used after it was left, a scope entered twice, `started()` called
 * twice, a lock released by somebody else. The message says which rule was broken and what to do instead.
 *
 * Semantics: where AnyIO and Trio raise a RuntimeError.
 *
 * @see [InvalidStateError in the list of errors](https://github.com/taskscope/taskscope/blob/main/docs/error-messages.md#invalidstateerror)
 *
 * @example
 * ```ts
 * import { CancelScope, InvalidStateError } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const scope = new CancelScope();
 * await scope.run(() => {});
 * await assert.rejects(
 *   scope.run(() => {}),
 *   InvalidStateError,
 * );
 * ```
 */
export class InvalidStateError extends Error {
  static {
    brand(InvalidStateError, 'InvalidStateError');
  }
}

/**
 * Whether an error is a cancellation by its own evidence: a Cancelled, or an AbortError that some API
 * raised because a scope's signal aborted, in which case the signal's reason, a Cancelled, is its cause.
 */
export function isCancellation(error: unknown): boolean {
  return cancellationOf(error) !== undefined;
}

/** The same, and which one it is. */
export function cancellationOf(error: unknown): Cancelled | undefined {
  let each = error;
  // What a block and its disposers rejected with, if each was cancelled.
  for (let pair = suppressedBy(each); pair !== undefined; pair = suppressedBy(each)) {
    if (oneCancellation(pair.error) === undefined) return undefined;
    each = pair.suppressed;
  }
  return oneCancellation(each);
}

function oneCancellation(error: unknown): Cancelled | undefined {
  if (error instanceof Cancelled) return error;
  const cause = causeOfAbort(error);
  return cause instanceof Cancelled ? cause : undefined;
}

/** The parts of a SuppressedError, told by its name: compilers bring their own where the platform has none. */
function suppressedBy(error: unknown): { readonly error: unknown; readonly suppressed: unknown } | undefined {
  try {
    const pair = error as { name: unknown; error: unknown; suppressed: unknown } | null;
    return typeof pair === 'object' && pair?.name === 'SuppressedError' ? pair : undefined;
  } catch {
    return undefined;
  }
}

/**
 * An error of the kind that the platform's abortable APIs reject with, whoever aborted them. Told by its
 * name alone: where tests run in a realm of their own, the platform's errors are no instances of `Error`.
 */
export function isAbortError(error: unknown): error is Error {
  try {
    return typeof error === 'object' && error !== null && (error as Error).name === 'AbortError';
  } catch {
    return false;
  }
}

/** An AbortError that names no cause, so that it may come from anywhere. */
export function isBareAbortError(error: unknown): boolean {
  return isAbortError(error) && causeOfAbort(error) === undefined;
}

function causeOfAbort(error: unknown): unknown {
  try {
    return isAbortError(error) ? error.cause : undefined;
  } catch (broken) {
    return broken;
  }
}
