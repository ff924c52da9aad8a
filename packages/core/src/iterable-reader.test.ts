import { virtualTime } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { throwing } from './failing.fixture.js';
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

describe('nextNow()', () => {
  test('gives what an iterable has at once, up to its end', async () => {
    const reader = readIterable('example()', ['tea', 'milk']);
    expect(reader.nextNow()).toEqual({ done: false, value: 'tea' });
    expect(await reader.next()).toEqual({ done: false, value: 'milk' });
    expect(reader.nextNow()).toEqual({ done: true, value: undefined });
  });

  test('a source that has ended is not told that no more is wanted, another is', async () => {
    const closed: string[] = [];
    const source = (name: string): Iterable<number> => {
      let count = 0;
      return {
        [Symbol.iterator]: () => ({
          next: () => (++count > 1 ? { done: true, value: undefined } : { done: false, value: count }),
          return: () => (closed.push(name), { done: true, value: undefined }),
        }),
      };
    };
    const [read, unread] = [
      readIterable('example()', source('read')),
      readIterable('example()', source('unread')),
    ];
    for (const reader of [read, read, unread]) reader.nextNow();
    await read.close();
    await unread.close();
    expect(closed).toEqual(['unread']);
  });

  test('throws what the source throws, once', () => {
    const error = new Error('the disk');
    const steps = [throwing(error), (): IteratorResult<never> => ({ done: true, value: undefined })];
    const reader = readIterable('example()', { [Symbol.iterator]: () => ({ next: () => steps.shift()!() }) });
    expect(() => reader.nextNow()).toThrow(error);
    expect(reader.nextNow()).toEqual({ done: true, value: undefined });
  });

  test(
    'gives nothing where a step has to be waited for, and loses nothing',
    virtualTime(async () => {
      const { promise, resolve } = withResolvers<IteratorResult<string>>();
      let steps = 0;
      const slow = { next: () => (steps++, promise as never) };
      const reader = readIterable<string>('example()', { [Symbol.iterator]: () => slow });
      expect(reader.nextNow()).toBeUndefined();
      expect(reader.nextNow()).toBeUndefined();
      expect(steps).toBe(1);
      resolve({ done: false, value: 'tea' });
      expect(reader.nextNow()).toBeUndefined();
      expect(await reader.next()).toEqual({ done: false, value: 'tea' });
      const { source } = failingSource();
      expect(readIterable('example()', source).nextNow()).toBeUndefined();
    }),
  );

  test(
    'leaves an error that nobody was told of to next()',
    virtualTime(async () => {
      const { promise, reject } = withResolvers<IteratorResult<never>>();
      const failing = { next: () => promise as never };
      const reader = readIterable<never>('example()', { [Symbol.iterator]: () => failing });
      expect(reader.nextNow()).toBeUndefined();
      const error = new Error('the disk');
      reject(error);
      await sleep(1);
      expect(reader.nextNow()).toBeUndefined();
      expect(await errorOf(reader.next())).toBe(error);
    }),
  );
});
