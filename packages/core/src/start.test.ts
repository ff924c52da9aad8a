import { MockClock, virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { errorsOf, throwing, waitAndCleanUp } from './failing.fixture.js';
import {
  Cancelled,
  CancelScope,
  cancelShieldedCheckpoint,
  checkpoint,
  currentTask,
  currentTime,
  InvalidStateError,
  run,
  moveOnAfter,
  shield,
  sleep,
  sleepForever,
  TaskCancelled,
  taskGroup,
  type TaskGroupError,
  type TaskGroup,
  type TaskHandle,
  type TaskStatus,
} from './index.js';
import { addInstrument, callAt, ParkingLot } from './lowlevel.js';
import { errorOf } from './observing.fixture.js';

describe('getting ready', () => {
  test('in the moment in which the task ends is too late', async () => {
    let kept: TaskStatus | undefined;
    let error: unknown;
    const instrument = addInstrument({
      scopeExited(scope) {
        if (scope.name !== 'late') return;
        try {
          kept!.started();
        } catch (refusal) {
          error = refusal;
        }
      },
    });
    const late = (status: TaskStatus): void => void (kept = status);
    await taskGroup((tg) => tg.start(late)).catch(() => {});
    instrument[Symbol.dispose]();
    expect(error).toEqual(new InvalidStateError('started(): the task "late" has ended already'));
  });

  test(
    'start() waits for started(), and the group for the rest',
    virtualTime(async () => {
      const work = async (status: TaskStatus<string>, ms: number): Promise<void> => {
        await sleep(ms);
        status.started(`after ${ms}`);
        await sleep(ms);
      };
      await taskGroup(async (tg) => {
        expect(await tg.start(work, 10)).toBe('after 10');
        expect(currentTime()).toBe(10);
      });
      expect(currentTime()).toBe(20);
    }),
  );

  test(
    'started() may be taken out of the status, and called by others',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const port = await tg.start(async ({ started }: TaskStatus<number>) => {
          callAt(currentTime() + 5, () => started(8080));
          await sleep(10);
        });
        expect(port).toBe(8080);
        expect(currentTime()).toBe(5);
      });
    }),
  );

  test(
    'started() may be called without a value, also before the first wait',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const value = await tg.start((status: TaskStatus) => {
          status.started();
        });
        expect(value).toBeUndefined();
      });
    }),
  );

  test(
    'the child takes its first step later, never in the call of start()',
    virtualTime(async () => {
      const order: string[] = [];
      await taskGroup(async (tg) => {
        const started = tg.start((status) => {
          order.push('child');
          status.started();
        });
        order.push('caller');
        await started;
      });
      expect(order).toEqual(['caller', 'child']);
    }),
  );

  test(
    'startTask() resolves to the handle, which holds the value and later the result',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const handle = await tg.startTask(
          async (status: TaskStatus<number>) => {
            status.started(3);
            await checkpoint();
            return 'result';
          },
          { name: 'server' },
        );
        expect(handle.startValue).toBe(3);
        expect(handle.name).toBe('server');
        expect(handle.status).toBe('pending');
        expect(await handle.result()).toBe('result');
        expect(handle.startValue).toBe(3);
      });
    }),
  );

  test(
    'a synchronous function may call started() and return a promise',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const handle = await tg.startTask((status: TaskStatus<number>) => {
          status.started(5);
          return Promise.resolve(8);
        });
        expect(handle.startValue).toBe(5);
        expect(await handle.result()).toBe(8);
      });
    }),
  );

  test(
    'startTask() resolves to a handle also when the value is undefined, and that has a start value',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const handle = await tg.startTask((status: TaskStatus) => status.started());
        expect(handle.startValue).toBeUndefined();
      });
    }),
  );

  test(
    'a value that is a promise is awaited by the caller, as in every promise',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const value = await tg.start((status: TaskStatus<Promise<string>>) =>
          status.started(Promise.resolve('inner')),
        );
        expect(value).toBe('inner');
      });
    }),
  );

  test(
    'has the names that it was given, or that of its function',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const nameOfTask = (status: TaskStatus<string>): void => status.started(currentTask().name);
        expect(await tg.start(nameOfTask)).toBe('nameOfTask');
        expect((await tg.startTask(nameOfTask)).startValue).toBe('nameOfTask');
        expect((await tg.startTask(nameOfTask, { name: 'custom' })).startValue).toBe('custom');
        expect((await tg.startTask(nameOfTask, { name: '' })).startValue).toBe('');
      });
    }),
  );

  test(
    'its signal is that of the task, before and after started()',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        let seen: AbortSignal | undefined;
        const handle = await tg.startTask(async (status: TaskStatus) => {
          seen = status.signal;
          status.started();
          expect(status.signal).toBe(seen);
          await sleepForever();
        });
        expect(seen!.aborted).toBe(false);
        handle.cancel('enough');
        expect(seen!.aborted).toBe(true);
        expect((seen!.reason as Cancelled).reason).toBe('enough');
      });
    }),
  );
});

