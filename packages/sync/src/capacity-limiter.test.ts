import {
  CancelScope,
  currentTask,
  InvalidStateError,
  moveOnAfter,
  run,
  sleep,
  taskGroup,
  type TaskGroup,
  WouldBlock,
} from '@taskscope/core';
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
import { CapacityLimiter, Event, type Releaser } from './index.js';
import {
  called,
  checkModel,
  command,
  Operation,
  pendingOperation,
  type Actor,
  type Model,
  type Real,
} from './model.fixture.js';
import { errorOf } from '../../core/src/observing.fixture.js';
import { inTurn } from '../../core/src/schedules.fixture.js';

/** Begins a task that borrows on behalf of `borrower`, and returns when it waits or has ended. */
async function borrow(tg: TaskGroup, limiter: CapacityLimiter, borrower: unknown): Promise<void> {
  tg.startSoon(() => limiter.acquireOnBehalfOf(borrower));
  await waitAllTasksBlocked();
}

function borrowers(limiter: CapacityLimiter): readonly unknown[] {
  return limiter.statistics().borrowers;
}

describe('a capacity limiter', () => {
  test(
    'may lend on behalf of the scope that the caller is in',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(3);
      await taskGroup(async (tg) => {
        await limiter.acquireOnBehalfOf(tg.cancelScope);
        await limiter.acquire();
        expect(await limiter.run(() => limiter.borrowedTokens)).toBe(3);
      });
    }),
  );

  test(
    'lends one token a borrower, and gets it back from him alone',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(2);
      const expectCounts = (borrowed: number, available: number): void => {
        expect([limiter.borrowedTokens, limiter.availableTokens]).toEqual([borrowed, available]);
      };
      expect(limiter.totalTokens).toBe(2);
      expectCounts(0, 2);
      expect(() => limiter.release()).toThrow(InvalidStateError);
      expectCounts(0, 2);
      limiter.acquireNowait();
      expectCounts(1, 1);
      expect(limiter.statistics()).toEqual({
        borrowedTokens: 1,
        totalTokens: 2,
        borrowers: [currentTask()],
        tasksWaiting: 0,
      });

      expect(() => limiter.acquireNowait()).toThrow(InvalidStateError);
      expect(await errorOf(limiter.acquire())).toBeInstanceOf(InvalidStateError);
      expectCounts(1, 1);

      await expectCheckpoint(() => limiter.acquireOnBehalfOf('someone'));
      expectCounts(2, 0);
      expect(() => limiter.acquireOnBehalfOfNowait('third party')).toThrow(WouldBlock);
      expect(borrowers(limiter)).toEqual([currentTask(), 'someone']);

      limiter.releaseOnBehalfOf(currentTask());
      expect(borrowers(limiter)).toEqual(['someone']);
      limiter.releaseOnBehalfOf('someone');
      expectCounts(0, 2);
      await expectCheckpoint(async () => {
        using _token = await limiter.acquire();
        expectCounts(1, 1);
      });
      expectCounts(0, 2);
    }),
  );

  test(
    'lends on behalf of anything, each told from the others by its identity',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(Infinity);
      const things = [{}, {}, [], 'tea', 0, NaN, false, Symbol('tea'), () => {}, currentTask()];
      for (const thing of things) await limiter.acquireOnBehalfOf(thing);
      expect(borrowers(limiter)).toEqual(things);
      for (const thing of things) {
        expect(() => limiter.acquireOnBehalfOfNowait(thing)).toThrow(InvalidStateError);
      }
      // What was borrowed on behalf of a task is the task's.
      limiter.release();
      for (const thing of things.slice(0, -1)) limiter.releaseOnBehalfOf(thing);
      expect(limiter.borrowedTokens).toBe(0);
    }),
  );

  test(
    'reports a second borrowing by the branches of a Promise.all() with the cure',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(2);
      const branch = async (): Promise<void> => {
        using _token = await limiter.acquire();
        await sleep(1);
      };
      const settled = await Promise.allSettled([branch(), branch()]);
      expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
      expect((settled[1] as PromiseRejectedResult).reason).toMatchObject({
        name: 'InvalidStateError',
        message:
          'CapacityLimiter.acquire(): task "test" has a token already, and there is one for each. The branches of a ' +
          'Promise.all() are one task: use limiter.run(fn), tasks of a group, or acquireOnBehalfOf()',
      });
      expect(limiter.borrowedTokens).toBe(0);
    }),
  );

  test('a deadlock of a task with itself, by acquire() and then run(), says that it wants a second token', async () => {
    const limiter = new CapacityLimiter(1);
    const deadlock = virtualTime(async () => {
      using _token = await limiter.acquire();
      await limiter.run(() => {});
    });
    await expect(deadlock()).rejects.toThrow(
      /^deadlock: .* waits for a second token, beside the one that the task holds$/s,
    );
    const patient = virtualTime(async () => {
      using _token = limiter.acquireOnBehalfOfNowait('somebody else');
      await limiter.run(() => {});
    });
    await expect(patient()).rejects.toThrow(/ waits for a token$/);
  });

  test(
    'reports a borrower who waits twice',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(0);
      await taskGroup(async (tg) => {
        const greedy = async (): Promise<void> => {
          const first = limiter.acquire();
          const error = await errorOf(limiter.acquire());
          expect(error).toBeInstanceOf(InvalidStateError);
          expect((error as Error).message).toBe(
            'CapacityLimiter.acquire(): task "greedy" waits for a token already, and there is one for each',
          );
          expect(() => limiter.acquireNowait()).toThrow(InvalidStateError);
          await first;
        };
        tg.startSoon(greedy);
        await borrow(tg, limiter, 'tea');
        expect(() => limiter.acquireOnBehalfOfNowait('tea')).toThrow('"tea" waits for a token already');
        expect(limiter.statistics().tasksWaiting).toBe(2);
        limiter.totalTokens = 2;
      });
      expect(limiter.borrowedTokens).toBe(2);
    }),
  );

  test(
    'a borrower who waited and was cancelled may come again at once',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(0);
      const scope = new CancelScope();
      const first = limiter.acquireOnBehalfOf('tea', { signal: scope.signal });
      scope.cancel();
      const second = limiter.acquireOnBehalfOf('tea');
      expect(await errorOf(first)).toMatchObject({ name: 'Cancelled' });
      expect(limiter.statistics().tasksWaiting).toBe(1);
      // The end of the first wait was not mistaken for that of the second.
      expect(await errorOf(limiter.acquireOnBehalfOf('tea'))).toBeInstanceOf(InvalidStateError);
      limiter.totalTokens = 1;
      await second;
    }),
  );

  test(
    'a borrower who was served, gave back and waits again in one step waits once',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      limiter.acquireOnBehalfOfNowait('milk');
      const first = limiter.acquireOnBehalfOf('tea');
      limiter.releaseOnBehalfOf('milk');
      limiter.releaseOnBehalfOf('tea');
      limiter.acquireOnBehalfOfNowait('milk');
      const second = limiter.acquireOnBehalfOf('tea');
      await first;
      expect(await errorOf(limiter.acquireOnBehalfOf('tea'))).toBeInstanceOf(InvalidStateError);
      limiter.releaseOnBehalfOf('milk');
      await second;
      expect(borrowers(limiter)).toEqual(['tea']);
    }),
  );

  test(
    'reports a release by somebody who has none',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      expect(() => limiter.release()).toThrow(
        new InvalidStateError('CapacityLimiter.release(): task "test" has no token to give back'),
      );
      expect(() => limiter.releaseOnBehalfOf('tea')).toThrow('"tea" has no token to give back');
      limiter.acquireNowait();
      await taskGroup((tg) => {
        tg.startSoon(() => expect(() => limiter.release()).toThrow(InvalidStateError));
      });
      expect(limiter.borrowedTokens).toBe(1);
    }),
  );

  test(
    'a Releaser gives back from any task, but not what was borrowed anew',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      const first = limiter.acquireNowait();
      await taskGroup((tg) => void tg.startSoon(() => first.release()));
      expect(limiter.borrowedTokens).toBe(0);
      const second = limiter.acquireNowait();
      limiter.release();
      limiter.acquireNowait();
      second.release();
      expect(limiter.borrowedTokens).toBe(1);
    }),
  );

  test(
    'limits how many are inside',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      let inside = 0;
      await taskGroup((tg) => {
        for (let i = 0; i < 3; i++) {
          tg.startSoon(async () => {
            for (let round = 0; round < 5; round++) {
              using _token = await limiter.acquire();
              expect(++inside).toBe(1);
              await waitAllTasksBlocked();
              inside--;
            }
          });
        }
      });
      expect(limiter.borrowedTokens).toBe(0);
    }),
  );

  test(
    'serves those who wait in the order in which they came',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      const event = new Event();
      const results: number[] = [];
      await taskGroup(async (tg) => {
        for (const index of [0, 1, 2]) {
          await tg.start(async (status) => {
            status.started();
            using _token = await limiter.acquire();
            await event.wait();
            results.push(index);
          });
        }
        event.set();
      });
      expect(results).toEqual([0, 1, 2]);
    }),
  );

  test(
    'a token that is given back is reserved for the one who has waited longest',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(2);
      await limiter.acquireOnBehalfOf('a');
      await limiter.acquireOnBehalfOf('b');
      const waiting = limiter.acquireOnBehalfOf('c');
      limiter.releaseOnBehalfOf('a');
      expect(limiter.borrowedTokens).toBe(2);
      expect(limiter.availableTokens).toBe(0);
      expect(() => limiter.acquireOnBehalfOfNowait('d')).toThrow(WouldBlock);
      expect(borrowers(limiter)).toEqual(['b', 'c']);
      await waiting;
    }),
  );

  test(
    'counts those who wait',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      await taskGroup(async (tg) => {
        using _token = await limiter.acquire();
        for (const count of [1, 2]) {
          tg.startSoon(() => limiter.run(() => {}));
          await waitAllTasksBlocked();
          expect(limiter.statistics().tasksWaiting).toBe(count);
        }
      });
      expect(limiter.statistics()).toEqual({
        borrowedTokens: 0,
        totalTokens: 1,
        borrowers: [],
        tasksWaiting: 0,
      });
    }),
  );

  test(
    'a task that ends without giving back keeps its token',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      await taskGroup((tg) => void tg.createTask(() => limiter.acquire(), { name: 'forgetful' }));
      const [borrower] = borrowers(limiter);
      expect(borrower).toMatchObject({ name: 'forgetful' });
      expect(() => limiter.acquireNowait()).toThrow(WouldBlock);
      limiter.releaseOnBehalfOf(borrower);
      limiter.acquireNowait();
    }),
  );

  test(
    'passes the token of a waiter who was cancelled to the next',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      const got = new Event();
      await taskGroup(async (tg) => {
        const token = await limiter.acquire();
        const first = tg.startSoon(() => limiter.acquire());
        tg.startSoon(() => limiter.run(() => got.set()));
        await waitAllTasksBlocked();
        first.cancel();
        token.release();
        await moveOnAfter(1, () => got.wait());
        expect(got.isSet).toBe(true);
      });
    }),
  );
});

