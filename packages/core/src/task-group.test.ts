import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

import { fuzzSchedule, virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { errorsOf, throwing, waitAndCleanUp } from './failing.fixture.js';
import {
  all,
  Cancelled,
  CancelScope,
  cancelShieldedCheckpoint,
  catchErrors,
  checkpoint,
  cleanup,
  currentTask,
  currentTime,
  flattenErrors,
  InvalidStateError,
  isCancelled,
  moveOnAfter,
  run,
  shield,
  sleep,
  sleepForever,
  TaskFailed,
  taskGroup,
  TaskGroupError,
  taskTree,
  type TaskGroup,
  type TaskHandle,
  type TaskStatus,
} from './index.js';
import { addInstrument, currentScope, ParkingLot } from './lowlevel.js';
import { errorOf, unhandledRejections } from './observing.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';

function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe('leaving', () => {
  test(
    'waits for every child, and resolves to what the body returned',
    virtualTime(async () => {
      const done: string[] = [];
      const value = await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          await sleep(20);
          done.push('slow');
        });
        tg.startSoon(async () => {
          await sleep(10);
          done.push('fast');
        });
        return 'body';
      });
      expect(value).toBe('body');
      expect(done).toEqual(['fast', 'slow']);
      expect(currentTime()).toBe(20);
    }),
  );

  test(
    'the body may be synchronous, and return any thenable',
    virtualTime(async () => {
      expect(await taskGroup(() => 1)).toBe(1);
      // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
      const thenable: PromiseLike<number> = { then: (ok) => Promise.resolve(2).then(ok) };
      expect(await taskGroup(() => thenable)).toBe(2);
    }),
  );

  test('works outside of every run', async () => {
    let seen = '';
    await taskGroup((tg) => {
      tg.startSoon(async () => {
        await sleep(0);
        seen = 'done';
      });
    });
    expect(seen).toBe('done');
  });

  test(
    'an empty group lets others run',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      let ran = false;
      await taskGroup(async (outer) => {
        await taskGroup(() => {
          outer.startSoon(() => {
            ran = true;
          });
        });
        expect(ran).toBe(true);
      });
    }),
  );

  test('a loop of groups that end at once does not starve timers', async () => {
    // Real time: what is tested is that the platform's own timers get their chance.
    let fired = false;
    const timer = setTimeout(() => {
      fired = true;
    }, 1);
    const began = performance.now();
    while (!fired && performance.now() - began < 5_000) await taskGroup(() => {});
    clearTimeout(timer);
    expect(fired).toBe(true);
  });

  test('tasks that start each other without end do not starve timers', async () => {
    // Real time: what is tested is that the platform's own timers get their chance.
    let fired = false;
    const timer = setTimeout(() => {
      fired = true;
    }, 1);
    const began = performance.now();
    let generations = 0;
    await taskGroup((tg) => {
      const next = async (): Promise<void> => {
        generations++;
        await checkpoint();
        if (!fired && performance.now() - began < 5_000) tg.startSoon(next);
      };
      tg.startSoon(next);
    });
    clearTimeout(timer);
    expect(fired).toBe(true);
    expect(generations).toBeGreaterThan(1);
  });

  test(
    'is no cancellation point of its own',
    virtualTime(async () => {
      const scope = new CancelScope();
      const value = await scope.run(async () => {
        scope.cancel();
        return await taskGroup((tg) => {
          tg.startSoon(() => {});
          return 'kept';
        });
      });
      expect(value).toBe('kept');
      expect(scope.cancelCalled).toBe(true);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'children that mind nothing leave a finished body its value, whoever is cancelled meanwhile',
    virtualTime(async () => {
      const outer = new CancelScope();
      const value = await outer.run(() =>
        taskGroup((tg) => {
          tg.startSoon(async () => {
            outer.cancel();
            await cancelShieldedCheckpoint();
          });
          return 'kept';
        }),
      );
      expect(value).toBe('kept');
      expect(outer.cancelledCaught).toBe(false);
    }),
  );

  test(
    'children may start more children after the body has ended',
    virtualTime(async () => {
      const order: string[] = [];
      await taskGroup((tg) => {
        tg.startSoon(() => {
          order.push('child');
          tg.startSoon(() => {
            order.push('grandchild');
          });
        });
        order.push('body');
      });
      expect(order).toEqual(['body', 'child', 'grandchild']);
    }),
  );

  test(
    'what runs after the group is left belongs to the scope around',
    virtualTime(async () => {
      const outer = currentScope();
      await taskGroup(() => {});
      expect(currentScope()).toBe(outer);
      await errorOf(taskGroup(throwing(new Error('body'))));
      expect(currentScope()).toBe(outer);
    }),
  );
});

