import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';

import { throwing, waitAndCleanUp } from './failing.fixture.js';
import {
  any,
  Cancelled,
  CancelScope,
  checkpoint,
  cleanup,
  currentTask,
  currentTime,
  moveOnAfter,
  race,
  sleep,
  sleepForever,
  TaskCancelled,
  TaskGroupError,
  taskTree,
} from './index.js';
import { currentScope } from './lowlevel.js';
import { errorOf } from './observing.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';

const children = (): number => taskTree().children.at(-1)!.children.length;
const after =
  <T>(ms: number, value: T) =>
  async (): Promise<T> => {
    await sleep(ms);
    return value;
  };
const failAfter = (ms: number, error: unknown) => async (): Promise<never> => {
  await sleep(ms);
  throw error;
};

describe('race', () => {
  test(
    'the first to end wins, the others are cancelled and awaited',
    virtualTime(async () => {
      const ended: string[] = [];
      const winner = await race([
        after(2, 'hare'),
        async () => {
          try {
            await sleep(1_000);
            return 'tortoise';
          } finally {
            await cleanup(() => sleep(3));
            ended.push(`tortoise at ${currentTime()}`);
          }
        },
      ]);
      expect(winner).toBe('hare');
      expect(ended).toEqual(['tortoise at 5']);
    }),
  );

  test(
    'a winner may have failed: its own error is thrown',
    virtualTime(async () => {
      const error = new RangeError('fell');
      expect(await errorOf(race([after(10, 'hare'), failAfter(1, error)]))).toBe(error);
      expect(await errorOf(race([throwing(undefined), () => sleepForever()]))).toBeUndefined();
      const group = new AggregateError([error]);
      expect(await errorOf(race([throwing(group)]))).toBe(group);
      expect(currentTime()).toBe(1);
    }),
  );

  test(
    'what losers throw while they clean up is not dropped',
    virtualTime(async () => {
      const loser = (): Promise<never> => sleepForever().finally(throwing('clean-up'));
      const failed = (await errorOf(race([after(1, 'hare'), loser, loser]))) as TaskGroupError;
      expect(failed).toBeInstanceOf(TaskGroupError);
      expect(failed.errors).toEqual(['clean-up', 'clean-up']);
      const both = (await errorOf(race([failAfter(1, 'winner'), loser]))) as TaskGroupError;
      expect(both).toBeInstanceOf(TaskGroupError);
      expect(both.errors).toEqual(['winner', 'clean-up']);
    }),
  );

  test(
    'a loser that finishes all the same has lost, and so has one that fails in the same step',
    inPlainOrder('those who are woken together go on in their order', async () => {
      expect(await race([after(1, 'first'), after(1, 'second'), () => sleep(5).catch(() => 'third')])).toBe(
        'first',
      );
      const failed = (await errorOf(race([() => 'first', throwing('second')]))) as TaskGroupError;
      expect(failed.errors).toEqual(['second']);
    }),
  );

  test(
    'a synchronous function may win, and each runs in a task of its own, named after its function',
    virtualTime(async () => {
      const here = currentTask().id;
      expect(
        await race([
          function tea({ signal }) {
            return `${currentTask().name} ${currentTask().parentId === here} ${signal.aborted}`;
          },
        ]),
      ).toBe('tea true false');
    }),
  );

  test(
    'takes any iterable',
    virtualTime(async () => {
      expect(await race(new Set([after(2, 'slow'), after(1, 'fast')]))).toBe('fast');
      expect(
        await race(
          (function* () {
            yield after(1, 'generated');
          })(),
        ),
      ).toBe('generated');
    }),
  );

  test(
    'of nobody is a RangeError, since nobody could ever win',
    virtualTime(async () => {
      const error = await errorOf(race([]));
      expect(error).toBeInstanceOf(RangeError);
      expect((error as Error).message).toMatch(/must not be empty/);
    }),
  );

  test(
    'an error of the winner is not lost when a scope around is cancelled while losers clean up',
    virtualTime(async () => {
      const scope = new CancelScope();
      const error = new Error('winner');
      const result = scope.run(() =>
        race([
          throwing(error),
          async () => {
            try {
              await sleepForever();
            } finally {
              scope.cancel();
            }
          },
        ]),
      );
      expect(await errorOf(result)).toBe(error);
    }),
  );

  test(
    'when every task cancels itself nobody has won',
    virtualTime(async () => {
      const cancelItself = async (): Promise<never> => {
        currentScope().cancel();
        return await sleepForever();
      };
      expect(await errorOf(race([cancelItself, cancelItself]))).toBeInstanceOf(TaskCancelled);
    }),
  );
});

