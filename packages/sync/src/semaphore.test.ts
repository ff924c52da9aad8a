import { checkpoint, InvalidStateError, run, shield, sleep, taskGroup, WouldBlock } from '@taskscope/core';
import {
  cancelEverywhere,
  expectCheckpoint,
  fuzzSchedule,
  virtualTime,
  waitAllTasksBlocked,
} from '@taskscope/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { testCancellation } from './cancellation.fixture.js';
import { Semaphore, type Releaser } from './index.js';
import {
  called,
  checkModel,
  command,
  Operation,
  pendingOperation,
  type Model,
  type Real,
} from './model.fixture.js';
import { errorOf } from '../../core/src/observing.fixture.js';
import { inPlainOrder } from '../../core/src/schedules.fixture.js';

describe('a semaphore', () => {
  test(
    'counts down and up',
    virtualTime(async () => {
      const semaphore = new Semaphore(1);
      expect(semaphore.value).toBe(1);
      expect(semaphore.maxValue).toBe(Infinity);
      semaphore.release();
      expect(semaphore.value).toBe(2);
      semaphore.acquireNowait();
      expect(semaphore.value).toBe(1);
      await expectCheckpoint(() => semaphore.acquire());
      expect(semaphore.value).toBe(0);
      expect(() => semaphore.acquireNowait()).toThrow(WouldBlock);
      expect(semaphore.value).toBe(0);
      semaphore.release();
      expect(semaphore.value).toBe(1);
      expect(semaphore.statistics()).toEqual({ tasksWaiting: 0 });
    }),
  );

  test(
    'is given back by using, and by release() in a finally',
    virtualTime(async () => {
      const semaphore = new Semaphore(2);
      const values: number[] = [];
      const byUsing = async (): Promise<void> => {
        using _one = await semaphore.acquire();
        values.push(semaphore.value);
        await sleep(1);
      };
      const byHand = async (): Promise<void> => {
        await semaphore.acquire();
        try {
          values.push(semaphore.value);
          await sleep(1);
        } finally {
          semaphore.release();
        }
      };
      await taskGroup((tg) => {
        tg.startSoon(byUsing);
        tg.startSoon(byHand);
      });
      expect(values).toEqual([0, 0]);
      expect(semaphore.value).toBe(2);
    }),
  );

  test(
    'lets no more in than it has, first come, first served',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const semaphore = new Semaphore(2);
      const order: number[] = [];
      let [inside, most] = [0, 0];
      await taskGroup((tg) => {
        for (let index = 0; index < 6; index++) {
          tg.startSoon(() =>
            semaphore.run(async () => {
              order.push(index);
              most = Math.max(most, ++inside);
              await sleep(1);
              inside--;
            }),
          );
        }
      });
      expect(order).toEqual([0, 1, 2, 3, 4, 5]);
      expect(most).toBe(2);
      expect(semaphore.value).toBe(2);
    }),
  );

  test(
    'that is released goes straight to the one who has waited longest: nobody snatches it',
    virtualTime(async () => {
      const semaphore = new Semaphore(1);
      const record: string[] = [];
      await taskGroup(async (tg) => {
        semaphore.acquireNowait();
        tg.startSoon(async () => {
          record.push('waits');
          await semaphore.acquire();
          record.push('has it');
        });
        await waitAllTasksBlocked();
        expect(record).toEqual(['waits']);
        semaphore.release();
        expect(semaphore.value).toBe(0);
        expect(() => semaphore.acquireNowait()).toThrow(WouldBlock);
      });
      expect(record).toEqual(['waits', 'has it']);
    }),
  );

  test(
    'is released by whatever task',
    virtualTime(async () => {
      const semaphore = new Semaphore(0);
      await taskGroup(async (tg) => {
        tg.startSoon(() => semaphore.release());
        await semaphore.acquire();
      });
      expect(semaphore.value).toBe(0);
    }),
  );

  test('with a maximum refuses to be released beyond it', () => {
    const semaphore = new Semaphore(1, { maxValue: 2 });
    expect(semaphore.maxValue).toBe(2);
    semaphore.release();
    expect(() => semaphore.release()).toThrow(
      new InvalidStateError(
        'Semaphore.release(): the value is 2, its maximum: it was released more often than acquired',
      ),
    );
    expect(semaphore.value).toBe(2);
    semaphore.acquireNowait();
    semaphore.release();
    expect(semaphore.value).toBe(2);
    expect(new Semaphore(0).maxValue).toBe(Infinity);
    expect(new Semaphore(0, { maxValue: undefined }).maxValue).toBe(Infinity);
  });

  test(
    'with a maximum hands over to those who wait all the same',
    virtualTime(async () => {
      const semaphore = new Semaphore(1, { maxValue: 1 });
      await taskGroup(async (tg) => {
        semaphore.acquireNowait();
        tg.startSoon(() => semaphore.acquire());
        await waitAllTasksBlocked();
        semaphore.release();
        expect(semaphore.value).toBe(0);
      });
      semaphore.release();
      expect(() => semaphore.release()).toThrow(InvalidStateError);
    }),
  );

  test('of Infinity never keeps anybody waiting', async () => {
    const semaphore = new Semaphore(Infinity);
    using _first = await semaphore.acquire();
    semaphore.acquireNowait().release();
    expect(semaphore.value).toBe(Infinity);
  });

  test(
    'counts those who wait',
    virtualTime(async () => {
      const semaphore = new Semaphore(1);
      await taskGroup(async (tg) => {
        using _one = await semaphore.acquire();
        expect(semaphore.statistics().tasksWaiting).toBe(0);
        for (const count of [1, 2]) {
          tg.startSoon(() => semaphore.run(() => {}));
          await waitAllTasksBlocked();
          expect(semaphore.statistics().tasksWaiting).toBe(count);
        }
      });
      expect(semaphore.statistics().tasksWaiting).toBe(0);
      expect(semaphore.value).toBe(1);
    }),
  );

  test.each([true, false])(
    'that is released first (%s) or last in a group that was cancelled: who waited does not get it',
    (releaseFirst) =>
      virtualTime(async () => {
        const semaphore = new Semaphore(1);
        let got = false;
        await taskGroup(async (tg) => {
          await semaphore.acquire();
          tg.startSoon(async () => {
            await semaphore.acquire();
            got = true;
          });
          await sleep(1);
          tg.cancel();
          await shield(async () => {
            if (releaseFirst) semaphore.release();
            await waitAllTasksBlocked();
            if (!releaseFirst) semaphore.release();
          });
        });
        expect(got).toBe(false);
        expect(semaphore.value).toBe(1);
      })(),
  );

  test(
    'released right after its waiter was cancelled stays to be had',
    virtualTime(async () => {
      const semaphore = new Semaphore(1, { maxValue: 1 });
      semaphore.acquireNowait();
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => semaphore.acquire());
        await waitAllTasksBlocked();
        task.cancel();
        semaphore.release();
        expect(semaphore.statistics().tasksWaiting).toBe(0);
        await semaphore.acquire();
      });
    }),
  );

  test(
    'run() gives back what it took, whatever becomes of its function, and passes that on',
    virtualTime(async () => {
      const semaphore = new Semaphore(1);
      expect(await semaphore.run(() => semaphore.value)).toBe(0);
      expect(await semaphore.run(() => Promise.resolve('tea'))).toBe('tea');
      const error = new Error('no');
      const throwing = (): never => {
        throw error;
      };
      expect(await errorOf(semaphore.run(throwing))).toBe(error);
      expect(await errorOf(semaphore.run(() => Promise.reject(error)))).toBe(error);
      expect(semaphore.value).toBe(1);
    }),
  );

  test(
    'run() in the branches of a Promise.all()',
    virtualTime(async () => {
      const semaphore = new Semaphore(1);
      const order: string[] = [];
      const branch = (name: string): Promise<void> =>
        semaphore.run(async () => {
          order.push(`${name} in`);
          await sleep(1);
          order.push(`${name} out`);
        });
      await Promise.all([branch('a'), branch('b')]);
      expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
    }),
  );

  test('is made and used outside of run()', async () => {
    const semaphore = new Semaphore(1, { maxValue: 3 });
    expect([semaphore.value, semaphore.maxValue, semaphore.statistics().tasksWaiting]).toEqual([1, 3, 0]);
    using first = await semaphore.acquire();
    const second = semaphore.acquire();
    first.release();
    (await second).release();
    await run(() => semaphore.run(() => {}));
    expect(semaphore.value).toBe(1);
  });

  test('bad input is refused', async () => {
    const make =
      (...args: unknown[]) =>
      () =>
        new Semaphore(...(args as [number]));
    for (const value of [1.5, '1', undefined, null]) expect(make(value)).toThrow(TypeError);
    for (const value of [-1, NaN, -Infinity]) expect(make(value)).toThrow(RangeError);
    expect(make(-1)).toThrow('new Semaphore(): initialValue must be at least 0, got -1');
    expect(make(2, { maxValue: 1 })).toThrow(
      new RangeError('new Semaphore(): options.maxValue must be at least 2, got 1'),
    );
    for (const maxValue of [1.5, '1', null]) expect(make(1, { maxValue })).toThrow(TypeError);
    expect(make(1, { maxValue: NaN })).toThrow(RangeError);
    expect(make(1, null)).toThrow(TypeError);
    const semaphore = new Semaphore(1);
    expect(await errorOf(semaphore.run(Promise.resolve() as never))).toBeInstanceOf(TypeError);
    expect(semaphore.value).toBe(1);
  });
});

