import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { errorsOf, throwing, waitAndCleanUp } from './failing.fixture.js';
import {
  Cancelled,
  CancelScope,
  checkpoint,
  currentTask,
  currentTime,
  InvalidStateError,
  moveOnAfter,
  sleep,
  sleepForever,
  TaskCancelled,
  TaskFailed,
  taskGroup,
  TaskNotFinished,
  taskTree,
  type TaskHandle,
  type TaskNode,
} from './index.js';
import { addInstrument } from './lowlevel.js';
import { errorOf } from './observing.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';

/** How many waits hang somewhere below the root. */
function pendingWaits(node: TaskNode = taskTree()): number {
  return node.waitingFor.length + node.children.reduce((sum, child) => sum + pendingWaits(child), 0);
}

describe('a task that finishes', () => {
  test(
    'is pending first, then finished, and has a return value',
    virtualTime(async () => {
      let task: TaskHandle<number> | undefined;
      await taskGroup(async (tg) => {
        task = tg.startSoon(
          async (a: number, b: number) => {
            await sleep(1);
            return a + b;
          },
          2,
          4,
        );
        expect(task.status).toBe('pending');
        expect(() => task!.returnValue).toThrow(TaskNotFinished);
        expect(() => task!.exception).toThrow(TaskNotFinished);
        expect(() => task!.returnValue).toThrow(/has not ended yet: await its wait\(\) or result\(\) first/);
        expect(await task.result()).toBe(6);
        expect(task.status).toBe('finished');
      });
      expect(task!.returnValue).toBe(6);
      expect(task!.exception).toBeUndefined();
      expect(await task!.result()).toBe(6);
      await task!.wait();
    }),
  );

  test(
    'in spite of its cancellation has finished',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const task = tg.startSoon(async () => {
          await errorOf(sleepForever());
          return 'finished';
        });
        await waitAllTasksBlocked();
        task.cancel();
        expect(task.status).toBe('cancelling');
        expect(await task.result()).toBe('finished');
        expect(task.status).toBe('finished');
        expect(task.exception).toBeUndefined();
      });
    }),
  );

  test(
    'may return a handle: it is no thenable',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const inner = tg.startSoon(() => sleep(100));
        const outer = tg.startSoon(async () => inner);
        expect(await outer.result()).toBe(inner);
        expect('then' in inner).toBe(false);
        expect(currentTime()).toBe(0);
      });
    }),
  );

  test(
    'may return any thenable, which is awaited in the task',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        let id: number | undefined;
        const lazy: PromiseLike<string> = {
          // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
          then: (ok) => {
            id = currentTask().id;
            return Promise.resolve('lazy').then(ok);
          },
        };
        const task = tg.startSoon(() => lazy);
        expect(await task.result()).toBe('lazy');
        expect(id).not.toBe(currentTask().id);
      });
    }),
  );
});

