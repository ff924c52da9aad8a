import {
  checkpoint,
  currentTask,
  currentTime,
  failAfter,
  InvalidStateError,
  ScopeExitedError,
  CancelScope,
  sleep,
  sleepForever,
  taskGroup,
  TimeoutError,
} from '@taskscope/core';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { MockClock, virtualTime, type VirtualTimeOptions } from './index.js';

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
    await expect(forgetful()).rejects.toThrow(
      'outlived the scope in which it began: sleep in "brief". Is an await missing?',
    );
  });

  test('says of each thing what outlived its scope, and of a call where it was', async () => {
    let leave = (): void => {};
    const left = new Promise<void>((resolve) => (leave = resolve));
    const forgetful = virtualTime(async () => {
      let late: Promise<void> | undefined;
      await new CancelScope({ name: 'brief' }).run(() => {
        sleep(5).catch(() => {});
        void new CancelScope({ name: 'below' }).run(() => sleepForever()).catch(() => {});
        late = left.then(() => checkpoint()).catch(() => {});
      });
      leave();
      await late;
    });
    const error = await forgetful().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: 'ScopeExitedError',
      message:
        'outlived the scope in which it began: sleep in "brief"; scope "below" in "brief"; checkpoint() in "brief". Is an await missing?',
      cause: { message: 'it was called here, after "brief" had been left' },
    });
    expect(((error as Error).cause as Error).stack).toContain('virtual-time.test.ts');
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

  describe('under the schedule of a seed', () => {
    /** In which order eight tasks begin. */
    const orderUnder = (options?: VirtualTimeOptions): Promise<string> =>
      virtualTime(async () => {
        let order = '';
        await taskGroup((tg) => {
          for (const name of 'abcdefgh') tg.startSoon(() => void (order += name));
        });
        return order;
      }, options)();
    const plain = 'abcdefgh';

    afterEach(() => vi.unstubAllEnvs());

    test('shuffles by it, in the same way each time', async () => {
      const orders = new Set([plain]);
      for (const seed of [0, 1, 2]) {
        const order = await orderUnder({ seed });
        expect(await orderUnder({ seed })).toBe(order);
        orders.add(order);
      }
      expect(orders.size).toBe(4);
    });

    test('takes it from the environment when the test runs, unless it has one of its own', async () => {
      const order = await orderUnder({ seed: 7 });
      vi.stubEnv('TASKSCOPE_FUZZ_SEED', '7');
      expect(await orderUnder()).toBe(order);
      expect(await orderUnder({ seed: false })).toBe(plain);
      expect(await orderUnder({ seed: 8 })).not.toBe(order);
      vi.stubEnv('TASKSCOPE_FUZZ_SEED', '');
      expect(await orderUnder()).toBe(plain);
    });

    test('fails as always, and leaves a whole budget to those who come afterwards', async () => {
      const error = new Error('no');
      await expect(virtualTime(() => Promise.reject(error), { seed: 1 })()).rejects.toBe(error);
      let hasTurned = false;
      setImmediate(() => (hasTurned = true));
      for (let i = 0; i < 10; i++) await checkpoint();
      expect(hasTurned).toBe(false);
    });

    test.each([
      ['-1', /the environment: TASKSCOPE_FUZZ_SEED must be at least 0/],
      ['tea', /the environment: TASKSCOPE_FUZZ_SEED must be at least 0, got NaN/],
      ['0.5', /the environment: TASKSCOPE_FUZZ_SEED must be a whole number/],
    ])('refuses "%s" in the environment', async (value, message) => {
      vi.stubEnv('TASKSCOPE_FUZZ_SEED', value);
      await expect(orderUnder()).rejects.toThrow(message);
    });

    test.each([-1, '1', null, true])('refuses the seed %o at once', (seed) => {
      expect(() => virtualTime(() => {}, { seed: seed as never })).toThrow(/options\.seed must be/);
    });
  });

  test.each([undefined, null, 'body', Promise.resolve()])('refuses %o at once', (body) => {
    expect(() => virtualTime(body as never)).toThrow(TypeError);
    expect(() => virtualTime(body as never)).toThrow(/virtualTime\(\): body must be a function/);
  });
});
