/** How long to wait before the next attempt. */

export interface Backoff {
  /** After the first attempt, in milliseconds. It doubles with each. */
  readonly base: number;
  /** However many attempts there were. */
  readonly most: number;
}

/**
 * Exponential backoff with full jitter: anything from 0 up to a bound that doubles. A receiver that comes
 * back would otherwise be met by everybody at once, and at once again some seconds later.
 *
 * @param attempts - How many there were: 1 or more.
 * @param asked - How long the receiver asked to be left alone, if it did. That is heeded, up to `most`.
 * @param random - A number from 0 up to 1.
 */
export function delayAfter(
  attempts: number,
  { base, most }: Backoff,
  asked: number = 0,
  random: () => number = Math.random,
): number {
  const bound = Math.min(most, base * 2 ** (attempts - 1));
  return Math.min(most, Math.max(asked, random() * bound));
}
