import { median, quantile } from '../statistics.js';

/** How two builds compare. */
export interface Change {
  /** The medians of the runs. */
  readonly base: number;
  readonly current: number;
  /** Times as much as the base: the median over runs that followed each other. */
  readonly ratio: number;
  /** How far from 1 the ratio can be by chance, as a factor. */
  readonly noise: number;
  /** Undefined: no difference that is larger than the noise. */
  readonly verdict: 'less' | 'more' | undefined;
}

/**
 * Compares two builds that ran in turn: base, current, base, current …
 *
 * Each run is compared with those of the other build just before and after it, so that slow times of the machine meet
 * both. The noise comes from the same measurements: one and a half times the upper quartile of what two successive runs
 * of the same build differ by. With seven runs of each, fewer than one in a hundred comparisons of equal builds finds a
 * difference.
 *
 * @param base - What each run of the base measured.
 * @param current - The same of the other build, as often.
 */
export function findChange(base: readonly number[], current: readonly number[]): Change {
  if (base.length !== current.length || base.length < 2) {
    throw new RangeError(`${base.length} and ${current.length} runs cannot be compared`);
  }
  const between: number[] = [];
  const within: number[] = [];
  for (let run = 0; run < base.length; run++) {
    between.push(Math.log(current[run]! / base[run]!));
    if (run === 0) continue;
    between.push(Math.log(current[run - 1]! / base[run]!));
    within.push(Math.abs(Math.log(base[run]! / base[run - 1]!)));
    within.push(Math.abs(Math.log(current[run]! / current[run - 1]!)));
  }
  const change = median(between);
  const noise = 1.5 * quantile(within, 0.75);
  return {
    base: median(base),
    current: median(current),
    ratio: Math.exp(change),
    noise: Math.exp(noise),
    verdict: Math.abs(change) <= noise ? undefined : change < 0 ? 'less' : 'more',
  };
}