describe('a task that fails', () => {
  test(
    'has an exception; reading its value throws TaskFailed with the error as its cause',
    virtualTime(async () => {
      const error = new Error('dummy');
      let task: TaskHandle<never> | undefined;
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          task = tg.createTask(throwing(error), { name: 'worker' });
          const failed = await errorOf(task.result());
          expect(failed).toBeInstanceOf(TaskFailed);
          expect((failed as Error).message).toBe('the task "worker" failed: dummy');
          expect((failed as Error).cause).toBe(error);
          expect(task.status).toBe('failed');
        }),
      );
      expect(errors).toEqual([error]);
      expect(task!.exception).toBe(error);
      expect(() => task!.returnValue).toThrow(TaskFailed);
      expect(await errorOf(task!.result())).toBeInstanceOf(TaskFailed);
    }),
  );

  test(
    'does not trouble those who wait() for it: they learn of the end, not of the cancellation of the group',
    virtualTime(async () => {
      let statusAfterWait = '';
      let task: TaskHandle<unknown> | undefined;
      await errorsOf(
        taskGroup(async (tg) => {
          task = tg.startSoon(async () => {
            await sleep(1);
            throwing('dummy')();
          });
          expect(task.status).toBe('pending');
          await task.wait();
          statusAfterWait = task.status;
        }),
      );
      expect(statusAfterWait).toBe('failed');
      await task!.wait();
    }),
  );

  test(
    'all who wait for its result see TaskFailed, siblings included',
    virtualTime(async () => {
      const seen: unknown[] = [];
      const errors = await errorsOf(
        taskGroup((tg) => {
          const task = tg.startSoon(async () => {
            await sleep(1);
            throwing('dummy')();
          });
          for (let i = 0; i < 2; i++) tg.startSoon(async () => void seen.push(await errorOf(task.result())));
        }),
      );
      expect(errors).toEqual(['dummy']);
      expect(seen).toHaveLength(2);
      for (const each of seen) {
        expect(each).toBeInstanceOf(TaskFailed);
        expect((each as Error).cause).toBe('dummy');
      }
    }),
  );

  test(
    'a result that nobody awaits is silent',
    virtualTime(async () => {
      const errors = await errorsOf(
        taskGroup((tg) => {
          void tg.startSoon(throwing('dummy')).result();
          void tg.startSoon(() => sleepForever()).result();
        }),
      );
      expect(errors).toEqual(['dummy']);
      // Unhandled rejections are reported after a turn of the event loop: let it come.
      await sleep(0);
    }),
  );

  test(
    'while it is being cancelled has failed',
    virtualTime(async () => {
      let task: TaskHandle<unknown> | undefined;
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          task = tg.startSoon(() => sleepForever().finally(throwing('clean-up')));
          await waitAllTasksBlocked();
          task.cancel();
          await task.wait();
        }),
      );
      expect(errors).toEqual(['clean-up']);
      expect(task!.status).toBe('failed');
      expect(task!.exception).toBe('clean-up');
    }),
  );

  test(
    'with errors and cancellations: the cancellations are filtered out of its exception',
    virtualTime(async () => {
      let task: TaskHandle<unknown> | undefined;
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          task = tg.startSoon(async () => {
            const cancelled = await errorOf(sleepForever());
            throw new AggregateError([cancelled, 'real'], 'both');
          });
          await waitAllTasksBlocked();
          task.cancel();
        }),
      );
      expect(errors).toHaveLength(1);
      expect((errors[0] as AggregateError).errors).toEqual(['real']);
      expect((errors[0] as AggregateError).message).toBe('both');
      expect(task!.exception).toBe(errors[0]);
      expect(task!.status).toBe('failed');
    }),
  );
});

