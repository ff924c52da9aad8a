import {
  currentTask,
  currentTime,
  failAfter,
  InvalidStateError,
  ScopeExitedError,
  CancelScope,
  sleep,
  sleepForever,
  TimeoutError,
} from '@taskscope/core';
import { describe, expect, test } from 'vitest';

import { MockClock, virtualTime } from './index.js';

const DAY = 86_400_000;

describe('virtualTime()', () => {
  test(
    'is one line in a test',
    virtualTime(async () => {
      await sleep(DAY);
      expect(currentTime()).toBe(DAY);
    }),
  );

  test('begins at 0 each time, and gives the clock to the body', async () => {
    const seen: unknown[] = [];
    const body = virtualTime(async (clock) => {
      seen.push(clock.now());
      expect(clock).toBeInstanceOf(MockClock);
      await sleep(5);
      seen.push(clock.now());
    });
    await body();
    await body();
    expect(seen).toEqual([0, 5, 0, 5]);
  });

  test('returns what the body returns, and throws what it throws', async () => {
    expect(await virtualTime(() => 'tea')()).toBe('tea');
    const error = new Error('no');
    await expect(virtualTime(() => Promise.reject(error))()).rejects.toBe(error);
    await expect(
      virtualTime(() => {
        throw error;
      })(),
    ).rejects.toBe(error);
  });

  test('passes on what the runner passes, and takes options for the clock', async () => {
    const add = virtualTime((clock, a: number, b: number) => clock.now() + a + b);
    expect(await add(1, 2)).toBe(3);
    const waits = virtualTime(
      () => failAfter(5, () => new Promise((resolve) => setImmediate(resolve, 'real I/O'))),
      { autojump: 500 },
    );
    expect(await waits()).toBe('real I/O');
    expect(() => virtualTime(() => {}, { autojump: -1 })).toThrow(RangeError);
  });

  test('fails when something outlived its scope, also when nobody looks at how that ends', async () => {
    const forgetful = virtualTime(async () => {
      await new CancelScope({ name: 'brief' }).run(() => {
        sleep(5).catch(() => {});
      });
    });
    await expect(forgetful()).rejects.toThrow(ScopeExitedError);
    await expect(forgetful()).rejects.toThrow('something outlived the scope "brief"');
  });

  test('makes timeouts take no time', async () => {
    await expect(virtualTime(() => failAfter(DAY, () => sleepForever()))()).rejects.toBeInstanceOf(
      TimeoutError,
    );
  });

  test('fails on a deadlock, and shows the task tree', async () => {
    const stuck = virtualTime(() => sleepForever())();
    await expect(stuck).rejects.toBeInstanceOf(InvalidStateError);
    await expect(stuck).rejects.toThrow(/deadlock.*run "test".*waits for sleepForever/s);
  });

  test('fails on a wait that outlives its scope', async () => {
    const careless = virtualTime(async () => {
      let floating: Promise<void> | undefined;
      await new CancelScope().run(() => {
        floating = sleep(1);
        floating.catch(() => {});
      });
      await floating;
    });
    await expect(careless()).rejects.toBeInstanceOf(ScopeExitedError);
  });

  test(
    'names the main task',
    virtualTime(() => expect(currentTask().name).toBe('test')),
  );

  test.each([undefined, null, 'body', Promise.resolve()])('refuses %o at once', (body) => {
    expect(() => virtualTime(body as never)).toThrow(TypeError);
    expect(() => virtualTime(body as never)).toThrow(/virtualTime\(\): body must be a function/);
  });
});
