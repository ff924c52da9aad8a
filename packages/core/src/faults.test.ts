/**
 * What happens when something goes wrong that should not: each test names a fault and its outcome. Those of callbacks of
 * streams are in packages/streams/src/faults.test.ts, those of a whole process in process-faults.test.ts.
 */

import { AsyncLocalStorage } from 'node:async_hooks';

import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';

import {
  abandonOnCancel,
  all,
  allSettled,
  any,
  asCompleted,
  CancelScope,
  catchErrors,
  checkpoint,
  cleanup,
  currentTask,
  currentTime,
  failAfter,
  map,
  moveOnAfter,
  race,
  run,
  shield,
  sleep,
  sleepForever,
  sleepUntil,
  taskGroup,
  taskTree,
  TimeoutError,
  withResource,
  withSignal,
  type TaskGroup,
  type TaskHandle,
} from './index.js';
import { addInstrument, onTaskExit, suspend, type Clock, type Instrument } from './lowlevel.js';
import { errorsOf, throwing } from './failing.fixture.js';
import { errorOf, HandClock, outcome, turns } from './observing.fixture.js';
import { uncaughtDuring, warningsDuring } from './process-events.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';

/** What throws whatever is done with it. */
function hostileProxy(): object {
  return new Proxy({}, new Proxy({}, { get: throwing(new Error('hands off')) }));
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function hostileError(): Error {
  const error = new Error('odd');
  // The stack first: to define it may make it, of the name and the message.
  for (const name of ['stack', 'name', 'message', 'cause', 'errors', 'then', 'constructor']) {
    Object.defineProperty(error, name, { get: throwing(new Error(`no ${name}`)) });
  }
  return error;
}

/** Anything can be thrown. */
const THROWN: readonly (readonly [string, () => unknown])[] = [
  ['an error', () => new Error('out of tea')],
  ['a string', () => 'out of tea'],
  ['an empty string', () => ''],
  ['undefined', () => undefined],
  ['null', () => null],
  ['false', () => false],
  ['NaN', () => Number.NaN],
  ['a bigint', () => 1n],
  ['a symbol', () => Symbol('tea')],
  ['a function', () => () => 'tea'],
  ['a frozen error', () => Object.freeze(new Error('frozen'))],
  ['a frozen group of errors', () => Object.freeze(new AggregateError([new Error('frozen')]))],
  ['an object without a prototype', () => Object.create(null)],
  // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
  ['a thenable', () => ({ then: (resolve: (value: string) => void) => resolve('not thrown') })],
  ['a rejected promise', () => handled(Promise.reject(new Error('inside')))],
  ['an error whose properties throw', hostileError],
  ['a proxy that throws', hostileProxy],
  ['a revoked proxy', revokedProxy],
];

function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** What a promise rejects with, in an array: a thenable would not come through a promise of its own. */
async function caught(promise: PromiseLike<unknown>): Promise<readonly unknown[]> {
  const result = await outcome(promise);
  return 'error' in result ? [result.error] : [];
}

/** Whether the lists hold the same, without looking at it. */
function areSame(actual: readonly unknown[], expected: readonly unknown[]): boolean {
  return actual.length === expected.length && actual.every((each, i) => Object.is(each, expected[i]));
}

/** Those of THROWN for which `holds` does not. */
async function namesWhereNot(holds: (thrown: unknown) => Promise<boolean>): Promise<string[]> {
  const names: string[] = [];
  for (const [name, make] of THROWN) if (!(await holds(make()))) names.push(name);
  return names;
}

/** Waits until it is cancelled, and then does something, whose error is its own. */
async function untilCancelled(then: () => unknown): Promise<never> {
  try {
    return await sleepForever();
  } finally {
    await then();
  }
}

describe('anything that is thrown', () => {
  test.each<[string, (fail: () => never) => Promise<unknown>]>([
    ['the body of a group', (fail) => taskGroup(fail)],
    ['the body of a group, later', (fail) => taskGroup(() => sleep(1).then(fail))],
    ['a task', (fail) => taskGroup((tg) => void tg.startSoon(fail))],
    ['a task, later', (fail) => taskGroup((tg) => void tg.startSoon(() => sleep(1).then(fail)))],
    ['a task that starts', (fail) => taskGroup((tg) => tg.start(fail))],
    [
      'a task that has started',
      (fail) => taskGroup((tg) => tg.start((status) => (status.started(), fail()))),
    ],
    ['a service', (fail) => taskGroup((tg) => (tg.startService(fail), sleepForever()))],
    ['a service that ends', (fail) => taskGroup((tg) => void tg.startService(() => untilCancelled(fail)))],
    ['a task that is cancelled', (fail) => cancelled((tg) => tg.startSoon(() => untilCancelled(fail)))],
    ['a clean-up', (fail) => cancelled((tg) => tg.startSoon(() => untilCancelled(() => cleanup(fail))))],
    ['all()', (fail) => all([fail, () => sleepForever()])],
    ['map()', (fail) => map([1, 2], (n) => (n === 1 ? fail() : sleepForever()))],
    ['any()', (fail) => any([fail])],
    ['a loser of race()', (fail) => race([() => sleep(1), () => untilCancelled(fail)])],
  ])('by %s is the one error of a group', async (_, begin) => {
    const test = virtualTime(async () => {
      const notSo = await namesWhereNot(async (thrown) => {
        const [failed] = await caught(begin(throwing(thrown)));
        return (
          failed instanceof AggregateError && areSame(failed.errors, [thrown]) && failed.message.length > 0
        );
      });
      expect(notSo).toEqual([]);
    });
    await test();
  });

  test.each<[string, (fail: () => never) => Promise<unknown>]>([
    ['run()', (fail) => run(fail)],
    ['a cancel scope', (fail) => new CancelScope().run(fail)],
    [
      'a cancel scope that is cancelled',
      (fail) => new CancelScope().run((scope) => (scope.cancel(), fail())),
    ],
    ['failAfter(), when its time is over', (fail) => failAfter(1, () => untilCancelled(fail))],
    ['shield()', (fail) => shield(() => sleep(1).then(fail))],
    [
      'the release of a resource',
      (fail) =>
        withResource(
          () => 'tea',
          () => sleep(1),
          fail,
        ),
    ],
    ['the winner of race()', (fail) => race([fail, () => sleepForever()])],
    ['work that takes a signal', (fail) => withSignal(() => sleep(1).then(fail))],
    ['a foreign promise', (fail) => abandonOnCancel(Promise.resolve().then(fail))],
    ['what begins a wait', (fail) => suspend(fail)],
    [
      'catchErrors(), if no handler takes it',
      (fail) => catchErrors(fail, [TimeoutError, () => expect.unreachable()]),
    ],
  ])('by %s is thrown on as it is', async (_, begin) => {
    const test = virtualTime(async () => {
      const notSo = await namesWhereNot(async (thrown) =>
        areSame(await caught(begin(throwing(thrown))), [thrown]),
      );
      expect(notSo).toEqual([]);
    });
    await test();
  });

  test(
    'by a task is what its handle tells, and allSettled() and asCompleted()',
    virtualTime(async () => {
      const notSo = await namesWhereNot(async (thrown) => {
        let handle: TaskHandle<unknown> | undefined;
        await caught(taskGroup((tg) => void (handle = tg.startSoon(throwing(thrown)))));
        const [failed] = await caught(handle!.result());
        const told = [handle!.exception, (failed as Error).cause];

        const [settled] = await allSettled([throwing(thrown)]);
        told.push((settled as PromiseRejectedResult).reason);

        const completed = asCompleted([throwing(thrown)], async (tasks) => {
          for await (const task of tasks) told.push(task.exception);
        });
        told.push(...((await caught(completed))[0] as AggregateError).errors);
        return (
          handle!.status === 'failed' &&
          areSame(
            told,
            Array.from({ length: 5 }, () => thrown),
          )
        );
      });
      expect(notSo).toEqual([]);
    }),
  );

  test(
    'by several tasks makes several errors, none of which hides another',
    inPlainOrder('those who are woken together go on in their order', async () => {
      const notSo = await namesWhereNot(async (thrown) => {
        const [failed] = await caught(
          taskGroup((tg) => {
            for (const each of [thrown, 'the second', thrown])
              tg.startSoon(() => untilCancelled(throwing(each)));
            tg.startSoon(() => sleep(1).then(throwing('the first')));
          }),
        );
        return areSame((failed as AggregateError).errors, ['the first', thrown, 'the second', thrown]);
      });
      expect(notSo).toEqual([]);
    }),
  );

  test(
    'may as well be the reason of a cancellation, and is handed on as it is',
    virtualTime(async () => {
      const notSo = await namesWhereNot(async (reason) => {
        const told = await new CancelScope().run(async (scope) => {
          scope.cancel(reason);
          const [error] = await caught(sleepForever());
          return [(error as { reason: unknown }).reason];
        });
        return areSame(told!, [reason]);
      });
      expect(notSo).toEqual([]);
    }),
  );

  test.each<[string, (reason: unknown) => AbortSignal]>([
    ['has aborted', (reason) => AbortSignal.abort(reason)],
    ['aborts later', abortingLater],
  ])('may as well be the reason of a signal that %s, and is handed on as it is', async (_, signalWith) => {
    const test = virtualTime(async () => {
      const notSo = await namesWhereNot(async (reason) => {
        const signals = [signalWith(reason), signalWith(reason)] as const;
        const [ofRun] = await caught(run(() => sleepForever(), { signal: signals[0] }));
        const [ofWait] = await caught(sleepForever({ signal: signals[1] }));
        // It is the signal that makes an error where none is given.
        return areSame([ofRun, ofWait], [signals[0].reason, signals[1].reason]);
      });
      expect(notSo).toEqual([]);
    });
    await test();
  });
});

/** A group that is cancelled once everyone in it waits. */
function cancelled(begin: (tg: TaskGroup) => unknown): Promise<unknown> {
  return taskGroup(async (tg) => {
    begin(tg);
    await waitAllTasksBlocked();
    tg.cancel();
  });
}

function abortingLater(reason: unknown): AbortSignal {
  const controller = new AbortController();
  setImmediate(() => controller.abort(reason));
  return controller.signal;
}

describe('a task that returns what is no good', () => {
  type Then = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void;
  // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
  const thenable = (then: Then) => () => ({ then });

  test.each<[string, () => unknown, unknown]>([
    ['a thenable whose then() throws', thenable(throwing('no then')), 'no then'],
    [
      'a thenable that rejects twice: the first time counts',
      thenable((_resolve, reject) => {
        reject('first');
        reject('second');
      }),
      'first',
    ],
    [
      'a thenable that rejects and then throws: the first counts',
      thenable((_resolve, reject) => {
        reject('first');
        throw new Error('second');
      }),
      'first',
    ],
    [
      'what throws when its then is read',
      // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
      () => Object.defineProperty({}, 'then', { get: throwing('no') }),
      'no',
    ],
    [
      'a promise whose then() throws',
      // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
      () => Object.defineProperty(Promise.resolve(), 'then', { value: throwing('no then') }),
      'no then',
    ],
    [
      'a promise whose then() rejects and then throws: the first counts',
      () => {
        const then: Then = (_resolve, reject) => {
          reject('first');
          throw new Error('second');
        };
        // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
        return Object.defineProperty(Promise.resolve(), 'then', { value: then });
      },
      'first',
    ],
    ['a proxy that throws', hostileProxy, new Error('hands off')],
    ['a revoked proxy', revokedProxy, expect.any(TypeError)],
  ])('%s: the group fails with that error', async (_, make, error) => {
    const test = virtualTime(async () => {
      expect(await errorsOf(taskGroup((tg) => void tg.startSoon(make)))).toEqual([error]);
      expect(await errorsOf(taskGroup(make))).toEqual([error]);
    });
    await test();
  });
});

describe('a then() that calls back outside of every scope', () => {
  const outside = AsyncLocalStorage.snapshot();
  // oxlint-disable-next-line typescript/unbound-method -- called by then.call()
  const { then } = Promise.prototype;
  type Callback = ((value: unknown) => unknown) | undefined;
  const careless = (callback: Callback): Callback => callback && ((value) => outside(callback, value));

  function carelessThen(this: Promise<unknown>, ended: Callback, failed: Callback): Promise<unknown> {
    return then.call(this, careless(ended), careless(failed));
  }

  test('of a promise: a task ends with it all the same', async () => {
    const withThen = <T>(promise: Promise<T>): Promise<T> =>
      // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
      Object.defineProperty(promise, 'then', { value: carelessThen });
    const seen: unknown[] = [];
    const error = new Error('no tea');
    const group = taskGroup(async (tg) => {
      seen.push(await tg.startSoon(() => withThen(Promise.resolve('tea'))).result());
      tg.startSoon(() => withThen(Promise.reject(error)));
    });
    expect(await errorsOf(group)).toEqual([error]);
    expect(seen).toEqual(['tea']);
  });

  test.each([
    ['', carelessThen],
    [
      ', as a proxy',
      new Proxy(then, {
        apply: (_then, promise: Promise<unknown>, [ended, failed]: Callback[]) =>
          carelessThen.call(promise, ended, failed),
      }),
    ],
  ])('of all promises%s: a task ends with its own all the same', async (_how, value) => {
    vi.resetModules();
    // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
    Promise.prototype.then = value as typeof then;
    try {
      const { taskGroup: anotherTaskGroup } = await import('./index.js');
      const seen: unknown[] = [];
      await anotherTaskGroup((tg) => {
        tg.startSoon(async () => seen.push(await Promise.resolve('tea')));
        tg.startSoon(async () => seen.push('coffee'));
      });
      expect(seen).toEqual(['coffee', 'tea']);
    } finally {
      // oxlint-disable-next-line unicorn/no-thenable -- it was there before
      Promise.prototype.then = then;
    }
  });
});

test('a promise whose then() tells of two ends ends a task, or the body of a group, once', async () => {
  const twice = (): unknown =>
    // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
    Object.defineProperty(Promise.resolve(), 'then', {
      value: (resolve: () => void) => {
        resolve();
        resolve();
      },
    });
  const test = virtualTime(async () => {
    const ended: string[] = [];
    const sleeper = async (name: string): Promise<void> => {
      await sleep(10);
      ended.push(name);
    };
    await taskGroup((tg) => {
      tg.startSoon(twice);
      tg.startSoon(sleeper, 'beside a task');
    });
    await taskGroup((tg) => {
      tg.startSoon(sleeper, 'beside a body');
      return twice();
    });
    expect(ended).toEqual(['beside a task', 'beside a body']);
  });
  await test();
});

describe('while cancelling', () => {
  test.each([
    ['an error', new Error('broken')],
    ['a string', 'broken'],
    ['undefined', undefined],
  ])(
    'an undo function that throws %s: the others are cancelled, cancel() does not throw, and the group fails with it',
    async (_, thrown) => {
      const test = virtualTime(async () => {
        const ended: string[] = [];
        const errors = await errorsOf(
          cancelled((tg) => {
            tg.startSoon(() => sleepForever().finally(() => ended.push('before')));
            tg.startSoon(() => suspend(() => throwing(thrown)));
            tg.startSoon(() => sleepForever().finally(() => ended.push('after')));
          }),
        );
        expect(errors).toEqual([thrown]);
        expect(ended.toSorted()).toEqual(['after', 'before']);
      });
      await test();
    },
  );

  test('an abort listener that throws: everyone is told and cancelled, and its error is an uncaught one', async () => {
    const told: string[] = [];
    const scope = new CancelScope();
    const errors = await uncaughtDuring(() =>
      scope.run(({ signal }) => {
        signal.addEventListener('abort', throwing(new Error('broken listener')));
        signal.addEventListener('abort', () => told.push('the next listener'));
        setImmediate(() => {
          scope.cancel();
          told.push('cancel() has returned');
        });
        return taskGroup((tg) => {
          tg.startSoon(() => sleepForever().finally(() => told.push('a task')));
        });
      }),
    );
    expect(errors).toEqual([new Error('broken listener')]);
    expect(scope.cancelledCaught).toBe(true);
    expect(told).toEqual(['the next listener', 'cancel() has returned', 'a task']);
  });

  test('a listener that throws on the signal that cancels a run: the run is cancelled all the same', async () => {
    const controller = new AbortController();
    controller.signal.addEventListener('abort', throwing(new Error('broken listener')));
    let error: unknown;
    const errors = await uncaughtDuring(async () => {
      setImmediate(() => controller.abort('enough'));
      error = await errorOf(run(() => sleepForever(), { signal: controller.signal }));
    });
    expect(errors).toEqual([new Error('broken listener')]);
    expect(error).toBe('enough');
  });

  test.each<keyof Instrument>(['scopeCancelled', 'waitEnded', 'taskExited', 'scopeExited'])(
    'an instrument whose %s throws: it is removed with a warning, and everyone ends',
    async (hook) => {
      const ended: number[] = [];
      const warnings = await warningsDuring(async () => {
        const instrument = addInstrument({ [hook]: throwing(new Error('broken instrument')) });
        await moveOnAfter(1, () =>
          taskGroup((tg) => {
            for (const n of [1, 2]) tg.startSoon(() => sleepForever().finally(() => ended.push(n)));
          }),
        );
        instrument[Symbol.dispose]();
      });
      expect(ended).toEqual([1, 2]);
      expect(warnings).toEqual([`an instrument was removed because its ${hook}() threw: broken instrument`]);
    },
  );

  test(
    'a disposer that throws: the group fails with both, the cancellation suppressed by the error',
    virtualTime(async () => {
      const broken = new Error('broken disposer');
      const [failed] = await errorsOf(
        cancelled((tg) => {
          tg.startSoon(async () => {
            using _ = { [Symbol.dispose]: throwing(broken) };
            await sleepForever();
          });
        }),
      );
      expect(failed).toMatchObject({
        name: 'SuppressedError',
        error: broken,
        suppressed: { name: 'Cancelled' },
      });
    }),
  );

  test(
    'an async disposer that throws after it has waited: the same',
    virtualTime(async () => {
      const broken = new Error('broken disposer');
      const [failed] = await errorsOf(
        cancelled((tg) => {
          tg.startSoon(async () => {
            await using _ = { [Symbol.asyncDispose]: () => cleanup(() => sleep(1).then(throwing(broken))) };
            await sleepForever();
          });
        }),
      );
      expect(failed).toMatchObject({
        name: 'SuppressedError',
        error: broken,
        suppressed: { name: 'Cancelled' },
      });
    }),
  );

  test('an exit action that throws: the task ends, the other actions are called, its error is an uncaught one', async () => {
    const called: string[] = [];
    const errors = await uncaughtDuring(() =>
      moveOnAfter(1, () =>
        taskGroup((tg) => {
          tg.startSoon(() => {
            onTaskExit('test', currentTask(), throwing(new Error('broken action')));
            onTaskExit('test', currentTask(), () => called.push('the other'));
            return sleepForever();
          });
        }),
      ),
    );
    expect(errors).toEqual([new Error('broken action')]);
    expect(called).toEqual(['the other']);
  });

  test(
    'foreign work that answers its signal with an error of its own: the group fails with it',
    virtualTime(async () => {
      const own = new Error('connection reset');
      const work = (signal: AbortSignal): Promise<never> =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(own)));
      expect(await errorsOf(cancelled((tg) => tg.startSoon(() => withSignal(work))))).toEqual([own]);
    }),
  );

  test(
    'an iterable whose return() throws: the group fails with it',
    virtualTime(async () => {
      const broken = new Error('broken return');
      const source: AsyncIterable<number> = {
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.resolve({ done: false, value: 1 }),
          return: () => Promise.reject(broken),
        }),
      };
      const failed = await errorOf(
        cancelled((tg) => tg.startSoon(() => map(source, () => sleepForever(), { limit: 1 }))),
      );
      expect(failed).toMatchObject({ errors: [{ errors: [broken] }] });
    }),
  );

  test(
    'errors of several tasks at once: the group fails with all of them, in the order in which they came',
    virtualTime(async () => {
      const errors = await errorsOf(
        cancelled((tg) => {
          for (const ms of [30, 10, 20]) {
            tg.startSoon(() => untilCancelled(() => cleanup(() => sleep(ms).then(throwing(ms)))));
          }
        }),
      );
      expect(errors).toEqual([10, 20, 30]);
    }),
  );
});

