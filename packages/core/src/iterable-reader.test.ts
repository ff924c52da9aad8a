import { virtualTime } from '@taskscope/testing';
import { expect, test } from 'vitest';

import { moveOnAfter, sleep } from './index.js';
import { readIterable } from './lowlevel.js';
import { errorOf } from './observing.fixture.js';
import { withResolvers } from './with-resolvers.fixture.js';

/** A source whose first step rejects when it is told to, and which has ended then. */
function failingSource(): { source: AsyncIterable<never>; fail: (error: unknown) => void } {
  const { promise, reject } = withResolvers<IteratorResult<never>>();
  const steps = [promise];
  const next = (): Promise<IteratorResult<never>> =>
    steps.pop() ?? Promise.resolve({ done: true, value: undefined });
  return { source: { [Symbol.asyncIterator]: () => ({ next }) }, fail: reject };
}

test(
  'an error that comes when nobody reads any more is told to the next who does, once',
  virtualTime(async () => {
    const { source, fail } = failingSource();
    const reader = readIterable('example()', source);
    await moveOnAfter(1, () => reader.next());
    const error = new Error('the disk');
    fail(error);
    await sleep(1);
    expect(await errorOf(reader.next())).toBe(error);
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  }),
);

test(
  'an error that somebody waits for is told to him alone',
  virtualTime(async () => {
    const { source, fail } = failingSource();
    const reader = readIterable('example()', source);
    const reading = errorOf(reader.next());
    const error = new Error('the disk');
    await sleep(1);
    fail(error);
    expect(await reading).toBe(error);
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  }),
);
