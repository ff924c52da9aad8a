import { checkpoint, run, sleep, taskGroup } from '@taskscope/core';
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
import { Event } from './index.js';
import { checkModel, command, Operation, pendingOperation, type Model, type Real } from './model.fixture.js';
import { inPlainOrder } from '../../core/src/schedules.fixture.js';

describe('an event', () => {
  test('is not set in the beginning, and set for ever after', () => {
    const event = new Event();
    expect(event.isSet).toBe(false);
    event.set();
    expect(event.isSet).toBe(true);
    event.set();
    expect(event.isSet).toBe(true);
    expect(event.statistics()).toEqual({ tasksWaiting: 0 });
  });

  test(
    'wakes everyone who waits, in the order in which they came',
    inPlainOrder('those who are woken together go on in their order', async () => {
      const event = new Event();
      const record: string[] = [];
      const child = async (name: string): Promise<void> => {
        record.push(`${name} waits`);
        await event.wait();
        record.push(`${name} goes on`);
      };
      await taskGroup(async (tg) => {
        tg.startSoon(child, 'first');
        tg.startSoon(child, 'second');
        await waitAllTasksBlocked();
        expect(record).toEqual(['first waits', 'second waits']);
        event.set();
        await waitAllTasksBlocked();
        expect(record.slice(2)).toEqual(['first goes on', 'second goes on']);
      });
    }),
  );

  test(
    'that is set keeps nobody waiting, and is a checkpoint all the same',
    virtualTime(async () => {
      const event = new Event();
      event.set();
      await expectCheckpoint(() => event.wait());
    }),
  );

  test(
    'counts those who wait',
    virtualTime(async () => {
      const event = new Event();
      await taskGroup(async (tg) => {
        expect(event.statistics().tasksWaiting).toBe(0);
        for (const count of [1, 2]) {
          tg.startSoon(() => event.wait());
          await waitAllTasksBlocked();
          expect(event.statistics().tasksWaiting).toBe(count);
        }
        event.set();
        expect(event.statistics().tasksWaiting).toBe(0);
      });
    }),
  );

  test('is made, set and waited for outside of run()', async () => {
    const event = new Event();
    expect(event.statistics().tasksWaiting).toBe(0);
    const waiting = event.wait();
    expect(event.statistics().tasksWaiting).toBe(1);
    event.set();
    await waiting;
    await run(() => event.wait());
  });

  test(
    'that is set in a cancelled group is not heard of by those who were cancelled before',
    virtualTime(async () => {
      const event = new Event();
      const record: string[] = [];
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          record.push('began');
          await event.wait();
          record.push('went on');
        });
        tg.cancel();
        event.set();
      });
      expect(record).toEqual(['began']);
    }),
  );

  test(
    'set before the cancellation in the same step: the waiter goes on',
    virtualTime(async () => {
      const event = new Event();
      let wentOn = false;
      await taskGroup(async (tg) => {
        tg.startSoon(() => {
          event.set();
          tg.cancel();
        });
        await event.wait();
        wentOn = true;
      });
      expect(wentOn).toBe(true);
    }),
  );

  test(
    'whose waiter sets it again or waits anew from within, wakes everyone once',
    virtualTime(async () => {
      const event = new Event();
      let woken = 0;
      await taskGroup(async (tg) => {
        for (let i = 0; i < 3; i++) {
          tg.startSoon(async () => {
            await event.wait();
            woken++;
            event.set();
            await event.wait();
          });
        }
        await waitAllTasksBlocked();
        event.set();
      });
      expect(woken).toBe(3);
    }),
  );
});

