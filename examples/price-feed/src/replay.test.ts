import { currentTime, moveOnAfter, sleep } from '@taskscope/core';
import { virtualTime } from '@taskscope/testing';
import { expect, test } from 'vitest';
import { replay } from './replay.js';
import type { Tick } from './ticks.js';

const ticks: Tick[] = [
  { time: 0, symbol: 'TEA', price: 1 },
  { time: 200, symbol: 'RICE', price: 2 },
  { time: 300, symbol: 'TEA', price: 3 },
];

async function times(speed: number, duration: number): Promise<[number, number][]> {
  const seen: [number, number][] = [];
  await moveOnAfter(duration, () =>
    replay(ticks, speed, async ({ price }) => seen.push([currentTime(), price])),
  );
  return seen;
}

test(
  'each tick at its time, and again from the beginning',
  virtualTime(async () => {
    expect(await times(1, 601)).toEqual([
      [0, 1],
      [200, 2],
      [300, 3],
      [400, 1],
      [600, 2],
    ]);
  }),
);

test(
  'twice as quickly',
  virtualTime(async () => {
    expect(await times(2, 201)).toEqual([
      [0, 1],
      [100, 2],
      [150, 3],
      [200, 1],
    ]);
  }),
);

test(
  'being late once does not make it late for ever, and a round that was missed stays missed',
  virtualTime(async () => {
    const seen: number[] = [];
    await moveOnAfter(1_150, () =>
      replay(ticks, 1, async () => {
        seen.push(currentTime());
        if (seen.length === 1) await sleep(250);
        if (seen.length === 4) await sleep(600);
      }),
    );
    // 400 + 600 is already after the beginning of the next round.
    expect(seen).toEqual([0, 250, 300, 400, 1_000, 1_000, 1_000]);
  }),
);

test('at a speed that no computer has, others get their turn', async () => {
  let published = 0;
  await moveOnAfter(20, () => replay(ticks, 1e12, async () => published++));
  expect(published).toBeGreaterThan(0);
});
