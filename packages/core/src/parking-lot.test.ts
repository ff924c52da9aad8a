import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { errorsOf } from './failing.fixture.js';
import {
  BrokenResourceError,
  Cancelled,
  CancelScope,
  checkpoint,
  currentTask,
  currentTime,
  InvalidStateError,
  moveOnAfter,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  taskTree,
  type TaskInfo,
  type TaskStatus,
} from './index.js';
import { addParkingLotBreaker, ParkingLot } from './lowlevel.js';
import { inTurn } from './schedules.fixture.js';
import { errorOf, listeners } from './observing.fixture.js';

/** Parks, in a scope of its own, and records what came of it. */
class Walkers {
  readonly record: string[] = [];
  readonly scopes: CancelScope[] = [];

  readonly walk = async (i: number, lot: ParkingLot): Promise<void> => {
    const scope = (this.scopes[i] = new CancelScope());
    await scope.run(async () => {
      this.record.push(`parks ${i}`);
      try {
        await lot.park();
        this.record.push(`wakes ${i}`);
      } catch (error) {
        this.record.push(`${(error as Error).name} ${i}`);
        throw error;
      }
    });
  };
}

describe('parking', () => {
  test(
    'counts those who are parked',
    virtualTime(async () => {
      const lot = new ParkingLot();
      expect(lot.size).toBe(0);
      expect(lot.statistics()).toEqual({ tasksWaiting: 0 });
      await taskGroup(async (tg) => {
        for (let i = 0; i < 3; i++) tg.startSoon(() => lot.park());
        await waitAllTasksBlocked();
        expect(lot.size).toBe(3);
        expect(lot.statistics()).toEqual({ tasksWaiting: 3 });
        expect(lot.unparkAll()).toBe(3);
        expect(lot.size).toBe(0);
      });
    }),
  );

  test(
    'one by one, they wake in the order in which they parked',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const { record, walk } = new Walkers();
      await taskGroup(async (tg) => {
        await inTurn(3, (i) => tg.startSoon(walk, i, lot));
        for (let i = 0; i < 3; i++) {
          expect(lot.unpark()).toBe(1);
          await waitAllTasksBlocked();
        }
      });
      expect(record).toEqual(['parks 0', 'parks 1', 'parks 2', 'wakes 0', 'wakes 1', 'wakes 2']);
    }),
  );

  test(
    'with a count, as many as there are',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const { record, walk } = new Walkers();
      await taskGroup(async (tg) => {
        await inTurn(5, (i) => tg.startSoon(walk, i, lot));
        expect(lot.unpark(0)).toBe(0);
        expect(lot.unpark(2)).toBe(2);
        await waitAllTasksBlocked();
        expect(record.slice(5).toSorted()).toEqual(['wakes 0', 'wakes 1']);
        expect(lot.unpark(100)).toBe(3);
      });
    }),
  );

  test('nobody is there: nothing happens, and it is not remembered', async () => {
    const lot = new ParkingLot();
    expect(lot.unpark()).toBe(0);
    expect(lot.unpark(100)).toBe(0);
    expect(lot.unpark(Infinity)).toBe(0);
    expect(lot.unparkAll()).toBe(0);
    expect(await moveOnAfter(1, () => lot.park().then(() => 'woken'))).toBeUndefined();
  });

  test(
    'one who parks again goes to the end of the queue',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const order: string[] = [];
      await taskGroup(async (tg) => {
        await inTurn(2, (index) =>
          tg.startSoon(async () => {
            for (let i = 0; i < 2; i++) {
              await lot.park();
              order.push(['a', 'b'][index]!);
            }
          }),
        );
        await inTurn(4, () => lot.unpark());
      });
      expect(order).toEqual(['a', 'b', 'a', 'b']);
    }),
  );

  test(
    'the label is what the task tree shows',
    virtualTime(async () => {
      const lot = new ParkingLot();
      await taskGroup(async (tg) => {
        const task = tg.createTask(() => lot.park({ label: 'a taxi' }), { name: 'fare' });
        await waitAllTasksBlocked();
        expect(JSON.stringify(taskTree())).toContain('"waitingFor":["a taxi"]');
        lot.unpark();
        await task.wait();
      });
    }),
  );

  test('bad counts are refused, and nobody is woken', () => {
    const lot = new ParkingLot();
    for (const method of ['unpark', 'repark'] as const) {
      const call = (count: unknown) => () =>
        method === 'unpark' ? lot.unpark(count as number) : lot.repark(lot, count as number);
      expect(call(1.5)).toThrow(TypeError);
      expect(call('1')).toThrow(TypeError);
      expect(call(null)).toThrow(TypeError);
      expect(call(-1)).toThrow(RangeError);
      expect(call(Number.NaN)).toThrow(RangeError);
      expect(call(-1)).toThrow(new RegExp(`ParkingLot\\.${method}\\(\\): count must be at least 0, got -1`));
    }
  });

  test('bad options are refused', async () => {
    const lot = new ParkingLot();
    expect(await errorOf(lot.park(null as never))).toBeInstanceOf(TypeError);
    expect(await errorOf(lot.park({ signal: {} as never }))).toBeInstanceOf(TypeError);
    expect(lot.size).toBe(0);
  });
});

