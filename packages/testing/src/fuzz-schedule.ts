/** The same program under another schedule. */

import { run, type TaskInfo } from '@taskscope/core';
import { addProbe, checkFunction, putOff, type WakeScheduler } from '@taskscope/core/lowlevel';
import { currentTask } from '@taskscope/core';

import { checkWhole } from './arguments.js';
import { MockClock } from './mock-clock.js';
import { random } from './random.js';

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
  const next = random(seed);
  let task: TaskInfo | undefined;
  const probe = addProbe({
    operation: (kind) => kind === 'hand-over' || task === undefined || next() < 0.5,
    cancelPoint() {},
  });
  try {
    await run(
      () => {
        task = currentTask();
        return main();
      },
      { clock: new MockClock({ autojump: true }), scheduler: new ShufflingScheduler(next), escapes: 'error' },
    );
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`fuzzSchedule() with seed ${seed}: ${message}`, { cause: error });
  } finally {
    probe[Symbol.dispose]();
  }
}

/** Collects those who become ready, and wakes them in the next turn, in a random order. */
class ShufflingScheduler implements WakeScheduler {
  readonly #next: () => number;
  #ready: (() => void)[] = [];

  constructor(next: () => number) {
    this.#next = next;
  }

  ready(wake: () => void): void {
    if (this.#ready.push(wake) === 1) putOff(() => this.#wakeAll());
  }

  #wakeAll(): void {
    const ready = this.#ready;
    this.#ready = [];
    for (let i = ready.length - 1; i >= 0; i--) {
      const chosen = Math.floor(this.#next() * (i + 1));
      ready[chosen]!();
      ready[chosen] = ready[i]!;
    }
  }
}
