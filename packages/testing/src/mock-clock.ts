/** Virtual time. */

import { checkOptions } from '@taskscope/core/lowlevel';
import { InvalidStateError } from '@taskscope/core';
import { cancelShieldedCheckpoint, checkpoint } from '@taskscope/core';
import type { Clock, RunMonitor } from '@taskscope/core/lowlevel';

import { checkTime } from './arguments.js';
import { addIdleListener } from './idle.js';

/** Options of a {@link MockClock}. */
export interface MockClockOptions {
  /**
   * How many virtual milliseconds pass in a real one. Default: 0, so that time stands still unless it is
   * moved.
   */
  rate?: number | undefined;
  /**
   * Whether to jump to the next deadline when everyone waits; a number is for how many real milliseconds
   * that must have been so, for programs that also wait for real I/O. Default: false.
   */
  autojump?: boolean | number | undefined;
}

/** The longest delay that the platform's timers take. A longer one would fire at once. */
const LONGEST_DELAY = 2 ** 31 - 1;

interface Alarm {
  readonly at: number;
  readonly wake: () => void;
}

/**
 * A clock for tests: it starts at 0 and stands still, until it is advanced, or, with `autojump`, until
 * everyone waits: then it jumps to the next deadline. So a test of an hour's timeouts takes a millisecond,
 * and its times are exact.
 *
 * With autojump, when everyone waits and no deadline is left, that is a deadlock: the run fails at once
 * with an InvalidStateError that shows the task tree. Waits that something outside the runtime will end
 * (`withSignal`, `abandonOnCancel`, `suspend` with `foreign`, a bare promise) are none.
 *
 * Semantics: Trio's `MockClock`.
 *
 * @example
 * ```ts
 * import { currentTime, run, sleep } from '@taskscope/core';
 * import { MockClock } from '@taskscope/testing';
 * import assert from 'node:assert/strict';
 *
 * await run(async () => {
 *   await sleep(3_600_000);
 *   assert.equal(currentTime(), 3_600_000);
 * }, { clock: new MockClock({ autojump: true }) });
 * ```
 */
export class MockClock implements Clock {
  readonly #rate: number;
  readonly #autojump: number | undefined;
  readonly #alarms = new Set<Alarm>();
  readonly #runs = new Set<RunMonitor>();
  /** The time was `#time` when the real clock showed `#realTime`. */
  #time = 0;
  #realTime: number = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #idle: Disposable | undefined = undefined;

  constructor(options: MockClockOptions = {}) {
    checkOptions('new MockClock()', options);
    const { rate = 0, autojump = false } = options;
    checkTime('new MockClock()', 'options.rate', rate, 0);
    if (typeof autojump !== 'boolean') checkTime('new MockClock()', 'options.autojump', autojump, 0);
    this.#rate = rate;
    this.#autojump = autojump === false ? undefined : autojump === true ? 0 : autojump;
  }

  /** The virtual time, in milliseconds. */
  now(): number {
    return this.#rate === 0 ? this.#time : this.#time + (performance.now() - this.#realTime) * this.#rate;
  }

  /** For the runtime. */
  schedule(at: number, wake: () => void): { cancel(): void } {
    const alarm: Alarm = { at, wake };
    this.#alarms.add(alarm);
    this.#setTimer();
    return {
      cancel: () => {
        this.#alarms.delete(alarm);
        this.#setTimer();
      },
    };
  }

  /** For the runtime. */
  attach(run: RunMonitor): () => void {
    this.#runs.add(run);
    if (this.#autojump !== undefined) {
      this.#idle ??= addIdleListener({
        cushion: this.#autojump,
        changesThings: true,
        onIdle: () => this.#jump(),
      });
    }
    return () => {
      this.#runs.delete(run);
      if (this.#runs.size > 0) return;
      this.#idle?.[Symbol.dispose]();
      this.#idle = undefined;
    };
  }

  /**
   * Moves the time on by `ms`. Deadlines on the way fire one after another, each at its own time, and
   * everyone runs until they wait before the next does.
   *
   * Waits until all that has happened. Cancelled before: rejects, and time stands still. Once it has begun
   * it is not interrupted.
   *
   * @param ms - Milliseconds, 0 or more.
   * @throws Cancelled when the scope is cancelled; TypeError or RangeError when `ms` is no such time.
   *
   * @example
   * ```ts
   * import { run, sleep, taskGroup } from '@taskscope/core';
   * import { MockClock } from '@taskscope/testing';
   * import assert from 'node:assert/strict';
   *
   * const clock = new MockClock();
   * await run(
   *   () =>
   *     taskGroup(async (tg) => {
   *       const task = tg.startSoon(() => sleep(10));
   *       await clock.advance(9);
   *       assert.equal(task.status, 'pending');
   *       await clock.advance(1);
   *       assert.equal(task.status, 'finished');
   *     }),
   *   { clock },
   * );
   * ```
   */
  async advance(ms: number): Promise<void> {
    checkTime('MockClock.advance()', 'ms', ms, 0);
    await checkpoint();
    // Those who were ready before the time moves on may still ask for an earlier deadline.
    await everyoneWaits();
    const target = this.now() + ms;
    for (let next = this.#next(); next !== undefined && next.at <= target; next = this.#next()) {
      this.#setTime(Math.max(next.at, this.now()));
      this.#fire(next);
      await everyoneWaits();
    }
    this.#setTime(Math.max(target, this.now()));
    await cancelShieldedCheckpoint();
  }

  /** Everyone waits. Goes on to the next deadline; if there is none, that may be a deadlock. */
  #jump(): boolean {
    const next = this.#next();
    if (next !== undefined) {
      this.#setTime(Math.max(next.at, this.now()));
      this.#fire(next);
      return true;
    }
    for (const run of this.#runs) {
      if (!run.isStuck()) continue;
      this.#runs.delete(run);
      run.fail(
        new InvalidStateError(
          `deadlock: every task waits for another, and no deadline is left that could end it\n${run.drawing()}`,
        ),
      );
      return true;
    }
    return false;
  }

  #next(): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) if (next === undefined || alarm.at < next.at) next = alarm;
    return next;
  }

  #fire(alarm: Alarm): void {
    this.#alarms.delete(alarm);
    this.#setTimer();
    alarm.wake();
  }

  #setTime(time: number): void {
    this.#time = time;
    this.#realTime = performance.now();
    this.#setTimer();
  }

  /** When time passes by itself, a real timer is needed for the next alarm. */
  #setTimer(): void {
    if (this.#rate === 0) return;
    clearTimeout(this.#timer);
    const next = this.#next();
    if (next === undefined) return;
    // Waking too early does no harm.
    const delay = Math.min(Math.ceil((next.at - this.now()) / this.#rate), LONGEST_DELAY);
    this.#timer = setTimeout(() => this.#fire(next), delay);
  }
}

/** Resolves when everyone waits, whether or not the caller is cancelled. */
function everyoneWaits(): Promise<void> {
  return new Promise((resolve) => {
    const listening = addIdleListener({
      cushion: 0,
      changesThings: false,
      onIdle() {
        listening[Symbol.dispose]();
        resolve();
        return true;
      },
    });
  });
}
