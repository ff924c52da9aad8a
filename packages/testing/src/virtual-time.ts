/** A test in virtual time, in one line. */

import { checkFunction, checkOptions } from '@taskscope/core/lowlevel';

import { watchEscapes } from './escapes.js';
import { MockClock, type MockClockOptions } from './mock-clock.js';
import { checkSeed, runUnder, seedOfEnvironment, type Seed } from './shuffled-schedule.js';

/** Options of {@link virtualTime}. */
export interface VirtualTimeOptions extends MockClockOptions {
  /**
   * Shuffles the schedule, as {@link fuzzSchedule} does. `false` keeps the plain one, whatever the
   * environment says: for the rare test that depends on it. Default: what the environment variable
   * TASKSCOPE_FUZZ_SEED says.
   */
  seed?: Seed | undefined;
}

/**
 * Makes a test function that runs `body` in virtual time: sleeps and timeouts take no real time, a deadlock
 * fails at once, and so does a wait that outlived its scope, which mostly means that an `await` is missing.
 * For vitest and every other test runner that calls a function.
 *
 * Waiting for real I/O counts as waiting, so timeouts around it are over at once, unless `autojump` gives
 * it time.
 *
 * @param body - Is given the clock, and then whatever the test runner passes.
 * @param options - Of the clock. Default: it jumps by itself whenever everyone waits; a number for
 * `autojump` is for how many real milliseconds that must have been so.
 * @throws TypeError when `body` is no function; as `new MockClock()`.
 *
 * @example
 * ```ts
 * import { currentTime, sleep } from '@taskscope/core';
 * import { virtualTime } from '@taskscope/testing';
 * import assert from 'node:assert/strict';
 *
 * // test('sleeps for a day', virtualTime(async () => { … }));
 * const test = virtualTime(async () => {
 *   await sleep(86_400_000);
 *   assert.equal(currentTime(), 86_400_000);
 * });
 * await test();
 * ```
 */
export function virtualTime<T, A extends unknown[]>(
  body: (clock: MockClock, ...args: A) => T | PromiseLike<T>,
  options?: VirtualTimeOptions,
): (...args: A) => Promise<T> {
  checkFunction('virtualTime()', 'body', body);
  checkOptions('virtualTime()', options);
  const { seed, ...clockOptions } = { autojump: true, ...options };
  // Bad options are the mistake of whoever defines the test, not of whoever runs it.
  void new MockClock(clockOptions);
  checkSeed('virtualTime()', seed);

  return async (...args) => {
    const clock = new MockClock(clockOptions);
    const escapes = watchEscapes();
    const result = await runUnder(seed ?? seedOfEnvironment(), () => body(clock, ...args), {
      name: 'test',
      clock,
      escapes: 'error',
      instruments: [escapes.instrument],
    });
    escapes.check();
    return result;
  };
}
