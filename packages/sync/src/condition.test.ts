import {
  BrokenResourceError,
  CancelScope,
  checkpoint,
  currentTask,
  detached,
  failAfter,
  InvalidStateError,
  moveOnAfter,
  run,
  shield,
  sleep,
  taskGroup,
  WouldBlock,
} from '@taskscope/core';
import {
  cancelEverywhere,
  expectCheckpoint,
  fuzzSchedule,
  virtualTime,
  waitAllTasksBlocked,
  type Workload,
} from '@taskscope/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { testCancellation, type Awaited } from './cancellation.fixture.js';
import { Condition, Event, Lock, ReentrantLock, Semaphore, type Releaser } from './index.js';
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

const idle = { tasksWaiting: 0, lockStatistics: { locked: false, owner: undefined, tasksWaiting: 0 } };

describe('the lock of a condition', () => {
  test(
    'is acquired and released through it',
    virtualTime(async () => {
      const lock = new Lock();
      const condition = new Condition(lock);
      expect([lock.locked, condition.locked]).toEqual([false, false]);
      await expectCheckpoint(() => condition.acquire());
      expect([lock.locked, condition.locked]).toEqual([true, true]);
      expect(() => condition.acquireNowait()).toThrow(InvalidStateError);
      condition.release();
      condition.acquireNowait();
      expect(condition.locked).toBe(true);
      await taskGroup((tg) => {
        tg.startSoon(() => expect(() => condition.acquireNowait()).toThrow(WouldBlock));
      });
      condition.release();
      expect(await condition.run(() => condition.locked)).toBe(true);
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'may be shared by several conditions',
    virtualTime(async () => {
      const lock = new Lock();
      const [filled, emptied] = [new Condition(lock), new Condition(lock)];
      const items: number[] = [];
      const taken: number[] = [];
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          for (let item = 0; item < 3; item++) {
            await emptied.run(async () => {
              await emptied.waitFor(() => items.length === 0);
              items.push(item);
              filled.notify();
            });
          }
        });
        tg.startSoon(async () => {
          for (let round = 0; round < 3; round++) {
            await filled.run(async () => {
              await filled.waitFor(() => items.length > 0);
              taken.push(items.pop()!);
              emptied.notify();
            });
          }
        });
      });
      expect(taken).toEqual([0, 1, 2]);
      expect(lock.locked).toBe(false);
    }),
  );
});

