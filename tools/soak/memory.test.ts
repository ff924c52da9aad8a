import { expect, test } from 'vitest';
import { heapInUse, judge, TOLERANCE } from './memory.js';

/** Samples of the heap while `each` is repeated. */
async function samplesOf(each: () => void): Promise<number[]> {
  const samples: number[] = [];
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 1_000; i++) each();
    samples.push(await heapInUse());
  }
  return samples;
}

test('what is dropped leaves the heap flat', async () => {
  let last: object | undefined;
  const samples = await samplesOf(() => (last = { text: 'x'.repeat(1_000) }));
  expect(last).toBeDefined();
  expect(judge(samples).isFlat).toBe(true);
});

test('a small leak with each repetition does not', async () => {
  const kept: Uint8Array[] = [];
  const { growth, isFlat } = judge(await samplesOf(() => kept.push(new Uint8Array(64))));
  expect(kept).toHaveLength(12_000);
  expect(isFlat).toBe(false);
  expect(growth).toBeGreaterThan(TOLERANCE);
});

test('the median stands for each end', () => {
  expect(judge([5, 90, 6, 0, 0, 7, 1, 8])).toEqual({ before: 6, after: 7, growth: 1, isFlat: true });
  expect(() => judge([1, 2, 3, 4, 5])).toThrow('six samples at least');
});
