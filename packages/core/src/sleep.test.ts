import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { MockClock, virtualTime } from '@taskscope/testing';

import {
  Cancelled,
  CancelScope,
  checkpoint,
  currentTime,
  moveOnAfter,
  run,
  shield,
  sleep,
  sleepForever,
  sleepUntil,
  taskGroup,
} from './index.js';
import { errorOf, HandClock, listeners, timers, turns } from './observing.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';

describe('sleep', () => {
  test(
    'waits as long as it is told',
    virtualTime(async () => {
      await sleep(250);
      expect(currentTime()).toBe(250);
      await sleep(0.5);
      expect(currentTime()).toBe(250.5);
    }),
  );

  test(
    'of several, each ends at its own time, and those of the same time in the order in which they began',
    inPlainOrder('those who are woken together go on in their order', async () => {
      const order: string[] = [];
      await taskGroup((tg) => {
        for (const [name, ms] of [
          ['c', 30],
          ['a', 10],
          ['b1', 20],
          ['b2', 20],
          ['b3', 20],
        ] as const) {
          tg.startSoon(async () => {
            await sleep(ms);
            order.push(`${name} at ${currentTime()}`);
          });
        }
      });
      expect(order).toEqual(['a at 10', 'b1 at 20', 'b2 at 20', 'b3 at 20', 'c at 30']);
    }),
  );

  test.each([0, -1, -Infinity])('of %d ms lets the event loop turn once', async (ms) => {
    let turned = false;
    await virtualTime(async () => {
      await turns(1); // so that what follows begins after the phase in which setImmediate is served
      setImmediate(() => (turned = true));
      await sleep(ms);
      expect(turned).toBe(true);
      expect(currentTime()).toBe(0);
    })();
  });

  test('of 0 ms asks nothing of the clock', async () => {
    const clock = new HandClock();
    await run(
      async () => {
        await sleep(0);
        await sleepUntil(clock.now());
        expect(clock.scheduled).toBe(0);
      },
      { clock },
    );
  });

  test(
    'of 0 ms can be cancelled before the loop has turned',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(async () => {
        const sleeping = sleep(0);
        scope.cancel();
        await expect(sleeping).rejects.toBeInstanceOf(Cancelled);
        await turns(2); // its turn comes, and nothing happens
      });
    }),
  );

  test(
    'of Infinity waits until it is cancelled',
    virtualTime(async () => {
      expect(await moveOnAfter(1e12, () => sleep(Infinity))).toBeUndefined();
      expect(currentTime()).toBe(1e12);
    }),
  );

  test('has its time counted from the call, not from the await', async () => {
    const clock = new HandClock();
    await run(
      async () => {
        const sleeping = sleep(10);
        clock.moveTo(9);
        let isOver = false;
        void sleeping.then(() => (isOver = true));
        await turns(1);
        expect(isOver).toBe(false);
        clock.moveTo(10);
        await sleeping;
      },
      { clock },
    );
  });

  test('cancelled, it leaves no timer of the platform behind', async () => {
    const before = timers();
    const controller = new AbortController();
    const sleeping = sleep(3_600_000, { signal: controller.signal });
    expect(timers()).toBe(before + 1);
    controller.abort('enough');
    expect(timers()).toBe(before);
    await expect(sleeping).rejects.toBe('enough');
  });

  test('longer than the timers of the platform can do, it does not end at once', async () => {
    const controller = new AbortController();
    let isOver = false;
    const sleeping = sleep(2 ** 31 + 1, { signal: controller.signal }).then(() => (isOver = true));
    // Real time: a timer that overflowed would fire within a millisecond.
    await delay(20);
    expect(isOver).toBe(false);
    controller.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
  });

  test('in real time, never ends early', async () => {
    for (const ms of [0.1, 1, 1.5, 3, 7.9]) {
      const before = performance.now();
      await sleep(ms);
      expect(performance.now() - before).toBeGreaterThanOrEqual(ms);
    }
  });

  test(
    'a signal of the scope itself is allowed, and adds nothing',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(async () => {
        await sleep(1, { signal: scope.signal });
        const sleeping = sleep(1, { signal: scope.signal });
        scope.cancel();
        await sleeping;
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(listeners(scope.signal)).toBe(0);
    }),
  );

  test(
    'many sleeps on one signal leave no listener behind',
    virtualTime(async () => {
      const { signal } = new AbortController();
      await taskGroup((tg) => {
        for (let i = 0; i < 5; i++) tg.startSoon(() => sleep(i, { signal }));
      });
      expect(listeners(signal)).toBe(0);
    }),
  );
});

describe('sleepUntil', () => {
  test(
    'waits until the clock has reached its time',
    virtualTime(async () => {
      await sleep(3);
      await sleepUntil(10);
      expect(currentTime()).toBe(10);
    }),
  );

  test(
    'a time that has come lets the event loop turn once',
    virtualTime(async () => {
      await sleep(10);
      await turns(1);
      let turned = false;
      setImmediate(() => (turned = true));
      await sleepUntil(10);
      expect(turned).toBe(true);
      await sleepUntil(3);
      await sleepUntil(-Infinity);
      expect(currentTime()).toBe(10);
    }),
  );

  test(
    'Infinity never comes',
    virtualTime(async () => {
      expect(await moveOnAfter(5, () => sleepUntil(Infinity))).toBeUndefined();
    }),
  );
});

