import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import {
  abandonOnCancel,
  all,
  Cancelled,
  CancelScope,
  checkpoint,
  currentEffectiveDeadline,
  currentTime,
  failAfter,
  InvalidStateError,
  moveOnAfter,
  run,
  sleep,
  sleepForever,
  sleepUntil,
  taskGroup,
  TimeoutError,
  withSignal,
} from '@taskscope/core';
import { ParkingLot, suspend } from '@taskscope/core/lowlevel';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { MockClock, waitAllTasksBlocked } from './index.js';

const HOUR = 3_600_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/** A real clock that is moved by hand. */
function stoppedRealTime(): { advance(ms: number): void } {
  let real = 1_000;
  vi.spyOn(performance, 'now').mockImplementation(() => real);
  return { advance: (ms) => void (real += ms) };
}

describe('a MockClock', () => {
  test('begins at 0 and stands still', async () => {
    const clock = new MockClock();
    expect(clock.now()).toBe(0);
    await delay(2);
    expect(clock.now()).toBe(0);
  });

  test('is the time of its run only, and is passed on to runs inside', async () => {
    const clock = new MockClock();
    await clock.advance(5);
    expect(currentTime()).toBeGreaterThan(5);
    await run(
      async () => {
        expect(currentTime()).toBe(5);
        await run(() => expect(currentTime()).toBe(5));
        await run(() => expect(currentTime()).toBe(0), { clock: new MockClock() });
        await moveOnAfter(10, () => expect(currentEffectiveDeadline()).toBe(15));
      },
      { clock },
    );
    expect(currentTime()).toBeGreaterThan(5);
  });

  test('that is made changes nothing by being made', async () => {
    void new MockClock({ rate: 3, autojump: 2 });
    const before = performance.now();
    expect(currentTime()).toBeGreaterThanOrEqual(before);
    // Real time still passes, and nobody jumps over it.
    await sleep(2);
    expect(performance.now() - before).toBeGreaterThanOrEqual(2);
  });

  test('of one run does not mind the cushion of another that is not in use', async () => {
    const clock = new MockClock({ autojump: 20 });
    void new MockClock({ autojump: 1 });
    await run(
      async () => {
        await waitAllTasksBlocked(5);
        expect(clock.now()).toBe(0);
        await sleep(HOUR);
        expect(clock.now()).toBe(HOUR);
      },
      { clock },
    );
  });
});