describe('onSet(), the case of a selection', () => {
  test('is possible once it is set', () => {
    const event = new Event();
    const onSet = event.onSet();
    expect(onSet.attempt()).toBe(undefined);
    event.set();
    expect(onSet.attempt()).toEqual({ value: undefined });
  });

  test('tells those who are enlisted in their turn, and leaves no trace of those who left', async () => {
    const event = new Event();
    const told: string[] = [];
    const enlist = (name: string): (() => void) =>
      event.onSet().enlist({
        resolve: () => told.push(name) > 0,
        reject: () => false,
      });
    enlist('first');
    const leave = enlist('second');
    const waiting = event.wait().then(() => told.push('wait()'));
    enlist('third');
    expect(event.statistics().tasksWaiting).toBe(4);
    leave();
    expect(event.statistics().tasksWaiting).toBe(3);
    event.set();
    expect(told).toEqual(['first', 'third']);
    await waiting;
    expect(event.statistics().tasksWaiting).toBe(0);
  });
});

testCancellation('Event.wait()', () => {
  const event = new Event();
  return {
    begin: (options) => event.wait(options),
    satisfy: () => event.set(),
    end() {},
    waiting: () => event.statistics().tasksWaiting,
    out: () => 0,
  };
});

describe('nothing is lost', () => {
  const setUp = (): { event: Event; woken: number[]; tasks: (() => Promise<void>)[] } => {
    const event = new Event();
    const woken: number[] = [];
    const waiter = (index: number) => async (): Promise<void> => {
      await sleep(index);
      await event.wait();
      woken.push(index);
      await checkpoint();
    };
    const setter = async (): Promise<void> => {
      try {
        await sleep(5);
      } finally {
        event.set();
      }
    };
    return { event, woken, tasks: [waiter(0), waiter(1), setter, waiter(2), waiter(9)] };
  };

  test('whoever is cancelled at whatever step', async () => {
    const { waits } = await cancelEverywhere(() => {
      const { event, woken, tasks } = setUp();
      return {
        tasks,
        check(cancelled) {
          expect(event.statistics().tasksWaiting).toBe(0);
          expect(event.isSet).toBe(true);
          const others = [0, 1, 2, 9].filter((_, index) => !cancelled[[0, 1, 3, 4][index]!]);
          expect(woken).toEqual(expect.arrayContaining(others));
        },
      };
    });
    expect(waits).toBeGreaterThanOrEqual(8);
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed))('under the schedule of seed %i', (seed) =>
    fuzzSchedule(seed, async () => {
      const { event, woken, tasks } = setUp();
      await taskGroup((tg) => {
        for (const task of tasks) tg.startSoon(task);
      });
      expect(woken.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 9]);
      expect(event.statistics().tasksWaiting).toBe(0);
    }),
  );

  test('whatever happens in whatever order: as the model says', async () => {
    interface EventModel extends Model {
      isSet: boolean;
    }
    interface RealEvent extends Real {
      readonly event: Event;
    }
    await checkModel<EventModel, RealEvent>(
      [
        command('wait', fc.constant(undefined), (model, real) => {
          model.operations.push(model.isSet ? 'done' : 'pending');
          real.operations.push(new Operation((options) => real.event.wait(options)));
        }),
        command(
          'cancel',
          fc.nat(),
          (model, real, choice) => {
            const chosen = pendingOperation(model, choice)!;
            model.operations[chosen] = 'Cancelled';
            real.operations[chosen]!.cancel();
          },
          (model, choice) => pendingOperation(model, choice) !== undefined,
        ),
        // Seldom, so that there is something to cancel before.
        command(
          'set',
          fc.integer({ min: 0, max: 5 }),
          (model, real) => {
            model.isSet = true;
            for (const [index, status] of model.operations.entries()) {
              if (status === 'pending') model.operations[index] = 'done';
            }
            real.event.set();
          },
          (_model, luck) => luck === 0,
        ),
      ],
      () => ({ model: { operations: [], isSet: false }, real: { operations: [], event: new Event() } }),
      (model, real) => [
        [model.isSet, real.event.isSet],
        [
          model.operations.filter((status) => status === 'pending').length,
          real.event.statistics().tasksWaiting,
        ],
      ],
    );
  });
});
