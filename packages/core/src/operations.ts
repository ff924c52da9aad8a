/**
 * The beginning and the end of every operation that may have to wait, for authors of primitives:
 *
 * - `scopeOfWait` finds the scope that the operation belongs to, and so the task that calls;
 * - `refusal` says whether it must not begin, because that scope is cancelled;
 * - what can be done at once is done, and `completed` returned. Otherwise the operation waits: with `suspend`, in a
 *   `ParkingLot` or in a `WaitQueue`.
 */

import { currentScopeNode, scopeOfWait as scopeNodeOfWait, storage, type WaitOptions } from './ambient.js';
import { checkOptions } from './arguments.js';
import type { TaskInfo } from './instruments.js';
import { DONE } from './promises.js';
import type { ScopeNode } from './scope-tree.js';
import { refusal as refusalIn } from './suspend.js';
import { hasBudget, putOff } from './turn.js';

/** Where a wait belongs. */
export interface WaitScope {
  /** The task that waits. */
  readonly task: TaskInfo;
}

/**
 * The scope that a wait with these options belongs to. In explicit mode that is the scope whose signal was
 * given.
 *
 * Does not wait.
 *
 * @param where - The name of the operation, for messages.
 * @throws TypeError when `options` are none.
 *
 * @example
 * ```ts
 * import { currentTask } from '@taskscope/core';
 * import { scopeOfWait } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * assert.equal(scopeOfWait('example()').task, currentTask());
 * ```
 */
export function scopeOfWait(where: string, options?: WaitOptions): WaitScope {
  // Nearly every call ends here.
  if (options === undefined) return storage.getStore()?.scope ?? currentScopeNode(where);
  checkOptions(where, options);
  return scopeNodeOfWait(where, options);
}

/**
 * Why a wait must not begin: a rejected promise to return, when its scope is cancelled or its signal has
 * aborted; undefined when it may.
 *
 * Does not wait.
 *
 * @param where - The name of the operation, for messages.
 *
 * @example
 * ```ts
 * import { CancelScope } from '@taskscope/core';
 * import { refusal, scopeOfWait } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * await new CancelScope().run((scope) => {
 *   assert.equal(refusal('example()', scopeOfWait('example()')), undefined);
 *   scope.cancel();
 *   assert.ok(refusal('example()', scopeOfWait('example()')) instanceof Promise);
 * });
 * ```
 */
export function refusal(where: string, scope: WaitScope, options?: WaitOptions): Promise<never> | undefined {
  const node = scope as ScopeNode;
  // Nearly every call ends here.
  if (options === undefined && node.cancellation === undefined) return undefined;
  return refusalIn(where, node, options);
}

/**
 * What an operation returns that has taken effect without waiting: a promise that is settled, or that
 * settles in the next turn of the event loop when the budget of this one is used up. So a loop of such
 * operations starves nobody.
 *
 * @example
 * ```ts
 * import { completed } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * assert.equal(await completed('done'), 'done');
 * ```
 */
export function completed(): Promise<void>;
export function completed<T>(value: T): Promise<T>;
export function completed<T>(value?: T): Promise<T | void> {
  if (!hasBudget()) return later(value);
  return value === undefined ? DONE : Promise.resolve(value);
}

/**
 * The same for an operation that goes on in the same call, if it may: the value itself, or a promise of it that settles in
 * the next turn.
 *
 * @example
 * ```ts
 * import { nowOrNextTurn } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * const value = nowOrNextTurn('done');
 * assert.ok(value === 'done' || (await value) === 'done');
 * ```
 */
export function nowOrNextTurn<T>(value: T): T | Promise<T> {
  return hasBudget() ? value : later(value);
}

/** A function of its own, so that the engine makes no context for its closures where they are not needed. */
function later<T>(value: T): Promise<T> {
  return new Promise((resolve) => putOff(() => resolve(value)));
}
