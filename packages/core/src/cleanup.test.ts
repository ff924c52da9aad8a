import { describe, expect, test } from 'vitest';

import { virtualTime } from '@taskscope/testing';

import {
  abandonOnCancel,
  Cancelled,
  CancelScope,
  checkpoint,
  cleanup,
  currentEffectiveDeadline,
  currentTime,
  moveOnAfter,
  sleep,
  sleepForever,
  taskGroup,
  withResource,
} from './index.js';
import { callAt, currentScope } from './lowlevel.js';
import { errorOf, timers, turns, unhandledRejections } from './observing.fixture.js';

describe('cleanup', () => {
  test(
    'runs to its end in a cancelled scope, and its result comes out',
    virtualTime(async () => {
      const scope = new CancelScope();
      let result: unknown;
      await scope.run(async () => {
        try {
          scope.cancel();
          await sleepForever();
        } finally {
          result = await cleanup(async () => {
            await sleep(100);
            return 'clean';
          });
        }
      });
      expect(result).toBe('clean');
      expect(currentTime()).toBe(100);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'is cut off after five seconds, or its grace period, and the program moves on',
    virtualTime(async () => {
      expect(await cleanup(() => sleepForever())).toBeUndefined();
      expect(currentTime()).toBe(5_000);
      expect(await cleanup(() => sleepForever(), { grace: 100 })).toBeUndefined();
      expect(currentTime()).toBe(5_100);
      expect(await cleanup(() => sleepForever(), {})).toBeUndefined();
      expect(await cleanup(() => sleepForever(), { grace: undefined })).toBeUndefined();
      expect(currentTime()).toBe(15_100);
    }),
  );

  test(
    'waits for a bare promise also beyond the grace period, unless that is awaited with abandonOnCancel()',
    virtualTime(async () => {
      const bare = new Promise<string>((resolve) => callAt(100, () => resolve('late')));
      expect(await cleanup(() => abandonOnCancel(bare), { grace: 10 })).toBeUndefined();
      expect(currentTime()).toBe(10);
      expect(await cleanup(() => bare, { grace: 10 })).toBe('late');
      expect(currentTime()).toBe(100);
    }),
  );

  test.each([0, -5])('with a grace period of %d ms the first wait is cut off', async (grace) => {
    await virtualTime(async () => {
      const record: string[] = [];
      await cleanup(
        async () => {
          record.push('begun');
          await checkpoint();
          record.push('not reached');
        },
        { grace },
      );
      expect(record).toEqual(['begun']);
    })();
  });

  test(
    'with a grace period of Infinity is never cut off',
    virtualTime(async () => {
      await cleanup(() => sleep(1e9), { grace: Infinity });
      expect(currentTime()).toBe(1e9);
    }),
  );

  test(
    'does not mind a deadline around; that is met afterwards',
    virtualTime(async () => {
      const scope = moveOnAfter(10);
      await scope.run(async () => {
        await cleanup(async () => {
          expect(currentEffectiveDeadline()).toBe(5_000);
          await sleep(50);
        });
        expect(currentTime()).toBe(50);
        await checkpoint();
        expect.unreachable();
      });
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'gives the body its scope',
    virtualTime(async () => {
      const result = await cleanup(async (scope) => {
        expect(currentScope()).toBe(scope);
        expect(scope.shield).toBe(true);
        scope.cancel();
        await checkpoint();
      });
      expect(result).toBeUndefined();
    }),
  );

  test(
    'tasks that it begins are sheltered as well, and cut off with it',
    virtualTime(async () => {
      const scope = new CancelScope();
      const record: string[] = [];
      await scope.run(async () => {
        scope.cancel();
        await cleanup(
          () =>
            taskGroup((tg) => {
              tg.startSoon(async () => {
                await sleep(10);
                record.push('quick');
              });
              tg.startSoon(async () => {
                await sleep(1_000);
                record.push('slow');
              });
            }),
          { grace: 100 },
        );
        record.push('moved on');
      });
      expect(record).toEqual(['quick', 'moved on']);
      expect(currentTime()).toBe(100);
    }),
  );

  test(
    'what the body throws goes through',
    virtualTime(async () => {
      const tea = new Error('out of tea');
      await expect(cleanup(() => Promise.reject(tea))).rejects.toBe(tea);
      const thrower = (): never => {
        throw tea;
      };
      await expect(cleanup(thrower)).rejects.toBe(tea);
    }),
  );

  test('leaves no timer behind', async () => {
    const before = timers();
    await cleanup(() => {
      expect(timers()).toBe(before + 1);
    });
    expect(timers()).toBe(before);
  });
});

describe('withResource', () => {
  /** A resource that notes what happens to it. */
  function setUp(): {
    record: string[];
    acquire: () => Promise<string>;
    release: (resource: string) => Promise<void>;
  } {
    const record: string[] = [];
    return {
      record,
      async acquire() {
        await sleep(10);
        record.push('acquired');
        return 'kettle';
      },
      async release(resource) {
        await sleep(10);
        record.push(`released ${resource}`);
      },
    };
  }

  test(
    'acquires, uses, releases, and resolves to what use returns',
    virtualTime(async () => {
      const { record, acquire, release } = setUp();
      const result = await withResource(
        acquire,
        async (resource) => {
          record.push(`using ${resource}`);
          return 'tea';
        },
        release,
      );
      expect(result).toBe('tea');
      expect(record).toEqual(['acquired', 'using kettle', 'released kettle']);
    }),
  );

  test(
    'takes functions that are not async',
    virtualTime(async () => {
      const record: string[] = [];
      const result = await withResource(
        () => 'kettle',
        (resource) => resource.length,
        (resource) => record.push(resource),
      );
      expect(result).toBe(6);
      expect(record).toEqual(['kettle']);
    }),
  );

  test(
    'releases when use fails, and throws its error',
    virtualTime(async () => {
      const { record, acquire, release } = setUp();
      const tea = new Error('out of tea');
      await expect(withResource(acquire, () => Promise.reject(tea), release)).rejects.toBe(tea);
      expect(record).toEqual(['acquired', 'released kettle']);
    }),
  );

  test(
    'cancelled while it is used, releases before the scope is left',
    virtualTime(async () => {
      const { record, acquire, release } = setUp();
      const scope = moveOnAfter(50);
      await scope.run(() => withResource(acquire, () => sleepForever(), release));
      expect(record).toEqual(['acquired', 'released kettle']);
      expect(currentTime()).toBe(60);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'cancelled while it acquires, neither uses nor releases',
    virtualTime(async () => {
      const { record, acquire, release } = setUp();
      const scope = moveOnAfter(5);
      await scope.run(() => withResource(acquire, () => expect.unreachable(), release));
      expect(record).toEqual([]);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'in a scope that is cancelled before, leaves it to acquire',
    virtualTime(async () => {
      const { record, acquire, release } = setUp();
      const scope = new CancelScope();
      await scope.run(async () => {
        scope.cancel();
        await expect(withResource(acquire, () => expect.unreachable(), release)).rejects.toBeInstanceOf(
          Cancelled,
        );
      });
      expect(record).toEqual([]);
    }),
  );

  test(
    'cancelled in the moment of acquiring, releases what was acquired',
    virtualTime(async () => {
      const { record, release } = setUp();
      const scope = new CancelScope();
      await scope.run(() =>
        withResource(
          async () => {
            await sleep(1);
            scope.cancel();
            return 'kettle';
          },
          async () => {
            record.push('use begins');
            await checkpoint();
            record.push('not reached');
          },
          release,
        ),
      );
      expect(record).toEqual(['use begins', 'released kettle']);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a use that finishes in spite of a cancellation keeps its result',
    virtualTime(async () => {
      const { record, acquire, release } = setUp();
      const scope = new CancelScope();
      const result = await scope.run(() =>
        withResource(
          acquire,
          () => {
            scope.cancel();
            return 'tea';
          },
          release,
        ),
      );
      expect(result).toBe('tea');
      expect(record).toEqual(['acquired', 'released kettle']);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'release has a grace period',
    virtualTime(async () => {
      expect(
        await withResource(
          () => 1,
          () => 'tea',
          () => sleepForever(),
        ),
      ).toBe('tea');
      expect(currentTime()).toBe(5_000);
      expect(
        await withResource(
          () => 1,
          () => 'tea',
          () => sleepForever(),
          { grace: 100 },
        ),
      ).toBe('tea');
      expect(currentTime()).toBe(5_100);
      const tea = new Error('out of tea');
      await expect(
        withResource(
          () => 1,
          () => Promise.reject(tea),
          () => sleepForever(),
        ),
      ).rejects.toBe(tea);
      expect(currentTime()).toBe(10_100);
    }),
  );

  test(
    'an error of release goes through, also after a use that went well',
    virtualTime(async () => {
      const limescale = new Error('limescale');
      await expect(
        withResource(
          () => 1,
          () => 'tea',
          () => Promise.reject(limescale),
        ),
      ).rejects.toBe(limescale);
    }),
  );

  test(
    'when both use and release fail, neither error is lost',
    virtualTime(async () => {
      const [tea, limescale] = [new Error('out of tea'), new Error('limescale')];
      const error = await errorOf(
        withResource(
          () => 1,
          () => Promise.reject(tea),
          () => Promise.reject(limescale),
        ),
      );
      expect(error).toBeInstanceOf(AggregateError);
      expect(error).toMatchObject({
        message: 'using the resource failed, and so did releasing it',
        errors: [tea, limescale],
      });
    }),
  );

  test(
    'when use is cancelled and release fails, the scope takes the cancellation out, and the failure goes on',
    virtualTime(async () => {
      const limescale = new Error('limescale');
      const scope = moveOnAfter(5);
      const error = await errorOf(
        scope.run(() =>
          withResource(
            () => 1,
            () => sleepForever(),
            () => Promise.reject(limescale),
          ),
        ),
      );
      expect((error as AggregateError).errors).toEqual([limescale]);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test('cancelled and not awaited, is silent; a failure is heard of', async () => {
    const tea = new Error('out of tea');
    const rejections = await unhandledRejections(
      virtualTime(async () => {
        const scope = new CancelScope();
        await scope.run(async () => {
          void withResource(
            () => 1,
            () => sleepForever(),
            () => {},
          );
          void withResource(
            () => 1,
            () => Promise.reject(tea),
            () => {},
          );
          await turns(1);
          scope.cancel();
          await turns(1);
        });
      }),
    );
    expect(rejections).toEqual([tea]);
  });
});

describe('wrong arguments', () => {
  test('of cleanup reject', async () => {
    await expect(cleanup(Promise.resolve() as never)).rejects.toThrow(
      /^cleanup\(\): body must be a function, got a Promise\. Pass the function itself/,
    );
    await expect(cleanup(() => expect.unreachable(), 5 as never)).rejects.toThrow(
      new TypeError('cleanup(): options must be an object, got 5'),
    );
    await expect(cleanup(() => expect.unreachable(), { grace: '5' as never })).rejects.toThrow(
      new TypeError('cleanup(): options.grace must be a number of milliseconds, got "5"'),
    );
    await expect(cleanup(() => expect.unreachable(), { grace: null as never })).rejects.toThrow(
      new TypeError('cleanup(): options.grace must be a number of milliseconds, got null'),
    );
    await expect(cleanup(() => expect.unreachable(), { grace: Number.NaN })).rejects.toThrow(
      new RangeError('cleanup(): options.grace must be a number of milliseconds, got NaN'),
    );
  });

  test('of withResource reject before anything is acquired', async () => {
    const acquire = (): never => expect.unreachable();
    const fn = (): void => {};
    await expect(withResource(5 as never, fn, fn)).rejects.toThrow(
      new TypeError('withResource(): acquire must be a function, got 5'),
    );
    await expect(withResource(acquire, 5 as never, fn)).rejects.toThrow(
      new TypeError('withResource(): use must be a function, got 5'),
    );
    await expect(withResource(acquire, fn, undefined as never)).rejects.toThrow(
      new TypeError('withResource(): release must be a function, got undefined'),
    );
    await expect(withResource(acquire, fn, fn, null as never)).rejects.toThrow(
      new TypeError('withResource(): options must be an object, got null'),
    );
    await expect(withResource(acquire, fn, fn, { grace: Number.NaN })).rejects.toThrow(
      new RangeError('withResource(): options.grace must be a number of milliseconds, got NaN'),
    );
  });
});