describe('sleepForever', () => {
  test(
    'ends only by being cancelled',
    virtualTime(async () => {
      const scope = new CancelScope();
      const result = await scope.run(() => {
        setImmediate(() => scope.cancel());
        return sleepForever();
      });
      expect(result).toBeUndefined();
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test('takes a foreign signal', async () => {
    const controller = new AbortController();
    const sleeping = sleepForever({ signal: controller.signal });
    expect(listeners(controller.signal)).toBe(1);
    controller.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
    expect(listeners(controller.signal)).toBe(0);
  });

  test('keeps no timer of the platform', async () => {
    const before = timers();
    const scope = new CancelScope();
    const sleeping = sleepForever({ signal: scope.signal });
    expect(timers()).toBe(before);
    scope.cancel();
    await expect(sleeping).rejects.toBeInstanceOf(Cancelled);
  });

  test(
    'swallowing its cancellation does no good: the next one is cancelled as well',
    virtualTime(async () => {
      const scope = new CancelScope();
      let rounds = 0;
      await scope.run(async () => {
        setImmediate(() => scope.cancel());
        for (; rounds < 3; rounds++) await errorOf(sleepForever());
        await checkpoint();
      });
      expect(rounds).toBe(3);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );
});

describe('currentTime', () => {
  test('is that of the clock of the run', async () => {
    const clock = new MockClock();
    await run(
      async () => {
        expect(currentTime()).toBe(0);
        await clock.advance(3.15);
        expect(currentTime()).toBe(3.15);
        expect(clock.now()).toBe(3.15);
      },
      { clock },
    );
  });

  test('is real time outside of every run, and never goes backwards', () => {
    const first = currentTime();
    const second = currentTime();
    expect(second).toBeGreaterThanOrEqual(first);
    expect(Math.abs(performance.now() - first)).toBeLessThan(1_000);
    while (currentTime() === second);
    expect(currentTime()).toBeGreaterThan(second);
  });

  test('in a run inside of a run, without a clock of its own, is that of the outer one', async () => {
    await run(() => run(() => expect(currentTime()).toBe(0)), { clock: new MockClock() });
  });
});

describe('a run with another clock', () => {
  test(
    'inside of a run, keeps its own time; a deadline around still counts in the outer time',
    virtualTime(async (outer) => {
      const inner = new HandClock();
      const result = await moveOnAfter(5, () =>
        run(
          async () => {
            inner.moveTo(1_000);
            expect(currentTime()).toBe(1_000);
            await shield(() => outer.advance(4));
            expect(currentTime()).toBe(1_000);
            await sleepForever();
          },
          { clock: inner },
        ),
      );
      expect(result).toBeUndefined();
      expect(currentTime()).toBe(5);
    }),
  );
});

describe('wrong arguments', () => {
  type Called = (...args: unknown[]) => Promise<unknown>;

  test.each([
    [sleep, 'sleep(): ms'],
    [sleepUntil, 'sleepUntil(): deadline'],
  ] as const)('%o rejects a time that is none', async (fn, argument) => {
    const call = fn as unknown as Called;
    for (const [given, type, message] of [
      [undefined, TypeError, 'must be a number of milliseconds, got undefined'],
      [null, TypeError, 'must be a number of milliseconds, got null'],
      ['5', TypeError, 'must be a number of milliseconds, got "5"'],
      [new Date(0), TypeError, 'must be a number of milliseconds, got an object'],
      [Number.NaN, RangeError, 'must be a number of milliseconds, got NaN'],
    ] as const) {
      const error = await errorOf(call(given));
      expect(error).toBeInstanceOf(type);
      expect((error as Error).message).toBe(`${argument} ${message}`);
    }
  });

  test('of all of them, options that are none', async () => {
    for (const [name, call] of [
      ['sleep()', (options: unknown) => sleep(1, options as never)],
      ['sleep()', (options: unknown) => sleep(0, options as never)],
      ['sleepUntil()', (options: unknown) => sleepUntil(1, options as never)],
      ['sleepForever()', (options: unknown) => sleepForever(options as never)],
    ] as const) {
      await expect(call(null)).rejects.toThrow(new TypeError(`${name}: options must be an object, got null`));
      await expect(call(5)).rejects.toThrow(new TypeError(`${name}: options must be an object, got 5`));
      await expect(call({ signal: {} })).rejects.toThrow(
        new TypeError(`${name}: options.signal must be an AbortSignal, got an object`),
      );
      await expect(call({ signal: null })).rejects.toThrow(
        new TypeError(`${name}: options.signal must be an AbortSignal, got null`),
      );
    }
  });
});
