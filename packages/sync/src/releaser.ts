/** What acquiring gives: the means to give back. */

import type { WaitOptions } from '@taskscope/core';
import { chain } from '@taskscope/core/lowlevel';

/**
 * Gives back what was acquired: by `using`, or by `release()` in a `finally`. It may be called from any
 * task; a second time does nothing.
 *
 * @example
 * ```ts
 * import { Lock } from '@taskscope/sync';
 * import assert from 'node:assert/strict';
 *
 * const lock = new Lock();
 * const holding = await lock.acquire();
 * try {
 *   assert.ok(lock.locked);
 * } finally {
 *   holding.release();
 * }
 * assert.ok(!lock.locked);
 * ```
 */
export class Releaser implements Disposable {
  #giveBack: (() => void) | undefined;

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  /** Gives back. Does not wait. */
  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Acquires, runs `fn`, and gives back. */
export function runHolding<T>(
  acquiring: Promise<Releaser>,
  fn: () => T | PromiseLike<T>,
  options: WaitOptions | undefined,
): Promise<T> {
  const holdAndRun = async (holding: Releaser): Promise<T> => {
    try {
      return await fn();
    } finally {
      holding.release();
    }
  };
  return chain(acquiring, holdAndRun, options?.signal);
}