describe('any', () => {
  test(
    'the first to succeed wins, failures before it are forgiven',
    virtualTime(async () => {
      expect(await any([failAfter(1, 'a'), after(3, 'second'), after(2, 'first'), throwing('b')])).toBe(
        'first',
      );
      expect(currentTime()).toBe(2);
    }),
  );

  test(
    'when all fail, an AggregateError has every error, in the order of the functions',
    virtualTime(async () => {
      const failed = await errorOf(any([failAfter(3, 'a'), failAfter(1, undefined), failAfter(2, 'c')]));
      expect(failed).toBeInstanceOf(AggregateError);
      expect(failed).not.toBeInstanceOf(TaskGroupError);
      expect((failed as AggregateError).errors).toEqual(['a', undefined, 'c']);
    }),
  );

  test(
    'of nobody is an AggregateError without errors',
    virtualTime(async () => {
      const failed = await errorOf(any([]));
      expect(failed).toBeInstanceOf(AggregateError);
      expect((failed as AggregateError).errors).toEqual([]);
    }),
  );

  test(
    'what losers throw while they clean up is not dropped, although somebody won',
    virtualTime(async () => {
      const failed = (await errorOf(
        any([
          failAfter(1, 'forgiven'),
          after(2, 'winner'),
          () => sleepForever().finally(throwing('clean-up')),
        ]),
      )) as TaskGroupError;
      expect(failed).toBeInstanceOf(TaskGroupError);
      expect(failed.errors).toEqual(['clean-up']);
    }),
  );
});

describe.each([
  ['race', race],
  ['any', any],
] as const)('%s, both', (_, combine) => {
  test(
    'cancelled before: each runs up to its first wait',
    virtualTime(async () => {
      const scope = new CancelScope();
      let began = 0;
      await scope.run(async () => {
        scope.cancel();
        await combine([
          async () => {
            began++;
            await checkpoint();
            expect.fail('not reached');
          },
        ]);
        expect.fail('not reached');
      });
      expect(began).toBe(1);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'cancelled during: all are cancelled and awaited, and nothing is left',
    virtualTime(async () => {
      const value = await moveOnAfter(5, () => combine([() => waitAndCleanUp(5), () => sleepForever()]));
      expect(value).toBeUndefined();
      expect(currentTime()).toBe(10);
      expect(children()).toBe(0);
    }),
  );

  test(
    'cancelled right after: the result is kept',
    virtualTime(async () => {
      const scope = new CancelScope();
      const value = await scope.run(async () => {
        const winner = await combine([after(1, 'winner'), () => sleepForever()]);
        scope.cancel();
        return winner;
      });
      expect(value).toBe('winner');
    }),
  );

  test(
    'reject with the reason of a foreign signal, after everyone has ended',
    virtualTime(async () => {
      const controller = new AbortController();
      const reason = new Error('stop');
      const combined = errorOf(combine([() => waitAndCleanUp(5)], { signal: controller.signal }));
      await waitAllTasksBlocked();
      controller.abort(reason);
      expect(await combined).toBe(reason);
      expect(currentTime()).toBe(5);
    }),
  );

  test(
    'refuse what is no list of functions',
    virtualTime(async () => {
      expect(await errorOf(combine([Promise.resolve()] as never))).toBeInstanceOf(TypeError);
      expect(await errorOf(combine(Promise.resolve() as never))).toBeInstanceOf(TypeError);
      expect(await errorOf(combine({} as never))).toBeInstanceOf(TypeError);
      expect(await errorOf(combine([() => 1], 'options' as never))).toBeInstanceOf(TypeError);
    }),
  );

  test(
    'a result that nobody awaits is no unhandled rejection when it is a cancellation',
    inPlainOrder('those who are woken together go on in their order', async () => {
      await moveOnAfter(1, async () => {
        void combine([() => sleepForever()]);
        await sleepForever();
      }).catch(() => {});
      await sleep(0);
    }),
  );
});

test(
  'race: a cancellation that a task brought from elsewhere is the end of that task like any other',
  virtualTime(async () => {
    let stray: unknown;
    await moveOnAfter(0, () => checkpoint().catch((error: unknown) => void (stray = error)));
    expect(await errorOf(race([throwing(stray), () => sleepForever()]))).toBe(stray);
    expect(stray).toBeInstanceOf(Cancelled);
    expect(await any([throwing(stray), after(1, 'value')])).toBe('value');
  }),
);

test('tasks may be of different types', async () => {
  const tea = async (): Promise<string> => 'tea';
  const first = race([tea, () => sleepForever(), () => 5]);
  expectTypeOf(first).toEqualTypeOf<Promise<string | number>>();
  expectTypeOf(race([tea, () => sleepForever()])).toEqualTypeOf<Promise<string>>();
  const succeeded = any([({ signal }) => signal.aborted, tea]);
  expectTypeOf(succeeded).toEqualTypeOf<Promise<string | boolean>>();
  expect(await Promise.all([first, succeeded])).toEqual([5, false]);
});

test('any() counts a task that cancelled itself among those that failed', async () => {
  const alone = (): Promise<never> => {
    currentScope().cancel();
    return sleepForever();
  };
  const error = await errorOf(any([alone, throwing(undefined), alone]));
  const cancelled = new TaskCancelled('the task cancelled itself');
  expect((error as AggregateError).errors).toEqual([cancelled, undefined, cancelled]);
});
