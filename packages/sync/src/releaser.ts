/** What acquiring gives: the means to give back. */

import type { WaitOptions } from '@taskscope/core';
import { callAndEnd, chain, Section } from '@taskscope/core/lowlevel';

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
export interface Releaser extends Disposable {
  /** Gives back. Does not wait. */
  release(): void;
}

/**
 * Runs `fn` while something is held, and gives it back.
 *
 * @param acquired - What is held, or will be after a wait. If it is now, `fn` is called at once.
 * @param mark - What stands for this call, if the primitive has to know whether it is used inside of itself.
 */
export function runHolding<T>(
  where: string,
  acquired: Releaser | Promise<Releaser>,
  fn: () => T | PromiseLike<T>,
  options: WaitOptions | undefined,
  mark?: object,
): Promise<T> {
  const signal = options?.signal;
  const run = (holding: Releaser): Promise<T> => {
    if (mark === undefined) return callAndEnd(fn, () => holding.release(), signal);
    const section = new Section(mark, where);
    const giveBack = (): void => {
      section.end();
      holding.release();
    };
    return callAndEnd(() => section.run(fn), giveBack, signal);
  };
  return acquired instanceof Promise ? chain(acquired, run, signal) : run(acquired);
}