describe('starting', () => {
  test(
    'is never synchronous, and first come first served',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const order: string[] = [];
      await taskGroup((tg) => {
        for (let i = 0; i < 50; i++) {
          if (i % 2 === 0) tg.startSoon((n: number) => void order.push(`${n}`), i);
          else tg.createTask(() => void order.push(`${i}`));
        }
        expect(order).toEqual([]);
        order.push('body');
      });
      expect(order).toEqual(['body', ...Array.from({ length: 50 }, (_, i) => `${i}`)]);
    }),
  );

  test(
    'a thousand tasks begin in the order in which they were started',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const order: number[] = [];
      await taskGroup((tg) => {
        for (let i = 0; i < 1_000; i++) tg.startSoon(() => void order.push(i));
      });
      expect(order).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
    }),
  );

  test(
    'two tasks that pass checkpoints take turns',
    inPlainOrder('those who are woken together go on in their order', async () => {
      const record: string[] = [];
      const loop = async (name: string): Promise<void> => {
        for (let i = 0; i < 3; i++) {
          record.push(`${name}${i}`);
          await checkpoint();
        }
      };
      await taskGroup((tg) => {
        tg.startSoon(loop, 'a');
        tg.startSoon(loop, 'b');
      });
      expect(record).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2']);
    }),
  );

  test(
    'passes the arguments on, and createTask the signal of the task',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const sum = tg.startSoon((a: number, b: number) => a + b, 2, 3);
        const task = tg.createTask(async ({ signal }) => {
          await errorOf(sleepForever());
          return signal.aborted && isCancelled(signal.reason);
        });
        expect(await sum.result()).toBe(5);
        await waitAllTasksBlocked();
        task.cancel();
        expect(await task.result()).toBe(true);
      });
    }),
  );

  test(
    "inherits the AsyncLocalStorage values of startSoon's caller, and changes none of the caller's",
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const storage = new AsyncLocalStorage<string>();
      const seen: (string | undefined)[] = [];
      await taskGroup(async (tg) => {
        storage.run('caller', () => {
          tg.startSoon(async () => {
            seen.push(storage.getStore());
            await sleep(1);
            seen.push(storage.getStore());
            storage.enterWith('child');
            await sleep(1);
            seen.push(storage.getStore());
          });
        });
        tg.startSoon(() => void seen.push(storage.getStore()));
        await sleep(5);
        seen.push(storage.getStore());
      });
      expect(seen).toEqual(['caller', undefined, 'caller', 'child', undefined]);
    }),
  );

  test(
    'from plain callbacks: an emitter and a timer; the child belongs to the group all the same',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const emitter = new EventEmitter();
      const seen: string[] = [];
      const failure = new Error('from a callback');
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          const { id } = currentTask();
          const handle = (name: string): void => {
            tg.startSoon(async () => {
              const node = taskTree()
                .children.at(-1)!
                .children.find((each) => each.name === 'taskGroup');
              seen.push(`${name} ${currentTask().parentId === id} ${node?.children.length}`);
              await sleep(1);
              if (name === 'timer') throw failure;
            });
          };
          emitter.on('request', handle);
          // Emitted where no scope of ours is ambient.
          await new Promise<void>((resolve) => {
            setTimeout(() => {
              emitter.emit('request', 'emitter');
              handle('timer');
              resolve();
            });
          });
          await sleepForever();
        }),
      );
      expect(seen).toEqual(['emitter true 2', 'timer true 2']);
      expect(errors).toEqual([failure]);
    }),
  );

  test(
    'a task that starts in a cancelled group runs up to its first wait',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup((tg) => {
        tg.cancel();
        tg.startSoon(async () => {
          record.push('started');
          await checkpoint();
          record.push('not reached');
        });
      });
      expect(record).toEqual(['started']);
    }),
  );

  test(
    'a task is another task than the one that starts it, also while its function is still synchronous',
    virtualTime(async () => {
      const ids: number[] = [currentTask().id];
      await taskGroup((tg) => {
        ids.push(currentTask().id);
        tg.startSoon(() => {
          ids.push(currentTask().id);
          return Promise.resolve().then(() => ids.push(currentTask().id));
        });
      });
      expect(ids[1]).toBe(ids[0]);
      expect(ids[2]).not.toBe(ids[0]);
      expect(ids[3]).toBe(ids[2]);
    }),
  );

  test(
    'awaiting the handle that startSoon returns does no harm',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => sleep(5));
        // oxlint-disable-next-line typescript/await-thenable -- that is what is tested
        expect(await task).toBe(task);
        expect(task.status).toBe('pending');
      });
    }),
  );
});

