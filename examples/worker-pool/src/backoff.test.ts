import { expect, test } from 'vitest';
import { delayAfter } from './backoff.js';

const backoff = { base: 100, most: 1_000 };
const almostOne = 1 - 2 ** -53;

test('the bound doubles with each attempt, up to the most', () => {
  const bounds = [1, 2, 3, 4, 5, 50].map((attempts) => delayAfter(attempts, backoff, 0, () => almostOne));
  expect(bounds.map(Math.round)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});

test('anything below the bound', () => {
  expect(delayAfter(3, backoff, 0, () => 0)).toBe(0);
  expect(delayAfter(3, backoff, 0, () => 0.25)).toBe(100);
});

test('what the receiver asks for is heeded, up to the most', () => {
  expect(delayAfter(1, backoff, 700, () => almostOne)).toBe(700);
  expect(delayAfter(4, backoff, 700, () => almostOne)).toBeCloseTo(800);
  expect(delayAfter(1, backoff, 86_400_000, () => 0)).toBe(1_000);
});

test('by default it is random', () => {
  const delays = new Set(Array.from({ length: 20 }, () => delayAfter(1, backoff)));
  expect(delays.size).toBeGreaterThan(1);
  for (const delay of delays) expect(delay).toBeLessThan(100);
});
