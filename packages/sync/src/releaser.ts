/** What acquiring gives: the means to give back. */

import type { WaitOptions } from '@taskscope/core';
import { chain, Section } from '@taskscope/core/lowlevel';

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
 * Waits until something is acquired, runs `fn`, and gives it back.
 *
 * @param mark - What stands for this call, if the primitive has to know whether it is used inside of itself.
 */
export function runHolding<T>(
  where: string,
  acquiring: Promise<Releaser>,
  fn: () => T | PromiseLike<T>,
  options: WaitOptions | undefined,
  mark?: object,
): Promise<T> {
  let holding: Releaser;
  let section: Section | undefined;
  const run = (acquired: Releaser): T | PromiseLike<T> => {
    holding = acquired;
    if (mark === undefined) return fn();
    section = new Section(mark, where);
    return section.run(fn);
  };
  const giveBack = (): void => {
    section?.end();
    holding.release();
  };
  return chain(acquiring, run, options?.signal, giveBack);
}
