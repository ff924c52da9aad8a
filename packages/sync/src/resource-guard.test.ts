import { BusyResourceError, moveOnAfter, sleep, taskGroup } from '@taskscope/core';
import { cancelEverywhere, fuzzSchedule, virtualTime } from '@taskscope/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { ResourceGuard } from './index.js';
import { errorOf } from '../../core/src/observing.fixture.js';

describe('a resource guard', () => {
  test('lets one in at a time, and says what is being done', () => {
    const guard = new ResourceGuard('reading from');
    const inside = guard.enter();
    expect(guard.statistics()).toEqual({ inUse: true });
    expect(() => guard.enter()).toThrow(BusyResourceError);
    expect(() => guard.enter()).toThrow('another task is already reading from this resource');
    inside[Symbol.dispose]();
    expect(guard.statistics()).toEqual({ inUse: false });
    guard.enter()[Symbol.dispose]();
  });

  test('speaks of using by default', () => {
    const guard = new ResourceGuard();
    guard.enter();
    expect(() => guard.enter()).toThrow('another task is already using this resource');
  });

  test('is left by using, also when the block throws', () => {
    const guard = new ResourceGuard();
    expect(() => {
      using _inside = guard.enter();
      throw new Error('no');
    }).toThrow('no');
    expect(guard.statistics().inUse).toBe(false);
  });

  test('that was left twice is not opened for somebody who came in between', () => {
    const guard = new ResourceGuard();
    const first = guard.enter();
    first[Symbol.dispose]();
    guard.enter();
    first[Symbol.dispose]();
    expect(guard.statistics().inUse).toBe(true);
    expect(() => guard.enter()).toThrow(BusyResourceError);
  });

  test(
    'run() calls its function while inside, and passes on what it returns and throws',
    virtualTime(async () => {
      const guard = new ResourceGuard();
      expect(await guard.run(() => guard.statistics().inUse)).toBe(true);
      expect(guard.statistics().inUse).toBe(false);
      const error = new Error('no');
      const throwing = (): never => {
        throw error;
      };
      expect(await errorOf(guard.run(throwing))).toBe(error);
      expect(await errorOf(guard.run(() => Promise.reject(error)))).toBe(error);
      expect(guard.statistics().inUse).toBe(false);
    }),
  );

  test(
    'run() in two tasks at the same time is reported to the second, and does not call its function',
    virtualTime(async () => {
      const guard = new ResourceGuard('sending to');
      const sent: string[] = [];
      const send = (what: string): Promise<void> =>
        guard.run(async () => {
          await sleep(1);
          sent.push(what);
        });
      await taskGroup(async (tg) => {
        tg.startSoon(send, 'first');
        await sleep(0);
        expect(await errorOf(send('second'))).toBeInstanceOf(BusyResourceError);
      });
      await send('third');
      expect(sent).toEqual(['first', 'third']);
    }),
  );

  test(
    'run() that is cancelled leaves it',
    virtualTime(async () => {
      const guard = new ResourceGuard();
      await moveOnAfter(1, () => guard.run(() => sleep(2)));
      expect(guard.statistics().inUse).toBe(false);
    }),
  );

  test('bad input is refused', async () => {
    expect(() => new ResourceGuard(42 as never)).toThrow(
      new TypeError('new ResourceGuard(): action must be a string, got 42'),
    );
    const guard = new ResourceGuard();
    const error = await errorOf(guard.run(Promise.resolve() as never));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain('ResourceGuard.run(): fn must be a function, got a Promise');
    expect(guard.statistics().inUse).toBe(false);
  });
});

describe('nothing is lost', () => {
  const use = async (guard: ResourceGuard, at: number): Promise<boolean> => {
    await sleep(at);
    try {
      await guard.run(() => sleep(3));
      return true;
    } catch (error) {
      if (!(error instanceof BusyResourceError)) throw error;
      return false;
    }
  };

  test('whoever is cancelled at whatever step', async () => {
    const { waits } = await cancelEverywhere(() => {
      const guard = new ResourceGuard();
      return {
        tasks: [0, 1, 4, 9].map((at) => () => use(guard, at)),
        check: () => expect(guard.statistics().inUse).toBe(false),
      };
    });
    expect(waits).toBeGreaterThanOrEqual(7);
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed))('under the schedule of seed %i', (seed) =>
    fuzzSchedule(seed, async () => {
      const guard = new ResourceGuard();
      const results = await taskGroup((tg) => [0, 1, 4, 9].map((at) => tg.startSoon(use, guard, at)));
      expect(results!.map((handle) => handle.returnValue)).toEqual([true, false, true, true]);
      expect(guard.statistics().inUse).toBe(false);
    }),
  );
});

test('against a model: at any time there is at most one user, whoever enters and leaves in whatever order', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('enter' as const), fc.nat(5))), (steps) => {
      const guard = new ResourceGuard();
      const entered: Disposable[] = [];
      let user: Disposable | undefined;
      for (const step of steps) {
        if (step !== 'enter') {
          const leaving = entered[step];
          leaving?.[Symbol.dispose]();
          if (leaving === user) user = undefined;
        } else if (user !== undefined) {
          expect(() => guard.enter()).toThrow(BusyResourceError);
        } else {
          user = guard.enter();
          entered.push(user);
        }
        expect(guard.statistics()).toEqual({ inUse: user !== undefined });
      }
    }),
  );
});