test(
  'a child whose time is over before its first wait runs to its end',
  virtualTime(async () => {
    await taskGroup(async (tg) => {
      const task = await tg.startTask(async (status: TaskStatus) => {
        status.started();
        await moveOnAfter(-1, () => sleepForever());
        return 'end';
      });
      await waitAllTasksBlocked();
      expect(task.status).toBe('finished');
      expect(task.returnValue).toBe('end');
    });
  }),
);

describe('belonging', () => {
  test(
    'to the caller first, then to the group',
    virtualTime(async () => {
      const host = currentTask().id;
      const parents: (number | undefined)[] = [];
      let starter: number | undefined;
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          starter = currentTask().id;
          await tg.start((status) => {
            parents.push(currentTask().parentId);
            status.started();
            parents.push(currentTask().parentId);
          });
        });
      });
      expect(starter).not.toBe(host);
      expect(parents).toEqual([starter, host]);
    }),
  );

  test(
    'after started() it no longer minds the scope of its caller, before it does',
    virtualTime(async () => {
      const ended: string[] = [];
      await taskGroup(async (tg) => {
        await moveOnAfter(10, async () => {
          await tg.start(async (status) => {
            await sleep(5);
            status.started();
            await sleep(20);
            ended.push(`moved ended at ${currentTime()}`);
          });
          await sleepForever();
        });
        expect(currentTime()).toBe(10);
        await moveOnAfter(10, () =>
          tg.start(async () => {
            try {
              await sleepForever();
            } finally {
              ended.push(`unmoved ended at ${currentTime()}`);
            }
          }),
        );
        expect(tg.cancelScope.cancelCalled).toBe(false);
      });
      expect(ended).toEqual(['unmoved ended at 20', 'moved ended at 25']);
    }),
  );

  test(
    'everything below it moves along',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        let inner: TaskHandle<unknown> | undefined;
        await moveOnAfter(10, async () => {
          await tg.start(async (status) => {
            await taskGroup(async (own) => {
              inner = own.startSoon(() => sleep(30));
              await new CancelScope().run(async () => {
                status.started();
                await sleep(15);
              });
            });
          });
          await sleepForever();
        });
        await inner!.wait();
        expect(inner!.status).toBe('finished');
        expect(currentTime()).toBe(30);
      });
    }),
  );

  test(
    'moving into a group that is cancelled ends its waits, also those far below, just before or just after',
    virtualTime(async () => {
      for (const when of ['before', 'after'] as const) {
        await taskGroup(async (outer) => {
          const target = await outer.start(async (status: TaskStatus<TaskGroup>) => {
            await taskGroup(async (tg) => {
              status.started(tg);
              await sleepForever();
            });
          });
          const waits: Promise<unknown>[] = [];
          await target.start(async (status) => {
            await taskGroup(async (own) => {
              for (let i = 0; i < 2; i++) {
                own.startSoon(() => {
                  const wait = sleepForever();
                  waits.push(errorOf(wait));
                  return wait;
                });
              }
              await waitAllTasksBlocked();
              if (when === 'before') target.cancel();
              status.started();
            });
          });
          if (when === 'after') target.cancel();
          for (const each of await Promise.all(waits)) expect(each).toBeInstanceOf(Cancelled);
          expect(outer.cancelScope.cancelCalled).toBe(false);
        });
      }
      expect(currentTime()).toBe(0);
    }),
  );

  test(
    'a child that is getting ready keeps the group open',
    virtualTime(async () => {
      const getReady = async (status: TaskStatus): Promise<void> => {
        await sleep(2);
        status.started();
        await sleep(3);
      };
      await taskGroup(async (starters) => {
        await taskGroup(async (tg) => {
          starters.startSoon(() => tg.start(getReady));
          await sleep(1);
          starters.startSoon(() => tg.start(getReady));
        });
        expect(currentTime()).toBe(6);
      });
    }),
  );

  test(
    'also if it crashes and never gets in',
    virtualTime(async () => {
      await taskGroup(async (starters) => {
        await taskGroup(async (tg) => {
          starters.startSoon(async () => {
            expect(
              await errorOf(
                tg.start(async () => {
                  await sleep(7);
                  throwing('crash')();
                }),
              ),
            ).toBe('crash');
          });
          await waitAllTasksBlocked();
        });
        expect(currentTime()).toBe(7);
      });
    }),
  );

  test(
    'a starter of another group may start here',
    virtualTime(async () => {
      const order: string[] = [];
      await taskGroup(async (outer) => {
        await taskGroup(async (inner) => {
          await outer.start(async (status) => {
            status.started();
            await sleep(10);
            order.push('outer child');
          });
          inner.startSoon(() => void order.push('inner child'));
        });
        order.push('inner left');
      });
      expect(order).toEqual(['inner child', 'inner left', 'outer child']);
    }),
  );
});

