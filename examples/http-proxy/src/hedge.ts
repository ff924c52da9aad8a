/** Asking somebody else as well when the answer takes long. */

import { any, moveOnAfter } from '@taskscope/core';
import { Event } from '@taskscope/sync';

/**
 * Asks the first; the next one too, when the one before has failed, or has not answered within `delay`
 * milliseconds. The first answer wins, and the others are cancelled: when this returns, nobody is being
 * asked any more.
 *
 * It is `any()` and not `race()`: in a race the first to *settle* wins, be it with an error, and a dead
 * upstream fails quicker than a live one answers.
 *
 * Two may answer in the same moment, when it is too late to cancel the second. Its answer is dropped. If
 * that needs closing, keep track of what `ask` opens.
 *
 * @throws AggregateError when all fail, with their errors in order.
 */
export function hedge<U, T>(
  upstreams: readonly U[],
  ask: (upstream: U) => Promise<T>,
  delay: number,
): Promise<T> {
  const failed = upstreams.map(() => new Event());

  async function askInTurn(upstream: U, index: number): Promise<T> {
    const before = failed[index - 1];
    if (before !== undefined) await moveOnAfter(index * delay, () => before.wait());
    try {
      return await ask(upstream);
    } catch (error) {
      failed[index]!.set();
      throw error;
    }
  }

  return any(upstreams.map((upstream, index) => () => askInTurn(upstream, index)));
}
