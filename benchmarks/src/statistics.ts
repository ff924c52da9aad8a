/** The value below which the share `p` of the numbers is, interpolated. */
export function quantile(numbers: readonly number[], p: number): number {
  if (numbers.length === 0) throw new RangeError('quantile() of nothing');
  const sorted = [...numbers].sort((a, b) => a - b);
  const position = p * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (position - below);
}

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);

/**
 * How `numbers` compare with `others`, round by round, and then the median: what slowed the machine down for a round
 * slowed down both.
 */
export const medianRatio = (numbers: readonly number[], others: readonly number[]): number =>
  median(numbers.map((value, round) => value / others[round]!));

/** As many numbers of each round, evenly spaced by rank, so that a round with many samples counts no more than others. */
export const pooled = (rounds: readonly (readonly number[])[]): number[] =>
  rounds.flatMap((samples) => Array.from({ length: 21 }, (_, i) => quantile(samples, i / 20)));