describe('failing', () => {
  test(
    'one error of a child comes as a group, with the error as its cause',
    virtualTime(async () => {
      const error = new RangeError('out of tea');
      const failed = await errorOf(
        taskGroup((tg) => void tg.startSoon(throwing(error)), { name: 'kitchen' }),
      );
      expect(failed).toBeInstanceOf(TaskGroupError);
      expect(failed).toBeInstanceOf(AggregateError);
      const group = failed as TaskGroupError;
      expect(group.errors).toEqual([error]);
      expect(group.errors[0]).toBe(error);
      expect(group.cause).toBe(error);
      expect(group.message).toBe('1 error in task group "kitchen": out of tea');
    }),
  );

  test.each<[string, () => unknown]>([
    ['a Proxy that was revoked', revokedProxy],
    [
      'an error whose name throws',
      () =>
        Object.defineProperty(new Error('odd'), 'name', {
          get: throwing(new Error('name')),
        }),
    ],
    [
      'an AbortError whose cause throws',
      () =>
        Object.defineProperty(Object.assign(new Error('odd'), { name: 'AbortError' }), 'cause', {
          get: throwing(new Error('cause')),
        }),
    ],
    ['an AggregateError without errors', () => Object.assign(new AggregateError([]), { errors: undefined })],
  ])('%s is an error like any other', async (_name, make) => {
    for (const fail of [
      (error: unknown) => taskGroup((tg) => void tg.startSoon(throwing(error))),
      (error: unknown) => taskGroup(() => Promise.reject(error)),
      (error: unknown) => taskGroup((tg) => tg.start(throwing(error))),
      (error: unknown) => all([throwing(error)]),
    ]) {
      const error = make();
      const failed = (await errorOf(fail(error))) as TaskGroupError;
      // Not toEqual(), which looks at it.
      expect(failed.errors.length).toBe(1);
      expect(failed.errors[0] === error).toBe(true);
    }
    for (const leave of [
      (error: unknown) => new CancelScope().run((scope) => (scope.cancel(error), throwing(error)())),
      (error: unknown) => run(throwing(error)),
      (error: unknown) => catchErrors(throwing(error), [RangeError, () => expect.unreachable()]),
    ]) {
      const error = make();
      // Not errorOf(), whose own promise would look at it.
      const isKept = await leave(error).then(
        () => false,
        (failed: unknown) => failed === error,
      );
      expect(isKept).toBe(true);
    }
    expect(taskTree().children).toEqual([]);
  });

  test(
    'one error of the body comes as a group as well',
    virtualTime(async () => {
      const error = new Error('body');
      expect(await errorsOf(taskGroup(throwing(error)))).toEqual([error]);
      expect(await errorsOf(taskGroup(() => Promise.reject(error)))).toEqual([error]);
    }),
  );

  test(
    'also in a scope that is cancelled',
    virtualTime(async () => {
      const error = new Error('body');
      const scope = new CancelScope();
      const failed = await errorOf(
        scope.run(() => {
          scope.cancel();
          return taskGroup(throwing(error));
        }),
      );
      expect((failed as TaskGroupError).errors).toEqual([error]);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a failing child cancels the body and its siblings, who learn why',
    virtualTime(async () => {
      const error = new Error('child');
      const seen: Cancelled[] = [];
      const wait = (): Promise<void> =>
        sleep(1_000).catch((cancelled: unknown) => {
          seen.push(cancelled as Cancelled);
          throw cancelled;
        });
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          tg.startSoon(wait);
          tg.startSoon(async () => {
            await sleep(1);
            throw error;
          });
          await wait();
        }),
      );
      expect(errors).toEqual([error]);
      expect(seen).toHaveLength(2);
      expect(seen[0]).toBe(seen[1]);
      expect(seen[0]!.source).toBe('task-failure');
      expect(seen[0]!.reason).toBe(error);
      expect(currentTime()).toBe(1);
    }),
  );

  test(
    'a failing child wakes a body that waits for ever',
    virtualTime(async () => {
      const error = new Error('child');
      const errors = await errorsOf(
        taskGroup((tg) => {
          tg.startSoon(throwing(error));
          return sleepForever();
        }),
      );
      expect(errors).toEqual([error]);
    }),
  );

  test(
    'a failing body cancels the children and waits for them',
    virtualTime(async () => {
      const error = new Error('body');
      const ended: string[] = [];
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          tg.startSoon(async () => {
            try {
              await sleep(1_000);
            } finally {
              await cleanup(() => sleep(7));
              ended.push(`child at ${currentTime()}`);
            }
          });
          await sleep(1);
          throw error;
        }),
      );
      expect(errors).toEqual([error]);
      expect(ended).toEqual(['child at 8']);
    }),
  );

  test(
    'errors of body and several children are all there, in the order in which they happened',
    virtualTime(async () => {
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          tg.startSoon(async () => {
            await sleep(1).finally(throwing('first child'));
          });
          tg.startSoon(async () => {
            try {
              await sleepForever();
            } finally {
              await cleanup(() => sleep(10));
              throwing('third child')();
            }
          });
          tg.startSoon(async () => {
            try {
              await sleepForever();
            } finally {
              await cleanup(() => sleep(5));
              throwing('second child')();
            }
          });
          try {
            await sleepForever();
          } finally {
            await cleanup(() => sleep(7));
            throwing('body')();
          }
        }),
      );
      expect(errors).toEqual(['first child', 'second child', 'body', 'third child']);
    }),
  );

  test(
    'cancellations never appear beside errors',
    virtualTime(async () => {
      const errors = await errorsOf(
        taskGroup((tg) => {
          for (let i = 0; i < 5; i++) tg.startSoon(() => sleepForever());
          tg.startSoon(throwing('only'));
          return sleepForever();
        }),
      );
      expect(errors).toEqual(['only']);
    }),
  );

  test.each([
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a string', 'no tea', 'no tea'],
    ['a number', 42, '42'],
    ['a symbol', Symbol('tea'), 'Symbol(tea)'],
    ['an object without a prototype', Object.create(null), 'an object'],
    ['a function', function tea() {}, 'function tea'],
    [
      'an object that cannot be made a string',
      {
        toString() {
          throw new Error('never');
        },
      },
      'an object',
    ],
  ])('%s may be thrown', async (_, thrown, message) => {
    const test = virtualTime(async () => {
      let handle: TaskHandle<unknown> | undefined;
      const failures = [
        await errorOf(taskGroup(throwing(thrown))),
        await errorOf(taskGroup((tg) => void (handle = tg.startSoon(throwing(thrown))))),
      ] as TaskGroupError[];
      for (const failed of failures) {
        expect(failed.errors).toHaveLength(1);
        expect(failed.errors[0]).toBe(thrown);
        expect(failed.message).toContain(message);
      }
      expect(handle!.status).toBe('failed');
      expect(handle!.exception).toBe(thrown);
      expect(() => handle!.returnValue).toThrow(TaskFailed);
    });
    await test();
  });

  test(
    'an AggregateError stays one error, nested',
    virtualTime(async () => {
      const inner = new AggregateError([new Error('a'), new Error('b')]);
      const errors = await errorsOf(taskGroup((tg) => void tg.startSoon(throwing(inner))));
      expect(errors).toHaveLength(1);
      expect(errors[0]).toBe(inner);
    }),
  );

  test(
    'an AggregateError that is nothing but cancellations is a cancellation',
    virtualTime(async () => {
      const scope = new CancelScope();
      const value = await scope.run(() =>
        taskGroup(async () => {
          scope.cancel();
          const cancelled = await errorOf(checkpoint());
          throw new AggregateError([cancelled, new AggregateError([cancelled])]);
        }),
      );
      expect(value).toBeUndefined();
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a cancellation from elsewhere is an error, and says where it comes from',
    virtualTime(async () => {
      // Two share what one of them has begun, in a scope of its own.
      let shared: Promise<string> | undefined;
      const config = (): Promise<string> => (shared ??= sleep(40).then(() => 'config'));
      const statuses: (() => string)[] = [];
      const group = (await errorOf(
        taskGroup((tg) => {
          const impatient = tg.startSoon(() => moveOnAfter(5, () => config()));
          const victim = tg.createTask(() => sleep(1).then(() => config()), { name: 'victim' });
          const sibling = tg.startSoon(() => sleepForever());
          statuses.push(...[impatient, victim, sibling].map((task) => () => task.status));
        }),
      )) as TaskGroupError;
      expect(statuses.map((status) => status())).toEqual(['finished', 'failed', 'cancelled']);
      expect(group.errors).toEqual([expect.any(InvalidStateError)]);
      expect(group.message).toContain(
        'task "victim" ended with a cancellation that was not its own (the deadline of scope "moveOnAfter" has passed)',
      );
      expect((group.cause as Error).cause).toBeInstanceOf(Cancelled);
    }),
  );

  test(
    'so is one that ends the body',
    virtualTime(async () => {
      let stray: unknown;
      await moveOnAfter(0, () => checkpoint().catch((error: unknown) => (stray = error)));
      const group = await errorOf(taskGroup(throwing(stray)));
      expect(group).toMatchObject({ cause: { name: 'InvalidStateError', cause: stray } });
    }),
  );

  test(
    'a cancellation that a shield has taken back meanwhile, or comes from beyond one, is none from elsewhere',
    virtualTime(async () => {
      const outer = new CancelScope();
      const shielded = new CancelScope();
      let group: TaskGroup | undefined;
      await outer.run(() =>
        shielded.run(() =>
          taskGroup(async (tg) => {
            group = tg;
            tg.startSoon(() => sleepForever());
            await waitAllTasksBlocked();
            outer.cancel();
            shielded.shield = true;
            await sleep(1);
          }),
        ),
      );
      expect(group!.cancelScope.cancelledCaught).toBe(true);
      const around = new CancelScope();
      let inner: TaskGroup | undefined;
      await around.run(() =>
        shield(() =>
          taskGroup((tg) => {
            inner = tg;
            around.cancel();
            return sleep(1, { signal: around.signal });
          }),
        ),
      );
      expect(inner!.cancelScope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a child that swallowed the failure keeps nobody',
    virtualTime(async () => {
      const errors = await errorsOf(
        taskGroup((tg) => {
          tg.startSoon(async () => {
            for (let i = 0; i < 3; i++) await errorOf(sleepForever());
          });
          tg.startSoon(throwing('failure'));
        }),
      );
      expect(errors).toEqual(['failure']);
    }),
  );

  test(
    'nested groups nest their errors',
    virtualTime(async () => {
      const fail = async (name: string): Promise<never> => {
        await sleep(10).catch(() => {});
        throw new Error(name);
      };
      const failed = (await errorOf(
        taskGroup(async (outer) => {
          outer.startSoon(fail, 'outer');
          await taskGroup(
            async (inner) => {
              inner.startSoon(fail, 'inner');
              await sleep(1_000);
            },
            { name: 'inner' },
          );
        }),
      )) as TaskGroupError;
      expect(failed.errors).toHaveLength(2);
      expect((failed.errors[0] as Error).message).toBe('outer');
      expect(failed.errors[1]).toBeInstanceOf(TaskGroupError);
      expect(flattenErrors(failed).map((error) => (error as Error).message)).toEqual(['outer', 'inner']);
    }),
  );

  test(
    'a group of one stays a group when cancellations are filtered out of it on the way',
    virtualTime(async () => {
      const failed = (await errorOf(
        taskGroup(async (outer) => {
          outer.startSoon(() => sleepForever());
          outer.startSoon(throwing('outer'));
          await taskGroup((inner) => {
            inner.startSoon(() => sleepForever());
            inner.startSoon(throwing('inner'));
            outer.cancel();
          });
        }),
      )) as TaskGroupError;
      expect(failed.errors[0]).toBe('outer');
      expect(failed.errors[1]).toBeInstanceOf(TaskGroupError);
      expect((failed.errors[1] as TaskGroupError).errors).toEqual(['inner']);
    }),
  );

  test(
    'groups 10,000 deep whose innermost fails',
    virtualTime(async () => {
      const error = new Error('deep down');
      const nest = (depth: number): Promise<unknown> =>
        taskGroup((tg) => {
          tg.startSoon(async () => {
            if (depth === 0) throw error;
            await nest(depth - 1);
          });
        });
      const failed = await errorOf(nest(10_000));
      expect(failed).toBeInstanceOf(TaskGroupError);
      expect(flattenErrors(failed)).toEqual([error]);
    }),
    30_000,
  );

  test(
    'the errors that a handler has seen are those that the group throws, not copies, and without the group for a context',
    virtualTime(async () => {
      const error = new Error('once', { cause: new TypeError('its own') });
      const failed = (await errorOf(taskGroup((tg) => void tg.startSoon(throwing(error))))) as TaskGroupError;
      expect(failed.errors[0]).toBe(error);
      expect(error.cause).toBeInstanceOf(TypeError);
    }),
  );
});

describe('cancelling', () => {
  test(
    'the group alone: everyone is told, and it resolves',
    virtualTime(async () => {
      let scope: CancelScope | undefined;
      const seen: Cancelled[] = [];
      const value = await taskGroup(async (tg) => {
        scope = tg.cancelScope;
        tg.startSoon(() =>
          sleepForever().catch((error: Cancelled) => {
            seen.push(error);
            throw error;
          }),
        );
        await waitAllTasksBlocked();
        tg.cancel('enough');
        await checkpoint();
        return 'not reached';
      });
      expect(value).toBeUndefined();
      expect(scope!.cancelCalled).toBe(true);
      expect(scope!.cancelledCaught).toBe(true);
      expect(seen).toHaveLength(1);
      expect(seen[0]!.reason).toBe('enough');
      expect(seen[0]!.source).toBe('cancel');
      expect(seen[0]!.message).toContain('enough');
    }),
  );

  test(
    'a body that finished keeps its value, and cancelledCaught tells of the children',
    virtualTime(async () => {
      let scope: CancelScope | undefined;
      const value = await taskGroup((tg) => {
        scope = tg.cancelScope;
        tg.startSoon(() => sleepForever());
        tg.cancel();
        return 'kept';
      });
      expect(value).toBe('kept');
      expect(scope!.cancelledCaught).toBe(true);
    }),
  );

  test(
    'cancelledCaught stays false when nobody minded',
    virtualTime(async () => {
      let scope: CancelScope | undefined;
      const value = await taskGroup((tg) => {
        scope = tg.cancelScope;
        tg.startSoon(() => {});
        tg.cancel();
        return 'kept';
      });
      expect(value).toBe('kept');
      expect(scope!.cancelCalled).toBe(true);
      expect(scope!.cancelledCaught).toBe(false);
    }),
  );

  test(
    'cancelledCaught stays false when there were only errors, and is true when there were both',
    virtualTime(async () => {
      let scope: CancelScope | undefined;
      await errorOf(
        taskGroup((tg) => {
          scope = tg.cancelScope;
          tg.startSoon(throwing('error'));
        }),
      );
      expect(scope!.cancelledCaught).toBe(false);
      await errorOf(
        taskGroup((tg) => {
          scope = tg.cancelScope;
          tg.startSoon(() => sleepForever());
          tg.startSoon(throwing('error'));
        }),
      );
      expect(scope!.cancelledCaught).toBe(true);
    }),
  );

  test(
    'cancelled, failing and erroring at once',
    virtualTime(async () => {
      const errors = await errorsOf(
        taskGroup(async (tg) => {
          tg.startSoon(throwing('child'));
          tg.startSoon(() => sleepForever());
          tg.cancel();
          await checkpoint().catch(throwing('body'));
        }),
      );
      expect(new Set(errors)).toEqual(new Set(['body', 'child']));
      expect(errors).toHaveLength(2);
    }),
  );

  test(
    'from outside: a single Cancelled goes on outward, that of the scope around',
    virtualTime(async () => {
      const outer = new CancelScope();
      let passed: unknown;
      let tg: TaskGroup | undefined;
      await outer.run(async () => {
        try {
          await taskGroup(async (group) => {
            tg = group;
            group.startSoon(() => sleepForever());
            await waitAllTasksBlocked();
            outer.cancel('from outside');
            await sleepForever();
          });
        } catch (error) {
          passed = error;
          throw error;
        }
      });
      expect(passed).toBeInstanceOf(Cancelled);
      expect((passed as Cancelled).reason).toBe('from outside');
      expect(outer.cancelledCaught).toBe(true);
      expect(tg!.cancelScope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'from outside and failing: the errors go on, and the scope around catches the rest',
    virtualTime(async () => {
      const outer = new CancelScope();
      const errors = await errorsOf(
        outer.run(() =>
          taskGroup(async (tg) => {
            tg.startSoon(() => sleepForever());
            tg.startSoon(() => sleepForever().catch(throwing('clean-up failed')));
            await waitAllTasksBlocked();
            tg.cancel();
            outer.cancel();
            tg.startSoon(() => sleepForever());
            tg.startSoon(throwing('failed'));
          }),
        ),
      );
      expect(new Set(errors)).toEqual(new Set(['clean-up failed', 'failed']));
      expect(errors).toHaveLength(2);
    }),
  );

  test(
    'while the group waits for its children: they are cancelled, and it goes on waiting',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup(async (outer) => {
        outer.startSoon(async () => {
          await taskGroup((inner) => {
            inner.startSoon(async () => {
              try {
                await sleep(1_000);
              } finally {
                await cleanup(() => sleep(5));
                record.push(`cleaned up at ${currentTime()}`);
              }
            });
          });
          record.push('not reached');
        });
        await sleep(1);
        outer.cancel();
      });
      expect(record).toEqual(['cleaned up at 6']);
    }),
  );

  test(
    'twice in a row, in different groups of one task',
    virtualTime(async () => {
      for (let i = 0; i < 2; i++) {
        const value = await taskGroup(async (tg) => {
          tg.startSoon(async () => {
            await waitAllTasksBlocked();
            tg.cancel();
          });
          await sleep(1_000);
          return 'not reached';
        });
        expect(value).toBeUndefined();
      }
      expect(currentTime()).toBe(0);
    }),
  );

  test(
    'it is a level: code that swallows it meets it again',
    virtualTime(async () => {
      let met = 0;
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          for (; met < 3; met++) expect(await errorOf(sleep(1))).toBeInstanceOf(Cancelled);
        });
        tg.cancel();
      });
      expect(met).toBe(3);
      expect(currentTime()).toBe(0);
    }),
  );

  test(
    'it reaches the children also while the body is shielded',
    virtualTime(async () => {
      const outer = new CancelScope();
      const lot = new ParkingLot();
      await outer.run(() =>
        taskGroup(async (tg) => {
          tg.startSoon(() => sleepForever().finally(() => lot.unpark()));
          await waitAllTasksBlocked();
          await shield(async () => {
            const parked = lot.park();
            outer.cancel();
            await parked;
          });
        }),
      );
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test(
    'before it is entered: the body runs up to its first wait',
    virtualTime(async () => {
      const outer = new CancelScope();
      outer.cancel();
      let reached = '';
      await outer.run(() =>
        taskGroup(async () => {
          reached = 'body';
          await checkpoint();
          reached = 'too far';
        }),
      );
      expect(reached).toBe('body');
    }),
  );

  test(
    'right after the last child ended: the value is kept',
    virtualTime(async () => {
      const outer = new CancelScope();
      const value = await outer.run(async () => {
        const group = taskGroup((tg) => {
          tg.startSoon(() => sleep(5));
          return 'value';
        });
        const result = await group;
        outer.cancel();
        return result;
      });
      expect(value).toBe('value');
    }),
  );

  test(
    'a child that raises the cancellation in an AggregateError is caught as well',
    virtualTime(async () => {
      await taskGroup((tg) => {
        tg.startSoon(() =>
          sleepForever().catch((error: unknown) => {
            throw new AggregateError([error]);
          }),
        );
        tg.cancel();
      });
    }),
  );

  test(
    'by its signal; the listener is gone afterwards',
    virtualTime(async () => {
      const controller = new AbortController();
      const { signal } = controller;
      let listeners = 0;
      const add = signal.addEventListener.bind(signal);
      const remove = signal.removeEventListener.bind(signal);
      signal.addEventListener = (...args: Parameters<AbortSignal['addEventListener']>) => {
        listeners++;
        add(...args);
      };
      signal.removeEventListener = (...args: Parameters<AbortSignal['removeEventListener']>) => {
        listeners--;
        remove(...args);
      };
      expect(await taskGroup(() => 'unharmed', { signal })).toBe('unharmed');
      expect(listeners).toBe(0);
      let reason: unknown;
      let child: TaskHandle<unknown> | undefined;
      const value = await taskGroup(
        async (tg) => {
          child = tg.startSoon(() => sleepForever());
          await waitAllTasksBlocked();
          expect(listeners).toBe(1);
          controller.abort('stop');
          await checkpoint().catch((error: unknown) => {
            reason = (error as Cancelled).reason;
            throw error;
          });
        },
        { signal },
      );
      expect(value).toBeUndefined();
      expect(reason).toBe('stop');
      expect(child!.status).toBe('cancelled');
      expect(listeners).toBe(0);
    }),
  );

  test(
    'with a signal that has aborted, the body runs up to its first wait',
    virtualTime(async () => {
      let reached = '';
      const value = await taskGroup(
        async () => {
          reached = 'body';
          await checkpoint();
          return 'not reached';
        },
        { signal: AbortSignal.abort('early') },
      );
      expect(value).toBeUndefined();
      expect(reached).toBe('body');
    }),
  );

  test(
    'a scope inside of a child is cancelled alone: the group goes on',
    virtualTime(async () => {
      let inner: CancelScope | undefined;
      await taskGroup(async (tg) => {
        const child = tg.startSoon(async () => {
          inner = new CancelScope();
          await inner.run(() => sleepForever());
          return 'went on';
        });
        await waitAllTasksBlocked();
        inner!.cancel();
        expect(await child.result()).toBe('went on');
        expect(tg.cancelScope.cancelCalled).toBe(false);
      });
    }),
  );

  test(
    'nested groups all end, without an error',
    virtualTime(async () => {
      let reached = false;
      await taskGroup(async (outer) => {
        outer.startSoon(async () => {
          await taskGroup(async (inner) => {
            inner.startSoon(() => sleep(10));
            await sleep(1);
          });
          reached = true;
        });
        await waitAllTasksBlocked();
        outer.cancel();
      });
      expect(reached).toBe(false);
    }),
  );

  test(
    'cancelling a group whose tasks have all ended does nothing',
    virtualTime(async () => {
      let group: TaskGroup | undefined;
      await taskGroup((tg) => {
        group = tg;
        tg.startSoon(() => {});
      });
      group!.cancel();
      expect(group!.cancelScope.cancelledCaught).toBe(false);
      await checkpoint();
    }),
  );

  test(
    'a scope that a child opens in a cancelled group does not catch what is not its own',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          await waitAllTasksBlocked().catch(() => {});
          tg.startSoon(async () => {
            await new CancelScope().run(async () => {
              record.push('in the scope');
              await sleep(1);
            });
            record.push('not reached');
          });
        });
        tg.cancel();
      });
      expect(record).toEqual(['in the scope']);
    }),
  );

  test(
    'a child that ends with the AbortError of an API that had its signal was cancelled, and has not failed',
    virtualTime(async () => {
      const tasks: TaskHandle<unknown>[] = [];
      await taskGroup(async (tg) => {
        tasks.push(
          tg.createTask(({ signal }) => delay(60_000, undefined, { signal })),
          tg.createTask(() => delay(60_000, undefined, { signal: tg.cancelScope.signal })),
          // An API of the kind that says no more than that.
          tg.createTask(async ({ signal }) => {
            await errorOf(delay(60_000, undefined, { signal }));
            throw new DOMException('aborted', 'AbortError');
          }),
        );
        await waitAllTasksBlocked();
        tg.cancel();
      });
      expect(tasks.map((task) => task.status)).toEqual(['cancelled', 'cancelled', 'cancelled']);
    }),
  );

  test(
    'an AbortError of somebody else is a failure',
    virtualTime(async () => {
      const errors = await errorsOf(
        taskGroup((tg) => {
          tg.startSoon(() => delay(60_000, undefined, { signal: AbortSignal.abort('elsewhere') }));
        }),
      );
      expect((errors[0] as Error).name).toBe('AbortError');
    }),
  );

  test('of a group that nobody awaits is not heard of, a failure is', async () => {
    const error = new Error('lost');
    const reasons = await unhandledRejections(async () => {
      await moveOnAfter(0, async () => {
        void taskGroup(() => sleepForever());
        await sleepForever();
      });
      void taskGroup(throwing(error));
    });
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toBeInstanceOf(TaskGroupError);
  });

  test(
    'a cancelled group 10,000 deep',
    virtualTime(async () => {
      let ended = 0;
      const nest = (depth: number): Promise<unknown> =>
        taskGroup((tg) => {
          tg.startSoon(async () => {
            try {
              await (depth === 0 ? sleepForever() : nest(depth - 1));
            } finally {
              ended++;
            }
          });
        });
      await moveOnAfter(1, () => nest(10_000));
      expect(ended).toBe(10_001);
    }),
    30_000,
  );
});