describe('cancelling', () => {
  test(
    'before: rejects, and nobody is parked',
    virtualTime(async () => {
      const lot = new ParkingLot();
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        expect(await errorOf(lot.park())).toBeInstanceOf(Cancelled);
        expect(lot.size).toBe(0);
      });
    }),
  );

  test(
    'during: it gives up its place in the very call, and the others keep theirs',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const { record, scopes, walk } = new Walkers();
      await taskGroup(async (tg) => {
        await inTurn(3, (i) => tg.startSoon(walk, i, lot));
        scopes[1]!.cancel();
        expect(lot.size).toBe(2);
        await waitAllTasksBlocked();
        expect(record.slice(3)).toEqual(['Cancelled 1']);
        await inTurn(2, () => expect(lot.unpark()).toBe(1));
      });
      expect(record.slice(4)).toEqual(['wakes 0', 'wakes 2']);
    }),
  );

  test.each([
    ['the first', 0, [1, 2]],
    ['the last', 2, [0, 1]],
  ] as const)('%s of the queue', async (_, who, rest) => {
    const test = virtualTime(async () => {
      const lot = new ParkingLot();
      const { record, scopes, walk } = new Walkers();
      await taskGroup(async (tg) => {
        await inTurn(3, (i) => tg.startSoon(walk, i, lot));
        scopes[who]!.cancel();
        // The place at the end is free for the next.
        tg.startSoon(walk, 3, lot);
        await waitAllTasksBlocked();
        expect(lot.size).toBe(3);
        await inTurn(3, () => lot.unpark());
      });
      expect(record.filter((line) => line.startsWith('wakes'))).toEqual(
        [...rest, 3].map((i) => `wakes ${i}`),
      );
    });
    await test();
  });

  test(
    'right after it was unparked: it stays unparked, and the wake-up is not lost',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const scope = new CancelScope();
      let woken = false;
      await taskGroup(async (tg) => {
        tg.startSoon(() =>
          scope.run(async () => {
            await lot.park();
            woken = true;
            await checkpoint();
            expect.fail('not reached');
          }),
        );
        await waitAllTasksBlocked();
        lot.unpark();
        scope.cancel();
      });
      expect(woken).toBe(true);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'the wake-up goes to the next when the first is cancelled before it',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const { record, scopes, walk } = new Walkers();
      await taskGroup(async (tg) => {
        await inTurn(2, (i) => tg.startSoon(walk, i, lot));
        scopes[0]!.cancel();
        expect(lot.unpark()).toBe(1);
      });
      expect(record.toSorted().slice(0, 1)).toEqual(['Cancelled 0']);
      expect(record).toContain('wakes 1');
    }),
  );

  test(
    'a shielded one stays parked',
    virtualTime(async () => {
      const lot = new ParkingLot();
      await taskGroup(async (tg) => {
        tg.startSoon(() => shield(() => lot.park()));
        await waitAllTasksBlocked();
        tg.cancel();
        expect(lot.size).toBe(1);
        lot.unpark();
      });
    }),
  );

  test(
    'by a foreign signal: rejects with its reason, and the listener is gone on every path',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const controller = new AbortController();
      const { signal } = controller;
      const woken = lot.park({ signal });
      expect(listeners(signal)).toBe(1);
      lot.unpark();
      await woken;
      expect(listeners(signal)).toBe(0);
      expect(await moveOnAfter(1, () => lot.park({ signal }))).toBeUndefined();
      expect(listeners(signal)).toBe(0);
      const aborted = errorOf(lot.park({ signal }));
      controller.abort('stop');
      expect(lot.size).toBe(0);
      expect(await aborted).toBe('stop');
      expect(listeners(signal)).toBe(0);
      expect(await errorOf(lot.park({ signal }))).toBe('stop');
    }),
  );

  test(
    'ten thousand parked tasks, all at once',
    virtualTime(async () => {
      const lot = new ParkingLot();
      await moveOnAfter(1, () =>
        taskGroup((tg) => {
          for (let i = 0; i < 10_000; i++) tg.startSoon(() => lot.park());
        }),
      );
      expect(lot.size).toBe(0);
      expect(currentTime()).toBe(1);
    }),
  );
});

