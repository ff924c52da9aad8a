import {
  cancelShieldedCheckpoint,
  checkpoint,
  currentTime,
  InvalidStateError,
  sleep,
  sleepForever,
  taskGroup,
} from '@taskscope/core';
import { ParkingLot } from '@taskscope/core/lowlevel';
import { describe, expect, test, vi } from 'vitest';

import { fuzzSchedule } from './index.js';

/** What a seed makes of five tasks that take turns. */
async function traceOf(seed: number): Promise<string> {
  const trace: string[] = [];
  const tracer = async (name: string): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      trace.push(name + i);
      await checkpoint();
    }
  };
  await fuzzSchedule(seed, () =>
    taskGroup((tg) => {
      for (const name of ['a', 'b', 'c', 'd', 'e']) tg.startSoon(tracer, name);
    }),
  );
  expect(trace).toHaveLength(100);
  return trace.join(' ');
}

/** The same for tasks that are woken together. */
async function wakeOrderOf(seed: number): Promise<string> {
  const order: number[] = [];
  await fuzzSchedule(seed, () =>
    taskGroup(async (tg) => {
      const lot = new ParkingLot();
      for (let i = 0; i < 8; i++) tg.startSoon(() => lot.park().then(() => order.push(i)));
      await sleep(1);
      lot.unparkAll();
    }),
  );
  return order.join(' ');
}

const SEEDS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

describe('fuzzSchedule()', () => {
  test('gives the same schedule for the same seed', async () => {
    for (const seed of SEEDS) {
      expect(await traceOf(seed)).toBe(await traceOf(seed));
      expect(await wakeOrderOf(seed)).toBe(await wakeOrderOf(seed));
    }
  });

  test('gives other schedules for other seeds', async () => {
    const traces = new Set<string>();
    const orders = new Set<string>();
    for (const seed of SEEDS) {
      traces.add(await traceOf(seed));
      orders.add(await wakeOrderOf(seed));
    }
    expect(traces.size).toBe(SEEDS.length);
    expect(orders.size).toBe(SEEDS.length);
  });

  test('gives the same schedule on a slow machine', async () => {
    const fast: string[] = [];
    for (const seed of SEEDS) fast.push(await traceOf(seed));
    let time = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (time += 3));
    const slow: string[] = [];
    try {
      for (const seed of SEEDS) slow.push(await traceOf(seed));
    } finally {
      clock.mockRestore();
    }
    expect(slow).toEqual(fast);
  });

  test('finds what relies on the order of wake-ups', async () => {
    const outcomes = new Set<string>();
    for (const seed of SEEDS) {
      let last = '';
      await fuzzSchedule(seed, () =>
        taskGroup((tg) => {
          tg.startSoon(() => void (last = 'a'));
          tg.startSoon(() => void (last = 'b'));
        }),
      );
      outcomes.add(last);
    }
    expect([...outcomes].toSorted()).toEqual(['a', 'b']);
  });

  test('finds what relies on an operation completing at once', async () => {
    const outcomes = new Set<string>();
    for (const seed of SEEDS) {
      let overtaken = false;
      await fuzzSchedule(seed, async () => {
        let turned = false;
        setImmediate(() => (turned = true));
        await cancelShieldedCheckpoint();
        overtaken = turned;
      });
      outcomes.add(overtaken ? 'overtaken' : 'first');
    }
    expect([...outcomes].toSorted()).toEqual(['first', 'overtaken']);
  });

  test('does not disturb a correct program: a fair queue stays fair', async () => {
    for (const seed of SEEDS) {
      const served: number[] = [];
      await fuzzSchedule(seed, () =>
        taskGroup(async (tg) => {
          const lot = new ParkingLot();
          for (let i = 0; i < 5; i++) {
            tg.createTask(async () => {
              await sleep(i + 1);
              await lot.park();
              served.push(i);
            });
          }
          await sleep(10);
          while (lot.size > 0) {
            lot.unpark();
            await sleep(1);
          }
        }),
      );
      expect(served).toEqual([0, 1, 2, 3, 4]);
    }
  });

  test('does not disturb a correct program: what is guarded is never in two hands', async () => {
    for (const seed of SEEDS) {
      let inside = 0;
      let total = 0;
      await fuzzSchedule(seed, () => {
        const lot = new ParkingLot();
        let locked = false;
        const work = async (): Promise<void> => {
          // A lock with hand-over: it stays locked while it goes from one to the next.
          if (locked) await lot.park();
          locked = true;
          expect(++inside).toBe(1);
          await checkpoint();
          await sleep(1);
          inside--;
          total++;
          if (lot.unpark() === 0) locked = false;
        };
        return taskGroup((tg) => {
          for (let i = 0; i < 6; i++) tg.startSoon(work);
        });
      });
      expect(total).toBe(6);
    }
  });

  test('runs in virtual time, which is exact under every seed', async () => {
    for (const seed of SEEDS) {
      await fuzzSchedule(seed, async () => {
        await taskGroup((tg) => {
          for (const ms of [30, 10, 20]) {
            tg.startSoon(async () => {
              await sleep(ms);
              expect(currentTime()).toBe(ms);
            });
          }
        });
        await sleep(86_400_000);
      });
    }
  });

  test('names the seed when the program fails, and keeps the error as the cause', async () => {
    const error = new RangeError('out of tea');
    const failed = fuzzSchedule(42, () => Promise.reject(error));
    await expect(failed).rejects.toThrow('fuzzSchedule() with seed 42: out of tea');
    await expect(failed).rejects.toMatchObject({ cause: error });
    const reason: unknown = 'a string';
    await expect(
      fuzzSchedule(43, () => {
        throw reason;
      }),
    ).rejects.toMatchObject({ message: 'fuzzSchedule() with seed 43: a string', cause: 'a string' });
  });

  test('fails on a deadlock', async () => {
    const stuck = fuzzSchedule(1, () => sleepForever());
    await expect(stuck).rejects.toThrow(/seed 1: deadlock.*sleepForever/s);
    await expect(stuck).rejects.toMatchObject({ cause: expect.any(InvalidStateError) });
  });

  test('leaves nothing behind: afterwards operations complete at once again', async () => {
    await fuzzSchedule(1, () => checkpoint());
    await expect(fuzzSchedule(1, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    // What is left of this turn's budget may be nothing.
    await sleep(0);
    let turned = false;
    setImmediate(() => (turned = true));
    for (let i = 0; i < 10; i++) await checkpoint();
    expect(turned).toBe(false);
  });

  test.each([
    [-1, RangeError, /seed must be at least 0/],
    [Number.NaN, RangeError, /seed must be at least 0/],
    [0.5, TypeError, /seed must be a whole number/],
    [Infinity, TypeError, /seed must be a whole number/],
    ['1', TypeError, /seed must be a whole number/],
    [undefined, TypeError, /seed must be a whole number/],
  ])('refuses the seed %o', async (seed, type, message) => {
    await expect(fuzzSchedule(seed as never, () => {})).rejects.toThrow(type);
    await expect(fuzzSchedule(seed as never, () => {})).rejects.toThrow(message);
  });

  test.each([undefined, null, 'main', Promise.resolve()])('refuses the program %o', async (main) => {
    await expect(fuzzSchedule(1, main as never)).rejects.toThrow(TypeError);
    await expect(fuzzSchedule(1, main as never)).rejects.toThrow(/main must be a function/);
  });
});