describe('a task that is cancelled', () => {
  test.each(['before its first step', 'while it waits'])(
    '%s: alone, the group goes on',
    async (when: string) => {
      const test = virtualTime(async () => {
        let began = false;
        await taskGroup(async (tg) => {
          const task = tg.startSoon(async () => {
            began = true;
            await sleepForever();
          });
          const sibling = tg.startSoon(() => sleep(10).then(() => 'unharmed'));
          if (when === 'while it waits') await waitAllTasksBlocked();
          task.cancel('enough');
          expect(task.status).toBe('cancelling');
          expect(() => task.returnValue).toThrow(TaskCancelled);
          expect(() => task.exception).toThrow(/is being cancelled/);
          const error = await errorOf(task.result());
          expect(error).toBeInstanceOf(TaskCancelled);
          expect((error as Error).cause).toBeInstanceOf(Cancelled);
          expect(((error as Error).cause as Cancelled).reason).toBe('enough');
          expect(task.status).toBe('cancelled');
          expect(() => task.returnValue).toThrow(TaskCancelled);
          expect(() => task.exception).toThrow(TaskCancelled);
          expect(began).toBe(true);
          await task.wait();
          expect(tg.cancelScope.cancelCalled).toBe(false);
          expect(await sibling.result()).toBe('unharmed');
        });
      });
      await test();
    },
  );

  test(
    'with its group, and with a scope around that',
    virtualTime(async () => {
      const tasks: TaskHandle<unknown>[] = [];
      await taskGroup((tg) => {
        tasks.push(tg.startSoon(() => sleepForever()));
        tg.cancel('group');
      });
      await moveOnAfter(1, () =>
        taskGroup((tg) => {
          tasks.push(tg.startSoon(() => sleepForever()));
        }),
      );
      expect(tasks.map((task) => task.status)).toEqual(['cancelled', 'cancelled']);
      const causes = tasks.map((task) => {
        try {
          return task.returnValue;
        } catch (error) {
          return (error as Error).cause;
        }
      });
      expect((causes[0] as Cancelled).reason).toBe('group');
      expect((causes[1] as Cancelled).source).toBe('deadline');
    }),
  );

  test(
    'may clean up; it is cancelling meanwhile',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => waitAndCleanUp(10));
        await waitAllTasksBlocked();
        task.cancel();
        await sleep(5);
        expect(task.status).toBe('cancelling');
        await task.wait();
        expect(task.status).toBe('cancelled');
        expect(currentTime()).toBe(10);
      });
    }),
  );

  test(
    'the first reason stands, and after its end cancel() does nothing',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => sleepForever());
        task.cancel('first');
        task.cancel('second');
        const error = await errorOf(task.result());
        expect(((error as Error).cause as Cancelled).reason).toBe('first');
        const finished = tg.startSoon(() => 'value');
        await finished.wait();
        let cancelled = 0;
        const instrument = addInstrument({ scopeCancelled: () => void cancelled++ });
        finished.cancel();
        task.cancel();
        instrument[Symbol.dispose]();
        expect(cancelled).toBe(0);
        expect(finished.status).toBe('finished');
        expect(finished.returnValue).toBe('value');
      });
    }),
  );

  test(
    'takes everything below it along, and nobody else',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const grandchildren: TaskHandle<unknown>[] = [];
        const task = tg.startSoon(() =>
          taskGroup((inner) => {
            for (let i = 0; i < 3; i++) grandchildren.push(inner.startSoon(() => sleepForever()));
          }),
        );
        await waitAllTasksBlocked();
        task.cancel();
        await task.wait();
        expect(grandchildren.map((each) => each.status)).toEqual(['cancelled', 'cancelled', 'cancelled']);
        await checkpoint();
      });
    }),
  );
});

