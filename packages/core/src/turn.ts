/**
 * The budget of an event-loop turn.
 *
 * Promise reactions run before timers and I/O. Tasks that only do what completes at once (a send into a
 * buffer with room, a free lock, a hand-over to a task that waits) would therefore keep deadlines and
 * sockets waiting for ever. So each such operation costs one from a budget. When it is used up, operations
 * take effect as before but their promises settle in the next turn, all together, so that no task races
 * ahead of the others.
 *
 * The fast path is one decrement and one test. Every 32nd operation looks at the clock as well, for those
 * who compute a lot in between; and so does the 16th of a turn, since those mostly do it from the beginning.
 */

import { platform } from '#platform';
import { shared } from './shared.js';

const MILLISECONDS = 5;
const LOOK_AT_CLOCK_EVERY = 32; // a power of two
const FIRST_LOOK_AFTER = 16;
/** At 100 ns each less than half a millisecond. With a quarter of it, a channel between ten tasks and ten is 5 to 10 % slower. */
const OPERATIONS = 126 * LOOK_AT_CLOCK_EVERY + FIRST_LOOK_AFTER;

interface Turn {
  /**
   * What is left of the budget. While it is used up, and while someone probes, it is kept at 1: see
   * `hasBudget`.
   */
  left: number;
  began: number;
  readonly putOff: (() => void)[];
  flushing: boolean;
  readonly probes: Set<Probe>;
  /** How many operations the probes have seen in this turn. */
  probed: number;
  /** Grows with everything that happens in the runtime. When it stands still for a turn, everyone waits. */
  activity: number;
}

/**
 * What takes from the budget: an operation that completes at once and could have been cancelled, one that
 * could not, or a hand-over to a task that waits.
 */
export type Operation = 'checkpoint' | 'shielded' | 'hand-over';

/** Sees every operation that would complete at once, and may have it put off. For testing. */
export interface Probe {
  /** Returns whether the operation may complete at once. */
  operation(kind: Operation): boolean;
  /** A point was passed that only looks for a cancellation. */
  cancelPoint(): void;
}

const turn: Turn = shared<Turn>('turn', () => ({
  left: OPERATIONS,
  began: performance.now(),
  putOff: [],
  flushing: false,
  probes: new Set(),
  probed: 0,
  activity: 0,
}));

/** Takes one operation from the budget. Returns whether it may complete at once. */
export function hasBudget(kind: Operation = 'checkpoint'): boolean {
  return (--turn.left & (LOOK_AT_CLOCK_EVERY - 1)) !== 0 || look(kind);
}

/** A point was passed that only looks for a cancellation, and so costs nothing. */
export function noteCancelPoint(): void {
  for (const probe of turn.probes) probe.cancelPoint();
}

function look(kind: Operation): boolean {
  let mayComplete = true;
  const isProbed = turn.probes.size > 0;
  if (isProbed) {
    turn.left = 1;
    // A schedule that a probe makes must not depend on the speed of the machine, so the clock is not asked.
    if (++turn.probed > OPERATIONS) mayComplete = false;
    for (const probe of turn.probes) if (!probe.operation(kind)) mayComplete = false;
  }
  if (turn.flushing) {
    turn.left = 1;
    return false;
  }
  return mayComplete && turn.left > 0 && (isProbed || performance.now() - turn.began < MILLISECONDS);
}

/**
 * Calls `resume` in the next turn of the event loop, together with everything else that was put off. For
 * operations that have taken effect when the budget of the turn is used up, and for those that must let the
 * event loop turn. It is called in no particular scope: have it resolve a promise, or use `bindToScope()`.
 *
 * Does not wait.
 *
 * @example
 * ```ts
 * import { isTurnPending, putOff } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * await new Promise<void>((resume) => {
 *   putOff(resume);
 *   assert.ok(isTurnPending());
 * });
 * ```
 */
export function putOff(resume: () => void): void {
  turn.activity++;
  turn.putOff.push(resume);
  if (turn.flushing) return;
  turn.flushing = true;
  turn.left = 1;
  platform.nextTurn(nextTurn);
}

function nextTurn(): void {
  turn.activity++;
  turnBegins();
  turn.flushing = false;
  for (const resume of turn.putOff.splice(0)) callSafely(resume);
}

/**
 * Calls `fn` where nobody could catch what it throws, and others must not be lost for that: it is reported as an
 * uncaught error.
 */
export function callSafely(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    reportUncaught(error);
  }
}

/** Reports an error where nobody could catch it. */
export function reportUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** The platform has called: a turn of the event loop begins, so the whole budget is there again. */
export function turnBegins(): void {
  turn.left = turn.probes.size > 0 ? 1 : OPERATIONS;
  turn.probed = 0;
  turn.began = performance.now();
}

/**
 * Calls `fn` in the next turn of the event loop. Unlike `putOff`, that is nothing that the runtime has going
 * on: it is for those who look whether anything does.
 *
 * Does not wait.
 *
 * @example
 * ```ts
 * import { inNextTurn, isTurnPending } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * await new Promise<void>((resolve) => {
 *   inNextTurn(resolve);
 *   assert.ok(!isTurnPending());
 * });
 * ```
 */
export function inNextTurn(fn: () => void): void {
  platform.nextTurn(fn);
}

/** Something began, ended or was put off. */
export function noteActivity(): void {
  turn.activity++;
}

/**
 * Grows whenever something happens in the runtime: a task begins or ends, a wait begins or ends, something is
 * put off. When it stands still for a whole turn of the event loop, every task waits.
 *
 * @example
 * ```ts
 * import { sleep } from '@taskscope/core';
 * import { activityCount } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * const before = activityCount();
 * await sleep(1);
 * assert.ok(activityCount() > before);
 * ```
 */
export function activityCount(): number {
  return turn.activity;
}

/**
 * Whether operations are waiting for the next turn of the event loop.
 *
 * @example
 * ```ts
 * import { sleep } from '@taskscope/core';
 * import { isTurnPending } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * const turned = sleep(0);
 * assert.ok(isTurnPending());
 * await turned;
 * ```
 */
export function isTurnPending(): boolean {
  return turn.flushing;
}

/**
 * Shows every operation in the process to `probe` until it is disposed of. For testing: it makes every
 * operation slower.
 *
 * @example
 * ```ts
 * import { checkpoint } from '@taskscope/core';
 * import { addProbe } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * const seen: string[] = [];
 * const probe = addProbe({
 *   operation(kind) {
 *     seen.push(kind);
 *     return true;
 *   },
 *   cancelPoint() {},
 * });
 * await checkpoint();
 * probe[Symbol.dispose]();
 * assert.deepEqual(seen, ['checkpoint']);
 * ```
 */
export function addProbe(probe: Probe): Disposable {
  turn.probes.add(probe);
  turn.left = 1; // every operation looks
  return {
    [Symbol.dispose](): void {
      turn.probes.delete(probe);
    },
  };
}
