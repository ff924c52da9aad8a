/** The same program under another schedule. */

import { checkFunction } from '@taskscope/core/lowlevel';

import { checkWhole } from './arguments.js';
import { MockClock } from './mock-clock.js';
import { runUnder } from './shuffled-schedule.js';

/**
 * Runs a program in virtual time, with the order in which ready tasks go on shuffled by `seed`, and
 * operations that complete at once put off now and then. A correct program behaves the same under every
 * seed. The same seed gives the same schedule.
 *
 * Waits until `main` has ended.
 *
 * @param seed - A whole number from 0.
 * @throws What `main` throws, as the cause of an error that names the seed; TypeError or RangeError for bad
 * arguments.
 *
 * Semantics: Trio shuffles each batch of tasks by its very nature; AnyIO does not.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { fuzzSchedule } from '@taskscope/testing';
 * import assert from 'node:assert/strict';
 *
 * const orders = new Set<string>();
 * for (let seed = 0; seed < 20; seed++) {
 *   let order = '';
 *   await fuzzSchedule(seed, () =>
 *     taskGroup((tg) => {
 *       tg.startSoon(() => void (order += 'a'));
 *       tg.startSoon(() => void (order += 'b'));
 *     }),
 *   );
 *   orders.add(order);
 * }
 * assert.deepEqual([...orders].toSorted(), ['ab', 'ba']);
 * ```
 */
export async function fuzzSchedule(seed: number, main: () => unknown): Promise<void> {
  checkWhole('fuzzSchedule()', 'seed', seed);
  checkFunction('fuzzSchedule()', 'main', main);
  try {
    await runUnder(seed, main, { clock: new MockClock({ autojump: true }), escapes: 'error' });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`fuzzSchedule() with seed ${seed}: ${message}`, { cause: error });
  }
}