describe('reparking', () => {
  test(
    'moves the first to the end of another lot, without waking anybody',
    virtualTime(async () => {
      const [here, there] = [new ParkingLot(), new ParkingLot()];
      const { record, scopes, walk } = new Walkers();
      await taskGroup(async (tg) => {
        await inTurn(3, (i) => tg.startSoon(walk, i, here));
        expect(here.repark(there)).toBe(1);
        expect([here.size, there.size]).toEqual([2, 1]);
        await waitAllTasksBlocked();
        expect(record).toHaveLength(3);
        there.unparkAll();
        await waitAllTasksBlocked();
        expect(record.slice(3)).toEqual(['wakes 0']);

        expect(here.repark(there, Infinity)).toBe(2);
        expect([here.size, there.size]).toEqual([0, 2]);
        scopes[1]!.cancel();
        expect(there.size).toBe(1);
        await waitAllTasksBlocked();
        expect(record.slice(4)).toEqual(['Cancelled 1']);
        there.unparkAll();
      });
      expect(record.slice(5)).toEqual(['wakes 2']);
    }),
  );

  test(
    'with a count, in their order, behind those who are there',
    virtualTime(async () => {
      const [here, there] = [new ParkingLot(), new ParkingLot()];
      const { record, walk } = new Walkers();
      await taskGroup(async (tg) => {
        tg.startSoon(walk, 9, there);
        await inTurn(3, (i) => tg.startSoon(walk, i, here));
        expect(here.repark(there, 2)).toBe(2);
        expect([here.size, there.size]).toEqual([1, 3]);
        while (there.size > 0) {
          there.unpark();
          await waitAllTasksBlocked();
        }
        expect(record.slice(4)).toEqual(['wakes 9', 'wakes 0', 'wakes 1']);
        expect(here.repark(there, 0)).toBe(0);
        here.unparkAll();
      });
    }),
  );

  test(
    'into itself, everyone moves once',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const { record, walk } = new Walkers();
      await taskGroup(async (tg) => {
        await inTurn(3, (i) => tg.startSoon(walk, i, lot));
        expect(lot.repark(lot)).toBe(1);
        expect(lot.repark(lot, Infinity)).toBe(3);
        expect(lot.size).toBe(3);
        await inTurn(3, () => lot.unpark());
      });
      expect(record.slice(3)).toEqual(['wakes 1', 'wakes 2', 'wakes 0']);
    }),
  );

  test(
    'into a broken lot wakes with its error',
    virtualTime(async () => {
      const [here, there] = [new ParkingLot(), new ParkingLot()];
      const parked = errorOf(here.park());
      there.breakLot('broken');
      expect(here.repark(there)).toBe(1);
      expect(here.size).toBe(0);
      expect(await parked).toBe('broken');
    }),
  );

  test('into anything else is refused', () => {
    const lot = new ParkingLot();
    for (const bad of [[], undefined, {}]) {
      expect(() => lot.repark(bad as never)).toThrow(TypeError);
      expect(() => lot.repark(bad as never)).toThrow(/target must be a ParkingLot, got/);
    }
  });
});

describe('breaking', () => {
  test(
    'those who are parked, and those who come, get the error',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const parked = [errorOf(lot.park()), errorOf(lot.park())];
      lot.breakLot();
      expect(lot.size).toBe(0);
      for (const error of await Promise.all(parked)) {
        expect(error).toBeInstanceOf(BrokenResourceError);
        expect((error as Error).message).toMatch(/broken/);
      }
      expect(await errorOf(lot.park())).toBeInstanceOf(BrokenResourceError);
      expect(lot.unpark()).toBe(0);
    }),
  );

  test(
    'with an error of its own; the first stands',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const error = new Error('gone');
      lot.breakLot(error);
      lot.breakLot(new Error('again'));
      expect(await errorOf(lot.park())).toBe(error);
    }),
  );

  test(
    'a cancelled task hears of its cancellation rather than of the lot',
    virtualTime(async () => {
      const lot = new ParkingLot();
      lot.breakLot();
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        expect(await errorOf(lot.park())).toBeInstanceOf(Cancelled);
      });
    }),
  );
});

