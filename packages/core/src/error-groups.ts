/**
 * Working with errors that come in groups: PEP 654 for AggregateError. An error that is not an
 * AggregateError is a leaf; splitting keeps the nesting, and a group that loses all its members disappears.
 *
 * Groups can be nested very deeply (a chain of task groups whose innermost child failed), so nothing here
 * recurses.
 */

import { peekScope } from './ambient.js';
import { checkFunction, describe } from './arguments.js';
import {
  Cancelled,
  createTaskGroupError,
  isAbortError,
  isCancellation,
  isInstance,
  messagesOf,
  TaskGroupError,
} from './errors.js';
import { chain, rejected } from './promises.js';
import { isCancellationIn } from './scope-tree.js';

/** Which errors are meant: an error class, or a predicate. */
export type Match<E> =
  // Constructors may have any parameters: only what they make matters here.
  // oxlint-disable-next-line typescript/no-explicit-any
  (new (...args: any[]) => E) | typeof Cancelled | ((error: unknown) => boolean);

/**
 * Splits an error into the leaves that match and the rest, each with the nesting kept. Either is undefined
 * when there is nothing in it. An error that is no group is treated as a group of one.
 *
 * @param match - An error class, or a predicate that is called with each leaf.
 * @throws TypeError when `match` is neither.
 *
 * Semantics: `BaseExceptionGroup.split`.
 *
 * @example
 * ```ts
 * import { splitErrors } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const error = new AggregateError([new TypeError('a'), new AggregateError([new RangeError('b')])]);
 * const [ranges, rest] = splitErrors(error, RangeError);
 * assert.deepEqual(ranges?.errors, [new AggregateError([new RangeError('b')])]);
 * assert.deepEqual(rest?.errors, [new TypeError('a')]);
 * ```
 */
export function splitErrors<E>(
  error: unknown,
  match: Match<E>,
): [matched: AggregateError | undefined, rest: AggregateError | undefined] {
  const matches = predicate('splitErrors()', match);
  const group = asGroup(error);
  return [keep(group, matches), keep(group, (leaf) => !matches(leaf))];
}

/**
 * The leaves of an error: what is left when every AggregateError is replaced by its members. An error that
 * is no group is its own only leaf.
 *
 * @example
 * ```ts
 * import { flattenErrors } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const [a, b] = [new Error('a'), new Error('b')];
 * assert.deepEqual(flattenErrors(new AggregateError([a, new AggregateError([b])])), [a, b]);
 * ```
 */
export function flattenErrors(error: unknown): unknown[] {
  if (!isGroup(error)) return [error];
  const leaves: unknown[] = [];
  keep(error, (leaf) => leaves.push(leaf) > 0);
  return leaves;
}

/**
 * Python's `except*` for JavaScript. Runs `body`; when it throws, each handler in turn is called with the
 * leaves that match it, as one AggregateError with their nesting kept (`flattenErrors(group)` lists the
 * leaves), and what no handler takes is thrown. Handlers may be async, and
 * each leaf goes to the first that matches. What handlers throw is combined with what nobody took.
 * Cancellations go only to a handler that names them (with the class `Cancelled` or a predicate of its
 * own).
 *
 * Waits for `body` and for the handlers.
 *
 * @returns What `body` returned, or undefined when handlers took all its errors.
 * @throws TypeError when a handler is not a pair of a match and a function.
 *
 * Semantics: PEP 654 and the `catch()` of the exceptiongroup backport.
 *
 * @example
 * ```ts
 * import { catchErrors, taskGroup } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * let handled = 0;
 * await catchErrors(
 *   () =>
 *     taskGroup((tg) => {
 *       tg.startSoon(() => {
 *         throw new RangeError('out of tea');
 *       });
 *     }),
 *   [RangeError, (group) => (handled += group.errors.length)],
 * );
 * assert.equal(handled, 1);
 * ```
 */
export function catchErrors<T>(
  body: () => T | PromiseLike<T>,
  ...handlers: readonly [Match<unknown>, (group: AggregateError) => unknown][]
): Promise<T | undefined> {
  try {
    checkFunction('catchErrors()', 'body', body);
    return chain(runWithHandlers(body, handlers.map(parseHandler)), (result) => result);
  } catch (error) {
    return rejected(error);
  }
}

type Handler = readonly [matches: (error: unknown) => boolean, handle: (group: AggregateError) => unknown];

function parseHandler(handler: unknown, index: number): Handler {
  if (!Array.isArray(handler)) {
    throw new TypeError(
      `catchErrors(): handler ${index} must be a pair [match, handler], got ${describe(handler)}`,
    );
  }
  const [match, handle] = handler as [Match<unknown>, (group: AggregateError) => unknown];
  checkFunction('catchErrors()', `the second part of handler ${index}`, handle);
  return [predicate('catchErrors()', match), handle];
}