describe('a clean-up that hangs', () => {
  test(
    'in cleanup() is cancelled when its grace is over, and the program moves on',
    virtualTime(async () => {
      let result: unknown = 'not yet';
      await moveOnAfter(10, async () => {
        try {
          await sleepForever();
        } finally {
          result = await cleanup(() => sleepForever(), { grace: 100 });
        }
      });
      expect(result).toBeUndefined();
      expect(currentTime()).toBe(110);
    }),
  );

  test(
    'in cleanup() without a grace has five seconds',
    virtualTime(async () => {
      await cleanup(() => sleepForever());
      expect(currentTime()).toBe(5_000);
    }),
  );

  test(
    'in many tasks is given up at once for all, not one after another',
    virtualTime(async () => {
      await moveOnAfter(10, () =>
        taskGroup((tg) => {
          for (let i = 0; i < 100; i++) {
            tg.startSoon(() => untilCancelled(() => cleanup(() => sleepForever(), { grace: 50 })));
          }
        }),
      );
      expect(currentTime()).toBe(60);
    }),
  );

  test(
    'within another clean-up is given up when the first of the two graces is over',
    virtualTime(async () => {
      await cleanup(() => cleanup(() => sleepForever(), { grace: 10 }), { grace: 1_000 });
      expect(currentTime()).toBe(10);
      // The inner shield keeps out the deadline of the outer one: each has its own.
      await cleanup(() => cleanup(() => sleepForever(), { grace: 1_000 }), { grace: 10 });
      expect(currentTime()).toBe(1_010);
    }),
  );

  test.each<[string, () => Promise<unknown>]>([
    ['failAfter() in a shield', () => shield(() => failAfter(100, () => sleepForever()))],
    ['a shielded failAfter()', () => failAfter(100, () => sleepForever(), { shield: true })],
  ])('in %s ends with a TimeoutError, which the group fails with', async (_, hang) => {
    const test = virtualTime(async () => {
      const errors = await errorsOf(cancelled((tg) => tg.startSoon(() => untilCancelled(hang))));
      expect(errors).toEqual([expect.any(TimeoutError)]);
      expect(currentTime()).toBe(100);
    });
    await test();
  });

  test(
    'in the release of a resource is given up, and the result of its use is kept',
    virtualTime(async () => {
      const used = withResource(
        () => 'tea',
        (tea) => tea,
        () => sleepForever(),
        { grace: 100 },
      );
      expect(await used).toBe('tea');
      expect(currentTime()).toBe(100);
    }),
  );

  test(
    'in a shield without a deadline is waited for, however long it takes',
    virtualTime(async () => {
      await moveOnAfter(10, () => shield(() => sleep(86_400_000)));
      expect(currentTime()).toBe(86_400_000);
    }),
  );

  test(
    'on a bare promise is waited for, since nothing can interrupt that, also when the grace is long over',
    virtualTime(async (clock) => {
      let answer!: () => void;
      const bare = new Promise<void>((resolve) => (answer = resolve));
      const scope = new CancelScope({ timeout: 10 });
      const ended: string[] = [];
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          await scope.run(async () => {
            await untilCancelled(() => cleanup(() => bare, { grace: 100 }));
          });
          ended.push('the scope');
        });
        await clock.advance(3_600_000);
        expect(ended).toEqual([]);
        answer();
      });
      expect(ended).toEqual(['the scope']);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'on a bare promise is given up when its grace is over, if it waits by abandonOnCancel()',
    virtualTime(async () => {
      await moveOnAfter(10, () =>
        untilCancelled(() => cleanup(() => abandonOnCancel(new Promise(() => {})), { grace: 100 })),
      );
      expect(currentTime()).toBe(110);
    }),
  );

  test('in a loop that swallows its cancellation keeps its group, but not the event loop nor the other tasks', async () => {
    let attempts = 0;
    let isGivenUp = false;
    let ticks = 0;
    await moveOnAfter(0, () =>
      taskGroup((tg) => {
        tg.startSoon(async () => {
          while (!isGivenUp) {
            attempts++;
            await sleepForever().catch(() => {});
          }
        });
        const tick = (): void => {
          if (++ticks < 5) setImmediate(tick);
          else isGivenUp = true;
        };
        setImmediate(tick);
      }),
    );
    expect(ticks).toBe(5);
    expect(attempts).toBeGreaterThan(5);
  });
});

