/** How values become places on an axis. */
export interface Scale {
  readonly isLogarithmic: boolean;
  /** The value at the beginning of the axis. */
  readonly first: number;
  /** Where to write values. */
  readonly ticks: readonly number[];
  /** From 0 at the beginning of the axis to 1 at its end. */
  readonly place: (value: number) => number;
}

/** From 0 to somewhere beyond the largest value, in round steps. */
export function linearScale(values: readonly number[], steps = 4): Scale {
  const largest = Math.max(...values);
  const power = 10 ** Math.floor(Math.log10(largest / steps));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each * steps >= largest)!;
  const count = Math.ceil(largest / step);
  return {
    isLogarithmic: false,
    first: 0,
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
    place: (value) => value / (count * step),
  };
}

/** From somewhat below the smallest value to somewhat beyond the largest; with a tick at each power of ten. */
export function logarithmicScale(values: readonly number[]): Scale {
  const first = Math.log10(Math.min(...values)) - 0.2;
  const last = Math.log10(Math.max(...values)) + 0.1;
  const ticks: number[] = [];
  for (let power = Math.ceil(first); power <= last; power++) ticks.push(10 ** power);
  return {
    isLogarithmic: true,
    first: 10 ** first,
    ticks,
    place: (value) => (Math.log10(value) - first) / (last - first),
  };
}

/** Logarithmic if the short bars could not be told apart otherwise. */
export function scaleFor(values: readonly number[]): Scale {
  return Math.max(...values) > 20 * Math.min(...values) ? logarithmicScale(values) : linearScale(values);
}
