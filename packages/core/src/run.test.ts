import { AsyncLocalStorage } from 'node:async_hooks';

import { MockClock, virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { errorsOf, throwing } from './failing.fixture.js';
import {
  all,
  Cancelled,
  CancelScope,
  checkpoint,
  cleanup,
  currentEffectiveDeadline,
  currentTask,
  currentTime,
  moveOnAfter,
  run,
  sleep,
  sleepForever,
  taskGroup,
  TaskGroupError,
  taskTree,
} from './index.js';
import { currentScope, ParkingLot, type WakeScheduler } from './lowlevel.js';
import { errorOf, listeners, turns, unhandledRejections } from './observing.fixture.js';

describe('the result', () => {
  test('is what main returns, synchronously or not', async () => {
    expect(await run(() => 1)).toBe(1);
    expect(await run(async () => 2)).toBe(2);
    expect(
      await run(async () => {
        await checkpoint();
        return 3;
      }),
    ).toBe(3);
    // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
    const thenable: PromiseLike<number> = { then: (ok) => Promise.resolve(4).then(ok) };
    expect(await run(() => thenable)).toBe(4);
  });

  test('main is given the signal of the run', async () => {
    const controller = new AbortController();
    await run(
      async ({ signal }) => {
        expect(signal).toBe(currentScope().signal);
        controller.abort('enough');
        expect(signal.aborted).toBe(true);
      },
      { signal: controller.signal },
    );
  });

  test('main begins in the call', async () => {
    const order: string[] = [];
    const running = run(() => void order.push('main'));
    order.push('caller');
    await running;
    expect(order).toEqual(['main', 'caller']);
  });

  test('is what main throws, as it is', async () => {
    const error = new RangeError('17');
    expect(await errorOf(run(throwing(error)))).toBe(error);
    expect(await errorOf(run(() => Promise.reject(error)))).toBe(error);
    expect(await errorOf(run(throwing(undefined)))).toBeUndefined();
    expect(await errorOf(run(throwing('text')))).toBe('text');
  });

  test('a failing task cancels main: the error of its group is that of the run', async () => {
    const record: string[] = [];
    const errors = await errorsOf(
      run(() =>
        taskGroup((tg) => {
          tg.startSoon(async () => {
            try {
              for (;;) await checkpoint();
            } finally {
              record.push('looper cancelled');
            }
          });
          tg.startSoon(throwing('crash'));
        }),
      ),
    );
    expect(errors).toEqual(['crash']);
    expect(record).toEqual(['looper cancelled']);
  });

  test('the errors of main and of a task are both there', async () => {
    const errors = await errorsOf(
      run(() =>
        taskGroup((tg) => {
          tg.startSoon(throwing('task'));
          throwing('main')();
        }),
      ),
    );
    expect(errors).toEqual(['main', 'task']);
  });

  test('two failing tasks are both there', async () => {
    const errors = await errorsOf(
      run(() =>
        taskGroup((tg) => {
          tg.startSoon(throwing('a'));
          tg.startSoon(throwing('b'));
        }),
      ),
    );
    expect(errors).toEqual(['a', 'b']);
  });

  test('a failure that nobody awaits is an unhandled rejection, a cancellation is none', async () => {
    const reasons = await unhandledRejections(() => {
      void run(throwing('lost'));
      void run(() => {
        currentScope().cancel();
        return checkpoint();
      });
    });
    expect(reasons).toEqual(['lost']);
  });
});

describe('the task', () => {
  test('is one of its own with the name main, or the one that is given', async () => {
    const outside = currentTask();
    const tasks = [await run(() => currentTask()), await run(() => currentTask(), { name: 'tea' })];
    expect(tasks.map((task) => task.name)).toEqual(['main', 'tea']);
    expect(tasks[0]!.id).not.toBe(outside.id);
    expect(tasks[1]!.id).not.toBe(tasks[0]!.id);
    expect(tasks[0]!.parentId).toBe(outside.id);
  });

  test('outside of every run everything works: there is a root task, and time', async () => {
    const task = currentTask();
    expect(task.name).toBe('root');
    expect(task.parentId).toBeUndefined();
    expect(task.hasPendingCancellation()).toBe(false);
    const before = currentTime();
    await sleep(1);
    expect(currentTime()).toBeGreaterThan(before);
    expect(currentEffectiveDeadline()).toBe(Infinity);
  });

  test('runs side by side do not see each other', async () => {
    const lot = new ParkingLot();
    const names = await Promise.all(
      ['a', 'b'].map((name) =>
        run(
          async () => {
            const parked = lot.park();
            if (lot.size === 2) currentScope().cancel();
            await parked.catch(() => {});
            lot.unparkAll();
            return currentTask().name;
          },
          { name },
        ),
      ),
    );
    expect(names).toEqual(['a', 'b']);
  });

  test('two runs at a time have clocks of their own', async () => {
    const [slow, fast] = [new MockClock({ autojump: true }), new MockClock({ autojump: true })];
    const sleeper = (ms: number) => async () => {
      await sleep(ms);
      return currentTime();
    };
    expect(await Promise.all([run(sleeper(100), { clock: slow }), run(sleeper(7), { clock: fast })])).toEqual(
      [100, 7],
    );
  });
});

test('main and its tasks inherit the AsyncLocalStorage values of the caller of run(), and change none of them', async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  const look = (): void => void seen.push(storage.getStore());
  await storage.run('caller', async () => {
    await run(async () => {
      look();
      await storage.run('main', async () => {
        await checkpoint();
        look();
        await taskGroup((tg) => {
          tg.startService(look);
          tg.startSoon(look);
        });
      });
      look();
    });
    look();
  });
  expect(seen).toEqual(['caller', 'main', 'main', 'main', 'caller', 'caller']);
});