describe('the total', () => {
  test(
    'is raised: as many as are waiting are let in at once',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(2);
      await taskGroup(async (tg) => {
        for (let i = 0; i < 5; i++) await borrow(tg, limiter, i);
        expect(borrowers(limiter)).toEqual([0, 1]);
        expect(limiter.statistics().tasksWaiting).toBe(3);
        limiter.totalTokens += 2;
        expect(borrowers(limiter)).toEqual([0, 1, 2, 3]);
        expect(limiter.statistics().tasksWaiting).toBe(1);

        limiter.totalTokens -= 3;
        expect([limiter.borrowedTokens, limiter.totalTokens]).toEqual([4, 1]);
        expect(limiter.availableTokens).toBe(-3);
        for (const borrower of [0, 1, 2]) limiter.releaseOnBehalfOf(borrower);
        expect(borrowers(limiter)).toEqual([3]);
        expect(limiter.statistics().tasksWaiting).toBe(1);
        limiter.releaseOnBehalfOf(3);
        expect(borrowers(limiter)).toEqual([4]);
        expect(limiter.statistics().tasksWaiting).toBe(0);
      });
    }),
  );

  test(
    'is raised while tasks wait: they go on',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      const entered = [new Event(), new Event(), new Event()];
      const goOn = new Event();
      const worker = async (event: Event): Promise<void> => {
        using _token = await limiter.acquire();
        event.set();
        await goOn.wait();
      };
      await taskGroup(async (tg) => {
        await inTurn(2, (i) => tg.startSoon(worker, entered[i]!));
        expect(entered.map(({ isSet }) => isSet)).toEqual([true, false, false]);
        limiter.totalTokens = 3;
        tg.startSoon(worker, entered[2]!);
        for (const event of entered) await event.wait();
        goOn.set();
      });
    }),
  );

  test(
    'of 0 lets nobody in until it is raised',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(0);
      expect(() => limiter.acquireNowait()).toThrow(WouldBlock);
      await taskGroup(async (tg) => {
        for (let i = 0; i < 3; i++) await borrow(tg, limiter, i);
        expect(borrowers(limiter)).toEqual([]);
        expect(limiter.statistics().tasksWaiting).toBe(3);
        limiter.totalTokens = 1;
        expect(borrowers(limiter)).toEqual([0]);
        limiter.totalTokens = 0;
        limiter.releaseOnBehalfOf(0);
        expect(borrowers(limiter)).toEqual([]);
        expect(limiter.statistics().tasksWaiting).toBe(2);
        limiter.totalTokens = 2;
        expect(borrowers(limiter)).toEqual([1, 2]);
        limiter.releaseOnBehalfOf(1);
        limiter.releaseOnBehalfOf(2);
        limiter.totalTokens = 0;
        tg.startSoon(() => limiter.acquire());
        await waitAllTasksBlocked();
        tg.cancel();
        expect(limiter.statistics().tasksWaiting).toBe(0);
      });
      expect(limiter.totalTokens).toBe(0);
    }),
  );

  test(
    'of Infinity keeps nobody waiting',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(Infinity);
      expect([limiter.totalTokens, limiter.borrowedTokens, limiter.availableTokens]).toEqual([
        Infinity,
        0,
        Infinity,
      ]);
      expect(() => limiter.release()).toThrow(InvalidStateError);
      limiter.acquireNowait();
      expect([limiter.borrowedTokens, limiter.availableTokens]).toEqual([1, Infinity]);
      const other = new CapacityLimiter(0);
      const waiting = ['a', 'b'].map((borrower) => other.acquireOnBehalfOf(borrower));
      other.totalTokens = Infinity;
      await Promise.all(waiting);
    }),
  );
});

