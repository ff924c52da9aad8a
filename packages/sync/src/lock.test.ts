import {
  BrokenResourceError,
  CancelScope,
  checkpoint,
  currentTask,
  detached,
  InvalidStateError,
  moveOnAfter,
  run,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  WouldBlock,
  type TaskHandle,
} from '@taskscope/core';
import {
  cancelEverywhere,
  expectCheckpoint,
  fuzzSchedule,
  virtualTime,
  waitAllTasksBlocked,
} from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { testCancellation } from './cancellation.fixture.js';
import { CapacityLimiter, Event, Lock, Semaphore, type Releaser } from './index.js';
import { checkLockModel } from './lock-model.fixture.js';
import { errorOf } from '../../core/src/observing.fixture.js';
import { inPlainOrder, inTurn } from '../../core/src/schedules.fixture.js';

const free = { locked: false, owner: undefined, tasksWaiting: 0 };

describe('a lock', () => {
  test(
    'is held and free in turn, and each acquire is a checkpoint',
    virtualTime(async () => {
      const lock = new Lock();
      expect(lock.locked).toBe(false);
      await expectCheckpoint(async () => {
        using _holding = await lock.acquire();
        expect(lock.locked).toBe(true);
      });
      expect(lock.locked).toBe(false);
      lock.acquireNowait();
      expect(lock.locked).toBe(true);
      lock.release();
      expect(lock.locked).toBe(false);
      await lock.acquire();
      expect(lock.locked).toBe(true);
      lock.release();
      expect(lock.statistics()).toEqual(free);
    }),
  );

  test.each(['using', 'release() in a finally', 'run()'])('keeps others waiting meanwhile, by %s', (form) =>
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const lock = new Lock();
      const results: string[] = [];
      const hold = async (result: string): Promise<void> => {
        const inside = async (): Promise<void> => {
          await waitAllTasksBlocked();
          results.push(result);
        };
        if (form === 'using') {
          using _holding = await lock.acquire();
          await inside();
        } else if (form === 'run()') {
          await lock.run(inside);
        } else {
          await lock.acquire();
          try {
            await inside();
          } finally {
            lock.release();
          }
        }
      };
      await taskGroup((tg) => {
        tg.startSoon(hold, '1');
        tg.startSoon(async () => {
          expect(lock.locked).toBe(true);
          await hold('2');
        });
      });
      expect(results).toEqual(['1', '2']);
      expect(lock.locked).toBe(false);
    })(),
  );

  test(
    'that others hold: acquireNowait() does not wait, release() is refused',
    virtualTime(async () => {
      const lock = new Lock();
      await taskGroup(async (tg) => {
        let holder: unknown;
        const hold = async (): Promise<void> => {
          using _holding = await lock.acquire();
          holder ??= currentTask();
          await sleepForever();
        };
        tg.createTask(hold, { name: 'holder' });
        await waitAllTasksBlocked();
        expect(() => lock.acquireNowait()).toThrow(WouldBlock);
        expect(() => lock.release()).toThrow(
          new InvalidStateError(
            'Lock.release(): the lock is held by task "holder", and only that task releases it (this is "test")',
          ),
        );
        expect(lock.statistics()).toEqual({ locked: true, owner: holder, tasksWaiting: 0 });
        tg.startSoon(hold);
        await waitAllTasksBlocked();
        expect(lock.statistics()).toEqual({ locked: true, owner: holder, tasksWaiting: 1 });
        tg.cancel();
      });
      expect(lock.statistics()).toEqual(free);
    }),
  );

  test(
    'that is free cannot be released',
    virtualTime(async () => {
      const lock = new Lock();
      expect(() => lock.release()).toThrow(new InvalidStateError('Lock.release(): the lock is not held'));
      lock.acquireNowait();
      lock.release();
      expect(() => lock.release()).toThrow(InvalidStateError);
    }),
  );

  test(
    'acquired again by its owner: is reported at once, and stays held once',
    virtualTime(async () => {
      const lock = new Lock();
      await lock.acquire();
      expect(() => lock.acquireNowait()).toThrow(InvalidStateError);
      for (const again of [() => lock.acquire(), () => lock.run(() => {})]) {
        expect(await errorOf(again())).toBeInstanceOf(InvalidStateError);
      }
      expect(lock.statistics()).toEqual({ locked: true, owner: currentTask(), tasksWaiting: 0 });
      lock.release();
      expect(lock.locked).toBe(false);
    }),
  );

  test(
    'in two branches of a Promise.all(): the message names them and the cure',
    virtualTime(async () => {
      const lock = new Lock();
      const branch = async (): Promise<void> => {
        using _holding = await lock.acquire();
        await sleep(1);
      };
      const settled = await Promise.allSettled([branch(), branch()]);
      expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
      expect((settled[1] as PromiseRejectedResult).reason).toMatchObject({
        name: 'InvalidStateError',
        message:
          'Lock.acquire(): task "test" holds this lock already, and would wait for itself. The branches of a Promise.all() are ' +
          'one task: use lock.run(fn), or tasks of a group. Where one call may hold it for another, use ReentrantLock',
      });
      expect(lock.locked).toBe(false);
    }),
  );

  test(
    'a child task of the owner waits like anybody else',
    virtualTime(async () => {
      const lock = new Lock();
      const order: string[] = [];
      for (const inside of ['acquire', 'run'] as const) {
        await taskGroup(async (tg) => {
          const hold = async (): Promise<void> => {
            tg.startSoon(async () => {
              using _holding = await lock.acquire();
              order.push('child');
            });
            await waitAllTasksBlocked();
            expect(lock.statistics().tasksWaiting).toBe(1);
            order.push(inside);
          };
          if (inside === 'run') await lock.run(hold);
          else {
            using _holding = await lock.acquire();
            await hold();
          }
        });
      }
      expect(order).toEqual(['acquire', 'child', 'run', 'child']);
    }),
  );

  test(
    'counts those who wait',
    virtualTime(async () => {
      const lock = new Lock();
      await taskGroup(async (tg) => {
        using _holding = await lock.acquire();
        expect(lock.statistics().tasksWaiting).toBe(0);
        for (const count of [1, 2]) {
          tg.startSoon(() => lock.run(() => {}));
          await waitAllTasksBlocked();
          expect(lock.statistics().tasksWaiting).toBe(count);
        }
      });
      expect(lock.statistics()).toEqual(free);
    }),
  );

  test(
    'goes straight to the one who has waited longest: nobody comes in between',
    virtualTime(async () => {
      const lock = new Lock();
      const event = new Event();
      await taskGroup(async (tg) => {
        tg.createTask(
          async () => {
            await lock.acquire();
            expect(lock.statistics().owner?.name).toBe('task 1');
            await event.wait();
            lock.release();
            expect(lock.statistics().owner?.name).toBe('task 2');
            expect(() => lock.acquireNowait()).toThrow(WouldBlock);
            expect(() => lock.release()).toThrow(InvalidStateError);
          },
          { name: 'task 1' },
        );
        await waitAllTasksBlocked();
        tg.createTask(
          async () => {
            using _holding = await lock.acquire();
          },
          { name: 'task 2' },
        );
        await waitAllTasksBlocked();
        event.set();
      });
      expect(lock.locked).toBe(false);
    }),
  );

  test.each([true, false])(
    'released first (%s) or last in a group that was cancelled: who waited does not get it',
    (releaseFirst) =>
      virtualTime(async () => {
        const lock = new Lock();
        let got = false;
        await taskGroup(async (tg) => {
          await lock.acquire();
          tg.startSoon(async () => {
            await lock.acquire();
            got = true;
          });
          await sleep(1);
          tg.cancel();
          await shield(async () => {
            if (releaseFirst) lock.release();
            await waitAllTasksBlocked();
            if (!releaseFirst) lock.release();
          });
        });
        expect(got).toBe(false);
        expect(lock.statistics()).toEqual(free);
      })(),
  );

  test(
    'released right after its waiter was cancelled stays to be had',
    virtualTime(async () => {
      const lock = new Lock();
      lock.acquireNowait();
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => lock.acquire());
        await waitAllTasksBlocked();
        task.cancel();
        lock.release();
        expect(lock.statistics()).toEqual(free);
        await lock.acquire();
      });
    }),
  );

  test(
    'whose waiter in the middle is cancelled serves the others in order',
    virtualTime(async () => {
      const lock = new Lock();
      const order: number[] = [];
      await taskGroup(async (tg) => {
        using holding = await lock.acquire();
        const tasks: TaskHandle<void>[] = [];
        await inTurn(4, (index) => tasks.push(tg.startSoon(() => lock.run(() => void order.push(index)))));
        tasks[1]!.cancel();
        expect(lock.statistics().tasksWaiting).toBe(3);
        tasks[0]!.cancel();
        holding.release();
      });
      expect(order).toEqual([2, 3]);
    }),
  );

  test(
    'a Releaser releases from any task, but nothing that was acquired since',
    virtualTime(async () => {
      const lock = new Lock();
      const first = await lock.acquire();
      await taskGroup((tg) => void tg.startSoon(() => first.release()));
      expect(lock.locked).toBe(false);
      const second = await lock.acquire();
      lock.release();
      using _third = await lock.acquire();
      second.release();
      expect(lock.locked).toBe(true);
    }),
  );
});

