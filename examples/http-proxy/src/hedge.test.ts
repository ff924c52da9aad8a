/** In virtual time. */

import { currentTime, isCancelled, moveOnAfter, sleep, sleepForever } from '@taskscope/core';
import { cancelEverywhere, virtualTime } from '@taskscope/testing';
import { beforeEach, expect, test } from 'vitest';
import { hedge } from './hedge.js';

/** What happened, with its time. */
let events: string[] = [];

beforeEach(() => {
  events = [];
});

interface Fake {
  readonly name: string;
  /** After how many milliseconds it answers, or fails; undefined: never. */
  readonly answers?: number;
  readonly fails?: number;
}

async function ask({ name, answers, fails }: Fake): Promise<string> {
  events.push(`${currentTime()} ${name} is asked`);
  try {
    if (answers === undefined && fails === undefined) await sleepForever();
    await sleep(answers ?? fails!);
  } catch (error) {
    if (isCancelled(error)) events.push(`${currentTime()} ${name} is cancelled`);
    throw error;
  }
  if (fails !== undefined) throw new Error(`${name} failed`);
  return name;
}

test(
  'the first is quick enough: nobody else is asked',
  virtualTime(async () => {
    expect(await hedge([{ name: 'A', answers: 99 }, { name: 'B' }], ask, 100)).toBe('A');
    expect(events).toEqual(['0 A is asked']);
  }),
);

test(
  'the first is slow: the second is asked, and wins',
  virtualTime(async () => {
    expect(await hedge([{ name: 'A' }, { name: 'B', answers: 10 }], ask, 100)).toBe('B');
    expect(events).toEqual(['0 A is asked', '100 B is asked', '110 A is cancelled']);
  }),
);

test(
  'or wins all the same',
  virtualTime(async () => {
    expect(await hedge([{ name: 'A', answers: 105 }, { name: 'B' }], ask, 100)).toBe('A');
    expect(events).toEqual(['0 A is asked', '100 B is asked', '105 B is cancelled']);
  }),
);

test(
  'the first fails: the second is asked at once',
  virtualTime(async () => {
    expect(
      await hedge(
        [
          { name: 'A', fails: 5 },
          { name: 'B', answers: 10 },
        ],
        ask,
        100,
      ),
    ).toBe('B');
    expect(events).toEqual(['0 A is asked', '5 B is asked']);
  }),
);

test(
  'a failure after the second was asked changes nothing',
  virtualTime(async () => {
    expect(
      await hedge(
        [
          { name: 'A', fails: 120 },
          { name: 'B', answers: 50 },
        ],
        ask,
        100,
      ),
    ).toBe('B');
    expect(currentTime()).toBe(150);
  }),
);

test(
  'three of them',
  virtualTime(async () => {
    const fakes = [{ name: 'A' }, { name: 'B' }, { name: 'C', answers: 10 }];
    expect(await hedge(fakes, ask, 100)).toBe('C');
    expect(events.slice(0, 3)).toEqual(['0 A is asked', '100 B is asked', '200 C is asked']);
  }),
);

test(
  'all fail: their errors in order',
  virtualTime(async () => {
    const fakes = [
      { name: 'A', fails: 150 },
      { name: 'B', fails: 10 },
    ];
    const error: unknown = await hedge(fakes, ask, 100).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).errors.map(({ message }: Error) => message)).toEqual([
      'A failed',
      'B failed',
    ]);
  }),
);

test(
  'cancelled: everybody is',
  virtualTime(async () => {
    await moveOnAfter(150, () => hedge([{ name: 'A' }, { name: 'B' }], ask, 100));
    expect(events.slice(2).toSorted()).toEqual(['150 A is cancelled', '150 B is cancelled']);
  }),
);

test('cancelled at every wait: nobody is left', async () => {
  const { waits } = await cancelEverywhere(async () => {
    let asked = 0;
    const counted = async (fake: Fake): Promise<string> => {
      asked++;
      try {
        return await ask(fake);
      } finally {
        asked--;
      }
    };
    try {
      await hedge([{ name: 'A' }, { name: 'B', fails: 20 }, { name: 'C', answers: 30 }], counted, 10);
    } finally {
      expect(asked).toBe(0);
    }
  });
  expect(waits).toBeGreaterThan(4);
});