describe('run()', () => {
  test(
    'each call is a borrower of its own, so the branches of a Promise.all() queue up',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      const order: string[] = [];
      const branch = (name: string): Promise<string> =>
        limiter.run(async () => {
          order.push(`${name} in`);
          await sleep(1);
          order.push(`${name} out`);
          return name;
        });
      expect(await Promise.all([branch('a'), branch('b')])).toEqual(['a', 'b']);
      expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
      expect(limiter.borrowedTokens).toBe(0);
    }),
  );

  test(
    'the statistics show the task that runs it',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(2);
      const [borrower] = await limiter.run(() => borrowers(limiter));
      expect(borrower).toBe(currentTask());
    }),
  );

  test(
    'inside of itself on the same call chain is reported, and so is acquire()',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(2);
      const nested = /this is called inside of run\(\) of the same limiter/;
      await limiter.run(async () => {
        for (const again of [
          () => limiter.run(() => {}),
          () => limiter.acquire(),
          () => taskGroup(() => limiter.acquire()).catch((error) => Promise.reject(error.errors[0])),
          () => new CancelScope().run(() => limiter.run(() => {})),
        ]) {
          const error = await errorOf(again());
          expect(error).toBeInstanceOf(InvalidStateError);
          expect((error as Error).message).toMatch(nested);
        }
        expect(() => limiter.acquireNowait()).toThrow(nested);
        // On behalf of somebody else is another matter, and so is a child task.
        limiter.acquireOnBehalfOfNowait('tea').release();
        await taskGroup((tg) => void tg.startSoon(() => limiter.run(() => {})));
      });
      expect(limiter.borrowedTokens).toBe(0);
      await limiter.run(() => {});
    }),
  );

  test(
    'gives back whatever becomes of its function, and passes that on',
    virtualTime(async () => {
      const limiter = new CapacityLimiter(1);
      const error = new Error('no');
      const throwing = (): never => {
        throw error;
      };
      expect(await limiter.run(() => limiter.availableTokens)).toBe(0);
      expect(await errorOf(limiter.run(throwing))).toBe(error);
      expect(await errorOf(limiter.run(() => Promise.reject(error)))).toBe(error);
      await moveOnAfter(1, () => limiter.run(() => sleep(2)));
      expect(limiter.borrowedTokens).toBe(0);
    }),
  );
});