describe('failing', () => {
  test(
    'before started(): the error comes out of start(), as it is, and the group goes on',
    virtualTime(async () => {
      const error = new Error('no port', { cause: new TypeError('because') });
      await taskGroup(async (tg) => {
        expect(await errorOf(tg.start(throwing(error)))).toBe(error);
        expect(error.cause).toBeInstanceOf(TypeError);
        expect(await errorOf(tg.startTask(throwing(undefined)))).toBeUndefined();
        const aggregate = new AggregateError([error], 'my own');
        expect(await errorOf(tg.start(throwing(aggregate)))).toBe(aggregate);
        expect(tg.cancelScope.cancelCalled).toBe(false);
        await checkpoint();
      });
    }),
  );

  test(
    'after started(): it is an error of the group',
    virtualTime(async () => {
      let value: unknown;
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          value = await tg.start((status: TaskStatus<number>) => {
            status.started(2);
            throwing('late')();
          });
        }),
      );
      expect(value).toBe(2);
      expect(errors).toEqual(['late']);
    }),
  );

  test(
    'ending without started() is an InvalidStateError that says what to do',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const error = await errorOf(tg.start(function server() {}));
        expect(error).toBeInstanceOf(InvalidStateError);
        expect((error as Error).message).toMatch(
          /"server" ended without calling started\(\)\. Call status\.started\(\)/,
        );
        expect(tg.cancelScope.cancelCalled).toBe(false);
      });
    }),
  );

  test(
    'the caller of start() is cancelled by a failing sibling: the child ends with it',
    virtualTime(async () => {
      let slept = false;
      const failed = (await errorOf(
        taskGroup(async (outer) => {
          await taskGroup(async (inner) => {
            inner.startSoon(async () => {
              await waitAllTasksBlocked();
              throwing('sibling')();
            });
            await outer.start(async (status) => {
              await sleep(1);
              slept = true;
              status.started();
            });
          });
        }),
      )) as TaskGroupError;
      expect(slept).toBe(false);
      expect(failed.errors).toHaveLength(1);
      expect((failed.errors[0] as TaskGroupError).errors).toEqual(['sibling']);
    }),
  );

  test(
    'twice started() is an InvalidStateError in the child, which may live on',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const value = await tg.start(function server(status: TaskStatus<string>) {
          status.started('first');
          expect(() => status.started('second')).toThrow(InvalidStateError);
          expect(() => status.started('second')).toThrow(
            /"server" has called it before, and it is called once/,
          );
        });
        expect(value).toBe('first');
      });
    }),
  );

  test(
    'twice started() without a catch is the error of a child of the group',
    virtualTime(async () => {
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          await tg.start((status: TaskStatus) => {
            status.started();
            status.started();
          });
        }),
      );
      expect(errors[0]).toBeInstanceOf(InvalidStateError);
    }),
  );

  test(
    'started() after the task has ended is an InvalidStateError',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        let kept: TaskStatus | undefined;
        await errorOf(
          tg.start(function early(status: TaskStatus) {
            kept = status;
          }),
        );
        expect(() => kept!.started()).toThrow(InvalidStateError);
        expect(() => kept!.started()).toThrow(/"early" has ended already/);
      });
    }),
  );

  test(
    'a start() that nobody awaits reports its failure as an unhandled rejection would: it rejects, and the group ends',
    virtualTime(async () => {
      let floating: Promise<unknown> | undefined;
      await taskGroup((tg) => {
        floating = tg.start(throwing('lost'));
        floating.catch(() => {});
      });
      expect(await errorOf(floating!)).toBe('lost');
    }),
  );
});

