/** Scopes with a time limit, and shields. */

import { peekScope } from './ambient.js';
import { checkFunction, checkOptions, checkTime, describe, isThenable } from './arguments.js';
import {
  CancelScope,
  causeOf,
  runScope,
  timedScope,
  type OnCaught,
  type ScopeOptions,
  type TimeLimit,
} from './cancel-scope.js';
import { Cancelled, TimeoutError } from './errors.js';
import type { ScopeNode } from './scope-tree.js';
import { rejected } from './promises.js';

/** @inline */
type Body<T> = (scope: CancelScope) => T | PromiseLike<T>;

declare const NOTHING: unique symbol;

/**
 * A body that takes no scope. No function is of the second kind, but it tells the compiler what the parameter of a body is
 * that does take one: with the first alone, an overload that does not fit would make that parameter an implicit `any`.
 *
 * @inline
 */
type PlainBody<T> = (() => T | PromiseLike<T>) | (Body<T> & { readonly [NOTHING]: never });

const MOVE_ON_AFTER: TimeLimit = { name: 'moveOnAfter', where: 'moveOnAfter()', argument: 'ms' };
const MOVE_ON_AT: TimeLimit = { name: 'moveOnAt', where: 'moveOnAt()', argument: 'deadline' };
const FAIL_AFTER: TimeLimit = { name: 'failAfter', where: 'failAfter()', argument: 'ms' };
const FAIL_AT: TimeLimit = { name: 'failAt', where: 'failAt()', argument: 'deadline' };

/** Options of {@link failAfter} and {@link failAt}. */
export interface FailOptions extends ScopeOptions {
  /** Said in the message of the TimeoutError: what took too long. */
  reason?: string | undefined;
}

/** The options with which a body that takes no scope keeps its result type: nothing but time can end it. */
export type PlainFailOptions = Omit<FailOptions, 'signal'>;

/**
 * Gives `body` a time limit: when it is over, what waits in `body` is cancelled, and the program moves on.
 * Without a body it returns the scope, to be run later; the time counts from `run()`.
 *
 * Waits until `body` has ended.
 *
 * @param ms - Milliseconds; null or Infinity for no limit; 0 or less means that the time is over already.
 * @returns What `body` returned, or undefined when it was cancelled (the scope's `cancelledCaught` tells
 * for certain).
 * @throws What `body` throws; `Cancelled` when a scope around is cancelled; TypeError or RangeError for bad
 * arguments.
 *
 * Semantics: `move_on_after` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { moveOnAfter, sleep } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * assert.equal(await moveOnAfter(1_000, () => sleep(1).then(() => 'in time')), 'in time');
 * assert.equal(await moveOnAfter(1, () => sleep(1_000).then(() => 'in time')), undefined);
 * ```
 */
export function moveOnAfter(ms: number | null, options?: ScopeOptions): CancelScope;
export function moveOnAfter<T>(
  ms: number | null,
  body: Body<T>,
  options?: ScopeOptions,
): Promise<T | undefined>;
export function moveOnAfter<T>(
  ms: number | null,
  body?: Body<T> | ScopeOptions,
  options?: ScopeOptions,
): CancelScope | Promise<T | undefined> {
  return moveOn(MOVE_ON_AFTER, ms, arguments.length > 1, body, options);
}

/**
 * The same as {@link moveOnAfter}, with a time on the clock instead of a duration.
 *
 * Waits until `body` has ended.
 *
 * @param deadline - A time on the clock of `currentTime()`, in milliseconds; null or Infinity for none.
 * @returns What `body` returned, or undefined when it was cancelled.
 * @throws What `body` throws; `Cancelled` when a scope around is cancelled; TypeError or RangeError for bad
 * arguments.
 *
 * Semantics: Trio's `move_on_at`.
 *
 * @example
 * ```ts
 * import { currentTime, moveOnAt, sleepForever } from '@taskscope/core';
 *
 * const deadline = currentTime() + 2;
 * await moveOnAt(deadline, () => sleepForever());
 * await moveOnAt(deadline, () => sleepForever()); // over already
 * ```
 */