describe('advance()', () => {
  test('moves the time on', async () => {
    const clock = new MockClock();
    await clock.advance(1.5);
    expect(clock.now()).toBe(1.5);
    await clock.advance(0);
    expect(clock.now()).toBe(1.5);
    await clock.advance(2 ** 40);
    expect(clock.now()).toBe(1.5 + 2 ** 40);
  });

  test('wakes those whose time has come, and nobody else', async () => {
    const clock = new MockClock();
    await run(
      () =>
        taskGroup(async (tg) => {
          const [early, late] = [tg.startSoon(() => sleep(10)), tg.startSoon(() => sleep(10.5))];
          await clock.advance(9.9);
          expect([early.status, late.status]).toEqual(['pending', 'pending']);
          await clock.advance(0.1);
          expect([early.status, late.status]).toEqual(['finished', 'pending']);
          await clock.advance(10);
          expect(late.status).toBe('finished');
        }),
      { clock },
    );
  });

  test('fires the deadlines on the way one after another, each at its own time, and lets everyone run in between', async () => {
    const clock = new MockClock();
    const record: string[] = [];
    const note = (what: string): void => void record.push(`${currentTime()} ${what}`);
    await run(
      () =>
        taskGroup(async (tg) => {
          tg.startSoon(async () => {
            await sleep(30);
            note('third');
          });
          tg.startSoon(async () => {
            await sleep(10);
            note('first');
            await sleep(10);
            note('second');
            await sleep(100);
            note('never');
          });
          tg.startSoon(async () => {
            await moveOnAfter(25, () => sleepForever());
            note('timed out');
            // Much is to be done at that time.
            for (let i = 0; i < 5_000; i++) await checkpoint();
            for (let i = 0; i < 5; i++) await sleep(0);
            note('has worked');
          });
          await clock.advance(40);
          note('advanced');
          tg.cancel();
        }),
      { clock },
    );
    expect(record).toEqual([
      '10 first',
      '20 second',
      '25 timed out',
      '25 has worked',
      '30 third',
      '40 advanced',
    ]);
  });

  test('fires what is due at the same time in the order in which it was set', async () => {
    const clock = new MockClock();
    const record: string[] = [];
    await run(
      () =>
        taskGroup(async (tg) => {
          for (const name of ['a', 'b', 'c']) {
            tg.startSoon(async () => {
              await sleep(10);
              record.push(name);
            });
          }
          await clock.advance(10);
        }),
      { clock },
    );
    expect(record).toEqual(['a', 'b', 'c']);
  });

  test('lets those begin who are about to, and fires what they ask for', async () => {
    const clock = new MockClock();
    const times: number[] = [];
    await run(
      () =>
        taskGroup(async (tg) => {
          tg.startSoon(() =>
            taskGroup(
              (inner) =>
                void inner.startSoon(async () => {
                  await checkpoint();
                  await sleep(5);
                  times.push(currentTime());
                }),
            ),
          );
          await clock.advance(10);
        }),
      { clock },
    );
    expect(times).toEqual([5]);
  });

  test('serves every run that has this clock', async () => {
    const clock = new MockClock();
    const times: [string, number][] = [];
    const runs = ['a', 'b'].map((name, i) =>
      run(
        async () => {
          await sleep(10 + i);
          times.push([name, currentTime()]);
        },
        { clock },
      ),
    );
    await clock.advance(20);
    await Promise.all(runs);
    expect(times).toEqual([
      ['a', 10],
      ['b', 11],
    ]);
  });

  test('tells by the time which of a sleep and a deadline came first', async () => {
    const clock = new MockClock();
    await run(
      async () => {
        const slept = moveOnAfter(10, () => sleep(9.999).then(() => 'slept'));
        const cut = moveOnAfter(9.999, () => sleep(10).then(() => 'slept'));
        await clock.advance(100);
        expect(await Promise.all([slept, cut])).toEqual(['slept', undefined]);
      },
      { clock },
    );
  });

  test('cancelled before: rejects, and time stands still', async () => {
    const clock = new MockClock();
    await run(
      async () => {
        const sleeping = sleep(5);
        const scope = new CancelScope();
        scope.cancel();
        await scope.run(() => expect(clock.advance(10)).rejects.toBeInstanceOf(Cancelled));
        expect(clock.now()).toBe(0);
        await clock.advance(5);
        await sleeping;
      },
      { clock },
    );
  });

  test('cancelled during: goes to its end', async () => {
    const clock = new MockClock();
    const scope = new CancelScope();
    await run(
      () =>
        taskGroup(async (tg) => {
          tg.startSoon(async () => {
            await sleep(5);
            scope.cancel();
          });
          const last = tg.startSoon(() => sleep(8));
          await scope.run(() => clock.advance(10));
          expect(clock.now()).toBe(10);
          expect(last.status).toBe('finished');
        }),
      { clock },
    );
    expect(scope.cancelledCaught).toBe(false);
  });

  test('cancelled after: nothing happens to it', async () => {
    const clock = new MockClock();
    const scope = new CancelScope();
    await scope.run(async () => {
      await clock.advance(10);
      scope.cancel();
    });
    expect(clock.now()).toBe(10);
    expect(scope.cancelledCaught).toBe(false);
  });

  test('works where another clock jumps by itself', async () => {
    const clock = new MockClock({ autojump: true });
    await run(
      () =>
        taskGroup(async (tg) => {
          const task = tg.startSoon(() => sleep(HOUR).then(() => currentTime()));
          await clock.advance(10);
          expect(clock.now()).toBe(10);
          await task.wait();
          expect(task.returnValue).toBe(HOUR);
        }),
      { clock },
    );
  });

  test.each([
    [-1, RangeError, /at least 0, got -1/],
    [Number.NaN, RangeError, /got NaN/],
    [Infinity, RangeError, /finite/],
    ['1', TypeError, /number of milliseconds, got "1"/],
    [undefined, TypeError, /number of milliseconds/],
    [null, TypeError, /number of milliseconds/],
  ])('refuses %o, and time stands still', async (ms, type, message) => {
    const clock = new MockClock();
    await expect(clock.advance(ms as never)).rejects.toThrow(type);
    await expect(clock.advance(ms as never)).rejects.toThrow(message);
    expect(clock.now()).toBe(0);
  });
});