describe('outside of every task', () => {
  test('is made and changed there', async () => {
    const limiter = new CapacityLimiter(1);
    limiter.totalTokens = 2;
    expect(limiter.statistics()).toEqual({
      borrowedTokens: 0,
      totalTokens: 2,
      borrowers: [],
      tasksWaiting: 0,
    });
    for (const total of [0, Infinity]) {
      limiter.totalTokens = total;
      expect([limiter.totalTokens, new CapacityLimiter(total).totalTokens]).toEqual([total, total]);
    }
    await run(() => limiter.run(() => {}));
  });

  test('there is no telling one from another: they simply queue', async () => {
    const limiter = new CapacityLimiter(2);
    const first = await limiter.acquire();
    await limiter.acquire();
    const third = limiter.acquire();
    const fourth = limiter.acquire();
    expect(limiter.statistics().tasksWaiting).toBe(2);
    first.release();
    await third;
    limiter.release();
    await fourth;
    expect(limiter.borrowedTokens).toBe(2);
    limiter.release();
    limiter.release();
    expect(() => limiter.release()).toThrow(InvalidStateError);
    await limiter.run(() => expect(limiter.borrowedTokens).toBe(1));
  });

  test('release() gives back what was acquired there, and nothing on behalf of others', () => {
    const limiter = new CapacityLimiter(2);
    limiter.acquireOnBehalfOfNowait('tea');
    limiter.acquireNowait();
    limiter.release();
    expect(limiter.statistics().borrowers).toEqual(['tea']);
    expect(() => limiter.release()).toThrow(InvalidStateError);
    expect(limiter.statistics().borrowers).toEqual(['tea']);
  });
});