describe('run()', () => {
  test(
    'each call is an owner of its own: those in the branches of a Promise.all() queue up',
    virtualTime(async () => {
      const lock = new Lock();
      const order: string[] = [];
      const branch = (name: string): Promise<string> =>
        lock.run(async () => {
          order.push(`${name} in`);
          expect(lock.statistics().owner).toBe(currentTask());
          await sleep(1);
          order.push(`${name} out`);
          return name;
        });
      expect(await Promise.all([branch('a'), branch('b'), branch('c')])).toEqual(['a', 'b', 'c']);
      expect(order).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
      expect(lock.statistics()).toEqual(free);
    }),
  );

  test(
    'inside of itself on the same call chain is reported, and so is acquire()',
    virtualTime(async () => {
      const lock = new Lock();
      const nested = 'this is called inside of run() of the same lock, and would wait for itself';
      await lock.run(async () => {
        for (const again of [
          () => lock.run(() => {}),
          () => lock.acquire(),
          () => new CancelScope().run(() => lock.acquire()),
          () => Promise.all([lock.run(() => {}), lock.acquire()]),
        ]) {
          const error = await errorOf(again());
          expect(error).toBeInstanceOf(InvalidStateError);
          expect((error as Error).message).toContain(nested);
        }
        expect(() => lock.acquireNowait()).toThrow(nested);
        expect(lock.statistics().tasksWaiting).toBe(0);
      });
      expect(lock.locked).toBe(false);
    }),
  );

  test(
    'beside acquire() in another branch of the same task: they queue up',
    virtualTime(async () => {
      const lock = new Lock();
      const order: string[] = [];
      await Promise.all([
        lock.run(async () => {
          await sleep(1);
          order.push('run');
        }),
        (async () => {
          using _holding = await lock.acquire();
          order.push('acquire');
        })(),
      ]);
      expect(order).toEqual(['run', 'acquire']);
    }),
  );

  test(
    'releases by itself, and nobody else can',
    virtualTime(async () => {
      const lock = new Lock();
      await lock.run(async () => {
        const refused = 'Lock.release(): the lock is held by run(), which releases it by itself';
        expect(() => lock.release()).toThrow(new InvalidStateError(refused));
        await taskGroup((tg) => void tg.startSoon(() => expect(() => lock.release()).toThrow(refused)));
      });
      expect(lock.locked).toBe(false);
    }),
  );

  test(
    'releases whatever becomes of its function, and passes that on',
    virtualTime(async () => {
      const lock = new Lock();
      const error = new Error('no');
      const throwing = (): never => {
        throw error;
      };
      expect(await lock.run(() => lock.locked)).toBe(true);
      expect(await lock.run(() => undefined)).toBe(undefined);
      expect(await errorOf(lock.run(throwing))).toBe(error);
      expect(await errorOf(lock.run(() => Promise.reject(error)))).toBe(error);
      const result = await moveOnAfter(1, () => lock.run(() => sleep(2).then(() => 'late')));
      expect(result).toBe(undefined);
      expect(lock.statistics()).toEqual(free);
    }),
  );
});