describe('inside of a run', () => {
  test(
    'it is a scope of that one, in the same task',
    virtualTime(async () => {
      const { id } = currentTask();
      const outer = new CancelScope();
      let passed: unknown;
      await outer.run(async () => {
        const inner = run(async () => {
          expect(currentTask().id).toBe(id);
          await sleepForever();
        });
        await waitAllTasksBlocked();
        outer.cancel('outer');
        passed = await errorOf(inner);
        throw passed;
      });
      expect((passed as Cancelled).reason).toBe('outer');
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test(
    'it has the clock of the outer one, unless it is given one',
    virtualTime(async () => {
      await sleep(10);
      await run(async () => {
        await sleep(10);
        expect(currentTime()).toBe(20);
      });
      await run(
        async () => {
          await sleep(5);
          expect(currentTime()).toBe(5);
        },
        { clock: new MockClock({ autojump: true }) },
      );
      expect(currentTime()).toBe(20);
    }),
  );
});

describe('the signal', () => {
  test(
    'that aborts: rejects with its reason, after clean-up, and the listener is gone',
    virtualTime(async () => {
      const controller = new AbortController();
      const reason = new Error('time is up');
      const record: string[] = [];
      const running = run(
        async () => {
          try {
            await sleepForever();
          } finally {
            await cleanup(() => sleep(5));
            record.push('clean');
          }
        },
        { signal: controller.signal },
      );
      expect(listeners(controller.signal)).toBe(1);
      controller.abort(reason);
      expect(await errorOf(running)).toBe(reason);
      expect(record).toEqual(['clean']);
      expect(listeners(controller.signal)).toBe(0);
    }),
  );

  test('that has aborted: main runs up to its first wait', async () => {
    let reached = '';
    const error = await errorOf(
      run(
        async () => {
          reached = 'main';
          await checkpoint();
          reached = 'too far';
        },
        { signal: AbortSignal.abort('early') },
      ),
    );
    expect(error).toBe('early');
    expect(reached).toBe('main');
  });

  test('that aborts too late or not at all: the result is kept, and no listener is left', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    expect(await run(() => 'value', { signal })).toBe('value');
    expect(await errorOf(run(throwing('boom'), { signal }))).toBe('boom');
    expect(listeners(signal)).toBe(0);
    const stubborn = run(() => sleepForever().catch(() => 'finished all the same'), { signal });
    controller.abort();
    expect(await stubborn).toBe('finished all the same');
  });

  test('an error beside the cancellation goes on', async () => {
    const controller = new AbortController();
    const running = run(
      () =>
        taskGroup((tg) => {
          tg.startSoon(() => sleepForever().finally(throwing('clean-up')));
          return sleepForever();
        }),
      { signal: controller.signal },
    );
    await turns();
    controller.abort();
    const error = await errorOf(running);
    expect(error).toBeInstanceOf(TaskGroupError);
    expect((error as TaskGroupError).errors).toEqual(['clean-up']);
  });

  test(
    "another scope's: the run ends with that scope's cancellation",
    virtualTime(async () => {
      const scope = new CancelScope();
      const running = errorOf(run(() => sleepForever(), { signal: scope.signal }));
      scope.cancel('its reason');
      expect(await running).toBe('its reason');
    }),
  );
});

describe('its scope', () => {
  test('that is cancelled from inside: rejects with the cancellation', async () => {
    const error = await errorOf(
      run(async () => {
        currentScope().cancel('enough');
        await checkpoint();
      }),
    );
    expect(error).toBeInstanceOf(Cancelled);
    expect((error as Cancelled).reason).toBe('enough');
  });

  test('a main that finished in spite of that has its result', async () => {
    expect(
      await run(async () => {
        currentScope().cancel();
        return 'finished';
      }),
    ).toBe('finished');
  });

  test('is gone from the tree when it has ended, however', async () => {
    const before = taskTree().children.length;
    await run(() => {
      expect(taskTree().children).toHaveLength(before + 1);
    });
    await errorOf(run(throwing('boom')));
    await errorOf(run(() => Promise.reject(new Error('boom'))));
    expect(taskTree().children).toHaveLength(before);
  });
});

describe('a clock', () => {
  test('of the program: now() is its time', async () => {
    const clock = new MockClock();
    await run(
      async () => {
        expect(currentTime()).toBe(clock.now());
        await clock.advance(3.15);
        expect(currentTime()).toBe(3.15);
        expect(currentTime()).toBe(clock.now());
      },
      { clock },
    );
  });

  test('is detached when the run ends, also by an error', async () => {
    const record: string[] = [];
    const clock = {
      now: () => 0,
      schedule: () => ({ cancel: () => {} }),
      attach: () => {
        record.push('attached');
        return () => void record.push('detached');
      },
    };
    await run(() => void record.push('main'), { clock });
    await errorOf(run(throwing('boom'), { clock }));
    expect(record).toEqual(['attached', 'main', 'detached', 'attached', 'detached']);
  });

  test.each<[string, (sleeping: Promise<never>) => Promise<unknown>]>([
    ['it is cancelled, cleans up, and rejects with that error', (sleeping) => sleeping],
    ['also if main takes no notice', (sleeping) => sleeping.catch(() => 'done')],
  ])('may end the run: %s', async (_how, main) => {
    const failure = new Error('deadlock');
    const record: string[] = [];
    const error = await errorOf(
      run(() => main(sleepForever().finally(() => record.push('clean'))), {
        clock: {
          now: () => 0,
          schedule: () => ({ cancel: () => {} }),
          attach(monitor) {
            setImmediate(() => monitor.fail(failure));
            return () => {};
          },
        },
      }),
    );
    expect(error).toBe(failure);
    expect(record).toEqual(['clean']);
  });
});

test('a scheduler decides when ready tasks go on', async () => {
  const held: (() => void)[] = [];
  const scheduler: WakeScheduler = { ready: (wake) => void held.push(wake) };
  const order: string[] = [];
  const running = run(
    () =>
      taskGroup((tg) => {
        tg.startSoon(() => void order.push('first'));
        tg.startSoon(() => void order.push('second'));
      }),
    { scheduler },
  );
  await turns();
  expect(order).toEqual([]);
  while (held.length > 0) {
    held.pop()!();
    await turns();
  }
  await running;
  expect(order).toEqual(['second', 'first']);
});

test('a program with a signal begins one also while another run minds lost contexts', async () => {
  const [outside, lot] = [currentScope(), new ParkingLot()];
  const watching = run(() => lot.park(), { lostContext: 'error' });
  expect(currentScope()).toBe(outside);
  const { signal } = new AbortController();
  expect(await run(() => checkpoint().then(() => 'began'), { signal })).toBe('began');
  lot.unpark();
  await watching;
});

describe('bad arguments', () => {
  const never = (): never => expect.fail('main must not run');

  test('a promise instead of main is refused with the cure', async () => {
    const error = await errorOf(run(Promise.resolve() as never));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(
      /run\(\): main must be a function, got a Promise\. Pass the function itself/,
    );
    expect(await errorOf(run(undefined as never))).toBeInstanceOf(TypeError);
  });

  test.each([
    [null, /options must be an object, got null/],
    ['main', /options must be an object, got "main"/],
    [{ name: 1 }, /options\.name must be a string, got 1/],
    [{ signal: {} }, /options\.signal must be an AbortSignal, got an object/],
    [{ escapes: 'ignore' }, /options\.escapes must be one of "adopt", "warn", "error", got "ignore"/],
    [{ lostContext: 'adopt' }, /options\.lostContext must be one of "ignore", "warn", "error", got "adopt"/],
    [{ clock: 5 }, /options\.clock must be an object with a method now\(\), got 5/],
    [{ clock: null }, /options\.clock must be an object with a method now\(\), got null/],
    [{ clock: { now: () => 0 } }, /options\.clock must be an object with a method schedule\(\)/],
    [{ scheduler: {} }, /options\.scheduler must be an object with a method ready\(\)/],
    [{ instruments: 'x' }, /options\.instruments must be an array/],
  ])('%j is refused, and main does not run', async (options, message) => {
    const before = taskTree().children.length;
    const error = await errorOf(run(never, options as never));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(message);
    expect(taskTree().children).toHaveLength(before);
  });

  test('options that are undefined are as good as absent', async () => {
    const options = { name: undefined, clock: undefined, signal: undefined, escapes: undefined };
    expect(await run(() => currentTask().name, options)).toBe('main');
  });
});

test(
  'an uncancelled program inside of a time limit keeps its results',
  virtualTime(async () => {
    const results = await moveOnAfter(10, () => run(() => all([() => sleep(5).then(() => 1), () => 2])));
    expect(results).toEqual([1, 2]);
  }),
);
