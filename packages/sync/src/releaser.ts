/** What acquiring gives: the means to give back. */

import type { WaitOptions } from '@taskscope/core';
import { Section, silence } from '@taskscope/core/lowlevel';

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
  const run = async (): Promise<T> => {
    try {
      const isNow = !(acquired instanceof Promise);
      const holding = isNow ? acquired : await acquired;
      const section = mark === undefined ? undefined : new Section(mark, where);
      try {
        if (section === undefined) return await fn();
        return await (isNow ? section.run(fn) : section.runLast(fn));
      } finally {
        section?.end();
        holding.release();
      }
    } catch (error) {
      await Promise.resolve(); // `fn` may have thrown in the call, and then there is no promise yet
      silence(running, error, options?.signal);
      throw error;
    }
  };
  const running = run();
  return running;
}
