import { describe, expect, test } from 'vitest';

import { random } from './random.js';

const sequence = (seed: number, length = 100): number[] => Array.from({ length }, random(seed));

describe('random()', () => {
  test('gives the same numbers for the same seed', () => {
    expect(sequence(7)).toEqual(sequence(7));
  });

  test('gives other numbers for another seed', () => {
    const first = new Set(Array.from({ length: 1_000 }, (_, seed) => random(seed)()));
    expect(first.size).toBe(1_000);
  });

  test('keeps generators apart', () => {
    const [a, b] = [random(1), random(1)];
    a();
    a();
    expect(b()).toBe(random(1)());
  });

  test('gives numbers from 0 up to 1, spread evenly', () => {
    const counts = new Array<number>(10).fill(0);
    for (const value of sequence(42, 10_000)) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(1);
      counts[Math.floor(value * 10)]!++;
    }
    for (const count of counts) {
      expect(count).toBeGreaterThan(900);
      expect(count).toBeLessThan(1_100);
    }
  });
});