describe('services', () => {
  test('a task that an instrument begins when they have ended is waited for', async () => {
    const order: string[] = [];
    let group: TaskGroup | undefined;
    const instrument = addInstrument({
      scopeExited({ name }) {
        if (name !== 'taskGroup' || order.at(-1) !== 'service') return;
        order.push('told');
        group!.startSoon(() => sleep(1).then(() => order.push('task')));
        group!.startService(() => sleepForever().finally(() => order.push('second service')));
      },
    });
    await taskGroup((tg) => {
      group = tg;
      tg.startService(() => sleepForever().finally(() => order.push('service')));
    });
    instrument[Symbol.dispose]();
    expect(order).toEqual(['service', 'told', 'task', 'second service']);
    expect(taskTree().children).toEqual([]);
  });

  test(
    'end once the body and all ordinary children have ended',
    virtualTime(async () => {
      const record: string[] = [];
      const value = await taskGroup((tg) => {
        tg.startService(async (name: string) => {
          try {
            await sleepForever();
          } finally {
            record.push(`${name} ended at ${currentTime()}`);
          }
        }, 'service');
        tg.startSoon(async () => {
          await sleep(10);
          record.push('work done');
        });
        return 'value';
      });
      expect(value).toBe('value');
      expect(record).toEqual(['work done', 'service ended at 10']);
    }),
  );

  test(
    'that they are cancelled in the end is no cancellation of the group',
    virtualTime(async () => {
      let tg: TaskGroup | undefined;
      let service: TaskHandle<unknown> | undefined;
      await taskGroup((group) => {
        tg = group;
        service = group.startService(() => sleepForever());
      });
      expect(service!.status).toBe('cancelled');
      expect(tg!.cancelScope.cancelCalled).toBe(false);
      expect(tg!.cancelScope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'the group waits for their clean-up',
    virtualTime(async () => {
      await taskGroup((tg) => {
        tg.startService(() => waitAndCleanUp(9));
      });
      expect(currentTime()).toBe(9);
    }),
  );

  test(
    'on cancellation of the group, ordinary work ends first and can still use them',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup(async (tg) => {
        const requests = new ParkingLot();
        const answers = new ParkingLot();
        tg.startService(async () => {
          try {
            for (;;) {
              await requests.park();
              await sleep(3);
              answers.unpark();
            }
          } finally {
            record.push(`service ended at ${currentTime()}`);
          }
        });
        tg.startSoon(async () => {
          try {
            await sleepForever();
          } finally {
            await cleanup(async () => {
              requests.unpark();
              await answers.park();
            });
            record.push(`work ended at ${currentTime()}`);
          }
        });
        await sleep(1);
        tg.cancel();
      });
      expect(record).toEqual(['work ended at 4', 'service ended at 4']);
    }),
  );

  test(
    'the same when a scope around is cancelled, and when a child fails',
    virtualTime(async () => {
      for (const how of ['outer', 'failure'] as const) {
        const record: string[] = [];
        const outer = new CancelScope();
        const ended = outer.run(() =>
          taskGroup(async (tg) => {
            tg.startService(() => sleepForever().finally(() => record.push('service')));
            tg.startSoon(async () => {
              try {
                await sleepForever();
              } finally {
                await cleanup(() => sleep(5));
                record.push('work');
              }
            });
            await waitAllTasksBlocked();
            if (how === 'outer') outer.cancel();
            else throwing('failure')();
          }),
        );
        expect(flattenErrors(await ended.catch((error: unknown) => error))).toEqual([
          how === 'outer' ? undefined : 'failure',
        ]);
        expect(record).toEqual(['work', 'service']);
      }
    }),
  );

  test(
    'one that fails, fails the group: others are cancelled, services last',
    virtualTime(async () => {
      const record: string[] = [];
      const errors = await errorsOf(
        taskGroup((tg) => {
          tg.startService(() => sleepForever().finally(() => record.push('other service')));
          tg.startService(async () => {
            await sleep(5);
            throwing('service failed')();
          });
          tg.startSoon(() => sleepForever().finally(() => record.push('work')));
          return sleepForever();
        }),
      );
      expect(errors).toEqual(['service failed']);
      expect(record).toEqual(['work', 'other service']);
      expect(currentTime()).toBe(5);
    }),
  );

  test(
    'one that fails with a group of its own, nested, and others beside it',
    virtualTime(async () => {
      const failed = (await errorOf(
        taskGroup((tg) => {
          tg.startService(() =>
            taskGroup((own) => {
              own.startSoon(throwing('a'));
              own.startSoon(throwing('b'));
            }),
          );
          tg.startService(() => sleepForever().finally(throwing('clean-up')));
          return sleepForever();
        }),
      )) as TaskGroupError;
      expect((failed.errors[0] as TaskGroupError).errors.map(String).toSorted()).toEqual(['a', 'b']);
      expect(failed.errors.slice(1)).toEqual(['clean-up']);
    }),
  );

  test(
    'what they throw while they are being ended is an error of the group',
    virtualTime(async () => {
      const errors = await errorsOf(
        taskGroup((tg) => void tg.startService(() => sleepForever().finally(throwing('clean-up')))),
      );
      expect(errors).toEqual(['clean-up']);
    }),
  );

  test(
    'one that ends by itself or is cancelled alone leaves the group alone',
    virtualTime(async () => {
      const value = await taskGroup(async (tg) => {
        tg.startService(() => {});
        const cancelled = tg.startService(() => sleepForever());
        await sleep(1);
        cancelled.cancel();
        await cancelled.wait();
        await sleep(1);
        expect(tg.cancelScope.cancelCalled).toBe(false);
        return 'value';
      });
      expect(value).toBe('value');
      expect(currentTime()).toBe(2);
    }),
  );

  test(
    'ordinary work that a service starts while it is being ended is awaited',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup((tg) => {
        tg.startService(() =>
          sleepForever().finally(() => {
            tg.startSoon(async () => {
              await sleep(5);
              record.push('late work');
            });
          }),
        );
      });
      expect(record).toEqual(['late work']);
      expect(currentTime()).toBe(5);
    }),
  );

  test(
    'a service that is started while services are being ended runs up to its first wait',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup((tg) => {
        tg.startService(() =>
          sleepForever().finally(() => {
            tg.startService(async () => {
              record.push('began');
              await checkpoint();
              record.push('not reached');
            });
          }),
        );
      });
      expect(record).toEqual(['began']);
    }),
  );

  test(
    'a child that serves until it is told, started by start(), counts as ordinary work',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup(async (tg) => {
        tg.startService(() => sleepForever().finally(() => record.push('service')));
        await tg.start(async (status) => {
          status.started();
          await sleep(3);
          record.push('started');
        });
      });
      expect(record).toEqual(['started', 'service']);
    }),
  );
});