export function moveOnAt(deadline: number | null, options?: ScopeOptions): CancelScope;
export function moveOnAt<T>(
  deadline: number | null,
  body: Body<T>,
  options?: ScopeOptions,
): Promise<T | undefined>;
export function moveOnAt<T>(
  deadline: number | null,
  body?: Body<T> | ScopeOptions,
  options?: ScopeOptions,
): CancelScope | Promise<T | undefined> {
  return moveOn(MOVE_ON_AT, deadline, arguments.length > 1, body, options);
}

/**
 * Gives `body` a time limit, and fails with a TimeoutError when that is why it was cancelled. When it was
 * cancelled by its own scope's `cancel()` or signal the result is undefined, and when a scope around was
 * cancelled first, `Cancelled` goes on outward.
 *
 * Waits until `body` has ended: it is told at its next wait, and may clean up. A body that awaits only bare
 * promises is told nothing: it may take longer, and its result counts. Put those into `withSignal()` or
 * `abandonOnCancel()`.
 *
 * @param ms - Milliseconds; null or Infinity for no limit; 0 or less means that the time is over already.
 * @returns What `body` returned, also when it finished in spite of a cancellation.
 * @throws TimeoutError when the deadline ended `body`; what `body` throws; `Cancelled` when a scope around is
 * cancelled; TypeError or RangeError for bad arguments.
 *
 * Semantics: `fail_after` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { failAfter, sleep, TimeoutError } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * await failAfter(1_000, () => sleep(1));
 * await assert.rejects(
 *   failAfter(1, () => sleep(1_000), { reason: 'waiting for tea' }),
 *   (error) => error instanceof TimeoutError && error.message.includes('waiting for tea'),
 * );
 * ```
 */
export function failAfter<T>(ms: number | null, body: PlainBody<T>, options?: PlainFailOptions): Promise<T>;
export function failAfter<T>(ms: number | null, body: Body<T>, options?: FailOptions): Promise<T | undefined>;
export function failAfter<T>(
  ms: number | null,
  body: Body<T>,
  options?: FailOptions,
): Promise<T | undefined> {
  return fail(FAIL_AFTER, ms, body, options);
}

/**
 * The same as {@link failAfter}, with a time on the clock instead of a duration.
 *
 * Waits until `body` has ended.
 *
 * @param deadline - A time on the clock of `currentTime()`, in milliseconds; null or Infinity for none.
 * @throws TimeoutError when the deadline ended `body`; what `body` throws; `Cancelled` when a scope around is
 * cancelled; TypeError or RangeError for bad arguments.
 *
 * Semantics: Trio's `fail_at`.
 *
 * @example
 * ```ts
 * import { currentTime, failAt, sleepForever, TimeoutError } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * await assert.rejects(failAt(currentTime() + 1, () => sleepForever()), TimeoutError);
 * ```
 */
export function failAt<T>(
  deadline: number | null,
  body: PlainBody<T>,
  options?: PlainFailOptions,
): Promise<T>;
export function failAt<T>(
  deadline: number | null,
  body: Body<T>,
  options?: FailOptions,
): Promise<T | undefined>;
export function failAt<T>(
  deadline: number | null,
  body: Body<T>,
  options?: FailOptions,
): Promise<T | undefined> {
  return fail(FAIL_AT, deadline, body, options);
}

/**
 * Runs `body` in a scope that keeps out the cancellation and the deadlines of the scopes around. Use it for
 * the few waits that must not be interrupted, and mostly in the form of {@link cleanup}, which has a time
 * limit: a shield without one can hang.
 *
 * Waits until `body` has ended.
 *
 * @throws What `body` throws; TypeError for bad arguments.
 *
 * Semantics: `CancelScope(shield=True)` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { moveOnAfter, shield, sleep } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * let committed = false;
 * await moveOnAfter(1, () =>
 *   shield(async () => {
 *     await sleep(3);
 *     committed = true;
 *   }),
 * );
 * assert.ok(committed);
 * ```
 */
export function shield<T>(body: PlainBody<T>, options?: Pick<ScopeOptions, 'name'>): Promise<T>;
export function shield<T>(body: Body<T>, options?: Omit<ScopeOptions, 'shield'>): Promise<T | undefined>;
export function shield<T>(body: Body<T>, options?: Omit<ScopeOptions, 'shield'>): Promise<T | undefined> {
  try {
    checkOptions('shield()', options);
    return runScope(new CancelScope({ name: 'shield', ...options, shield: true }), 'shield()', body);
  } catch (error) {
    return rejected(error);
  }
}