describe('an owner that ends without releasing', () => {
  test(
    'breaks the lock for those who come',
    virtualTime(async () => {
      const lock = new Lock();
      await taskGroup((tg) => void tg.createTask(() => lock.acquire(), { name: 'forgetful' }));
      expect(lock.locked).toBe(true);
      for (const come of [() => lock.acquire(), () => lock.run(() => {}), () => lock.acquire()]) {
        const error = await errorOf(come());
        expect(error).toBeInstanceOf(BrokenResourceError);
        expect((error as Error).message).toBe(
          'the task "forgetful" that held this lock has ended without releasing it',
        );
      }
      expect(() => lock.acquireNowait()).toThrow(WouldBlock);
      expect(lock.statistics()).toMatchObject({ locked: true, tasksWaiting: 0 });
    }),
  );

  test(
    'breaks it for those who wait',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const lock = new Lock();
      const errors: unknown[] = [];
      await taskGroup((tg) => {
        tg.startSoon(() => lock.acquire());
        for (let i = 0; i < 2; i++) tg.startSoon(async () => errors.push(await errorOf(lock.acquire())));
      });
      expect(errors).toHaveLength(2);
      for (const error of errors) expect(error).toBeInstanceOf(BrokenResourceError);
      expect(lock.statistics().tasksWaiting).toBe(0);
    }),
  );

  test(
    'after the lock was handed over to it',
    virtualTime(async () => {
      const lock = new Lock();
      lock.acquireNowait();
      await taskGroup(async (tg) => {
        tg.startSoon(() => lock.acquire());
        await waitAllTasksBlocked();
        const late = tg.startSoon(() => errorOf(lock.acquire()));
        await waitAllTasksBlocked();
        lock.release();
        expect(await late.result()).toBeInstanceOf(BrokenResourceError);
      });
      expect(await errorOf(lock.acquire())).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test(
    'by being cancelled or by failing, too',
    virtualTime(async () => {
      const cancelled = new Lock();
      const failed = new Lock();
      await taskGroup(async (tg) => {
        const task = tg.startSoon(async () => {
          await cancelled.acquire();
          await sleepForever();
        });
        await waitAllTasksBlocked();
        const waiting = errorOf(cancelled.acquire());
        task.cancel();
        expect(await waiting).toBeInstanceOf(BrokenResourceError);
      });
      await errorOf(
        taskGroup((tg) => {
          tg.startSoon(async () => {
            await failed.acquire();
            throw new Error('no');
          });
        }),
      );
      expect(await errorOf(failed.acquire())).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test('as the first task of a run', async () => {
    const lock = new Lock();
    await run(() => lock.acquire(), { name: 'forgetful' });
    expect(await errorOf(lock.acquire())).toBeInstanceOf(BrokenResourceError);
  });

  test(
    'has broken it for good: a late release repairs nothing',
    virtualTime(async () => {
      const lock = new Lock();
      let holding: Releaser | undefined;
      await taskGroup((tg) => void tg.startSoon(async () => (holding = await lock.acquire())));
      expect(await errorOf(lock.acquire())).toBeInstanceOf(BrokenResourceError);
      holding!.release();
      expect(() => lock.release()).toThrow(InvalidStateError);
      expect(await errorOf(lock.acquire())).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test('has broken it for code outside of every task, too', async () => {
    const lock = new Lock();
    await run(() => lock.acquire());
    expect(await errorOf(lock.acquire())).toBeInstanceOf(BrokenResourceError);
    expect(() => lock.release()).toThrow(BrokenResourceError);
    expect(await errorOf(lock.acquire())).toBeInstanceOf(BrokenResourceError);
    expect(lock.locked).toBe(true);
  });

  test(
    'but whose Releaser is used by another task in time leaves it whole',
    virtualTime(async () => {
      const lock = new Lock();
      const holding = await taskGroup(async (tg) => {
        const handle = tg.startSoon(() => lock.acquire());
        return handle.result();
      });
      holding!.release();
      using _holding = await lock.acquire();
      expect(lock.statistics().owner).toBe(currentTask());
    }),
  );

  test(
    'and that was only watched while others waited is let go again',
    virtualTime(async () => {
      const lock = new Lock();
      const record = currentTask() as { onExit?: unknown };
      expect(record).toHaveProperty('onExit', undefined);
      for (let round = 0; round < 10; round++) {
        await taskGroup(async (tg) => {
          using holding = await lock.acquire();
          const waiting = tg.startSoon(() => lock.run(() => {}));
          await waitAllTasksBlocked();
          expect(record.onExit).toBeDefined();
          if (round % 2 === 0) waiting.cancel();
          holding.release();
          expect(record.onExit).toBeUndefined();
        });
      }
    }),
  );
});

describe('outside of every task', () => {
  test('is made there', async () => {
    const lock = new Lock();
    expect(lock.statistics()).toEqual(free);
    await run(() => lock.run(() => {}));
  });

  test('there is no telling one from another: they simply queue', async () => {
    const lock = new Lock();
    const first = await lock.acquire();
    const second = lock.acquire();
    const third = lock.acquire();
    expect(lock.statistics()).toMatchObject({ locked: true, owner: { name: 'root' }, tasksWaiting: 2 });
    expect(() => lock.acquireNowait()).toThrow(WouldBlock);
    first.release();
    (await second).release();
    await third;
    lock.release();
    expect(lock.locked).toBe(false);
  });

  test('calls of run() queue up, and a nested one is reported', async () => {
    const lock = new Lock();
    const order: string[] = [];
    const first = lock.run(async () => {
      await checkpoint();
      order.push('first');
      expect(await errorOf(lock.run(() => {}))).toBeInstanceOf(InvalidStateError);
      expect(await errorOf(lock.acquire())).toBeInstanceOf(InvalidStateError);
    });
    await Promise.all([first, lock.run(() => order.push('second'))]);
    expect(order).toEqual(['first', 'second']);
  });

  test('a task and the root hand over to each other', async () => {
    const lock = new Lock();
    const holding = await lock.acquire();
    const inRun = run(async () => {
      await lock.acquire();
      return lock;
    });
    await checkpoint();
    expect(lock.statistics().tasksWaiting).toBe(1);
    holding.release();
    expect(lock.statistics().owner?.name).not.toBe('root');
    await inRun;
  });
});

test('bad input is refused', async () => {
  const lock = new Lock();
  for (const fn of [Promise.resolve(), undefined, null, 'tea']) {
    const error = await errorOf(lock.run(fn as never));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain('Lock.run(): fn must be a function, got');
  }
  expect(lock.locked).toBe(false);
});

testCancellation('Lock.acquire()', () => {
  const lock = new Lock();
  const release = holdElsewhere(lock);
  return {
    begin: (options) => lock.acquire(options),
    satisfy: release,
    end: (got) => (got as Releaser | undefined)?.release(),
    waiting: () => lock.statistics().tasksWaiting,
    out: () => (lock.locked ? 1 : 0),
  };
});

testCancellation('Lock.run()', () => {
  const lock = new Lock();
  return {
    begin: (options) => lock.run(() => 'tea', options),
    satisfy: holdElsewhere(lock),
    end() {},
    value: 'tea',
    waiting: () => lock.statistics().tasksWaiting,
    out: () => (lock.locked ? 1 : 0),
  };
});

/** Has some other owner hold the lock, and returns what releases it. */
function holdElsewhere(lock: Lock): () => void {
  const holding = detached(() => lock.acquireNowait());
  return () => holding.release();
}

describe('nothing is lost', () => {
  const setUp = (): { lock: Lock; order: number[]; tasks: (() => Promise<void>)[] } => {
    const lock = new Lock();
    const order: number[] = [];
    let inside = 0;
    const work = async (index: number): Promise<void> => {
      expect(++inside).toBe(1);
      try {
        await sleep(10);
        order.push(index);
      } finally {
        inside--;
      }
    };
    const byAcquire = (index: number) => async (): Promise<void> => {
      await sleep(index);
      for (let round = 0; round < 2; round++) {
        using _holding = await lock.acquire();
        await work(index);
      }
    };
    const byRun = (index: number) => async (): Promise<void> => {
      await sleep(index);
      await Promise.all([lock.run(() => work(index)), lock.run(() => work(index))]);
    };
    return { lock, order, tasks: [byAcquire(0), byRun(1), byAcquire(2), byRun(3)] };
  };

  test('whoever is cancelled at whatever step', async () => {
    const { waits } = await cancelEverywhere(() => {
      const { lock, order, tasks } = setUp();
      return {
        tasks,
        check(cancelled) {
          expect(lock.statistics()).toEqual(free);
          for (const [index, wasCancelled] of cancelled.entries()) {
            const rounds = order.filter((each) => each === index).length;
            if (wasCancelled) expect(rounds).toBeLessThan(2);
            else expect(rounds).toBe(2);
          }
        },
      };
    });
    expect(waits).toBeGreaterThanOrEqual(19);
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed))('under the schedule of seed %i', (seed) =>
    fuzzSchedule(seed, async () => {
      const { lock, order, tasks } = setUp();
      await taskGroup((tg) => {
        for (const task of tasks) tg.startSoon(task);
      });
      expect(order.toSorted((a, b) => a - b)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
      expect(lock.statistics()).toEqual(free);
    }),
  );

  test('whatever happens in whatever order: as the model says', () => checkLockModel('Lock'));
});

/** What a lock, a semaphore of 1 and a limiter of 1 have in common. */
describe.each([
  ['Lock', () => new Lock()],
  ['Semaphore(1)', () => new Semaphore(1)],
  ['CapacityLimiter(1)', () => new CapacityLimiter(1)],
])('exclusion and fairness: %s', (_name, make) => {
  test(
    'one at a time',
    virtualTime(async () => {
      const lock = make();
      let [inside, times] = [0, 0];
      await taskGroup((tg) => {
        for (let worker = 0; worker < 5; worker++) {
          tg.startSoon(async () => {
            for (let round = 0; round < 10; round++) {
              using _holding = await lock.acquire();
              times++;
              expect(++inside).toBe(1);
              await checkpoint();
              await checkpoint();
              inside--;
            }
          });
        }
      });
      expect(times).toBe(50);
    }),
  );

  test.each(Array.from({ length: 12 }, (_, seed) => seed))(
    'in turns, under the schedule of seed %i',
    (seed) =>
      fuzzSchedule(seed, async () => {
        const lock = make();
        const [came, served]: [string[], string[]] = [[], []];
        await taskGroup((tg) => {
          for (const name of ['a', 'b', 'c']) {
            tg.startSoon(async () => {
              for (let round = 0; round < 5; round++) {
                came.push(name);
                using _holding = await lock.acquire();
                served.push(name);
                // Everybody else has come meanwhile.
                if (round === 0) await sleep(1);
              }
            });
          }
        });
        expect(served).toEqual(came);
        for (let round = 0; round < 5; round++) {
          expect(served.slice(3 * round, 3 * round + 3)).toEqual(served.slice(0, 3));
        }
      }),
  );

  test(
    'acquireNowait() keeps acquire() waiting',
    virtualTime(async () => {
      const lock = make();
      const record: string[] = [];
      await taskGroup(async (tg) => {
        lock.acquireNowait();
        tg.startSoon(async () => {
          record.push('began');
          using _holding = await lock.acquire();
          record.push('has it');
        });
        await waitAllTasksBlocked();
        expect(record).toEqual(['began']);
        lock.release();
      });
      expect(record).toEqual(['began', 'has it']);
    }),
  );
});