describe('waiting for a task', () => {
  test(
    'cancelled before: rejects, also when the task has ended',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const running = tg.startSoon(() => sleep(10));
        const ended = tg.startSoon(() => 'value');
        await ended.wait();
        const scope = new CancelScope();
        await scope.run(async () => {
          scope.cancel();
          expect(await errorOf(running.wait())).toBeInstanceOf(Cancelled);
          expect(await errorOf(ended.wait())).toBeInstanceOf(Cancelled);
          expect(await errorOf(ended.result())).toBeInstanceOf(Cancelled);
        });
        expect(running.status).toBe('pending');
        await running.wait();
      });
    }),
  );

  test(
    'cancelled during: rejects, the task goes on, and nothing of the wait is left',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => sleep(10).then(() => 'value'));
        const before = pendingWaits();
        expect(await moveOnAfter(5, () => task.wait().then(() => 'waited'))).toBeUndefined();
        expect(await moveOnAfter(1, () => task.result())).toBeUndefined();
        expect(pendingWaits()).toBe(before + 1);
        expect(task.status).toBe('pending');
        expect(await task.result()).toBe('value');
      });
      expect(currentTime()).toBe(10);
    }),
  );

  test(
    'cancelled right after the task ended: the end is not lost',
    inPlainOrder('those who are woken together go on in their order', async () => {
      const scope = new CancelScope();
      let seen: unknown;
      await taskGroup(async (tg) => {
        const task = tg.startSoon(async () => {
          await sleep(1);
          return 'value';
        });
        tg.startSoon(async () => {
          await task.wait();
          scope.cancel();
        });
        await scope.run(async () => {
          seen = await task.result();
          await checkpoint();
          expect.fail('not reached');
        });
      });
      expect(seen).toBe('value');
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'with a foreign signal: rejects with its reason, and the listener is gone on every path',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const controller = new AbortController();
        const { signal } = controller;
        const task = tg.startSoon(() => sleep(10));
        const aborted = errorOf(task.wait({ signal }));
        const result = errorOf(task.result({ signal }));
        controller.abort('stop');
        expect(await aborted).toBe('stop');
        expect(await result).toBe('stop');
        expect(await errorOf(task.wait({ signal }))).toBe('stop');
        await task.wait();
        expect(await errorOf(task.wait({ signal }))).toBe('stop');
      });
    }),
  );

  test(
    'many may wait; they are woken in the order in which they came',
    inPlainOrder('those who are woken together go on in their order', async () => {
      const order: number[] = [];
      await taskGroup((tg) => {
        const task = tg.startSoon(() => sleep(5));
        for (let i = 0; i < 10; i++) {
          tg.startSoon(async () => {
            await task.wait();
            order.push(i);
          });
        }
      });
      expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }),
  );

  test(
    'from outside of the group, and from another task',
    inPlainOrder('those who are woken together go on in their order', async () => {
      await taskGroup(async (outer) => {
        const seen: unknown[] = [];
        await taskGroup((tg) => {
          const task = tg.startSoon(() => sleep(5).then(() => 'value'));
          outer.startSoon(async () => void seen.push(await task.result()));
        });
        await checkpoint();
        expect(seen).toEqual(['value']);
      });
    }),
  );

  test(
    'for oneself is refused with the reason, also from a scope inside',
    virtualTime(async () => {
      const errors: unknown[] = [];
      await taskGroup((tg) => {
        const task: TaskHandle<void> = tg.createTask(
          async () => {
            errors.push(await errorOf(task.wait()), await errorOf(task.result()));
            await new CancelScope().run(async () => void errors.push(await errorOf(task.wait())));
          },
          { name: 'ouroboros' },
        );
      });
      expect(errors).toHaveLength(3);
      for (const error of errors) {
        expect(error).toBeInstanceOf(InvalidStateError);
        expect((error as Error).message).toMatch(/"ouroboros" waits for itself, which would never end/);
      }
    }),
  );

  test(
    'with bad options rejects with a TypeError',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => sleep(1));
        expect(await errorOf(task.wait(null as never))).toBeInstanceOf(TypeError);
        expect(await errorOf(task.wait({ signal: 'x' as never }))).toBeInstanceOf(TypeError);
        await task.wait();
        expect(await errorOf(task.wait({ signal: 'x' as never }))).toBeInstanceOf(TypeError);
      });
    }),
  );
});

describe('names and values', () => {
  test.each([
    ['throws', { get: throwing(new Error('no name')) }],
    ['is no string', { value: Symbol('name') }],
    ['is empty', { value: '' }],
  ])('a task whose function has a name that %s is anonymous', async (_, name) => {
    const fn = Object.defineProperty(() => {}, 'name', name);
    await taskGroup((tg) => {
      expect(tg.startSoon(fn).name).toBe('anonymous');
    });
  });

  test(
    'a task has the name of its function, or the one it was given',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const brew = (): string => currentTask().name;
        for (const [task, name] of [
          [tg.startSoon(brew), 'brew'],
          [tg.createTask(brew), 'brew'],
          [tg.startService(brew), 'brew'],
          [tg.createTask(brew, { name: 'tea' }), 'tea'],
          [tg.createTask(brew, { name: '' }), ''],
          [tg.startSoon(brew.bind(undefined)), 'bound brew'],
          [
            tg.startSoon(
              (
                () => () =>
                  currentTask().name
              )(),
            ),
            'anonymous',
          ],
        ] as const) {
          expect(task.name).toBe(name);
          expect(await task.result()).toBe(name);
        }
      });
    }),
  );

  test(
    'only a task that was begun with startTask() has a start value',
    virtualTime(async () => {
      await taskGroup((tg) => {
        const task = tg.startSoon(() => {}) as TaskHandle<void, unknown>;
        expect(() => task.startValue).toThrow(InvalidStateError);
        expect(() => task.startValue).toThrow(/begun with startTask\(\)/);
      });
    }),
  );

  test(
    'the context of a task has the signal of the task, and asking for it later gives the same',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const task = tg.createTask(async (context) => {
          const { signal } = context;
          expect(context.signal).toBe(signal);
          await errorOf(sleepForever());
          return signal.aborted;
        });
        await waitAllTasksBlocked();
        task.cancel();
        expect(await task.result()).toBe(true);
      });
    }),
  );
});