/**
 * The earliest deadline that can cancel the running code: of all scopes from the innermost outward, up to
 * the nearest shield.
 *
 * @returns A time on the clock of `currentTime()`, in milliseconds; Infinity when there is none, -Infinity
 * when the scope is cancelled already.
 *
 * Semantics: `current_effective_deadline` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { currentEffectiveDeadline, currentTime, moveOnAfter } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * assert.equal(currentEffectiveDeadline(), Infinity);
 * await moveOnAfter(1_000, () => {
 *   assert.ok(currentEffectiveDeadline() <= currentTime() + 1_000);
 * });
 * ```
 */
export function currentEffectiveDeadline(): number {
  const current = peekScope();
  if (current.cancellation !== undefined) return -Infinity;
  let earliest = Infinity;
  for (
    let scope: ScopeNode | undefined = current;
    scope !== undefined;
    scope = scope.shield ? undefined : scope.owner
  ) {
    // A deadline of a run around with another clock is at no time of this one's.
    if (scope.context.deadlines === current.context.deadlines) earliest = Math.min(earliest, scope.dueAt);
  }
  return earliest;
}

/**
 * null means no limit. undefined is refused: it is mostly a setting that was forgotten, and waiting for
 * ever hides that.
 */
function checkLimit(limit: TimeLimit, value: number | null): number {
  return typeof value === 'number' && !Number.isNaN(value) ? value : unusualLimit(limit, value);
}

function unusualLimit({ where, argument }: TimeLimit, value: number | null): number {
  if (value === null) return Infinity;
  if (typeof value !== 'number') {
    throw new TypeError(
      `${where}: ${argument} must be a number of milliseconds, or null for no limit, got ${describe(value)}`,
    );
  }
  checkTime(where, argument, value);
  return value;
}

function moveOn<T>(
  limit: TimeLimit,
  time: number | null,
  hasBody: boolean,
  body: Body<T> | ScopeOptions | undefined,
  options: ScopeOptions | undefined,
): CancelScope | Promise<T | undefined> {
  if (!hasBody || isOptions(body)) return scopeForLater(limit, time, body);
  const { where } = limit;
  if (body === undefined) throw new TypeError(`${where}: body must be a function, got undefined`);
  try {
    checkFunction(where, 'body', body);
    return runScope(timedScope(limit, checkLimit(limit, time), options), where, body);
  } catch (error) {
    return rejected(error);
  }
}

function isOptions(body: unknown): body is ScopeOptions {
  return typeof body === 'object' && body !== null && !isThenable(body);
}

function scopeForLater(limit: TimeLimit, time: number | null, options: unknown): CancelScope {
  const at = checkLimit(limit, time);
  const timed = limit.argument === 'ms' ? { timeout: at } : { deadline: at };
  return new CancelScope({ name: limit.name, ...(options as ScopeOptions), ...timed });
}

function fail<T>(
  limit: TimeLimit,
  time: number | null,
  body: Body<T>,
  options: FailOptions | undefined,
): Promise<T | undefined> {
  const { where } = limit;
  try {
    checkOptions(where, options);
    const reason = options?.reason;
    if (reason !== undefined && typeof reason !== 'string') {
      throw new TypeError(`${where}: options.reason must be a string, got ${describe(reason)}`);
    }
    const scope = timedScope(limit, checkLimit(limit, time), options);
    return runScope(scope, where, body, new Expiry(limit, time, reason));
  } catch (error) {
    return rejected(error);
  }
}

/** The error of a time limit that was reached. */
class Expiry implements OnCaught {
  readonly #limit: TimeLimit;
  readonly #time: number | null;
  readonly #reason: string | undefined;

  constructor(limit: TimeLimit, time: number | null, reason: string | undefined) {
    this.#limit = limit;
    this.#time = time;
    this.#reason = reason;
  }

  caught(scope: CancelScope): void {
    const cause = causeOf(scope);
    if (!(cause instanceof Cancelled) || cause.source !== 'deadline') return;
    const what = this.#reason === undefined ? '' : `${this.#reason} `;
    const when =
      this.#limit.argument === 'ms' ? `after ${this.#time} ms` : `at its deadline, ${this.#time} ms`;
    throw new TimeoutError(`${what}timed out ${when}`, { cause });
  }
}