test('bad input is refused, and nothing changes', async () => {
  for (const total of [1.5, '1', undefined, null, {}]) {
    expect(() => new CapacityLimiter(total as number)).toThrow(TypeError);
  }
  for (const total of [-1, NaN, -Infinity]) expect(() => new CapacityLimiter(total)).toThrow(RangeError);
  expect(() => new CapacityLimiter(-1)).toThrow(
    'new CapacityLimiter(): totalTokens must be at least 0, got -1',
  );
  const limiter = new CapacityLimiter(2);
  for (const total of [1.5, '2', null]) {
    expect(() => (limiter.totalTokens = total as number)).toThrow(TypeError);
  }
  for (const total of [-1, NaN]) expect(() => (limiter.totalTokens = total)).toThrow(RangeError);
  expect(limiter.totalTokens).toBe(2);
  for (const nobody of [undefined, null]) {
    expect(await errorOf(limiter.acquireOnBehalfOf(nobody))).toBeInstanceOf(TypeError);
    expect(() => limiter.acquireOnBehalfOfNowait(nobody)).toThrow(TypeError);
    expect(() => limiter.releaseOnBehalfOf(nobody)).toThrow(
      'CapacityLimiter.releaseOnBehalfOf(): borrower must be an object or a name',
    );
  }
  expect(await errorOf(limiter.run(Promise.resolve() as never))).toBeInstanceOf(TypeError);
  expect(limiter.borrowedTokens).toBe(0);
});

testCancellation('CapacityLimiter.acquire()', () => {
  const limiter = new CapacityLimiter(0);
  return {
    begin: (options) => limiter.acquire(options),
    satisfy: () => (limiter.totalTokens = 1),
    end: (got) => (got as Releaser | undefined)?.release(),
    waiting: () => limiter.statistics().tasksWaiting,
    out: () => limiter.borrowedTokens,
  };
});

