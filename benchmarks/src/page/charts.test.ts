import { expect, test } from 'vitest';

import { barChart, ratioChart } from './bar-chart.js';
import { linearScale, logarithmicScale, scaleFor } from './scale.js';
import { quantity, times } from './units.js';

test('a linear scale begins at 0 and ends beyond the largest value', () => {
  const { ticks, place } = linearScale([3, 870]);
  expect(ticks).toEqual([0, 250, 500, 750, 1000]);
  expect([place(0), place(500), place(1000)]).toEqual([0, 0.5, 1]);
  expect(linearScale([0.8]).ticks.at(-1)).toBeCloseTo(0.8);
});

test('a logarithmic scale has a tick at each power of ten that it reaches', () => {
  const { ticks, place, first } = logarithmicScale([20, 9000]);
  expect(ticks).toEqual([100, 1000, 10_000]);
  expect(place(first)).toBeCloseTo(0);
  expect(place(200) - place(20)).toBeCloseTo(place(2000) - place(200));
  expect(place(9000)).toBeLessThan(1);
});

test('a scale is logarithmic only where it has to be', () => {
  expect(scaleFor([10, 150]).isLogarithmic).toBe(false);
  expect(scaleFor([10, 250]).isLogarithmic).toBe(true);
});

test('quantities have the unit in which they are short, and two digits that count', () => {
  expect([0, 7.25, 123.4, 1234, 2_500_000].map((value) => quantity(value, 'ns'))).toEqual([
    '0',
    '7.3 ns',
    '123 ns',
    '1.2 µs',
    '2.5 ms',
  ]);
  expect([900, 1809, 12_345].map((value) => quantity(value, 'bytes'))).toEqual([
    '900 bytes',
    '1.8 kB',
    '12 kB',
  ]);
  expect([0.034, 0.5, 12.34, 1234].map(times)).toEqual(['0.034 ×', '0.5 ×', '12 ×', '1,234 ×']);
});

/** Where the bars of a chart are, and how wide. */
const rectangles = (chart: string): number[][] =>
  [...chart.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)].map((match) =>
    match.slice(1).map(Number),
  );

test('bars are as long as their values', () => {
  const bars = [
    { label: 'one', colour: 'taskscope', value: 100 },
    { label: 'three <others>', colour: 'peer', value: 300, spread: [250, 310] },
  ] as const;
  const chart = barChart('Title & more', 'ns', [{ heading: 'Heading', bars }]);
  const [[x1, one], [x2, three]] = rectangles(chart) as [[number, number], [number, number]];
  expect(x1).toBe(x2);
  expect(three / one).toBeCloseTo(3, 1);
  expect(chart).toContain('Title &amp; more');
  expect(chart).toContain('three &lt;others&gt;');
  expect(chart).toContain('Brackets');
});

test('ratios point to the right if they are above 1, and to the left if below', () => {
  const bars = [0.5, 2].map((value) => ({ label: '', colour: 'peer' as const, value }));
  const [[left, half], [right, twice]] = rectangles(ratioChart('', '', [{ heading: '', bars }])) as [
    [number, number],
    [number, number],
  ];
  expect(left + half).toBeCloseTo(right, 0);
  expect(half).toBeCloseTo(twice, 0);
});