describe('wait()', () => {
  test.each(['using', 'release() in a finally', 'run()'])(
    'lets go of the lock, has it again afterwards, and it is released, by %s',
    (form) =>
      virtualTime(async () => {
        const condition = new Condition();
        const order: string[] = [];
        const inside = async (): Promise<void> => {
          expect(condition.statistics().lockStatistics.owner).toBe(currentTask());
          await condition.wait();
          order.push('goes on');
          expect(condition.statistics().lockStatistics.owner).toBe(currentTask());
        };
        await taskGroup(async (tg) => {
          tg.startSoon(async () => {
            if (form === 'using') {
              using _holding = await condition.acquire();
              await inside();
            } else if (form === 'run()') {
              await condition.run(inside);
            } else {
              await condition.acquire();
              try {
                await inside();
              } finally {
                condition.release();
              }
            }
          });
          await waitAllTasksBlocked();
          expect(condition.locked).toBe(false);
          await condition.run(() => {
            condition.notifyAll();
            order.push('notified');
          });
        });
        expect(order).toEqual(['notified', 'goes on']);
        expect(condition.statistics()).toEqual(idle);
      })(),
  );

  test(
    'several times in one holding of the lock',
    virtualTime(async () => {
      const condition = new Condition();
      let rounds = 0;
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          using _holding = await condition.acquire();
          for (; rounds < 3; rounds++) await condition.wait();
        });
        for (let round = 0; round < 3; round++) {
          await waitAllTasksBlocked();
          expect(rounds).toBe(round);
          await condition.run(() => condition.notify());
        }
      });
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'without holding the lock is refused',
    virtualTime(async () => {
      const condition = new Condition();
      const refused = 'the caller does not hold the lock of this condition. Acquire it first';
      const expectRefused = async (): Promise<void> => {
        const error = await errorOf(condition.wait());
        expect(error).toBeInstanceOf(InvalidStateError);
        expect((error as Error).message).toBe(`Condition.wait(): ${refused}`);
        expect(() => condition.notify()).toThrow(new InvalidStateError(`Condition.notify(): ${refused}`));
        expect(() => condition.notifyAll()).toThrow(InvalidStateError);
        expect(await errorOf(condition.waitFor(() => false))).toBeInstanceOf(InvalidStateError);
      };
      await expectRefused();
      await condition.acquire();
      // A child task does not hold it, neither does a branch beside run().
      await taskGroup((tg) => void tg.startSoon(expectRefused));
      condition.release();
      await Promise.all([condition.run(() => sleep(1)), expectRefused()]);
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'counts those who have not been notified, and of the lock those who have',
    virtualTime(async () => {
      const condition = new Condition();
      const finished: number[] = [];
      const waiter = (index: number): Promise<void> =>
        condition.run(async () => {
          await condition.wait();
          finished.push(index);
        });
      await taskGroup(async (tg) => {
        for (let index = 0; index < 3; index++) {
          tg.startSoon(waiter, index);
          await waitAllTasksBlocked();
          expect(condition.statistics().tasksWaiting).toBe(index + 1);
        }
        await condition.acquire();
        condition.notify(2);
        expect(condition.statistics()).toMatchObject({
          tasksWaiting: 1,
          lockStatistics: { tasksWaiting: 2 },
        });
        condition.release();
        // The first of them has it now, without having had to run for it.
        expect(condition.statistics().lockStatistics).toMatchObject({ locked: true, tasksWaiting: 1 });
        await waitAllTasksBlocked();
        expect(finished).toEqual([0, 1]);
        await condition.run(() => condition.notifyAll());
      });
      expect(finished).toEqual([0, 1, 2]);
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'those who were notified come after those who already wait for the lock',
    virtualTime(async () => {
      const condition = new Condition();
      const order: string[] = [];
      await taskGroup(async (tg) => {
        await inTurn(2, (index) =>
          tg.startSoon(() =>
            condition.run(async () => {
              await condition.wait();
              order.push(['first waiter', 'second waiter'][index]!);
            }),
          ),
        );
        await condition.acquire();
        tg.startSoon(() => condition.run(() => void order.push('other')));
        await waitAllTasksBlocked();
        condition.notifyAll();
        tg.startSoon(() => condition.run(() => void order.push('late')));
        await waitAllTasksBlocked();
        condition.release();
      });
      expect(order).toEqual(['other', 'first waiter', 'second waiter', 'late']);
    }),
  );
});

describe('notify()', () => {
  const finishedAfter = async (notify: (condition: Condition) => void): Promise<number[]> => {
    const condition = new Condition();
    const finished: number[] = [];
    await taskGroup(async (tg) => {
      await inTurn(3, (index) =>
        tg.startSoon(() =>
          condition.run(async () => {
            await condition.wait();
            finished.push(index);
          }),
        ),
      );
      await condition.run(() => notify(condition));
      await waitAllTasksBlocked();
      tg.cancel();
    });
    expect(condition.statistics()).toEqual(idle);
    return finished;
  };

  test(
    'wakes one, or as many as it is told, those first who have waited longest',
    virtualTime(async () => {
      expect(await finishedAfter((condition) => condition.notify())).toEqual([0]);
      expect(await finishedAfter((condition) => condition.notify(2))).toEqual([0, 1]);
      expect(await finishedAfter((condition) => condition.notify(0))).toEqual([]);
      expect(await finishedAfter((condition) => condition.notify(7))).toEqual([0, 1, 2]);
      expect(await finishedAfter((condition) => condition.notify(Infinity))).toEqual([0, 1, 2]);
      expect(await finishedAfter((condition) => condition.notifyAll())).toEqual([0, 1, 2]);
    }),
  );

  test(
    'when nobody waits is forgotten',
    virtualTime(async () => {
      const condition = new Condition();
      await condition.run(() => condition.notifyAll());
      const result = await moveOnAfter(5, () => condition.run(() => condition.wait().then(() => 'woken')));
      expect(result).toBe(undefined);
    }),
  );
});

describe('waitFor()', () => {
  test(
    'waits until the predicate is true, and resolves to what it returned',
    virtualTime(async () => {
      const condition = new Condition();
      let value: string | undefined;
      await taskGroup(async (tg) => {
        const handle = tg.startSoon(() => condition.run(() => condition.waitFor(() => value)));
        await waitAllTasksBlocked();
        await condition.run(() => condition.notifyAll());
        await waitAllTasksBlocked();
        expect(handle.status).toBe('pending');
        value = 'tea';
        await waitAllTasksBlocked();
        expect(handle.status).toBe('pending');
        await condition.run(() => condition.notifyAll());
        expect(await handle.result()).toBe('tea');
      });
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'does not wait when it is true already',
    virtualTime(async () => {
      const condition = new Condition();
      expect(await condition.run(() => condition.waitFor(() => 42))).toBe(42);
    }),
  );

  test(
    'is refused in a scope that is cancelled, whatever the predicate would say',
    virtualTime(async () => {
      const condition = new Condition();
      let asked = 0;
      const scope = new CancelScope();
      await condition.run(() =>
        scope.run(async () => {
          scope.cancel();
          await condition.waitFor(() => ++asked);
        }),
      );
      expect(scope.cancelledCaught).toBe(true);
      expect(asked).toBe(0);
      expect(await errorOf(condition.waitFor(() => true, null as never))).toBeInstanceOf(TypeError);
    }),
  );

  test('is a checkpoint also when it is true already', async () => {
    const condition = new Condition();
    await condition.run(() => expectCheckpoint(() => condition.waitFor(() => true)));
  });

  test(
    'refuses an async predicate, whose promise would be true at once, with the lock held',
    virtualTime(async () => {
      const condition = new Condition();
      const message =
        'Condition.waitFor(): predicate must not be async: the promise that it returns counts as true. ' +
        'What takes time belongs in a loop around wait()';
      await condition.run(async () => {
        const failing = (): Promise<boolean> => Promise.reject(new Error('nobody waits for it'));
        for (const predicate of [() => Promise.resolve(false), failing]) {
          expect(await errorOf(condition.waitFor(predicate))).toEqual(new TypeError(message));
          expect(condition.locked).toBe(true);
        }
      });
      let asked = 0;
      await taskGroup(async (tg) => {
        tg.startSoon(() =>
          condition.run(async () => {
            const second = (): unknown => ++asked === 2 && Promise.resolve(true);
            expect(await errorOf(condition.waitFor(second))).toEqual(new TypeError(message));
            expect(condition.locked).toBe(true);
          }),
        );
        await waitAllTasksBlocked();
        tg.startSoon(() => condition.run(() => condition.notify()));
      });
      expect(asked).toBe(2);
    }),
  );

  test(
    'passes on what the predicate throws, with the lock held',
    virtualTime(async () => {
      const condition = new Condition();
      const error = new Error('no');
      await condition.run(async () => {
        const throwing = (): never => {
          throw error;
        };
        expect(await errorOf(condition.waitFor(throwing))).toBe(error);
        expect(condition.locked).toBe(true);
      });
      expect(condition.locked).toBe(false);
    }),
  );
});

describe('a wait that is cancelled', () => {
  test(
    'does not go on, and lets go of the lock in the end',
    virtualTime(async () => {
      const condition = new Condition();
      const record: string[] = [];
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          using _holding = await condition.acquire();
          record.push('waits');
          await condition.wait();
          record.push('notified');
        });
        await waitAllTasksBlocked();
        tg.cancel();
      });
      expect(record).toEqual(['waits']);
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'before it began still holds the lock',
    virtualTime(async () => {
      const condition = new Condition();
      const scope = new CancelScope();
      await scope.run(() =>
        condition.run(async () => {
          scope.cancel();
          try {
            await condition.wait();
          } finally {
            expect(condition.statistics().lockStatistics.owner).toBe(currentTask());
          }
        }),
      );
      expect(scope.cancelledCaught).toBe(true);
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'has the lock again when it rejects, however long that takes, and whatever else is cancelled meanwhile',
    virtualTime(async (clock) => {
      const condition = new Condition();
      const [inner, outer] = [new CancelScope(), new CancelScope()];
      let rejectedAt: number | undefined;
      const waiter = (): Promise<unknown> =>
        condition.run(async () => {
          try {
            await condition.wait();
          } finally {
            rejectedAt = clock.now();
            expect(condition.statistics().lockStatistics.owner).toBe(currentTask());
          }
        });
      await taskGroup(async (tg) => {
        tg.startSoon(() => outer.run(() => inner.run(waiter)));
        await waitAllTasksBlocked();
        await condition.run(async () => {
          await sleep(5);
          inner.cancel();
          await sleep(5);
          outer.cancel();
          await sleep(5);
          expect(condition.statistics().lockStatistics.tasksWaiting).toBe(1);
        });
      });
      expect(outer.cancelledCaught).toBe(true);
      expect(rejectedAt).toBe(15);
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'after it was notified hands the notification on',
    virtualTime(async () => {
      const condition = new Condition();
      const woken: string[] = [];
      const scopes = [new CancelScope(), new CancelScope(), new CancelScope()];
      await taskGroup(async (tg) => {
        for (const [index, scope] of scopes.entries()) {
          tg.startSoon(() =>
            scope.run(() =>
              condition.run(async () => {
                await condition.wait();
                woken.push(`waiter ${index}`);
              }),
            ),
          );
        }
        await waitAllTasksBlocked();
        await failAfter(3, async () => {
          await condition.run(async () => {
            condition.notify();
            scopes[0]!.cancel();
            await checkpoint();
            // And whoever it was handed to hands it on again.
            scopes[1]!.cancel();
          });
          await waitAllTasksBlocked();
          expect(woken).toEqual(['waiter 2']);
        });
      });
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'before it is notified leaves the notification to the next',
    virtualTime(async () => {
      const condition = new Condition();
      const scope = new CancelScope();
      let woken = false;
      await taskGroup(async (tg) => {
        tg.startSoon(() => scope.run(() => condition.run(() => condition.wait())));
        tg.startSoon(() =>
          condition.run(async () => {
            await condition.wait();
            woken = true;
          }),
        );
        await waitAllTasksBlocked();
        await failAfter(3, () =>
          condition.run(() => {
            scope.cancel();
            condition.notify(1);
          }),
        );
      });
      expect(woken).toBe(true);
    }),
  );

  test(
    'by a foreign signal after it was notified hands it on as well',
    virtualTime(async () => {
      const condition = new Condition();
      const controller = new AbortController();
      const reason = new Error('enough');
      await taskGroup(async (tg) => {
        const first = tg.startSoon(() =>
          condition.run(async () => {
            const error = await errorOf(condition.wait({ signal: controller.signal }));
            expect(condition.locked).toBe(true);
            return error;
          }),
        );
        const second = tg.startSoon(() => condition.run(() => condition.wait()));
        await waitAllTasksBlocked();
        await condition.run(() => {
          condition.notify();
          controller.abort(reason);
        });
        expect(await first.result()).toBe(reason);
        await second.result();
      });
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'after it was notified hands the notification on, also if the lock has become free in the same call',
    virtualTime(async () => {
      const condition = new Condition();
      const scope = new CancelScope();
      await taskGroup(async (tg) => {
        tg.startSoon(() => scope.run(() => condition.run(() => condition.wait())));
        await waitAllTasksBlocked();
        const second = tg.startSoon(() => condition.run(() => condition.wait()));
        await waitAllTasksBlocked();
        const holding = await condition.acquire();
        condition.notify();
        scope.cancel();
        holding.release();
        expect(condition.locked).toBe(false);
        await second.result();
      });
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'by a foreign signal, and by its scope while it takes the lock again: the second does not interrupt that',
    virtualTime(async (clock) => {
      const condition = new Condition();
      const scope = new CancelScope();
      const controller = new AbortController();
      await taskGroup(async (tg) => {
        const waiting = tg.startSoon(() =>
          scope.run(() =>
            condition.run(async () => {
              const error = await errorOf(condition.wait({ signal: controller.signal }));
              expect(condition.statistics().lockStatistics.owner).toBe(currentTask());
              return [error, clock.now()];
            }),
          ),
        );
        await waitAllTasksBlocked();
        await condition.run(async () => {
          controller.abort('enough');
          await sleep(5);
          scope.cancel();
          await sleep(5);
        });
        expect(await waiting.result()).toEqual(['enough', 10]);
      });
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'after an earlier one was notified hands nothing on: that notification was used',
    virtualTime(async () => {
      const condition = new Condition();
      const scope = new CancelScope();
      let woken = 0;
      await taskGroup(async (tg) => {
        tg.startSoon(() =>
          scope.run(() =>
            condition.run(async () => {
              await condition.wait();
              woken++;
              await condition.wait();
            }),
          ),
        );
        await waitAllTasksBlocked();
        const other = tg.startSoon(() => condition.run(() => condition.wait()));
        await waitAllTasksBlocked();
        await condition.run(() => condition.notify());
        await waitAllTasksBlocked();
        expect([woken, condition.statistics().tasksWaiting]).toEqual([1, 2]);
        scope.cancel();
        await waitAllTasksBlocked();
        expect([other.status, condition.statistics().tasksWaiting]).toEqual(['pending', 1]);
        tg.cancel();
      });
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'after the lock was handed over to it goes on, and meets the cancellation at its next wait',
    virtualTime(async () => {
      const condition = new Condition();
      const scope = new CancelScope();
      let woken = false;
      await taskGroup(async (tg) => {
        tg.startSoon(() =>
          scope.run(() =>
            condition.run(async () => {
              await condition.wait();
              woken = true;
              await condition.wait();
            }),
          ),
        );
        await waitAllTasksBlocked();
        using holding = await condition.acquire();
        condition.notify();
        holding.release();
        scope.cancel();
      });
      expect(woken).toBe(true);
      expect(scope.cancelledCaught).toBe(true);
      expect(condition.statistics()).toEqual(idle);
    }),
  );
});

describe('with a reentrant lock', () => {
  test(
    'wait() lets go of all levels, and has as many afterwards',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      const condition = new Condition(lock);
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          using _outer = await condition.acquire();
          {
            using _inner = await condition.acquire();
            await condition.wait();
            expect(lock.depth).toBe(2);
          }
          expect(lock.depth).toBe(1);
        });
        tg.startSoon(() =>
          condition.run(() =>
            condition.run(async () => {
              await condition.wait();
              expect(lock.depth).toBe(2);
            }),
          ),
        );
        await waitAllTasksBlocked();
        expect([lock.depth, condition.statistics().tasksWaiting]).toEqual([0, 2]);
        await condition.run(() => condition.notifyAll());
      });
      expect(lock.depth).toBe(0);
    }),
  );

  test(
    'a wait that is cancelled has as many levels again, too',
    virtualTime(async () => {
      const lock = new ReentrantLock();
      const condition = new Condition(lock);
      const scope = new CancelScope();
      await taskGroup(async (tg) => {
        tg.startSoon(() =>
          scope.run(async () => {
            using _outer = await condition.acquire();
            using _inner = await condition.acquire();
            try {
              await condition.wait();
            } finally {
              expect(lock.depth).toBe(2);
            }
          }),
        );
        await waitAllTasksBlocked();
        scope.cancel();
      });
      expect(lock.depth).toBe(0);
    }),
  );
});

describe('a lock that breaks', () => {
  test(
    'is heard of by those who were notified, and by those whom that was handed on to',
    virtualTime(async () => {
      const condition = new Condition();
      const errors: unknown[] = [];
      await taskGroup(async (tg) => {
        for (let index = 0; index < 3; index++) {
          tg.startSoon(async () => {
            await condition.acquire();
            errors.push(await errorOf(condition.wait()));
          });
        }
        await waitAllTasksBlocked();
        tg.startSoon(async () => {
          await condition.acquire();
          condition.notify();
        });
      });
      expect(errors).toHaveLength(3);
      for (const error of errors) expect(error).toBeInstanceOf(BrokenResourceError);
      expect(condition.statistics()).toMatchObject({ tasksWaiting: 0, lockStatistics: { tasksWaiting: 0 } });
    }),
  );

  test(
    'is not broken by the end of a task that has let go of it while others wait for the condition',
    virtualTime(async () => {
      for (const letGo of ['release', 'wait'] as const) {
        const condition = new Condition();
        const order: string[] = [];
        await taskGroup(async (tg) => {
          tg.startSoon(async () => {
            await condition.acquire();
            await condition.wait();
            order.push('notified');
            condition.release();
          });
          await waitAllTasksBlocked();
          tg.startSoon(async () => {
            await condition.acquire();
            if (letGo === 'wait') await moveOnAfter(1, () => condition.wait());
            condition.release();
          });
          await sleep(2);
          order.push('ended');
          await condition.acquire();
          condition.notify();
          condition.release();
        });
        expect(order).toEqual(['ended', 'notified']);
      }
    }),
  );

  test(
    'keeps nobody who was cancelled waiting for it',
    virtualTime(async () => {
      const condition = new Condition();
      const scope = new CancelScope();
      await taskGroup(async (tg) => {
        const waiting = tg.startSoon(() =>
          scope.run(async () => {
            await condition.acquire();
            return errorOf(condition.wait());
          }),
        );
        await waitAllTasksBlocked();
        tg.startSoon(() => condition.acquire());
        await waitAllTasksBlocked();
        scope.cancel();
        expect(await waiting.result()).toBeInstanceOf(BrokenResourceError);
      });
    }),
  );
});

describe('a wait that nobody awaits', () => {
  test(
    'although its lock was given back does not keep it for ever',
    virtualTime(async () => {
      const condition = new Condition();
      await taskGroup(async (tg) => {
        const begun = new Event();
        tg.startSoon(async () => {
          const holding = await condition.acquire();
          const waiting = condition.wait();
          holding.release();
          begun.set();
          await waiting;
        });
        await begun.wait();
        expect(condition.locked).toBe(false);
        await condition.run(() => condition.notify());
      });
      expect(condition.statistics()).toEqual(idle);
    }),
  );

  test(
    'and is cancelled neither',
    virtualTime(async () => {
      const condition = new Condition();
      await moveOnAfter(1, async () => {
        const holding = await condition.acquire();
        const waiting = condition.wait();
        holding.release();
        await waiting;
      });
      expect(condition.statistics()).toEqual(idle);
    }),
  );
});

describe('outside of every task', () => {
  test('is made, notified and waited for there', async () => {
    const condition = new Condition();
    expect(condition.statistics()).toEqual(idle);
    const waiting = condition.run(async () => {
      await condition.wait();
      return condition.locked;
    });
    using holding = await condition.acquire();
    condition.notify();
    holding.release();
    expect(await waiting).toBe(true);
    expect(await errorOf(condition.wait())).toBeInstanceOf(InvalidStateError);
    expect(() => condition.notify()).toThrow(InvalidStateError);
    await run(() => condition.run(() => {}));
    expect(condition.statistics()).toEqual(idle);
  });
});

test('bad input is refused', async () => {
  for (const lock of [new Semaphore(1), Lock, null, 42]) {
    expect(() => new Condition(lock as never)).toThrow(TypeError);
  }
  expect(() => new Condition(42 as never)).toThrow('new Condition(): lock must be a Lock, got 42');
  const condition = new Condition();
  await condition.run(async () => {
    for (const n of [1.5, '1', null]) expect(() => condition.notify(n as number)).toThrow(TypeError);
    for (const n of [-1, NaN]) expect(() => condition.notify(n)).toThrow(RangeError);
    const error = await errorOf(condition.waitFor(true as never));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toBe('Condition.waitFor(): predicate must be a function, got true');
  });
  expect(await errorOf(condition.run(42 as never))).toBeInstanceOf(TypeError);
  expect(condition.statistics()).toEqual(idle);
});

const waitFor = (wait: 'wait' | 'waitFor') => (): Awaited => {
  const condition = new Condition();
  let holding: Releaser | undefined;
  let isTrue = false;
  return {
    begin(options) {
      holding = condition.acquireNowait();
      return wait === 'wait' ? condition.wait(options) : condition.waitFor(() => isTrue, options);
    },
    satisfy: () =>
      detached(() => {
        isTrue = true;
        if (condition.locked) return;
        using _holding = condition.acquireNowait();
        condition.notify();
      }),
    end: () => {
      holding?.release();
      isTrue = false;
    },
    waiting: () => condition.statistics().tasksWaiting + condition.statistics().lockStatistics.tasksWaiting,
    out: () => (condition.locked ? 1 : 0),
  };
};
testCancellation('Condition.wait()', waitFor('wait'));
testCancellation('Condition.waitFor()', waitFor('waitFor'));

testCancellation('Condition.acquire()', () => {
  const condition = new Condition();
  const other = detached(() => condition.acquireNowait());
  return {
    begin: (options) => condition.acquire(options),
    satisfy: () => other.release(),
    end: (got) => (got as Releaser | undefined)?.release(),
    waiting: () => condition.statistics().lockStatistics.tasksWaiting,
    out: () => (condition.locked ? 1 : 0),
  };
});

describe('nothing is lost', () => {
  /** Two waiters, of whom one is notified by a task that then keeps the lock for a while. The other is notified later. */
  const notifying = (): Required<Workload> & { readonly woken: Map<number, string> } => {
    const condition = new Condition();
    const woken = new Map<number, string>();
    let phase = 'too early';
    const waiter = (index: number) => async (): Promise<void> => {
      await sleep(index);
      await condition.run(async () => {
        await condition.wait();
        woken.set(index, phase);
        await sleep(1);
      });
    };
    const notifier = (): Promise<void> =>
      shield(async () => {
        await sleep(10);
        await condition.run(async () => {
          phase = 'first';
          condition.notify();
          await sleep(10);
        });
        await sleep(10);
        phase = 'second';
        await condition.run(() => condition.notifyAll());
      });
    return {
      woken,
      tasks: [waiter(0), waiter(1), notifier],
      check(cancelled) {
        expect(condition.statistics()).toEqual(idle);
        if (cancelled[0] === true && cancelled[1] === true) return;
        // The first notification has woken exactly one, whoever was cancelled.
        expect([...woken.values()].filter((each) => each === 'first')).toHaveLength(1);
        for (const index of [0, 1]) if (!cancelled[index]) expect(woken.has(index)).toBe(true);
      },
    };
  };

  /** Producers and consumers of a buffer that has room for one. */
  const buffering = (): Required<Workload> & { readonly taken: number[] } => {
    const lock = new Lock();
    const [filled, emptied] = [new Condition(lock), new Condition(lock)];
    const buffer: number[] = [];
    const [put, taken]: [number[], number[]] = [[], []];
    let producers = 2;
    let consumers = 2;
    const producer = (index: number) => async (): Promise<void> => {
      try {
        await sleep(index);
        for (let item = 0; item < 2; item++) {
          using _holding = await lock.acquire();
          await emptied.waitFor(() => buffer.length === 0 || consumers === 0);
          if (consumers === 0) return;
          buffer.push(10 * index + item);
          put.push(10 * index + item);
          filled.notify();
        }
      } finally {
        await shield(() => lock.run(() => (--producers === 0 ? filled.notifyAll() : undefined)));
      }
    };
    const consumer = async (): Promise<void> => {
      try {
        for (;;) {
          using _holding = await lock.acquire();
          await filled.waitFor(() => buffer.length > 0 || producers === 0);
          const item = buffer.shift();
          if (item === undefined) return;
          taken.push(item);
          emptied.notify();
          await sleep(1);
        }
      } finally {
        await shield(() => lock.run(() => (--consumers === 0 ? emptied.notifyAll() : undefined)));
      }
    };
    return {
      taken,
      tasks: [producer(0), producer(1), consumer, consumer],
      check() {
        expect(lock.statistics()).toEqual(idle.lockStatistics);
        expect([filled, emptied].map((each) => each.statistics().tasksWaiting)).toEqual([0, 0]);
        // Each item was taken once, in order, or is still there.
        expect([...taken, ...buffer]).toEqual(put);
      },
    };
  };

  test('whoever is cancelled at whatever step: no notification', async () => {
    const { waits } = await cancelEverywhere(notifying);
    expect(waits).toBeGreaterThanOrEqual(9);
  });

  test('whoever is cancelled at whatever step: no item of a bounded buffer', async () => {
    const { waits } = await cancelEverywhere(buffering);
    expect(waits).toBeGreaterThan(10);
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed))('under the schedule of seed %i', (seed) =>
    fuzzSchedule(seed, async () => {
      const [first, second] = [notifying(), buffering()];
      await taskGroup((tg) => {
        for (const task of [...first.tasks, ...second.tasks]) tg.startSoon(task);
      });
      await first.check([false, false, false]);
      expect([...first.woken.values()].toSorted()).toEqual(['first', 'second']);
      await second.check([false, false, false, false]);
      expect(second.taken.toSorted((a, b) => a - b)).toEqual([0, 1, 10, 11]);
    }),
  );

  test('whatever happens in whatever order: as the model says', async () => {
    const ACTORS = 3;
    interface Entry {
      readonly actor: number;
      readonly operation: number;
      /** What the operation comes to once it has the lock. */
      outcome: 'done' | 'Cancelled';
      isNotified: boolean;
    }
    interface ConditionModel extends Model {
      owner: number | undefined;
      readonly lockQueue: Entry[];
      readonly waiting: Entry[];
    }
    interface RealCondition extends Real {
      readonly condition: Condition;
      readonly actors: readonly Actor[];
    }
    const release = (model: ConditionModel): void => {
      const next = model.lockQueue.shift();
      model.owner = next?.actor;
      if (next !== undefined) model.operations[next.operation] = next.outcome;
    };
    const enqueue = (model: ConditionModel, entry: Entry): void => {
      model.lockQueue.push(entry);
      if (model.owner === undefined) release(model);
    };
    const notify = (model: ConditionModel): void => {
      const next = model.waiting.shift();
      if (next === undefined) return;
      next.isNotified = true;
      enqueue(model, next);
    };
    /** Those that are cancelled already can only wait for the lock. */
    const cancellable = (model: ConditionModel, choice: number): number | undefined => {
      const stuck = new Set(
        model.lockQueue.filter(({ outcome }) => outcome === 'Cancelled').map(({ operation }) => operation),
      );
      const operations = model.operations.map((status, index) => (stuck.has(index) ? 'stuck' : status));
      return pendingOperation({ operations }, choice);
    };
    const actor = fc.nat({ max: ACTORS - 1 });
    await checkModel<ConditionModel, RealCondition>(
      [
        command('acquire', actor, (model, real, index) => {
          const operation = model.operations.push('pending') - 1;
          if (model.owner === index) model.operations[operation] = 'InvalidStateError';
          else enqueue(model, { actor: index, operation, outcome: 'done', isNotified: false });
          real.operations.push(
            new Operation((options) => real.actors[index]!.act(() => real.condition.acquire(options))),
          );
        }),
        command('release', actor, (model, real, index) => {
          const expected = model.owner === index ? 'done' : 'InvalidStateError';
          if (model.owner === index) release(model);
          expect(called(() => real.actors[index]!.act(() => real.condition.release()))).toBe(expected);
        }),
        command('wait', actor, (model, real, index) => {
          const operation = model.operations.push('pending') - 1;
          if (model.owner === index) {
            model.waiting.push({ actor: index, operation, outcome: 'done', isNotified: false });
            release(model);
          } else {
            model.operations[operation] = 'InvalidStateError';
          }
          real.operations.push(
            new Operation((options) => real.actors[index]!.act(() => real.condition.wait(options))),
          );
        }),
        command('notify', fc.tuple(actor, fc.nat({ max: 3 })), (model, real, [index, n]) => {
          const expected = model.owner === index ? 'done' : 'InvalidStateError';
          if (model.owner === index) for (let left = n; left > 0; left--) notify(model);
          expect(called(() => real.actors[index]!.act(() => real.condition.notify(n)))).toBe(expected);
        }),
        command(
          'cancel',
          fc.nat(),
          (model, real, choice) => {
            const operation = cancellable(model, choice)!;
            const isIt = (entry: Entry): boolean => entry.operation === operation;
            const queue = model.waiting.some(isIt) ? model.waiting : model.lockQueue;
            const wasWaiting = queue === model.waiting || queue.find(isIt)!.isNotified;
            const [entry] = queue.splice(queue.findIndex(isIt), 1);
            if (entry!.isNotified) notify(model);
            if (wasWaiting) enqueue(model, { ...entry!, outcome: 'Cancelled', isNotified: false });
            else model.operations[operation] = 'Cancelled';
            real.operations[operation]!.cancel();
          },
          (model, choice) => cancellable(model, choice) !== undefined,
        ),
      ],
      (actors) => ({
        model: { operations: [], owner: undefined, lockQueue: [], waiting: [] },
        real: { operations: [], condition: new Condition(), actors },
      }),
      (model, { condition, actors }) => {
        const { tasksWaiting, lockStatistics } = condition.statistics();
        return [
          [model.owner === undefined ? undefined : actors[model.owner]!.name, lockStatistics.owner?.name],
          [model.waiting.length, tasksWaiting],
          [model.lockQueue.length, lockStatistics.tasksWaiting],
        ];
      },
      ACTORS,
    );
  });
});

test(
  'those who wait hear of it when the owner of the lock ends without releasing it',
  virtualTime(async () => {
    const condition = new Condition();
    const heard: unknown[] = [];
    await taskGroup(async (tg) => {
      for (const _ of [1, 2]) {
        tg.startSoon(() =>
          condition.run(() => condition.wait()).catch((error: unknown) => void heard.push(error)),
        );
      }
      await waitAllTasksBlocked();
      expect(condition.statistics().tasksWaiting).toBe(2);
      tg.startSoon(() => condition.acquire());
    });
    expect(heard).toEqual([expect.any(BrokenResourceError), expect.any(BrokenResourceError)]);
    expect(condition.statistics().tasksWaiting).toBe(0);
  }),
);
