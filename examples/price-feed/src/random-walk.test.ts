import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COMMITTED, generateTicks } from './random-walk.js';
import { parseTicks } from './ticks.js';

test('data/ticks.csv is what the script makes', () => {
  const committed = readFileSync(new URL('../data/ticks.csv', import.meta.url), 'utf8');
  expect(generateTicks(COMMITTED)).toBe(committed.replaceAll('\r\n', '\n'));
});

test('the same seed gives the same file, another seed another', () => {
  const [one, again, other] = [1, 1, 2].map((seed) => generateTicks({ seed, rows: 100 }));
  expect(again).toBe(one);
  expect(other).not.toBe(one);
});

test('prices move, but not far', () => {
  const ticks = parseTicks(generateTicks(COMMITTED));
  expect(ticks).toHaveLength(COMMITTED.rows);
  const bySymbol = new Map<string, number[]>();
  for (const { symbol, price } of ticks) {
    bySymbol.set(symbol, [...(bySymbol.get(symbol) ?? []), price]);
  }
  expect(bySymbol.size).toBe(8);
  for (const prices of bySymbol.values()) {
    expect(prices.length).toBeGreaterThan(400);
    expect(new Set(prices).size).toBeGreaterThan(50);
    for (const price of prices) {
      expect(price / prices[0]!).toBeGreaterThan(0.75);
      expect(price / prices[0]!).toBeLessThan(1.33);
    }
  }
});