testCancellation('CapacityLimiter.acquireOnBehalfOf()', () => {
  const limiter = new CapacityLimiter(1);
  const other = limiter.acquireOnBehalfOfNowait('milk');
  return {
    begin: (options) => limiter.acquireOnBehalfOf('tea', options),
    satisfy: () => other.release(),
    end: (got) => (got as Releaser | undefined)?.release(),
    waiting: () => limiter.statistics().tasksWaiting,
    out: () => limiter.borrowedTokens,
  };
});

testCancellation('CapacityLimiter.run()', () => {
  const limiter = new CapacityLimiter(0);
  return {
    begin: (options) => limiter.run(() => 'tea', options),
    satisfy: () => (limiter.totalTokens = 1),
    end() {},
    value: 'tea',
    waiting: () => limiter.statistics().tasksWaiting,
    out: () => limiter.borrowedTokens,
  };
});

describe('nothing is lost', () => {
  const setUp = (): { limiter: CapacityLimiter; order: number[]; tasks: (() => Promise<void>)[] } => {
    const limiter = new CapacityLimiter(2);
    const order: number[] = [];
    let inside = 0;
    const work = async (index: number): Promise<void> => {
      inside++;
      try {
        expect(inside).toBeLessThanOrEqual(2);
        await sleep(10);
        order.push(index);
      } finally {
        inside--;
      }
    };
    const byRun = (index: number) => async (): Promise<void> => {
      await sleep(index);
      await Promise.all([limiter.run(() => work(index)), limiter.run(() => work(index))]);
    };
    const byAcquire = (index: number) => async (): Promise<void> => {
      await sleep(index);
      for (let round = 0; round < 2; round++) {
        using _token = await limiter.acquire();
        await work(index);
      }
    };
    const byName = (index: number) => async (): Promise<void> => {
      await sleep(index);
      for (let round = 0; round < 2; round++) {
        await limiter.acquireOnBehalfOf(index);
        try {
          await work(index);
        } finally {
          limiter.releaseOnBehalfOf(index);
        }
      }
    };
    const changes = async (): Promise<void> => {
      await sleep(5);
      limiter.totalTokens = 1;
      try {
        await sleep(18);
      } finally {
        limiter.totalTokens = 2;
      }
    };
    return { limiter, order, tasks: [byRun(0), byAcquire(1), byName(2), byAcquire(3), changes] };
  };

  test('whoever is cancelled at whatever step', async () => {
    const { waits } = await cancelEverywhere(() => {
      const { limiter, order, tasks } = setUp();
      return {
        tasks,
        check(cancelled) {
          expect(limiter.statistics()).toEqual({
            borrowedTokens: 0,
            totalTokens: 2,
            borrowers: [],
            tasksWaiting: 0,
          });
          for (const [index, wasCancelled] of cancelled.slice(0, 4).entries()) {
            const rounds = order.filter((each) => each === index).length;
            if (wasCancelled) expect(rounds).toBeLessThan(2);
            else expect(rounds).toBe(2);
          }
        },
      };
    });
    expect(waits).toBeGreaterThanOrEqual(20);
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed))('under the schedule of seed %i', (seed) =>
    fuzzSchedule(seed, async () => {
      const { limiter, order, tasks } = setUp();
      await taskGroup((tg) => {
        for (const task of tasks) tg.startSoon(task);
      });
      expect(order.toSorted((a, b) => a - b)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
      expect(limiter.borrowedTokens).toBe(0);
    }),
  );

  test('whatever happens in whatever order: as the model says', async () => {
    interface LimiterModel extends Model {
      total: number;
      /** The operation by which each borrower has its token; undefined if it was without one. */
      readonly borrowers: Map<string, number | undefined>;
      readonly queue: { borrower: string; operation: number }[];
      readonly borrowerOf: string[];
    }
    interface RealLimiter extends Real {
      readonly limiter: CapacityLimiter;
      readonly actors: readonly Actor[];
    }
    // Two borrowers are tasks, the others names.
    const borrower = fc.constantFrom('actor 0', 'actor 1', 'milk', 'sugar', 'tea');
    const serve = (model: LimiterModel): void => {
      while (model.borrowers.size < model.total && model.queue.length > 0) {
        const { borrower: next, operation } = model.queue.shift()!;
        model.borrowers.set(next, operation);
        model.operations[operation] = 'done';
      }
    };
    /** What asking for a token comes to. */
    const ask = (model: LimiterModel, by: string): 'InvalidStateError' | 'done' | 'WouldBlock' => {
      if (model.borrowers.has(by) || model.queue.some((each) => each.borrower === by)) {
        return 'InvalidStateError';
      }
      return model.queue.length === 0 && model.borrowers.size < model.total ? 'done' : 'WouldBlock';
    };
    const actorOf = (real: RealLimiter, name: string): Actor | undefined =>
      real.actors.find((actor) => actor.name === name);
    const released = (model: LimiterModel, choice: number): number | undefined => {
      const done = [...model.operations.keys()].filter((index) => model.operations[index] === 'done');
      return done[choice % done.length];
    };
    await checkModel<LimiterModel, RealLimiter>(
      [
        command('acquire', borrower, (model, real, by) => {
          const answer = ask(model, by);
          const operation = model.operations.push(answer === 'WouldBlock' ? 'pending' : answer) - 1;
          model.borrowerOf.push(by);
          if (answer === 'WouldBlock') model.queue.push({ borrower: by, operation });
          if (answer === 'done') model.borrowers.set(by, operation);
          const actor = actorOf(real, by);
          real.operations.push(
            new Operation((options) =>
              actor === undefined
                ? real.limiter.acquireOnBehalfOf(by, options)
                : actor.act(() => real.limiter.acquire(options)),
            ),
          );
        }),
        command('acquireNowait', borrower, (model, real, by) => {
          const answer = ask(model, by);
          if (answer === 'done') model.borrowers.set(by, undefined);
          const actor = actorOf(real, by);
          const actual = called(() =>
            actor === undefined
              ? real.limiter.acquireOnBehalfOfNowait(by)
              : actor.act(() => real.limiter.acquireNowait()),
          );
          expect(actual).toBe(answer);
        }),
        command('release', borrower, (model, real, by) => {
          const expected = model.borrowers.delete(by) ? 'done' : 'InvalidStateError';
          serve(model);
          const actor = actorOf(real, by);
          const actual = called(() =>
            actor === undefined
              ? real.limiter.releaseOnBehalfOf(by)
              : actor.act(() => real.limiter.release()),
          );
          expect(actual).toBe(expected);
        }),
        command(
          'release by its Releaser',
          fc.nat(),
          (model, real, choice) => {
            const chosen = released(model, choice)!;
            const by = model.borrowerOf[chosen]!;
            if (model.borrowers.has(by) && model.borrowers.get(by) === chosen) model.borrowers.delete(by);
            serve(model);
            (real.operations[chosen]!.value as Releaser).release();
          },
          (model, choice) => released(model, choice) !== undefined,
        ),
        command('totalTokens', fc.constantFrom(0, 1, 2, 3, Infinity), (model, real, total) => {
          model.total = total;
          serve(model);
          real.limiter.totalTokens = total;
        }),
        command(
          'cancel',
          fc.nat(),
          (model, real, choice) => {
            const chosen = pendingOperation(model, choice)!;
            model.operations[chosen] = 'Cancelled';
            model.queue.splice(
              model.queue.findIndex(({ operation }) => operation === chosen),
              1,
            );
            real.operations[chosen]!.cancel();
          },
          (model, choice) => pendingOperation(model, choice) !== undefined,
        ),
      ],
      (actors) => ({
        model: { operations: [], total: 2, borrowers: new Map(), queue: [], borrowerOf: [] },
        real: { operations: [], limiter: new CapacityLimiter(2), actors },
      }),
      (model, { limiter }) => [
        [model.total, limiter.totalTokens],
        [model.total - model.borrowers.size, limiter.availableTokens],
        [
          [...model.borrowers.keys()],
          borrowers(limiter).map((each) =>
            typeof each === 'string' ? each : (each as { name: string }).name,
          ),
        ],
        [model.queue.length, limiter.statistics().tasksWaiting],
      ],
      2,
    );
  });
});
