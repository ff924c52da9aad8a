import { expect, test } from 'vitest';

import { median, medianRatio, pooled, quantile } from './statistics.js';

test('a quantile lies between the numbers around it', () => {
  expect(quantile([30, 10, 20], 0.5)).toBe(20);
  expect(quantile([0, 10], 0.25)).toBe(2.5);
  expect(quantile([7], 0.75)).toBe(7);
  expect(median([1, 2, 3, 100])).toBe(2.5);
  expect(() => quantile([], 0.5)).toThrow(RangeError);
});

test('a ratio is taken round by round', () => {
  // The machine was ten times as slow in the second round.
  expect(medianRatio([2, 20, 2], [1, 10, 1])).toBe(2);
});

test('every round counts the same, however many samples it has', () => {
  const pool = pooled([[1], [2, 2, 2, 2, 2, 2, 2, 2], [3, 3]]);
  expect(pool).toHaveLength(63);
  expect(median(pool)).toBe(2);
  expect([Math.min(...pool), Math.max(...pool)]).toEqual([1, 3]);
});
