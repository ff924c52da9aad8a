/** Waiting for time to pass. */

import { peekScope, scopeOfWait, type WaitOptions } from './ambient.js';
import { checkFunction, checkOptions, checkTime } from './arguments.js';
import type { Due } from './deadlines.js';
import type { ScopeNode } from './scope-tree.js';
import { rejected } from './promises.js';
import { refusal, Wait, type Undo } from './suspend.js';
import { putOff } from './turn.js';

class SleepWait extends Wait<void> implements Due, Undo {
  heapIndex = -1;

  constructor(label: string, scope: ScopeNode, dueAt: number, options: WaitOptions | undefined) {
    super(label, scope);
    this.undoer = this;
    if (this.begin(options)) scope.context.deadlines.add(this, dueAt);
  }

  due(): void {
    this.resolveNow();
  }

  undo(): void {
    // Not yet there when an instrument cancels it while it begins.
    if (this.heapIndex >= 0) this.scope.context.deadlines.remove(this);
  }
}

/**
 * Waits for `ms` milliseconds. `sleep(0)`, like any time that is not positive, lets the event loop turn
 * once: timers and I/O get their chance.
 *
 * Cancelled before or during: rejects, and its timer is gone. Cancelled after its time came: it has slept.
 *
 * @param ms - Milliseconds; Infinity sleeps until it is cancelled.
 * @throws Cancelled when the scope is cancelled; `signal.reason` when a foreign signal aborts; TypeError
 * when `ms` is no number, RangeError when it is NaN.
 *
 * Semantics: `sleep` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { currentTime, sleep } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const before = currentTime();
 * await sleep(2);
 * assert.ok(currentTime() - before >= 2);
 * ```
 */
export function sleep(ms: number, options?: WaitOptions): Promise<void> {
  try {
    checkTime('sleep()', 'ms', ms);
    return begin('sleep', 'sleep()', ms, false, options);
  } catch (error) {
    return rejected(error);
  }
}

/**
 * Waits until the clock has reached `deadline`. If it has already, lets the event loop turn once.
 *
 * Cancelled before or during: rejects, and its timer is gone. Cancelled after its time came: it has slept.
 *
 * @param deadline - A time on the clock of `currentTime()`, in milliseconds.
 * @throws Cancelled when the scope is cancelled; `signal.reason` when a foreign signal aborts; TypeError
 * when `deadline` is no number, RangeError when it is NaN.
 *
 * Semantics: `sleep_until` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { currentTime, sleepUntil } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const deadline = currentTime() + 2;
 * await sleepUntil(deadline);
 * assert.ok(currentTime() >= deadline);
 * ```
 */
export function sleepUntil(deadline: number, options?: WaitOptions): Promise<void> {
  try {
    checkTime('sleepUntil()', 'deadline', deadline);
    return begin('sleepUntil', 'sleepUntil()', deadline, true, options);
  } catch (error) {
    return rejected(error);
  }
}

/**
 * Waits until it is cancelled. It does not keep the process alive.
 *
 * @throws Cancelled when the scope is cancelled; `signal.reason` when a foreign signal aborts.
 *
 * Semantics: `sleep_forever` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { moveOnAfter, sleepForever } from '@taskscope/core';
 *
 * await moveOnAfter(2, () => sleepForever());
 * ```
 */
export function sleepForever(options?: WaitOptions): Promise<never> {
  try {
    return begin('sleepForever', 'sleepForever()', Infinity, true, options) as Promise<never>;
  } catch (error) {
    return rejected(error);
  }
}

/**
 * The time on the clock of the run, in milliseconds. It counts from an arbitrary moment and never goes
 * backwards.
 *
 * Semantics: `current_time` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { currentTime, moveOnAt, sleepForever } from '@taskscope/core';
 *
 * await moveOnAt(currentTime() + 2, () => sleepForever());
 * ```
 */
export function currentTime(): number {
  return peekScope().context.deadlines.clock.now();
}

/**
 * Calls `fn` when the clock of the current run has reached `deadline`, unless the result is disposed of before. It is no
 * wait: nothing cancels it. It is called in no particular scope. For primitives that have a time of their own.
 *
 * Does not wait.
 *
 * @param deadline - A time on the clock of `currentTime()`, in milliseconds.
 * @throws TypeError when `deadline` is no number or `fn` no function, RangeError when `deadline` is NaN.
 *
 * @example
 * ```ts
 * import { currentTime } from '@taskscope/core';
 * import { callAt } from '@taskscope/core/lowlevel';
 *
 * await new Promise<void>((resolve) => {
 *   callAt(currentTime() + 1, resolve);
 * });
 * ```
 */
export function callAt(deadline: number, fn: () => void): Disposable {
  checkTime('callAt()', 'deadline', deadline);
  checkFunction('callAt()', 'fn', fn);
  const { deadlines } = peekScope().context;
  const entry: Due = { heapIndex: -1, due: fn };
  deadlines.add(entry, deadline);
  return {
    [Symbol.dispose](): void {
      deadlines.remove(entry);
    },
  };
}

function begin(
  label: string,
  where: string,
  time: number,
  absolute: boolean,
  options: WaitOptions | undefined,
): Promise<void> {
  checkOptions(where, options);
  const scope = scopeOfWait(where, options);
  const refused = refusal(where, scope, options);
  if (refused !== undefined) return refused;
  const now = time === Infinity ? 0 : scope.context.deadlines.clock.now();
  const dueAt = absolute ? time : now + time;
  if (dueAt > now) return new SleepWait(label, scope, dueAt, options).promise;
  const wait = new SleepWait('sleep', scope, Infinity, options);
  putOff(() => wait.resolveNow());
  return wait.promise;
}
