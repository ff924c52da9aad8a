/** Schedules that are shuffled by a seed. */

import { run, type RunOptions } from '@taskscope/core';
import { addProbe, putOff, type WakeScheduler } from '@taskscope/core/lowlevel';

import { checkWhole } from './arguments.js';
import { random } from './random.js';

/** A whole number from 0, or false for the plain schedule. @inline */
export type Seed = number | false;

export function checkSeed(where: string, seed: unknown): void {
  if (seed !== undefined && seed !== false) checkWhole(where, 'options.seed', seed);
}

/** The seed in the environment variable TASKSCOPE_FUZZ_SEED, if there is one. */
export function seedOfEnvironment(): Seed {
  // Browsers have no environment.
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const value = process?.env?.['TASKSCOPE_FUZZ_SEED'];
  if (value === undefined || value === '') return false;
  checkWhole('the environment', 'TASKSCOPE_FUZZ_SEED', Number(value));
  return Number(value);
}

/**
 * `run()` under the schedule of a seed: the order of wake-ups is shuffled, and operations that complete at
 * once are put off now and then.
 */
export function runUnder<T>(seed: Seed, main: () => T | PromiseLike<T>, options: RunOptions): Promise<T> {
  if (seed === false) return run(main, options);
  const next = random(seed);
  const shuffled = async (): Promise<T> => {
    const probe = addProbe({ operation: (kind) => kind === 'hand-over' || next() < 0.5, cancelPoint() {} });
    try {
      return await main();
    } finally {
      probe[Symbol.dispose]();
      // Whoever comes afterwards finds a whole budget again.
      await new Promise<void>(putOff);
    }
  };
  return run(shuffled, { ...options, scheduler: new ShufflingScheduler(next) });
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
