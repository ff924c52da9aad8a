/** The numbers below `n` in an order that looks random and is the same each time. */
export function shuffle(n: number): number[] {
  const numbers = Array.from({ length: n }, (_, index) => index);
  let state = 1;
  for (let i = n - 1; i > 0; i--) {
    // A linear congruential generator: its high bits are good enough.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (i + 1));
    [numbers[i], numbers[other]] = [numbers[other]!, numbers[i]!];
  }
  return numbers;
}