describe('rate', () => {
  test('is how many virtual milliseconds pass in a real one', () => {
    const real = stoppedRealTime();
    const [double, half] = [new MockClock({ rate: 2 }), new MockClock({ rate: 0.5 })];
    expect([double.now(), half.now()]).toEqual([0, 0]);
    real.advance(10);
    expect([double.now(), half.now()]).toEqual([20, 5]);
  });

  test('goes on from where the time was moved to', async () => {
    const real = stoppedRealTime();
    const clock = new MockClock({ rate: 2 });
    real.advance(10);
    await clock.advance(100);
    expect(clock.now()).toBe(120);
    real.advance(1);
    expect(clock.now()).toBe(122);
  });

  test('wakes sleepers, in order, without being moved', async () => {
    const clock = new MockClock({ rate: 1_000 });
    const record: number[] = [];
    await run(
      () =>
        all(
          [3_000, 1_000, 2_000].map((ms) => async () => {
            await sleep(ms);
            expect(currentTime()).toBeGreaterThanOrEqual(ms);
            record.push(ms);
          }),
        ),
      { clock },
    );
    expect(record).toEqual([1_000, 2_000, 3_000]);
  });

  test('moves the time of real timers along when the time is moved', async () => {
    // An hour at this rate is an hour. It must not be waited for once the time has been moved to just before it.
    const clock = new MockClock({ rate: 1 });
    await run(
      async () => {
        const sleeping = sleep(HOUR);
        await clock.advance(HOUR - 1);
        await sleeping;
        expect(clock.now()).toBeGreaterThanOrEqual(HOUR);
      },
      { clock },
    );
  });

  test('leaves no real timer when nobody waits for it any more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      await run(
        async () => {
          await moveOnAfter(HOUR, () => {
            expect(vi.getTimerCount()).toBe(1);
          });
          expect(vi.getTimerCount()).toBe(0);
        },
        { clock: new MockClock({ rate: 1 }) },
      );
    } finally {
      vi.useRealTimers();
    }
  });

  test('may make a real time that is longer than timers can be', async () => {
    const warnings: string[] = [];
    const note = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', note);
    try {
      await run(
        async () => {
          const scope = new CancelScope();
          const sleeping = scope.run(() => sleep(HOUR));
          await delay(5);
          scope.cancel();
          await sleeping;
        },
        { clock: new MockClock({ rate: 0.000_001 }) },
      );
      await nextTurn();
    } finally {
      process.off('warning', note);
    }
    expect(warnings).toEqual([]);
  });

  test('together with autojump, does not wait where it can jump', async () => {
    const clock = new MockClock({ rate: 1, autojump: true });
    await run(
      async () => {
        await sleep(HOUR);
        expect(clock.now()).toBeGreaterThanOrEqual(HOUR);
      },
      { clock },
    );
  });
});

