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

/** Real time: milliseconds since the process began, unaffected by changes of the wall clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(at, wake) {
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
  dropObsoleteSpare();
  if (spare === undefined || spare.at > at) return undefined;
  const timer = spare;
  spare = undefined;
  timer.keepAlive(true);
  return timer;
}

/** Of two timers the one that rings earlier is of use to more. */
function keepSpare(timer: Timer): void {
  dropObsoleteSpare();
  const other = spare;
  if (!timer.isReferable || (other !== undefined && other.at <= timer.at)) {
    timer.clear();
    return;
  }
  other?.clear();
  timer.keepAlive(false);
  spare = timer;
}

function dropObsoleteSpare(): void {
  if (spare?.isObsolete !== true) return;
  spare.clear();
  spare = undefined;
}

class Timer {
  readonly at: number;
  readonly #clearTimeout = clearTimeout;
  readonly #timeout: ReturnType<typeof setTimeout>;
  #wake: (() => void) | undefined = undefined;

  constructor(at: number) {
    this.at = at;
    // Timers count whole milliseconds. Rounding up spares a second timer for the last fraction.
    const delay = Math.min(Math.max(Math.ceil(at - performance.now()), 0), LONGEST_DELAY);
    this.#timeout = platform.withoutContext(() => setTimeout(() => this.#ring(), delay));
  }

  begin(wake: () => void): void {
    this.#wake = wake;
  }

  /** In browsers a timer is a number, and keeps nothing alive. */
  get isReferable(): boolean {
    return typeof this.#timeout === 'object';
  }

  /** Tests replace the platform's timers by fake ones, and take these away again: then those from before are on another time. */
  get isObsolete(): boolean {
    return this.#clearTimeout !== clearTimeout;
  }

  keepAlive(keep: boolean): void {
    if (keep) this.#timeout.ref();
    else this.#timeout.unref();
  }

  clear(): void {
    const clear = this.#clearTimeout; // in browsers it must not be called as a method
    clear(this.#timeout);
  }

  /** The deadlines call it at most once, and not when it has rung: it may serve somebody else by then. */
  cancel(): void {
    this.#wake = undefined;
    keepSpare(this);
  }

  #ring(): void {
    if (spare === this) spare = undefined;
    turnBegins();
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