describe('misuse', () => {
  test(
    'using a group after it was left names the group, the rule and the cure',
    virtualTime(async () => {
      let tg: TaskGroup | undefined;
      await taskGroup(
        (group) => {
          tg = group;
        },
        { name: 'kitchen' },
      );
      const never = (): void => expect.fail('must not run');
      expect(() => tg!.startSoon(never)).toThrow(InvalidStateError);
      expect(() => tg!.startSoon(never)).toThrow(
        /TaskGroup\.startSoon\(\): the task group "kitchen" has been left, .*await missing/,
      );
      expect(() => tg!.createTask(never)).toThrow(/TaskGroup\.createTask\(\): the task group "kitchen"/);
      expect(() => tg!.startService(never)).toThrow(/TaskGroup\.startService\(\): the task group "kitchen"/);
      await expect(tg!.start(never)).rejects.toThrow(/TaskGroup\.start\(\): the task group "kitchen"/);
      await expect(tg!.startTask(never)).rejects.toThrow(
        /TaskGroup\.startTask\(\): the task group "kitchen"/,
      );
    }),
  );

  test(
    'also after it failed',
    virtualTime(async () => {
      let tg: TaskGroup | undefined;
      await errorOf(
        taskGroup((group) => {
          tg = group;
          throw new Error('body');
        }),
      );
      expect(() => tg!.startSoon(() => {})).toThrow(InvalidStateError);
    }),
  );

  test(
    'a lost await: the group is left before the callback that wants to use it',
    virtualTime(async () => {
      let late: Promise<unknown> | undefined;
      await taskGroup((tg) => {
        late = errorOf(
          Promise.resolve()
            .then(() => {})
            .then(() => {})
            .then(() => {})
            .then(() => tg.startSoon(() => {})),
        );
      });
      expect(await late).toBeInstanceOf(InvalidStateError);
    }),
  );

  test(
    'a promise instead of a function is refused with the cure, and nothing is started',
    virtualTime(async () => {
      const promise = Promise.resolve() as never;
      await taskGroup(async (tg) => {
        for (const start of [
          () => tg.startSoon(promise),
          () => tg.createTask(promise),
          () => tg.startService(promise),
        ]) {
          expect(start).toThrow(TypeError);
          expect(start).toThrow(/fn must be a function, got a Promise\. Pass the function itself/);
        }
        expect(await errorOf(tg.start(promise))).toBeInstanceOf(TypeError);
        expect(await errorOf(tg.startTask(promise))).toBeInstanceOf(TypeError);
      });
      const failed = await errorOf(taskGroup(promise));
      expect(failed).toBeInstanceOf(TypeError);
      expect((failed as Error).message).toMatch(/taskGroup\(\): body must be a function, got a Promise/);
    }),
  );

  test(
    'other bad arguments name the argument',
    virtualTime(async () => {
      expect(await errorOf(taskGroup(() => {}, null as never))).toBeInstanceOf(TypeError);
      await expect(taskGroup(() => {}, { name: 1 as never })).rejects.toThrow(
        /options\.name must be a string/,
      );
      await expect(taskGroup(() => {}, { signal: {} as never })).rejects.toThrow(
        /options\.signal must be an AbortSignal/,
      );
      await taskGroup(async (tg) => {
        expect(() => tg.createTask(() => {}, { name: 1 as never })).toThrow(/options\.name must be a string/);
        expect(() => tg.createTask(() => {}, 'tea' as never)).toThrow(/got "tea"\. Write \{ name: "tea" \}$/);
        await expect(tg.startTask(() => {}, 'tea' as never)).rejects.toThrow(
          /got "tea"\. Write \{ name: "tea" \}$/,
        );
        expect(await errorOf(tg.startTask(() => {}, { name: 1 as never }))).toBeInstanceOf(TypeError);
        expect(() => tg.startSoon(undefined as never)).toThrow(/got undefined/);
      });
    }),
  );

  test('a refused group does not call its body', async () => {
    let called = false;
    await errorOf(
      taskGroup(
        () => {
          called = true;
        },
        { name: 1 as never },
      ),
    );
    expect(called).toBe(false);
  });
});

