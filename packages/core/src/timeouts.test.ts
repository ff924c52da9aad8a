import { describe, expect, expectTypeOf, test } from 'vitest';

import { MockClock, virtualTime, waitAllTasksBlocked } from '@taskscope/testing';

import {
  Cancelled,
  CancelScope,
  checkpoint,
  currentEffectiveDeadline,
  currentTime,
  failAfter,
  failAt,
  moveOnAfter,
  moveOnAt,
  run,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  TimeoutError,
} from './index.js';
import { currentScope } from './lowlevel.js';
import { errorOf, HandClock, listeners, thrownBy, timers, unhandledRejections } from './observing.fixture.js';

/** The forms with a duration and with a time on the clock, and how `ms` from now is said to each. */
const movingOn: [name: string, moveOn: typeof moveOnAfter, inMs: (ms: number) => number][] = [
  ['moveOnAfter', moveOnAfter, (ms) => ms],
  ['moveOnAt', moveOnAt, (ms) => currentTime() + ms],
];
const failing: [name: string, fail: typeof failAfter, inMs: (ms: number) => number][] = [
  ['failAfter', failAfter, (ms) => ms],
  ['failAt', failAt, (ms) => currentTime() + ms],
];

describe.each(movingOn)('%s', (_name, moveOn, inMs) => {
  test(
    'moves on when the time is over',
    virtualTime(async () => {
      await sleep(7);
      expect(await moveOn(inMs(100), () => sleep(1_000).then(() => 'not reached'))).toBeUndefined();
      expect(currentTime()).toBe(107);
      await checkpoint();
    }),
  );

  test(
    'resolves to what the body returns in time, and the deadline is forgotten',
    virtualTime(async () => {
      expect(await moveOn(inMs(100), () => sleep(99).then(() => 'tea'))).toBe('tea');
      expect(await moveOn(inMs(100), () => 'tea')).toBe('tea');
      await sleep(1_000);
    }),
  );

  test.each([0, -5, -Infinity])(
    'a time of %d ms is over already: the first wait is cancelled',
    async (ms) => {
      await virtualTime(async () => {
        await sleep(7);
        const record: string[] = [];
        await moveOn(inMs(ms), async () => {
          record.push('begun');
          await checkpoint();
          record.push('not reached');
        });
        expect(record).toEqual(['begun']);
        expect(currentTime()).toBe(7);
      })();
    },
  );

  test(
    'sleep(0) in a time that is over is cancelled',
    virtualTime(async () => {
      await moveOn(inMs(0), async () => {
        await expect(sleep(0)).rejects.toBeInstanceOf(Cancelled);
      });
    }),
  );

  test.each([null, Infinity])('%s means no limit', async (none) => {
    await virtualTime(async () => {
      const result = await moveOn(none, async (scope) => {
        expect(scope.deadline).toBe(Infinity);
        expect(currentEffectiveDeadline()).toBe(Infinity);
        await sleep(1e9);
        return scope.cancelCalled;
      });
      expect(result).toBe(false);
    })();
  });

  test(
    'without a body it returns a scope that is entered later',
    virtualTime(async () => {
      const scope = moveOn(inMs(100));
      expect(scope).toBeInstanceOf(CancelScope);
      expect(scope.shield).toBe(false);
      await scope.run(() => sleepForever());
      expect(currentTime()).toBe(100);
      expect(scope.cancelCalled).toBe(true);
      expect(scope.cancelledCaught).toBe(true);
      const withOptions = moveOn(inMs(100), { shield: true, name: 'tea time' });
      expect(withOptions.shield).toBe(true);
      withOptions.cancel();
      await withOptions.run(async () => {
        await expect(checkpoint()).rejects.toThrow('"tea time"');
      });
    }),
  );

  test(
    'gives the body its scope, which can be cancelled before the time is over',
    virtualTime(async () => {
      const result = await moveOn(inMs(100), async (scope) => {
        expect(currentScope()).toBe(scope);
        scope.cancel();
        await sleepForever();
      });
      expect(result).toBeUndefined();
      expect(currentTime()).toBe(0);
    }),
  );

  test(
    'with a shield it keeps out the scope around, until that is lowered, but not its own time',
    virtualTime(async () => {
      const outer = new CancelScope();
      await outer.run(async () => {
        outer.cancel();
        await moveOn(
          inMs(100),
          async (inner) => {
            await checkpoint();
            inner.shield = false;
            await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
          },
          { shield: true },
        );
        await moveOn(inMs(100), () => sleepForever(), { shield: true });
        expect(currentTime()).toBe(100);
      });
      expect(outer.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a cancellation of the scope around goes through',
    virtualTime(async () => {
      const outer = new CancelScope();
      await outer.run(async () => {
        setImmediate(() => outer.cancel());
        await moveOn(inMs(100), () => sleepForever());
        expect.unreachable();
      });
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a signal ends it before its time, and has no listener afterwards',
    virtualTime(async () => {
      const controller = new AbortController();
      const { signal } = controller;
      await moveOn(inMs(100), () => sleep(1), { signal });
      expect(listeners(signal)).toBe(0);
      const result = await moveOn(
        inMs(100),
        () => {
          controller.abort();
          return sleepForever();
        },
        { signal },
      );
      expect(result).toBeUndefined();
      expect(currentTime()).toBe(1);
      expect(listeners(signal)).toBe(0);
    }),
  );

  test(
    'what the body throws goes through',
    virtualTime(async () => {
      const error = new Error('out of tea');
      await expect(moveOn(inMs(100), () => Promise.reject(error))).rejects.toBe(error);
      const thrower = (): never => {
        throw error;
      };
      await expect(moveOn(inMs(100), thrower)).rejects.toBe(error);
    }),
  );

  test('leaves no timer behind', async () => {
    const before = timers();
    await moveOn(inMs(3_600_000), () => {
      expect(timers()).toBe(before + 1);
    });
    expect(timers()).toBe(before);
  });
});

describe('moveOnAfter', () => {
  test(
    'counts from run()',
    virtualTime(async () => {
      const scope = moveOnAfter(5);
      expect(scope.deadline).toBe(Infinity);
      await sleep(3);
      await scope.run(async () => {
        expect(scope.deadline).toBe(8);
        scope.deadline = currentTime() + 3;
        expect(scope.deadline).toBe(6);
        scope.deadline = currentTime() + 4;
        await sleepForever();
      });
      expect(currentTime()).toBe(7);
    }),
  );

  test(
    'nested, the outer time counts, and the outer scope catches',
    virtualTime(async () => {
      const [outer, inner] = [moveOnAfter(100), moveOnAfter(1_000)];
      await outer.run(async () => {
        expect(currentEffectiveDeadline()).toBe(outer.deadline);
        await inner.run(async () => {
          expect(currentEffectiveDeadline()).toBe(outer.deadline);
          await sleep(2_000);
        });
        expect.unreachable();
      });
      expect(currentTime()).toBe(100);
      expect(outer.cancelCalled).toBe(true);
      expect(outer.cancelledCaught).toBe(true);
      expect(inner.cancelCalled).toBe(false);
      expect(inner.cancelledCaught).toBe(false);
    }),
  );

  test(
    'nested, both over at the same moment: the outer scope catches',
    virtualTime(async () => {
      const [outer, inner] = [moveOnAfter(100), moveOnAfter(100)];
      await outer.run(() => inner.run(() => sleepForever()));
      expect(outer.cancelledCaught).toBe(true);
      expect(inner.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a sleep of exactly its time is due after the deadline, which came first',
    virtualTime(async () => {
      expect(await moveOnAfter(100, () => sleep(100).then(() => 'slept'))).toBeUndefined();
      expect(await moveOnAfter(100, () => sleep(99).then(() => 'slept'))).toBe('slept');
    }),
  );

  test(
    'afterwards nothing is cancelled any more',
    virtualTime(async () => {
      await moveOnAfter(100, () => sleep(1_000));
      await checkpoint();
      expect(currentEffectiveDeadline()).toBe(Infinity);
    }),
  );
});

describe('moveOnAt', () => {
  test(
    'the scope without a body knows its deadline before it is entered',
    virtualTime(async () => {
      const scope = moveOnAt(5);
      expect(scope.deadline).toBe(5);
      expect(scope.cancelCalled).toBe(false);
      await sleep(6);
      expect(scope.cancelCalled).toBe(true);
    }),
  );
});

describe.each(failing)('%s', (name, fail, inMs) => {
  test(
    'rejects with a TimeoutError when the time is over',
    virtualTime(async () => {
      await sleep(7);
      let inside: unknown;
      let scope: CancelScope | undefined;
      const error = await errorOf(
        fail(inMs(100), async (given) => {
          scope = given;
          inside = await errorOf(sleep(1_000));
          throw inside;
        }),
      );
      expect(currentTime()).toBe(107);
      expect(error).toBeInstanceOf(TimeoutError);
      expect(inside).toBeInstanceOf(Cancelled);
      expect((inside as Error).message).toMatch(/deadline/);
      expect((error as Error).cause).toBe(inside);
      expect(scope?.cancelCalled).toBe(true);
      expect(scope?.cancelledCaught).toBe(true);
      expect((error as Error).message).toBe(
        name === 'failAfter' ? 'timed out after 100 ms' : 'timed out at its deadline, 107 ms',
      );
    }),
  );

  test(
    'says in the message what took too long',
    virtualTime(async () => {
      await expect(fail(inMs(5), () => sleepForever(), { reason: 'waiting for tea' })).rejects.toThrow(
        /^waiting for tea timed out /,
      );
    }),
  );

  test.each([0, -5])('a time of %d ms is over already', async (ms) => {
    await virtualTime(async () => {
      await sleep(7);
      await expect(fail(inMs(ms), () => sleep(1))).rejects.toBeInstanceOf(TimeoutError);
      expect(currentTime()).toBe(7);
    })();
  });

  test.each([null, Infinity])('%s means no limit', async (none) => {
    await virtualTime(async () => {
      const result = await fail(none, async (scope) => {
        expect(scope.deadline).toBe(Infinity);
        await sleep(1e9);
        return [scope.cancelCalled, scope.cancelledCaught];
      });
      expect(result).toEqual([false, false]);
    })();
  });

  test(
    'resolves to what the body returns in time',
    virtualTime(async () => {
      expect(await fail(inMs(100), () => sleep(99).then(() => 'tea'))).toBe('tea');
      await fail(inMs(100), () => sleep(0));
      const typed: string = await fail(inMs(100), () => 'tea');
      expect(typed).toBe('tea');
    }),
  );

  test(
    'a body that finishes although the time is over keeps its result',
    virtualTime(async () => {
      const result = await fail(inMs(10), async () => {
        await shield(() => sleep(20));
        return 'tea';
      });
      expect(result).toBe('tea');
      expect(currentTime()).toBe(20);
    }),
  );

  test(
    'is no TimeoutError when its own cancel() came first: the result is undefined',
    virtualTime(async () => {
      const result = await fail(inMs(100), async (scope) => {
        scope.cancel();
        await checkpoint();
      });
      expect(result).toBeUndefined();
    }),
  );

  test('is no TimeoutError when cancel() came first and the time was over before anybody noticed', async () => {
    const clock = new HandClock();
    await run(
      async () => {
        const result = await fail(inMs(10), async (scope) => {
          scope.cancel();
          clock.slip(20);
          expect(scope.cancelCalled).toBe(true);
          await checkpoint();
        });
        expect(result).toBeUndefined();
      },
      { clock },
    );
  });

  test(
    'is no TimeoutError when its signal came first: the result is undefined',
    virtualTime(async () => {
      const controller = new AbortController();
      const result = await fail(
        inMs(100),
        () => {
          controller.abort();
          return sleepForever();
        },
        { signal: controller.signal },
      );
      expect(result).toBeUndefined();
      expect(listeners(controller.signal)).toBe(0);
    }),
  );

  test(
    'is no TimeoutError when a scope around was cancelled first, although the time passes on the way out',
    virtualTime(async () => {
      const outer = new CancelScope();
      let error: unknown;
      await outer.run(async () => {
        error = await errorOf(
          fail(inMs(10), async () => {
            try {
              const sleeping = sleepForever();
              outer.cancel('outer');
              await sleeping;
            } finally {
              await shield(() => sleep(50));
            }
          }),
        );
        throw error;
      });
      expect(error).toMatchObject({ name: 'Cancelled', reason: 'outer' });
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test(
    'with a shield, in a cancelled scope, still fails in time',
    virtualTime(async () => {
      const outer = new CancelScope();
      await expect(
        outer.run(() => {
          outer.cancel();
          return fail(inMs(100), () => sleepForever(), { shield: true });
        }),
      ).rejects.toBeInstanceOf(TimeoutError);
      expect(currentTime()).toBe(100);
      const again = new CancelScope();
      await again.run(() =>
        fail(
          inMs(100),
          async (inner) => {
            again.cancel();
            await checkpoint();
            inner.shield = false;
            await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
          },
          { shield: true },
        ),
      );
    }),
  );

  test(
    'its deadline can be moved while the body runs',
    virtualTime(async () => {
      await fail(inMs(100), async (scope) => {
        scope.deadline += 300;
        await sleep(200);
      });
      expect(currentTime()).toBe(200);
      await expect(
        fail(null, async (scope) => {
          scope.deadline = currentTime() + 50;
          await sleepForever();
        }),
      ).rejects.toBeInstanceOf(TimeoutError);
      expect(currentTime()).toBe(250);
    }),
  );

  test(
    'many cancellations at once come out as one TimeoutError',
    virtualTime(async () => {
      await expect(
        fail(inMs(100), () =>
          taskGroup(async (tg) => {
            tg.startSoon(() => sleep(2_000));
            tg.startSoon(() => sleep(2_000));
            await sleep(2_000);
          }),
        ),
      ).rejects.toBeInstanceOf(TimeoutError);
      expect(currentTime()).toBe(100);
    }),
  );

  test(
    'what a body throws goes through, also when the time is over',
    virtualTime(async () => {
      const error = new Error('out of tea');
      await expect(
        fail(inMs(10), async () => {
          await errorOf(sleepForever());
          throw error;
        }),
      ).rejects.toBe(error);
      await expect(
        fail(inMs(10), () => {
          throw error;
        }),
      ).rejects.toBe(error);
    }),
  );

  test(
    'errors beside a cancellation go through, and are no TimeoutError',
    virtualTime(async () => {
      const tea = new Error('out of tea');
      const error = await errorOf(
        fail(inMs(10), async () => {
          const cancelled = await errorOf(sleepForever());
          throw new AggregateError([cancelled, tea]);
        }),
      );
      expect(error).toMatchObject({ errors: [tea] });
    }),
  );

  test(
    'works as usual after another scope of the task was cancelled',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        tg.cancel();
        await sleepForever();
      });
      let isComplete = false;
      await expect(
        fail(inMs(100), async () => {
          await sleep(500);
          isComplete = true;
        }),
      ).rejects.toBeInstanceOf(TimeoutError);
      expect(isComplete).toBe(false);
    }),
  );

  test(
    'inside of a scope that another task cancels, passes that on',
    virtualTime(async () => {
      const scope = new CancelScope();
      await taskGroup(async (tg) => {
        await scope.run(() =>
          new CancelScope().run(async () => {
            tg.startSoon(async () => {
              await waitAllTasksBlocked();
              scope.cancel();
            });
            await fail(inMs(1_000), () => sleep(2_000));
            expect.unreachable();
          }),
        );
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(currentTime()).toBe(0);
    }),
  );

  test('a TimeoutError that nobody looks at is heard of; a cancellation from around is not', async () => {
    const rejections = await unhandledRejections(
      virtualTime(async () => {
        const scope = new CancelScope();
        await scope.run(async () => {
          void fail(inMs(10), () => sleepForever(), { reason: 'tea' });
          await sleep(20);
          void fail(inMs(10), () => sleepForever());
          scope.cancel();
          await shield(() => sleep(20));
        });
      }),
    );
    expect(rejections).toEqual([expect.any(TimeoutError)]);
  });

  test('leaves no timer behind', async () => {
    const before = timers();
    await fail(inMs(3_600_000), () => {
      expect(timers()).toBe(before + 1);
    });
    expect(timers()).toBe(before);
  });
});

describe('failAfter', () => {
  test(
    'nested, the TimeoutError is that of the scope whose time was over first',
    virtualTime(async () => {
      await expect(
        failAfter(50, () => failAfter(100, () => sleepForever(), { reason: 'inner' }), { reason: 'outer' }),
      ).rejects.toThrow('outer timed out after 50 ms');
      await expect(
        failAfter(100, () => failAfter(50, () => sleepForever(), { reason: 'inner' }), { reason: 'outer' }),
      ).rejects.toThrow('inner timed out after 50 ms');
    }),
  );

  test(
    'while the group around is cancelled',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        tg.cancel();
        await failAfter(10, () => sleepForever());
        expect.unreachable();
      });
      expect(currentTime()).toBe(0);
    }),
  );
});

describe('shield', () => {
  test(
    'keeps out cancellations and deadlines, and its result comes out',
    virtualTime(async () => {
      const outer = moveOnAfter(10);
      let result: unknown;
      await outer.run(async () => {
        result = await shield(async () => {
          await sleep(30);
          return 'tea';
        });
        await checkpoint();
        expect.unreachable();
      });
      expect(result).toBe('tea');
      expect(currentTime()).toBe(30);
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test(
    'gives the body its scope, which can be cancelled, and lowered',
    virtualTime(async () => {
      const outer = new CancelScope();
      await outer.run(async () => {
        outer.cancel();
        const result = await shield(async (scope) => {
          await checkpoint();
          scope.cancel();
          await checkpoint();
        });
        expect(result).toBeUndefined();
        await shield(async (scope) => {
          scope.shield = false;
          await checkpoint();
        });
        expect.unreachable();
      });
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a signal ends it',
    virtualTime(async () => {
      const controller = new AbortController();
      const sleeping = shield(() => sleepForever(), { signal: controller.signal, name: 'tea time' });
      controller.abort('enough');
      expect(await sleeping).toBeUndefined();
      expect(listeners(controller.signal)).toBe(0);
    }),
  );

  test(
    'what the body throws goes through',
    virtualTime(async () => {
      const error = new Error('out of tea');
      await expect(shield(() => Promise.reject(error))).rejects.toBe(error);
    }),
  );
});

describe('the type of the result', () => {
  test('is that of the body where nothing but time can end it, and has undefined where its scope can', async () => {
    const { signal } = new AbortController();
    const scoped = async (_scope: CancelScope): Promise<string> => 'tea';
    expectTypeOf(failAfter(5, () => 'tea')).toEqualTypeOf<Promise<string>>();
    expectTypeOf(failAfter(5, async () => 5, { reason: 'tea' })).toEqualTypeOf<Promise<number>>();
    expectTypeOf(failAfter(5, scoped)).toEqualTypeOf<Promise<string | undefined>>();
    expectTypeOf(failAfter(5, () => 'tea', { signal })).toEqualTypeOf<Promise<string | undefined>>();
    expectTypeOf(failAt(5, async () => 'tea')).toEqualTypeOf<Promise<string>>();
    expectTypeOf(shield(async () => 'tea')).toEqualTypeOf<Promise<string>>();
    expectTypeOf(shield(scoped)).toEqualTypeOf<Promise<string | undefined>>();
    expectTypeOf(moveOnAfter(5, () => 'tea')).toEqualTypeOf<Promise<string | undefined>>();
    expectTypeOf(moveOnAfter(5)).toEqualTypeOf<CancelScope>();
    expectTypeOf(failAfter<string>(5, () => 'tea')).toEqualTypeOf<Promise<string>>();
  });

  test('a body that takes the scope need not say its type', () => {
    void failAfter(null, (scope) => expectTypeOf(scope).toEqualTypeOf<CancelScope>());
    void failAt(null, (scope) => expectTypeOf(scope).toEqualTypeOf<CancelScope>());
    void shield((scope) => expectTypeOf(scope).toEqualTypeOf<CancelScope>());
    void moveOnAfter(null, (scope) => expectTypeOf(scope).toEqualTypeOf<CancelScope>());
  });

  test('is that of the body in a function that is generic itself', async () => {
    const tryHard = <T>(work: () => Promise<T>): Promise<T> => failAfter(5, work);
    expect(await tryHard(async () => 'tea')).toBe('tea');
  });
});

describe('currentEffectiveDeadline', () => {
  test(
    'is the earliest of all scopes from the innermost up to the nearest shield',
    virtualTime(async () => {
      expect(currentEffectiveDeadline()).toBe(Infinity);
      await new CancelScope({ deadline: 5 }).run(async (outer) => {
        await new CancelScope({ deadline: 10 }).run(async (inner) => {
          expect(currentEffectiveDeadline()).toBe(5);
          inner.deadline = 3;
          expect(currentEffectiveDeadline()).toBe(3);
          inner.deadline = 10;
          expect(currentEffectiveDeadline()).toBe(5);
          inner.shield = true;
          expect(currentEffectiveDeadline()).toBe(10);
          inner.shield = false;
          expect(currentEffectiveDeadline()).toBe(5);
          outer.cancel();
          expect(currentEffectiveDeadline()).toBe(-Infinity);
          inner.shield = true;
          expect(currentEffectiveDeadline()).toBe(10);
        });
        expect(currentEffectiveDeadline()).toBe(-Infinity);
      });
      expect(currentEffectiveDeadline()).toBe(Infinity);
    }),
  );

  test(
    'inside of a shield, only what is inside counts',
    virtualTime(async () => {
      await moveOnAfter(10, () =>
        shield(() =>
          moveOnAfter(1_000, async () => {
            expect(currentEffectiveDeadline() - currentTime()).toBe(1_000);
            await checkpoint();
          }),
        ),
      );
    }),
  );

  test(
    'a task in a group has that of the group, and of the scopes around',
    virtualTime(async () => {
      await moveOnAfter(100, () =>
        taskGroup((tg) => {
          tg.startSoon(() => expect(currentEffectiveDeadline()).toBe(100));
        }),
      );
    }),
  );

  test('outside of everything is Infinity', () => {
    expect(currentEffectiveDeadline()).toBe(Infinity);
  });
});

describe('wrong arguments', () => {
  const body = (): never => expect.unreachable();
  /** Any of the functions, called as JavaScript may call it. */
  type Called = (...args: unknown[]) => unknown;
  const withLimit = [moveOnAfter, moveOnAt, failAfter, failAt] as unknown as Called[];
  const rejection = (fn: Called, ...args: unknown[]): Promise<unknown> =>
    errorOf(fn(...args) as Promise<unknown>);
  const limits = [
    [undefined, TypeError, 'must be a number of milliseconds, or null for no limit, got undefined'],
    ['5', TypeError, 'must be a number of milliseconds, or null for no limit, got "5"'],
    [{}, TypeError, 'must be a number of milliseconds, or null for no limit, got an object'],
    [Number.NaN, RangeError, 'must be a number of milliseconds, got NaN'],
  ] as const;

  test.each(limits)('a limit of %s rejects where a promise is returned', async (limit, type, message) => {
    for (const fn of withLimit) {
      const error = await rejection(fn, limit, body);
      expect(error).toBeInstanceOf(type);
      const argument = fn.name.endsWith('After') ? 'ms' : 'deadline';
      expect((error as Error).message).toBe(`${fn.name}(): ${argument} ${message}`);
    }
  });

  test.each(limits)('a limit of %s throws where a scope is returned', (limit, type, message) => {
    for (const [fn, argument] of [
      [moveOnAfter, 'moveOnAfter(): ms'],
      [moveOnAt, 'moveOnAt(): deadline'],
    ] as const) {
      for (const call of [() => fn(limit as never), () => fn(limit as never, { shield: true })]) {
        const error = thrownBy(call);
        expect(error).toBeInstanceOf(type);
        expect((error as Error).message).toBe(`${argument} ${message}`);
      }
    }
  });

  test('a body that is no function', async () => {
    const given = [
      [Promise.resolve(), /body must be a function, got a Promise\. Pass the function itself/],
      [null, /body must be a function, got null$/],
      ['tea', /body must be a function, got "tea"$/],
    ] as const;
    for (const [wrong, message] of given) {
      for (const fn of withLimit) {
        const error = await rejection(fn, 5, wrong);
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toMatch(message);
        expect((error as Error).message).toContain(`${fn.name}(): `);
      }
      const error = await errorOf(shield(wrong as never));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/^shield\(\): body must be a function/);
    }
  });

  test('a body that is undefined is no request for a scope', async () => {
    for (const fn of [moveOnAfter, moveOnAt]) {
      expect(() => fn(5, undefined as never)).toThrow(
        new TypeError(`${fn.name}(): body must be a function, got undefined`),
      );
    }
    await expect(failAfter(5, undefined as never)).rejects.toThrow(
      'failAfter(): body must be a function, got undefined',
    );
  });

  test('options', async () => {
    for (const fn of withLimit) {
      for (const [options, message] of [
        [5, `${fn.name}(): options must be an object, got 5`],
        [null, `${fn.name}(): options must be an object, got null`],
        [{ shield: 1 }, 'options.shield must be a boolean, got 1'],
        [{ signal: {} }, 'options.signal must be an AbortSignal, got an object'],
        [{ name: {} }, 'options.name must be a string, got an object'],
      ] as const) {
        const error = await rejection(fn, 5, body, options);
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toContain(message);
      }
    }
    await expect(shield(body, 'tea' as never)).rejects.toThrow(
      new TypeError('shield(): options must be an object, got "tea"'),
    );
    await expect(failAfter(5, body, { reason: {} as never })).rejects.toThrow(
      new TypeError('failAfter(): options.reason must be a string, got an object'),
    );
  });
});

test('the effective deadline knows nothing of deadlines on another clock', async () => {
  await moveOnAfter(1_000, () =>
    run(
      async () => {
        expect(currentEffectiveDeadline()).toBe(Infinity);
        await moveOnAfter(5, () => expect(currentEffectiveDeadline()).toBe(5));
      },
      { clock: new MockClock() },
    ),
  );
});
