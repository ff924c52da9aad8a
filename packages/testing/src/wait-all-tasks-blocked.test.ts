import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  Cancelled,
  CancelScope,
  checkpoint,
  isCancelled,
  run,
  sleep,
  sleepForever,
  taskGroup,
} from '@taskscope/core';
import { inNextTurn, ParkingLot } from '@taskscope/core/lowlevel';
import { describe, expect, test } from 'vitest';

import { MockClock, waitAllTasksBlocked } from './index.js';

describe('waitAllTasksBlocked()', () => {
  test('waits until a busy task has ended, also for several who wait', async () => {
    const record: string[] = [];
    await taskGroup((tg) => {
      tg.startSoon(async () => {
        for (let i = 0; i < 10; i++) {
          await checkpoint();
          await sleep(0);
        }
        record.push('busy bee exhausted');
      });
      for (let i = 0; i < 2; i++) {
        tg.startSoon(async () => {
          await waitAllTasksBlocked();
          record.push('quiet at last');
        });
      }
    });
    expect(record).toEqual(['busy bee exhausted', 'quiet at last', 'quiet at last']);
  });

  test('waits until tasks that are about to begin have begun', async () => {
    await taskGroup(async (tg) => {
      const lot = new ParkingLot();
      for (let i = 0; i < 3; i++)
        tg.startSoon(() => taskGroup((inner) => void inner.startSoon(() => lot.park())));
      await waitAllTasksBlocked();
      expect(lot.size).toBe(3);
      lot.unparkAll();
    });
  });

  test('waits for hand-overs from one to the next', async () => {
    await taskGroup(async (tg) => {
      const lots = Array.from({ length: 20 }, () => new ParkingLot());
      let arrived = 0;
      for (const [i, lot] of lots.entries()) {
        tg.startSoon(async () => {
          await lot.park();
          arrived++;
          lots[i + 1]?.unpark();
        });
      }
      await waitAllTasksBlocked();
      expect(arrived).toBe(0);
      lots[0]!.unpark();
      await waitAllTasksBlocked();
      expect(arrived).toBe(20);
    });
  });

  test('does not wait for time to pass, nor for the world outside', async () => {
    await taskGroup(async (tg) => {
      tg.startSoon(() => sleep(60_000));
      tg.startSoon(() => new Promise<void>((resolve) => void setTimeout(resolve, 20)));
      let slept = false;
      tg.startSoon(() => sleep(60_000).then(() => (slept = true)));
      await waitAllTasksBlocked();
      expect(slept).toBe(false);
      tg.cancel();
    });
  });

  test('with timeouts: what is due has happened when it resolves', async () => {
    const clock = new MockClock();
    const record: string[] = [];
    await run(
      () =>
        taskGroup(async (tg) => {
          tg.startSoon(async () => {
            record.push('begun');
            await sleep(5);
            record.push('slept');
          });
          await waitAllTasksBlocked();
          expect(record).toEqual(['begun']);
          await clock.advance(10);
          await waitAllTasksBlocked();
          expect(record).toEqual(['begun', 'slept']);
        }),
      { clock },
    );
  });

  test('with a cushion: everyone must have waited for that long in real time', async () => {
    const record: string[] = [];
    let wokeWithout = (): void => {};
    const someoneWoke = new Promise<void>((resolve) => (wokeWithout = resolve));
    await taskGroup((tg) => {
      tg.startSoon(async () => {
        record.push('begun');
        await someoneWoke;
        // Something happens in every turn, for longer than the longest cushion. That takes real time, as cushions do.
        const until = performance.now() + 40;
        while (performance.now() < until) await sleep(0);
        record.push('ended');
      });
      const wait = async (name: string, cushion?: number): Promise<void> => {
        await waitAllTasksBlocked(cushion);
        record.push(name);
      };
      tg.startSoon(wait, 'big', 30);
      tg.startSoon(wait, 'small', 20);
      tg.startSoon(wait, 'small', 20);
      tg.startSoon(async () => {
        await wait('none');
        wokeWithout();
      });
    });
    expect(record).toEqual(['begun', 'none', 'ended', 'small', 'small', 'big']);
  });

  test('lasts for the cushion', async () => {
    const before = performance.now();
    await waitAllTasksBlocked(10);
    expect(performance.now() - before).toBeGreaterThanOrEqual(10);
  });

  test('rejects when the scope is cancelled before or during, and leaves nothing behind', async () => {
    const scope = new CancelScope();
    scope.cancel();
    await scope.run(() => expect(waitAllTasksBlocked()).rejects.toBeInstanceOf(Cancelled));

    const record: boolean[] = [];
    await taskGroup((tg) => {
      tg.startSoon(async () => {
        try {
          await waitAllTasksBlocked(60_000);
        } catch (error) {
          record.push(isCancelled(error));
          throw error;
        }
      });
      setImmediate(() => tg.cancel());
    });
    expect(record).toEqual([true]);
  });

  test('is over at once when it is cancelled afterwards', async () => {
    const scope = new CancelScope();
    await scope.run(async () => {
      await waitAllTasksBlocked();
      scope.cancel();
    });
    expect(scope.cancelledCaught).toBe(false);
  });

  test('works outside of every run, with nobody else there', async () => {
    await waitAllTasksBlocked();
  });

  test('does not take looking on for something that happens', async () => {
    let turns = 0;
    let stop = false;
    const look = (): void => {
      turns++;
      if (!stop) inNextTurn(look);
    };
    inNextTurn(look);
    await waitAllTasksBlocked();
    stop = true;
    await nextTurn();
    expect(turns).toBeGreaterThan(0);
  });

  test('is no deadlock under autojump, and comes before a jump', async () => {
    const record: string[] = [];
    await run(
      () =>
        taskGroup((tg) => {
          tg.startSoon(async () => {
            await sleep(100);
            record.push('yawn');
          });
          tg.startSoon(async () => {
            await waitAllTasksBlocked();
            record.push('waiter woke');
            await sleep(1_000);
            record.push('waiter done');
          });
        }),
      { clock: new MockClock({ autojump: true }) },
    );
    expect(record).toEqual(['waiter woke', 'yawn', 'waiter done']);
  });

  test('with a cushion comes before a jump as well, though the clock has none', async () => {
    const record: string[] = [];
    await run(
      () =>
        taskGroup((tg) => {
          tg.startSoon(async () => {
            await sleep(100);
            record.push('yawn');
          });
          tg.startSoon(async () => {
            await waitAllTasksBlocked(20);
            record.push('waiter done');
          });
        }),
      { clock: new MockClock({ autojump: 0 }) },
    );
    expect(record).toEqual(['waiter done', 'yawn']);
  });

  test('with a cushion that is shorter than that of the clock comes before a jump', async () => {
    const clock = new MockClock({ autojump: 40 });
    await run(
      () =>
        taskGroup(async (tg) => {
          const sleeper = tg.startSoon(() => sleep(100_000));
          await waitAllTasksBlocked();
          expect(clock.now()).toBe(0);
          await waitAllTasksBlocked(20);
          expect(clock.now()).toBe(0);
          await sleeper.wait();
          expect(clock.now()).toBe(100_000);
        }),
      { clock },
    );
  });

  test.each([
    [-1, RangeError, /at least 0, got -1/],
    [Number.NaN, RangeError, /got NaN/],
    [Infinity, RangeError, /finite/],
    ['1', TypeError, /number of milliseconds, got "1"/],
    [null, TypeError, /number of milliseconds/],
    [{}, TypeError, /number of milliseconds/],
  ])('refuses the cushion %o', async (cushion, type, message) => {
    await expect(waitAllTasksBlocked(cushion as never)).rejects.toThrow(type);
    await expect(waitAllTasksBlocked(cushion as never)).rejects.toThrow(message);
  });

  test('is not disturbed by a task that sleeps forever', async () => {
    await taskGroup(async (tg) => {
      tg.startSoon(() => sleepForever());
      await waitAllTasksBlocked();
      tg.cancel();
    });
  });
});