describe('a breaker', () => {
  /** A task that waits until it is cancelled, and says who it is. */
  const idle = async (status: TaskStatus<TaskInfo>): Promise<void> => {
    status.started(currentTask());
    await sleepForever();
  };

  test(
    'breaks the lot when its task ends, and names it',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          const breaker = tg.createTask(
            async () => {
              addParkingLotBreaker(currentTask(), lot);
              await sleepForever();
            },
            { name: 'owner' },
          );
          tg.startSoon(() => lot.park());
          await waitAllTasksBlocked();
          breaker.cancel();
        }),
      );
      expect(errors).toHaveLength(1);
      expect(errors[0]).toBeInstanceOf(BrokenResourceError);
      expect((errors[0] as Error).message).toMatch(/task "owner" ended without giving this back/);
    }),
  );

  test(
    'however its task ends',
    virtualTime(async () => {
      for (const end of [() => {}, () => Promise.reject(new Error('boom'))]) {
        const lot = new ParkingLot();
        await taskGroup((tg) => {
          tg.startSoon(() => {
            addParkingLotBreaker(currentTask(), lot, 'my own');
            return end();
          });
        }).catch(() => {});
        expect(await errorOf(lot.park())).toBe('my own');
      }
    }),
  );

  test(
    'that was disposed of does not; each registration counts for itself, and disposing twice does nothing',
    virtualTime(async () => {
      const lot = new ParkingLot();
      await taskGroup(async (tg) => {
        const task = await tg.start(idle);
        const registrations = [1, 2, 3].map(() => addParkingLotBreaker(task, lot));
        registrations[0]![Symbol.dispose]();
        registrations[0]![Symbol.dispose]();
        registrations[2]![Symbol.dispose]();
        registrations[1]![Symbol.dispose]();
        tg.cancel();
      });
      expect(await moveOnAfter(1, () => lot.park())).toBeUndefined();

      await taskGroup(async (tg) => {
        const task = await tg.start(idle);
        const registrations = [1, 2].map(() => addParkingLotBreaker(task, lot));
        registrations[0]![Symbol.dispose]();
        registrations[0]![Symbol.dispose]();
        tg.cancel();
      });
      expect(await errorOf(lot.park())).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test(
    'on a lot that is broken already changes nothing',
    virtualTime(async () => {
      const lot = new ParkingLot();
      lot.breakLot('first');
      await taskGroup(async (tg) => {
        addParkingLotBreaker(await tg.start(idle), lot, 'second');
        tg.cancel();
      });
      expect(await errorOf(lot.park())).toBe('first');
    }),
  );

  test(
    'several of one lot: the first to end breaks it',
    virtualTime(async () => {
      const lot = new ParkingLot();
      await taskGroup(async (tg) => {
        for (let i = 1; i <= 3; i++) {
          tg.startSoon(async () => {
            addParkingLotBreaker(currentTask(), lot, `task ${i}`);
            await sleep(10 - i);
          });
        }
      });
      expect(await errorOf(lot.park())).toBe('task 3');
    }),
  );

  test(
    'for a task that has ended is refused, and breaks the lot at once',
    virtualTime(async () => {
      const lot = new ParkingLot();
      let task: TaskInfo | undefined;
      await taskGroup(async (tg) => {
        task = await tg.start(idle);
        tg.cancel();
      });
      const parked = errorOf(lot.park());
      expect(() => addParkingLotBreaker(task!, lot)).toThrow(InvalidStateError);
      expect(() => addParkingLotBreaker(task!, lot)).toThrow(/"idle" has ended, so the lot is broken now/);
      expect(await parked).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test(
    'may be parked in its own lot',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          tg.startSoon(async () => {
            addParkingLotBreaker(currentTask(), lot);
            await lot.park();
          });
          await waitAllTasksBlocked();
          lot.breakLot();
        }),
      );
      expect(errors).toHaveLength(1);
      expect(errors[0]).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test('of anything else is refused', () => {
    const lot = new ParkingLot();
    expect(() => addParkingLotBreaker(currentTask(), {} as never)).toThrow(
      /lot must be a ParkingLot, got an object/,
    );
    for (const task of [undefined, null, {}, { id: 1, name: 'x' }]) {
      expect(() => addParkingLotBreaker(task as never, lot)).toThrow(TypeError);
      expect(() => addParkingLotBreaker(task as never, lot)).toThrow(
        /task must be what currentTask\(\) returned/,
      );
    }
  });
});