describe('autojump', () => {
  test('goes to the next deadline whenever everyone waits', async () => {
    const clock = new MockClock({ autojump: true });
    await run(
      async () => {
        for (let i = 0; i < 10; i++) {
          const before = currentTime();
          await sleep(10_000 * i);
          expect(currentTime()).toBe(before + 10_000 * i);
        }
        await sleepUntil(HOUR);
        expect(currentTime()).toBe(HOUR);
      },
      { clock },
    );
    expect(clock.now()).toBe(HOUR);
  });

  test('stops at each of several deadlines', async () => {
    const times: number[] = [];
    await run(
      () =>
        all(
          [30, 10, 20, 10].map((ms) => async () => {
            await sleep(ms);
            times.push(currentTime());
            await moveOnAfter(ms, () => sleepForever());
            times.push(currentTime());
          }),
        ),
      { clock: new MockClock({ autojump: true }) },
    );
    expect(times).toEqual([10, 10, 20, 20, 20, 30, 40, 60]);
  });

  test('as a number, is for how many real milliseconds everyone must have waited', async () => {
    const clock = new MockClock({ autojump: 15 });
    const began = performance.now();
    await run(
      async () => {
        await waitAllTasksBlocked();
        expect(clock.now()).toBe(0);
        await sleep(HOUR);
      },
      { clock },
    );
    expect(clock.now()).toBe(HOUR);
    expect(performance.now() - began).toBeGreaterThanOrEqual(15);
  });

  test('as a number, does not jump while real I/O comes in time', async () => {
    // The cushion is much longer than the real wait, whatever else the machine does.
    const clock = new MockClock({ autojump: 5_000 });
    await run(
      () =>
        taskGroup(async (tg) => {
          tg.startSoon(() => sleep(HOUR));
          await withSignal((signal) => delay(5, undefined, { signal }));
          expect(clock.now()).toBe(0);
          tg.cancel();
        }),
      { clock },
    );
  });

  test('does not jump while somebody is at work', async () => {
    const clock = new MockClock({ autojump: true });
    await run(
      () =>
        taskGroup(async (tg) => {
          tg.startSoon(() => sleep(HOUR));
          for (let i = 0; i < 100; i++) await sleep(0);
          for (let i = 0; i < 10_000; i++) await checkpoint();
          expect(clock.now()).toBe(0);
          tg.cancel();
        }),
      { clock },
    );
    expect(clock.now()).toBe(0);
  });

  test('ends with the run', async () => {
    const clock = new MockClock({ autojump: true });
    await run(() => sleep(10), { clock });
    let floating: Promise<void> | undefined;
    await run(() => void (floating = sleep(10)), { clock });
    for (let i = 0; i < 20; i++) await nextTurn();
    expect(clock.now()).toBe(10);
    await clock.advance(10);
    await floating;
  });
});