test('under forty other schedules: nothing is lost, and what serves the others ends last', async () => {
  for (let seed = 0; seed < 40; seed++) {
    await fuzzSchedule(seed, async () => {
      const record: string[] = [];
      const requests = new ParkingLot();
      let served = 0;
      const failed = (await errorOf(
        taskGroup(async (outer) => {
          outer.startService(async () => {
            try {
              for (;;) {
                await requests.park();
                served++;
              }
            } finally {
              record.push('service');
            }
          });
          const workers = await Promise.all(
            [1, 2, 3].map((n) =>
              outer.startTask(async (status: TaskStatus<number>) => {
                await sleep(n);
                status.started(n);
                try {
                  await sleepForever();
                } finally {
                  await cleanup(async () => {
                    await sleep(n);
                    requests.unpark();
                    await checkpoint();
                  });
                  record.push(`worker ${n}`);
                }
              }),
            ),
          );
          expect(workers.map((worker) => worker.startValue)).toEqual([1, 2, 3]);
          await taskGroup((inner) => {
            inner.startSoon(() => sleepForever());
            inner.startSoon(throwing('inner'));
          });
        }),
      )) as TaskGroupError;
      expect(flattenErrors(failed)).toEqual(['inner']);
      expect(record).toEqual(['worker 1', 'worker 2', 'worker 3', 'service']);
      expect(served).toBe(3);
    });
  }
});

test('ten thousand finished children leave nothing behind', async () => {
  // Real time and a real heap: only the collector can say that nothing holds the values of finished tasks.
  const collect = globalThis.gc;
  expect(collect).toBeTypeOf('function');
  await taskGroup(async (tg) => {
    const refs: WeakRef<object>[] = [];
    for (let round = 0; round < 100; round++) {
      const tasks: TaskHandle<object>[] = [];
      for (let i = 0; i < 100; i++) tasks.push(tg.startSoon(() => ({ big: new Array(100) })));
      await sleep(0);
      for (const task of tasks) refs.push(new WeakRef(task.returnValue));
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    collect!();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const alive = refs.filter((ref) => ref.deref() !== undefined).length;
    expect(alive).toBeLessThan(200);
  });
});