describe('a clock', () => {
  afterEach(() => void vi.useRealTimers());

  /** Begins a program on a clock that is moved by hand, and lets it come to its first waits. */
  async function onHandClock<T>(
    clock: Clock,
    main: () => Promise<T>,
  ): Promise<{ readonly ended: Promise<T> }> {
    const ended = handled(run(main, { clock }));
    await turns();
    return { ended };
  }

  test('that jumps ahead over many deadlines: all that is due happens at once, in the order of the times', async () => {
    const clock = new HandClock();
    const order: string[] = [];
    const { ended } = await onHandClock(clock, () =>
      taskGroup((tg) => {
        for (const ms of [300, 100, 200]) tg.startSoon(() => sleep(ms).then(() => order.push(`slept ${ms}`)));
        tg.startSoon(() =>
          moveOnAfter(150, () => sleepForever().finally(() => order.push('timed out at 150'))),
        );
      }),
    );
    clock.moveTo(86_400_000);
    await ended;
    expect(order).toEqual(['slept 100', 'timed out at 150', 'slept 200', 'slept 300']);
  });

  test('that jumps ahead over a sleep and the deadline after it: the sleep has been slept', async () => {
    const clock = new HandClock();
    const { ended } = await onHandClock(clock, () => moveOnAfter(200, () => sleep(100).then(() => 'slept')));
    clock.moveTo(1_000);
    expect(await ended).toBe('slept');
  });

  test('that jumps back: what has a time waits until the clock has reached it again', async () => {
    const clock = new HandClock();
    clock.slip(1_000);
    const log: string[] = [];
    const { ended } = await onHandClock(clock, () =>
      taskGroup((tg) => {
        tg.startSoon(() => sleep(100).then(() => log.push('slept')));
        tg.startSoon(() => moveOnAfter(50, () => sleepForever()).then(() => log.push('timed out')));
      }),
    );
    clock.moveTo(0);
    clock.moveTo(1_049);
    await turns();
    expect(log).toEqual([]);
    clock.moveTo(1_050);
    clock.moveTo(500);
    await turns();
    expect(log).toEqual(['timed out']);
    clock.moveTo(1_100);
    await ended;
    expect(log).toEqual(['timed out', 'slept']);
    expect(clock.pending).toBe(0);
  });

  test('that stands still: nothing with a time ends, and a cancellation ends it at once', async () => {
    const clock = new HandClock();
    const scope = new CancelScope();
    const { ended } = await onHandClock(clock, () =>
      scope.run(() => moveOnAfter(10, () => failAfter(5, () => sleep(1)))),
    );
    await turns(5);
    expect(scope.cancelCalled).toBe(false);
    scope.cancel();
    await ended;
    expect(scope.cancelledCaught).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test('that stands still: a sleep of 0 ms, hand-overs and checkpoints need no time', async () => {
    const clock = new HandClock();
    const { ended } = await onHandClock(clock, async () => {
      await sleep(0);
      await sleepUntil(0);
      await checkpoint();
      return moveOnAfter(0, () => checkpoint().then(() => 'not reached'));
    });
    expect(await ended).toBeUndefined();
  });

  /** A clock whose timers are rung by hand, whenever and however often the test wants. */
  class BellClock implements Clock {
    time = 0;
    readonly bells: (() => void)[] = [];
    readonly cancelledBells: (() => void)[] = [];

    now(): number {
      return this.time;
    }

    schedule(_at: number, wake: () => void): { cancel(): void } {
      this.bells.push(wake);
      return { cancel: () => void this.cancelledBells.push(wake) };
    }

    /** Rings all that were ever set, those that were cancelled or have rung as well. */
    ringAll(): void {
      // Ringing may set another.
      for (const wake of this.bells.slice()) wake();
    }
  }

  test('whose timers ring early, again and again: nothing ends before its time', async () => {
    const clock = new BellClock();
    const { ended } = await onHandClock(clock, () => sleep(100).then(() => currentTime()));
    for (const time of [0, 50, 99.999]) {
      clock.time = time;
      clock.bells.at(-1)?.();
      await turns();
    }
    expect(clock.bells).toHaveLength(4);
    clock.time = 100;
    clock.bells.at(-1)?.();
    expect(await ended).toBe(100);
  });

  test('whose timers ring late: all that is due ends then, in the order of the times', async () => {
    const clock = new BellClock();
    const order: number[] = [];
    const { ended } = await onHandClock(clock, () =>
      taskGroup((tg) => {
        for (const ms of [20, 10]) tg.startSoon(() => sleep(ms).then(() => order.push(ms)));
      }),
    );
    clock.time = 1_000;
    clock.bells.at(-1)?.();
    await ended;
    expect(order).toEqual([10, 20]);
  });

  test('whose timers ring twice, and after they were cancelled: everything happens once, at its time', async () => {
    const clock = new BellClock();
    const log: string[] = [];
    const { ended } = await onHandClock(clock, () =>
      taskGroup((tg) => {
        tg.startSoon(() => sleep(10).then(() => log.push(`slept at ${currentTime()}`)));
        tg.startSoon(() => moveOnAfter(20, () => sleepForever()).then(() => log.push('timed out')));
        tg.startSoon(() => moveOnAfter(5, () => log.push('in time')));
      }),
    );
    for (const time of [1, 9, 10, 10, 19, 20, 20]) {
      clock.time = time;
      clock.ringAll();
      await turns();
    }
    await ended;
    clock.ringAll();
    await turns();
    expect(log).toEqual(['in time', 'slept at 10', 'timed out']);
    expect(clock.cancelledBells.length).toBeGreaterThan(0);
  });

  test('whose timers ring within the call that sets them, when they are due: as if they had rung later', async () => {
    let time = 0;
    const clock: Clock = {
      now: () => time,
      schedule(at, wake) {
        time = at;
        wake();
        return { cancel() {} };
      },
    };
    const { ended } = await onHandClock(clock, async () => {
      await sleep(10);
      await moveOnAfter(10, () => sleepForever());
      return currentTime();
    });
    expect(await ended).toBe(20);
  });

  test('that throws when it is asked for the time: what asks rejects with its error, and nothing is left behind', async () => {
    const broken = new Error('out of order');
    const clock: Clock = { now: throwing(broken), schedule: () => ({ cancel() {} }) };
    for (const main of [
      () => sleep(10),
      () => moveOnAfter(10, () => sleepForever()),
      () => failAfter(10, () => sleepForever()),
      async () => void currentTime(),
    ]) {
      expect(await errorOf(run(main, { clock }))).toBe(broken);
      expect(taskTree().children).toEqual([]);
    }
  });

  test('on the wall that jumps a year ahead or back: no concern of ours', async () => {
    // The clock of the runtime is the monotonic one, so this takes real time; there are milliseconds of it.
    const began = currentTime();
    const year = 365 * 86_400_000;
    vi.useFakeTimers({ toFake: ['Date'] });
    for (const jump of [year, -2 * year]) {
      vi.setSystemTime(Date.now() + jump);
      await sleep(1);
      await moveOnAfter(1, () => sleepForever());
      expect(await failAfter(year, () => checkpoint().then(() => 'in time'))).toBe('in time');
    }
    expect(currentTime() - began).toBeLessThan(year);
    expect(currentTime()).toBeGreaterThan(began);
  });
});