testCancellation('Semaphore.acquire()', () => {
  const semaphore = new Semaphore(0);
  return {
    begin: (options) => semaphore.acquire(options),
    satisfy: () => semaphore.release(),
    end: (got) => (got as Releaser | undefined)?.release(),
    waiting: () => semaphore.statistics().tasksWaiting,
    out: () => 1 - semaphore.value,
  };
});

testCancellation('Semaphore.run()', () => {
  const semaphore = new Semaphore(0);
  return {
    begin: (options) => semaphore.run(() => 'tea', options),
    satisfy: () => semaphore.release(),
    end() {},
    value: 'tea',
    waiting: () => semaphore.statistics().tasksWaiting,
    out: () => 1 - semaphore.value,
  };
});

describe('nothing is lost', () => {
  const setUp = (): { semaphore: Semaphore; order: number[]; tasks: (() => Promise<void>)[] } => {
    const semaphore = new Semaphore(2, { maxValue: 2 });
    const order: number[] = [];
    let inside = 0;
    const worker = (index: number) => async (): Promise<void> => {
      await sleep(index);
      for (let round = 0; round < 2; round++) {
        using _one = await semaphore.acquire();
        inside++;
        try {
          expect(inside).toBeLessThanOrEqual(2);
          await sleep(10);
          order.push(index);
        } finally {
          inside--;
        }
      }
    };
    return { semaphore, order, tasks: [0, 1, 2, 3].map(worker) };
  };

  test('whoever is cancelled at whatever step', async () => {
    const { waits } = await cancelEverywhere(() => {
      const { semaphore, order, tasks } = setUp();
      return {
        tasks,
        check(cancelled) {
          expect(semaphore.value).toBe(2);
          expect(semaphore.statistics().tasksWaiting).toBe(0);
          for (const [index, wasCancelled] of cancelled.entries()) {
            const rounds = order.filter((each) => each === index).length;
            if (wasCancelled) expect(rounds).toBeLessThan(2);
            else expect(rounds).toBe(2);
          }
        },
      };
    });
    expect(waits).toBeGreaterThanOrEqual(18);
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed))('under the schedule of seed %i', (seed) =>
    fuzzSchedule(seed, async () => {
      const { semaphore, order, tasks } = setUp();
      await taskGroup((tg) => {
        for (const task of tasks) tg.startSoon(task);
      });
      expect(order.toSorted((a, b) => a - b)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
      expect(semaphore.value).toBe(2);
    }),
  );

  test.each(Array.from({ length: 12 }, (_, seed) => seed))('fair under the schedule of seed %i', (seed) =>
    fuzzSchedule(seed, async () => {
      const semaphore = new Semaphore(1);
      const [came, served]: [string[], string[]] = [[], []];
      await taskGroup((tg) => {
        for (const name of ['a', 'b', 'c']) {
          tg.startSoon(async () => {
            for (let round = 0; round < 5; round++) {
              came.push(name);
              await semaphore.run(() => {
                served.push(name);
                return checkpoint();
              });
            }
          });
        }
      });
      expect(served).toEqual(came);
    }),
  );

  test('whatever happens in whatever order: as the model says', async () => {
    interface SemaphoreModel extends Model {
      value: number;
      readonly maxValue: number;
      readonly queue: number[];
      /** The operations whose Releaser has been used. */
      readonly released: Set<number>;
    }
    interface RealSemaphore extends Real {
      readonly semaphore: Semaphore;
    }
    type Release = (model: SemaphoreModel) => string;
    const release: Release = (model) => {
      const next = model.queue.shift();
      if (next !== undefined) model.operations[next] = 'done';
      else if (model.value === model.maxValue) return 'InvalidStateError';
      else model.value++;
      return 'done';
    };
    const releasable = (model: SemaphoreModel, choice: number): number | undefined => {
      const done = [...model.operations.keys()].filter((index) => model.operations[index] === 'done');
      return done[choice % done.length];
    };
    await checkModel<SemaphoreModel, RealSemaphore>(
      [
        command('acquire', fc.constant(undefined), (model, real) => {
          if (model.value > 0) {
            model.value--;
            model.operations.push('done');
          } else {
            model.queue.push(model.operations.push('pending') - 1);
          }
          real.operations.push(new Operation((options) => real.semaphore.acquire(options)));
        }),
        command('acquireNowait', fc.constant(undefined), (model, real) => {
          const expected = model.value > 0 ? 'done' : 'WouldBlock';
          if (model.value > 0) model.value--;
          expect(called(() => real.semaphore.acquireNowait())).toBe(expected);
        }),
        command('release', fc.constant(undefined), (model, real) => {
          expect(called(() => real.semaphore.release())).toBe(release(model));
        }),
        command(
          'release by its Releaser',
          fc.nat(),
          (model, real, choice) => {
            const chosen = releasable(model, choice)!;
            const expected = model.released.has(chosen) ? 'done' : release(model);
            model.released.add(chosen);
            expect(called(() => (real.operations[chosen]!.value as Releaser).release())).toBe(expected);
          },
          (model, choice) => releasable(model, choice) !== undefined,
        ),
        command(
          'cancel',
          fc.nat(),
          (model, real, choice) => {
            const chosen = pendingOperation(model, choice)!;
            model.operations[chosen] = 'Cancelled';
            model.queue.splice(model.queue.indexOf(chosen), 1);
            real.operations[chosen]!.cancel();
          },
          (model, choice) => pendingOperation(model, choice) !== undefined,
        ),
      ],
      () => ({
        model: { operations: [], value: 2, maxValue: 3, queue: [], released: new Set() },
        real: { operations: [], semaphore: new Semaphore(2, { maxValue: 3 }) },
      }),
      (model, { semaphore }) => [
        [model.value, semaphore.value],
        [model.queue.length, semaphore.statistics().tasksWaiting],
      ],
    );
  });
});