describe('cancelling', () => {
  test(
    'before: the child runs up to its first wait, and start() rejects',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup(async (tg) => {
        const scope = new CancelScope();
        await scope.run(async () => {
          scope.cancel('early');
          const error = await errorOf(
            tg.start(async () => {
              record.push('started');
              await checkpoint();
              record.push('not reached');
            }),
          );
          expect((error as Cancelled).reason).toBe('early');
        });
        expect(tg.cancelScope.cancelCalled).toBe(false);
      });
      expect(record).toEqual(['started']);
    }),
  );

  test(
    'the group itself, before',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup(async (tg) => {
        tg.cancel();
        await tg.start(async () => {
          record.push('started');
          await sleep(2);
          record.push('not reached');
        });
      });
      expect(record).toEqual(['started']);
    }),
  );

  test(
    'in a cancelled caller, started() moves nothing: start() ends as the child ends',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const scope = new CancelScope();
        const cancelled = (start: () => Promise<unknown>): Promise<unknown> =>
          new CancelScope().run((each) => {
            each.cancel();
            return start();
          });
        // It waits: cancelled.
        await scope.run(async () => {
          scope.cancel();
          const error = await errorOf(
            tg.start(async (status: TaskStatus<string>) => {
              status.started('hi');
              await checkpoint();
            }),
          );
          expect(error).toBeInstanceOf(Cancelled);
        });
        expect(scope.cancelledCaught).toBe(false);
        // It does not wait: it has finished, and its value counts.
        expect(
          await cancelled(() => tg.start((status: TaskStatus<string>) => status.started('finished'))),
        ).toBe('finished');
        // It fails: its error comes out of start(), also after started().
        expect(
          await errorOf(
            cancelled(() =>
              tg.start((status) => {
                status.started();
                throwing('whoops')();
              }),
            ),
          ),
        ).toBe('whoops');
        expect(tg.cancelScope.cancelCalled).toBe(false);
      });
    }),
  );

  test(
    'during: it reaches the child, which may clean up, and start() waits for that',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        await moveOnAfter(5, () => tg.start(() => waitAndCleanUp(10)));
        expect(currentTime()).toBe(15);
      });
    }),
  );

  test(
    'a shield in the child keeps the cancellation of its caller out',
    virtualTime(async () => {
      const record: string[] = [];
      const lot = new ParkingLot();
      const outer = new CancelScope();
      await outer.run(() =>
        taskGroup(async (tg) => {
          tg.startSoon(() =>
            tg.start(async () => {
              await shield(() => lot.park());
              record.push('unshielded');
              await checkpoint();
              record.push('not reached');
            }),
          );
          await waitAllTasksBlocked();
          outer.cancel();
          lot.unpark();
        }),
      );
      expect(record).toEqual(['unshielded']);
    }),
  );

  test(
    'right after: start() returns the value although the caller is cancelled in the same step',
    virtualTime(async () => {
      const scope = new CancelScope();
      await taskGroup(async (tg) => {
        let value: unknown;
        await scope.run(async () => {
          value = await tg.start(async (status: TaskStatus<string>) => {
            status.started('value');
            scope.cancel();
            await sleep(5);
          });
          await checkpoint();
          expect.fail('not reached');
        });
        expect(value).toBe('value');
        expect(scope.cancelledCaught).toBe(true);
        expect(tg.cancelScope.cancelCalled).toBe(false);
      });
      expect(currentTime()).toBe(5);
    }),
  );

  test(
    'the starting child alone, by its own scope, is not the end of the group',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const handle = await tg.startTask(async (status: TaskStatus<number>) => {
          status.started(3);
          await sleepForever();
        });
        handle.cancel();
        await handle.wait();
        expect(handle.startValue).toBe(3);
        expect(handle.status).toBe('cancelled');
        expect(await errorOf(handle.result())).toBeInstanceOf(TaskCancelled);
        expect(tg.cancelScope.cancelCalled).toBe(false);
      });
    }),
  );

  test(
    'start() does not mind a cancellation by itself: a child that never waits is not interrupted',
    virtualTime(async () => {
      const scope = new CancelScope();
      const value = await taskGroup((tg) =>
        scope.run(async () => {
          scope.cancel();
          return await tg.start(async (status: TaskStatus<string>) => {
            await cancelShieldedCheckpoint();
            status.started('uninterrupted');
          });
        }),
      );
      expect(value).toBe('uninterrupted');
      expect(scope.cancelledCaught).toBe(false);
    }),
  );
});

test('refuses to start from a run with another clock: the task could not move', async () => {
  const refused = taskGroup((tg) =>
    run(() => tg.start((status) => status.started()), { clock: new MockClock({ autojump: true }) }),
  );
  await expect(refused).rejects.toMatchObject({ cause: { name: 'InvalidStateError' } });
});
