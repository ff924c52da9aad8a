/** The source of time. Everything in a run that has a deadline asks the run's clock. */

import { turnBegins } from './turn.js';
import { platform } from '#platform';

/**
 * What a run takes its time from. Testing replaces it with a virtual one.
 *
 * Semantics: Trio's `Clock`.
 *
 * @example
 * ```ts
 * import { currentTime, run } from '@taskscope/core';
 * import type { Clock } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * const stopped: Clock = { now: () => 42, schedule: () => ({ cancel() {} }) };
 * assert.equal(await run(() => currentTime(), { clock: stopped }), 42);
 * ```
 */
export interface Clock {
  /** The time in milliseconds. It never goes backwards. */
  now(): number;
  /**
   * Calls `wake` once, as soon as it can when the clock has reached `at`. Waking too early does no harm. A
   * run has at most one such call pending.
   */
  schedule(at: number, wake: () => void): { cancel(): void };
  /**
   * Called when a run that uses this clock begins; what it returns is called when the run has ended. For
   * virtual clocks, which have to know when everyone waits.
   */
  attach?(run: RunMonitor): () => void;
}

/** What a clock may see and do of the run that it drives. */
export interface RunMonitor {
  /**
   * Whether every wait in the run is one that only the run itself can end: with no deadline left, a
   * deadlock.
   */
  isStuck(): boolean;
  /** The tasks and scopes of the run, drawn for people. */
  drawing(): string;
  /** Ends the run: it is cancelled, and when everyone has left it rejects with this error. */
  fail(error: Error): void;
}

/** The longest delay that the platform's timers take. A longer one would fire at once. */
const LONGEST_DELAY = 2 ** 31 - 1;

/**
 * The platform's time. It is kept, since `performance` is an accessor of the global object, and to ask that each time took a
 * third of what the time takes.
 */
let time = performance;

/** By this one sees that tests have replaced the platform's time and timers by fake ones, or taken these away again. */
let clearTimer = clearTimeout;

function lookAtPlatform(): void {
  if (clearTimer === clearTimeout) return;
  // What is left over from before is on another time.
  dropSpare();
  clearTimer = clearTimeout;
  time = performance;
  endRest();
}

/** Real time: milliseconds since the process began, unaffected by changes of the wall clock. */
export const systemClock: Clock = {
  now() {
    lookAtPlatform();
    return time.now();
  },
  schedule(at, wake) {
    lookAtPlatform();
    const timer = takeSpare(at) ?? new Timer(at);
    timer.begin(wake);
    return timer;
  },
};

/**
 * The last timer that was no longer needed. Most timeouts do not happen, and making and clearing a platform
 * timer for each would be most of what they cost. So it is kept, without keeping the process alive, and
 * serves the next who does not need it to ring any earlier; it may then ring too early, which does no harm.
 */
let spare: Timer | undefined;

function takeSpare(at: number): Timer | undefined {
  const timer = spare;
  if (timer === undefined || timer.at > at) return undefined;
  spare = undefined;
  timer.keepAlive(true);
  return timer;
}

/** Of two timers the one that rings earlier is of use to more. */
function keepSpare(timer: Timer): void {
  if (spare !== undefined && spare.at <= timer.at) {
    timer.clear();
    return;
  }
  dropSpare();
  timer.keepAlive(false);
  spare = timer;
}

function dropSpare(): void {
  spare?.clear();
  spare = undefined;
}

/** What a timer of this clock can do besides. */
export interface Resting {
  /**
   * In place of `cancel()`, for nobody needs it just now. Returns whether it may stay as it is, as if somebody did: then it
   * wakes in the next turn of the event loop, which is too early.
   */
  mayRest(): boolean;
}

/**
 * The timer that rests. To keep a timer as a spare and to take it again is a tenth of what a timeout takes around work that ends
 * at once. To wait for the next turn takes longer, so a timer rests only in a burst, in which there may be thousands in a turn:
 * when this many were not needed any more in this many milliseconds.
 */
let resting: Timer | undefined;
const BURST = 32;
const BURST_MILLISECONDS = 1;
let spares = 0;
let looked = -Infinity;

function isBurst(): boolean {
  if (++spares % BURST !== 0) return false;
  const before = looked;
  looked = time.now();
  return looked - before < BURST_MILLISECONDS;
}

function beginRest(timer: Timer): boolean {
  if (resting !== undefined || !isBurst()) return false;
  resting = timer;
  platform.withoutContext(() => platform.nextTurn(endRest));
  return true;
}

function endRest(): void {
  const timer = resting;
  resting = undefined;
  timer?.wakeAndCancel();
}

class Timer implements Resting {
  readonly at: number;
  readonly #clearTimeout = clearTimer;
  readonly #timeout: ReturnType<typeof setTimeout>;
  #wake: (() => void) | undefined = undefined;

  constructor(at: number) {
    this.at = at;
    // Timers count whole milliseconds. Rounding up spares a second timer for the last fraction.
    const delay = Math.min(Math.max(Math.ceil(at - time.now()), 0), LONGEST_DELAY);
    this.#timeout = platform.withoutContext(() => setTimeout(() => this.#ring(), delay));
  }

  get #isObsolete(): boolean {
    return this.#clearTimeout !== clearTimer;
  }

  begin(wake: () => void): void {
    this.#wake = wake;
  }

  keepAlive(keep: boolean): void {
    if (keep) this.#timeout.ref();
    else this.#timeout.unref();
  }

  clear(): void {
    const clear = this.#clearTimeout; // in browsers it must not be called as a method
    clear(this.#timeout);
  }

  mayRest(): boolean {
    lookAtPlatform();
    return resting === this || (!this.#isObsolete && beginRest(this));
  }

  wakeAndCancel(): void {
    const wake = this.#wake;
    this.cancel();
    wake?.();
  }

  /** The deadlines call it at most once, and not when it has rung: it may serve somebody else by then. */
  cancel(): void {
    this.#wake = undefined;
    if (resting === this) resting = undefined;
    lookAtPlatform();
    // In browsers a timer is a number, and keeps nothing alive.
    if (this.#isObsolete || typeof this.#timeout === 'number') this.clear();
    else keepSpare(this);
  }

  #ring(): void {
    if (spare === this) spare = undefined;
    if (resting === this) resting = undefined;
    turnBegins();
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