describe('a deadlock under autojump', () => {
  const deadlocked = (main: () => unknown): Promise<unknown> =>
    run(main, { clock: new MockClock({ autojump: true }), name: 'program' }).catch((error: unknown) => error);

  test('fails the run although the program takes its cancellation for something else, and finishes', async () => {
    const error = await deadlocked(() => sleepForever().catch(() => 'finished'));
    expect(error).toBeInstanceOf(InvalidStateError);
    expect((error as Error).message).toMatch(/^deadlock: /);
  });

  test('fails the run at once, and shows the task tree', async () => {
    const lot = new ParkingLot();
    const error = await deadlocked(() =>
      taskGroup(
        (tg) => {
          tg.createTask(() => lot.park({ label: 'the answer' }), { name: 'asker' });
          tg.createTask(() => sleepForever(), { name: 'answerer' });
        },
        { name: 'conversation' },
      ),
    );
    expect(error).toBeInstanceOf(InvalidStateError);
    const { message } = error as Error;
    expect(message).toMatch(/^deadlock: every task waits for another, and no deadline is left/);
    expect(message).toMatch(/run "program"/);
    expect(message).toMatch(/group "conversation", waits for its tasks/);
    expect(message).toMatch(/task "asker" \(task \d+\), waits for the answer/);
    expect(message).toMatch(/task "answerer" \(task \d+\), waits for sleepForever/);
    expect(lot.size).toBe(0);
  });

  test('is noticed after the last deadline', async () => {
    const clock = new MockClock({ autojump: true });
    const stuck = run(
      async () => {
        await sleep(HOUR);
        await moveOnAfter(10, () => sleepForever());
        await sleepForever();
      },
      { clock },
    );
    await expect(stuck).rejects.toBeInstanceOf(InvalidStateError);
    expect(clock.now()).toBe(HOUR + 10);
  });

  test('is one also for tasks that wait for each other’s end, and for one that is being started', async () => {
    const error = await deadlocked(() =>
      taskGroup(async (tg) => {
        const first = tg.startSoon(() => sleepForever());
        tg.startSoon(() => first.wait());
        await tg.start(() => sleepForever());
      }),
    );
    expect(error).toBeInstanceOf(InvalidStateError);
  });

  test('lets everyone clean up, in virtual time', async () => {
    let cleaned = false;
    const error = await deadlocked(async () => {
      try {
        await sleepForever();
      } finally {
        await new CancelScope({ shield: true }).run(() => sleep(HOUR));
        cleaned = true;
      }
    });
    expect(error).toBeInstanceOf(InvalidStateError);
    expect(cleaned).toBe(true);
  });

  test('wins over what a task throws because it was cancelled, but a real error is not hidden', async () => {
    const error = await deadlocked(async () => {
      try {
        await sleepForever();
      } finally {
        await checkpoint();
      }
    });
    expect(error).toBeInstanceOf(InvalidStateError);
    const real = new Error('while cleaning up');
    expect(
      await deadlocked(() =>
        sleepForever().finally(() => {
          throw real;
        }),
      ),
    ).toBe(real);
  });

  test('is none without autojump', async () => {
    const scope = new CancelScope();
    await run(
      async () => {
        const stuck = scope.run(() => sleepForever());
        await waitAllTasksBlocked();
        scope.cancel();
        await stuck;
      },
      { clock: new MockClock() },
    );
    expect(scope.cancelledCaught).toBe(true);
  });

  test.each<[string, (answer: Promise<string>) => Promise<string>]>([
    ['withSignal()', (answer) => withSignal(() => answer)],
    ['abandonOnCancel()', (answer) => abandonOnCancel(answer)],
    [
      'suspend() with `foreign`',
      (answer) =>
        suspend<string>((resolve, reject) => (answer.then(resolve, reject), () => {}), { foreign: true }),
    ],
    ['a bare promise', (answer) => answer],
  ])('is none while %s waits for something outside', async (_name, wait) => {
    const result = await run(
      () =>
        all([
          () => wait(delay(20, 'answer')),
          async () => {
            await moveOnAfter(10, () => sleepForever());
          },
        ]),
      { clock: new MockClock({ autojump: true }) },
    );
    expect(result[0]).toBe('answer');
  });

  test('is noticed when what was outside has ended', async () => {
    const error = await deadlocked(async () => {
      await withSignal(() => delay(5));
      await moveOnAfter(5, () => abandonOnCancel(new Promise(() => {}))).catch(() => {});
      await abandonOnCancel(delay(5));
      await sleepForever();
    });
    expect(error).toBeInstanceOf(InvalidStateError);
  });

  test.each<[string, { clock?: MockClock }]>([
    ['on the same clock', { clock: new MockClock({ autojump: true }) }],
    ['in real time', {}],
  ])('is none in a run that somebody in a run around it %s may wake', async (_name, options) => {
    const lot = new ParkingLot();
    const result = run(
      () =>
        all([
          () => run(() => lot.park(), { clock: options.clock ?? new MockClock({ autojump: true }) }),
          async () => {
            await withSignal(() => delay(20));
            if (options.clock === undefined) await sleep(20);
            lot.unpark();
            return 'woken';
          },
        ]),
      options,
    );
    expect(await result).toEqual([undefined, 'woken']);
  });

  test('of one run is not that of another', async () => {
    const clock = new MockClock({ autojump: true });
    const lot = new ParkingLot();
    const [waits, works, other] = await Promise.allSettled([
      run(() => lot.park(), { clock, name: 'waits' }),
      run(() => withSignal(() => delay(10, 'worked')), { clock, name: 'works' }),
      run(() => failAfter(HOUR, () => sleepForever()), { clock: new MockClock({ autojump: true }) }),
    ]);
    expect(waits).toMatchObject({ status: 'rejected', reason: expect.any(InvalidStateError) });
    expect(works).toEqual({ status: 'fulfilled', value: 'worked' });
    expect(other).toMatchObject({ status: 'rejected', reason: expect.any(TimeoutError) });
  });
});

describe('new MockClock() refuses', () => {
  test.each([
    [{ rate: -1 }, RangeError, /options\.rate must be a finite number of at least 0, got -1/],
    [{ rate: Number.NaN }, RangeError, /options\.rate/],
    [{ rate: Infinity }, RangeError, /options\.rate/],
    [{ rate: '2' }, TypeError, /options\.rate must be a number/],
    [{ rate: null }, TypeError, /options\.rate/],
    [{ autojump: -1 }, RangeError, /options\.autojump/],
    [{ autojump: Number.NaN }, RangeError, /options\.autojump/],
    [{ autojump: 'yes' }, TypeError, /options\.autojump must be/],
    [{ autojump: null }, TypeError, /options\.autojump/],
    [null, TypeError, /options must be an object/],
    [1, TypeError, /options must be an object/],
  ])('%o', (options, type, message) => {
    expect(() => new MockClock(options as never)).toThrow(type);
    expect(() => new MockClock(options as never)).toThrow(message);
  });
});
