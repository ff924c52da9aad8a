import { expect, test } from 'vitest';

import { findChange } from './change.js';

/** Numbers around 0 with a standard deviation of 1, the same each time. */
function* bell(): Generator<number, never> {
  let state = 1;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  for (;;) yield Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
}

/** Runs two builds in turn: how often of a thousand times is a change found? */
function share(
  found: 'less' | 'more' | undefined,
  factor: number,
  { spread = 0.02, drift = 0 } = {},
): number {
  const numbers = bell();
  let count = 0;
  for (let i = 0; i < 1000; i++) {
    let speed = 0;
    const run = (): number => {
      speed += drift * numbers.next().value;
      return 100 * Math.exp(speed + spread * numbers.next().value);
    };
    const base: number[] = [];
    const current: number[] = [];
    for (let pair = 0; pair < 7; pair++) {
      base.push(run());
      current.push(run() * factor);
    }
    if (findChange(base, current).verdict === found) count++;
  }
  return count / 1000;
}

test('equal builds are found equal, also on a machine that becomes slower and faster', () => {
  expect(share(undefined, 1)).toBeGreaterThan(0.99);
  expect(share(undefined, 1, { spread: 0.1 })).toBeGreaterThan(0.99);
  expect(share(undefined, 1, { drift: 0.03 })).toBeGreaterThan(0.99);
});

test('a change of a tenth is found where runs differ by some hundredths', () => {
  expect(share('more', 1.1)).toBeGreaterThan(0.99);
  expect(share('less', 0.9)).toBeGreaterThan(0.99);
});

test('a change that is smaller than the noise is none', () => {
  expect(findChange([100, 120, 100], [110, 131, 111]).verdict).toBeUndefined();
});

test('a slow time of the machine meets both builds', () => {
  const { ratio, base, current } = findChange([100, 1000, 100, 100, 100], [200, 2000, 200, 200, 200]);
  expect(ratio).toBeCloseTo(2);
  expect([base, current]).toEqual([100, 200]);
});

test('without noise every change counts', () => {
  const { ratio, noise, verdict } = findChange([1000, 1000], [1001, 1001]);
  expect({ noise, verdict }).toEqual({ noise: 1, verdict: 'more' });
  expect(ratio).toBeCloseTo(1.001);
});

test('what has not run in turn cannot be compared', () => {
  expect(() => findChange([1], [1])).toThrow(RangeError);
  expect(() => findChange([1, 2], [1])).toThrow(RangeError);
});
