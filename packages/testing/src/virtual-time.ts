/** A test in virtual time, in one line. */

import { run } from '@taskscope/core';

import { checkFunction } from './arguments.js';
import { MockClock } from './mock-clock.js';

/**
 * Makes a test function that runs `body` in virtual time: sleeps and timeouts take no real time, a deadlock
 * fails at once, and so does a wait that outlived its scope. For vitest and every other test runner that
 * calls a function.
 *
 * @param body - Is given the clock, which jumps by itself whenever everyone waits.
 * @throws TypeError when `body` is no function.
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
export function virtualTime<T>(body: (clock: MockClock) => T | PromiseLike<T>): () => Promise<T> {
  checkFunction('virtualTime()', 'body', body);
  return () => {
    const clock = new MockClock({ autojump: true });
    return run(() => body(clock), { name: 'test', clock, escapes: 'error' });
  };
}
