/** Timers last from a millisecond up to this. */
const SPREAD = 100;

/** How many milliseconds a timer lasts that has this place in a shuffled order. */
export const delayOf = (place: number): number => 1 + (place % SPREAD);

/** Blocks until every timer is due that was set before. */
export function blockUntilDue(): void {
  const end = performance.now() + SPREAD + 1;
  while (performance.now() < end);
}
