/** Trying several ways to the same end, each with a head start over the next. */

import { isCancelled, moveOnAfter, taskGroup } from '@taskscope/core';

export interface StaggeredOptions<T> {
  /** How long an attempt has before the next one begins beside it, in milliseconds. */
  readonly delay: number;
  /** Gives back what nobody will get: of an attempt that came too late to win. */
  readonly discard: (result: T) => void;
}

/**
 * Makes an attempt with each candidate, in their order. The next one begins when the one before has failed,
 * or has taken longer than `delay`; those under way go on. The first success wins, and the others are
 * cancelled: when this returns, none is running.
 *
 * @throws AggregateError when all attempts fail, with their errors in the order of the candidates.
 */
export async function staggered<C, T>(
  candidates: readonly C[],
  attempt: (candidate: C) => Promise<T>,
  { delay, discard }: StaggeredOptions<T>,
): Promise<T> {
  const errors: unknown[] = [];
  let winner: { readonly result: T } | undefined;

  try {
    await taskGroup(async (tg) => {
      async function attemptWith(index: number, candidate: C): Promise<void> {
        let result: T;
        try {
          result = await attempt(candidate);
        } catch (error) {
          if (isCancelled(error)) throw error;
          // Kept for later, since an error that leaves the task would end the whole group.
          errors[index] = error;
          return;
        }
        // Two attempts can succeed in the same moment, and then it is too late to cancel the second.
        if (winner !== undefined) return discard(result);
        winner = { result };
        tg.cancel('another attempt has won');
      }

      for (const [index, candidate] of candidates.entries()) {
        const task = tg.startSoon(attemptWith, index, candidate);
        await moveOnAfter(delay, () => task.wait());
      }
    });
  } catch (error) {
    // Cancelled from outside, when there was a winner already but not all losers had ended.
    if (winner !== undefined) discard(winner.result);
    throw error;
  }

  if (winner === undefined) throw new AggregateError(errors, 'all attempts failed');
  return winner.result;
}
