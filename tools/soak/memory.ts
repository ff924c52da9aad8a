/** Whether memory stays flat: the heap after garbage collection, again and again while something is repeated. */

import { setImmediate as nextTurn } from 'node:timers/promises';

/** By how much the heap may be larger in the end. Whatever is lost with each of many repetitions is soon more than this. */
export const TOLERANCE: number = 2 * 2 ** 20;

export interface Memory {
  /** Bytes in use at first, when what is made once had been made, and in the end. */
  readonly before: number;
  readonly after: number;
  readonly growth: number;
  readonly isFlat: boolean;
}

/** Bytes in use, after everything that is garbage has gone. Takes `--expose-gc`. */
export async function heapInUse(): Promise<number> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('Memory cannot be measured without --expose-gc.');
  let least = Infinity;
  // What finalisers and weak references hold goes in later turns.
  for (let i = 0; i < 4; i++) {
    await nextTurn();
    gc();
    least = Math.min(least, process.memoryUsage().heapUsed);
  }
  return least;
}

/** What a series of samples shows. The median of three stands for each end, since one may be off. */
export function judge(samples: readonly number[]): Memory {
  if (samples.length < 6) throw new Error('That takes six samples at least.');
  const before = median(samples.slice(0, 3));
  const after = median(samples.slice(-3));
  const growth = after - before;
  return { before, after, growth, isFlat: growth <= TOLERANCE };
}

function median(three: readonly number[]): number {
  return three.toSorted((a, b) => a - b)[1]!;
}