async function runWithHandlers<T>(
  body: () => T | PromiseLike<T>,
  handlers: readonly Handler[],
): Promise<T | undefined> {
  try {
    return await body();
  } catch (error) {
    const whole = asGroup(error);
    let rest: AggregateError | undefined = whole;
    const thrown: unknown[] = [];
    for (const [matches, handle] of handlers) {
      const found: AggregateError | undefined = keep(rest, matches);
      if (found === undefined) continue;
      rest = keep(rest, (leaf) => !matches(leaf));
      try {
        await handle(found);
      } catch (raised) {
        // A handler's own error replaces what it handled, as in any `catch`.
        thrown.push(raised);
      }
      if (rest === undefined) break;
    }
    if (thrown.length > 0) {
      if (rest !== undefined) thrown.push(rest);
      throw new AggregateError(
        thrown,
        `errors raised by handlers of catchErrors()${rest === undefined ? '' : ', and what no handler took'}: ${messagesOf(thrown)}`,
      );
    }
    if (rest === whole) throw error;
    if (rest !== undefined) throw rest;
    return undefined;
  }
}

/**
 * For callers who know that there can be only one: rethrows a group with a single leaf as that leaf,
 * anything else as it is.
 *
 * @example
 * ```ts
 * import { all, rethrowSingle } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const broken = (): never => {
 *   throw new RangeError('out of tea');
 * };
 * await assert.rejects(all([broken]).catch(rethrowSingle), RangeError);
 * ```
 */
export function rethrowSingle(error: unknown): never {
  const leaves = flattenErrors(error);
  throw leaves.length === 1 ? leaves[0] : error;
}

/**
 * Groups in which nothing was found that could be a cancellation. An error that leaves many scopes is looked through
 * once, not again in each of them.
 */
const withoutCancellations = new WeakSet<AggregateError>();

/**
 * A group without the cancellations that `remove` names: undefined if nothing is left, the same object if none
 * was there.
 */
export function withoutErrors(
  group: AggregateError,
  remove: (leaf: unknown) => boolean,
): AggregateError | undefined {
  if (withoutCancellations.has(group)) return group;
  return keep(group, (leaf) => !remove(leaf), withoutCancellations);
}

/** An AggregateError without members is an error in its own right: what `any([])` throws, for one. */
export function isGroup(error: unknown): error is AggregateError {
  try {
    return error instanceof AggregateError && error.errors.length > 0;
  } catch {
    return false;
  }
}

function asGroup(error: unknown): AggregateError {
  return isGroup(error) ? error : new AggregateError([error]);
}

function predicate<E>(where: string, match: Match<E>): (error: unknown) => boolean {
  if (typeof match !== 'function') {
    throw new TypeError(`${where}: match must be an error class or a predicate, got ${describe(match)}`);
  }
  if (isErrorClass(match)) {
    // A handler for Error means errors. It gets no cancellation, unless the class it names is that of
    // cancellations.
    const namesCancellation = match.prototype instanceof Cancelled;
    return (leaf) => isInstance(leaf, match) && (namesCancellation || !isCancellationIn(peekScope(), leaf));
  }
  return match as (error: unknown) => boolean;
}

function isErrorClass(match: unknown): match is new () => Error {
  const prototype: unknown = (match as { prototype?: unknown }).prototype;
  return match === Error || prototype instanceof Error;
}

/** The part of a group whose leaves pass `wanted`, nesting kept. */
function keep(
  group: AggregateError,
  wanted: (leaf: unknown) => boolean,
  plain?: WeakSet<AggregateError>,
): AggregateError | undefined {
  interface Frame {
    readonly group: AggregateError;
    readonly kept: unknown[];
    next: number;
    changed: boolean;
    isPlain: boolean;
  }
  const frames: Frame[] = [{ group, kept: [], next: 0, changed: false, isPlain: true }];
  // A group that contains itself, as no runtime makes it but anybody can, is a leaf in there.
  const around = new Set([group]);
  for (;;) {
    const frame = frames[frames.length - 1]!;
    if (frame.next < frame.group.errors.length) {
      const member: unknown = frame.group.errors[frame.next++];
      const isKnownGroup = isGroup(member) && plain?.has(member) === true;
      if (isGroup(member) && !isKnownGroup && !around.has(member)) {
        around.add(member);
        frames.push({ group: member, kept: [], next: 0, changed: false, isPlain: true });
      } else if (isKnownGroup || wanted(member)) {
        frame.kept.push(member);
        frame.isPlain &&= !isCancellation(member) && !isAbortError(member);
      } else {
        frame.changed = true;
      }
      continue;
    }
    frames.pop();
    around.delete(frame.group);
    const result = frame.changed ? derive(frame.group, frame.kept) : frame.group;
    const outer = frames[frames.length - 1];
    if (frame.isPlain && result !== undefined) plain?.add(result);
    if (outer === undefined) return result;
    outer.isPlain &&= frame.isPlain;
    if (result !== undefined) outer.kept.push(result);
    if (result !== frame.group) outer.changed = true;
  }
}

/** A group like `group`, of the errors that are left of it. */
function derive(group: AggregateError, errors: readonly unknown[]): AggregateError | undefined {
  if (errors.length === 0) return undefined;
  if (group instanceof TaskGroupError) return createTaskGroupError(group.group, errors);
  const derived = new AggregateError(errors, group.message);
  if (group.cause !== undefined) derived.cause = group.cause;
  return derived;
}
