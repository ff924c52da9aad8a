import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { errorsOf, throwing, waitAndCleanUp } from './failing.fixture.js';
import {
  all,
  allSettled,
  Cancelled,
  CancelScope,
  checkpoint,
  currentTask,
  currentTime,
  moveOnAfter,
  sleep,
  sleepForever,
  TaskCancelled,
  TaskGroupError,
  taskTree,
} from './index.js';
import { currentScope, ParkingLot } from './lowlevel.js';
import { errorOf, unhandledRejections } from './observing.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';

const children = (): number => taskTree().children.at(-1)!.children.length;

async function strayCancellation(): Promise<unknown> {
  let stray: unknown;
  await moveOnAfter(0, () => checkpoint().catch((error: unknown) => void (stray = error)));
  expect(stray).toBeInstanceOf(Cancelled);
  return stray;
}

describe('all', () => {
  test(
    'gives the results in the order of the functions, however they end',
    virtualTime(async () => {
      const after = async (ms: number): Promise<string> => {
        await sleep(ms);
        return `${ms}`;
      };
      const results = await all([() => after(3), () => after(2), () => after(1), () => 'at once']);
      expect(results).toEqual(['3', '2', '1', 'at once']);
      expect(currentTime()).toBe(3);
    }),
  );

  test(
    'tasks may end each other, in the reverse order',
    virtualTime(async () => {
      const lots = [new ParkingLot(), new ParkingLot(), new ParkingLot()];
      const link = (i: number) => async () => {
        await lots[i]!.park();
        lots[i - 1]?.unpark();
        return i;
      };
      const results = all([link(0), link(1), link(2)]);
      await waitAllTasksBlocked();
      lots[2]!.unpark();
      expect(await results).toEqual([0, 1, 2]);
    }),
  );

  test(
    'keeps the type of each result',
    virtualTime(async () => {
      const [a, b]: [string, number] = await all([() => 'a', async () => 1]);
      expect([a, b]).toEqual(['a', 1]);
    }),
  );

  test(
    'of nothing is nothing',
    virtualTime(async () => {
      expect(await all([])).toEqual([]);
    }),
  );

  test(
    'runs each in a task of its own, named after its function, with its signal',
    virtualTime(async () => {
      const here = currentTask().id;
      const [first, second] = await all([
        function tea({ signal }) {
          return [currentTask().name, currentTask().parentId, signal.aborted];
        },
        () => currentTask().id,
      ]);
      expect(first).toEqual(['tea', here, false]);
      expect(second).not.toBe(here);
    }),
  );

  test(
    'a failure cancels the others, who are awaited, and no error is lost',
    virtualTime(async () => {
      const record: string[] = [];
      const failed = await errorOf(
        all([
          async () => {
            await sleep(1);
            throwing('first')();
          },
          () => waitAndCleanUp(5).catch(() => void record.push(`clean at ${currentTime()}`)),
          () => sleepForever().finally(throwing('clean-up')),
          () => 'value',
        ]),
      );
      expect(failed).toBeInstanceOf(TaskGroupError);
      expect((failed as TaskGroupError).errors).toEqual(['first', 'clean-up']);
      expect((failed as TaskGroupError).group).toBe('all');
      expect(record).toEqual(['clean at 6']);
    }),
  );

  test(
    'cancelled before: each runs up to its first wait',
    virtualTime(async () => {
      const scope = new CancelScope();
      let began = 0;
      await scope.run(async () => {
        scope.cancel();
        const work = async (): Promise<void> => {
          began++;
          await checkpoint();
          expect.fail('not reached');
        };
        await all([work, work]);
        expect.fail('not reached');
      });
      expect(began).toBe(2);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'cancelled during: all are cancelled and awaited',
    virtualTime(async () => {
      await moveOnAfter(5, () => all([() => waitAndCleanUp(5), () => 1]));
      expect(currentTime()).toBe(10);
      expect(children()).toBe(0);
    }),
  );

  test(
    'cancelled right after: the results are kept',
    virtualTime(async () => {
      const scope = new CancelScope();
      const results = await scope.run(async () => {
        const both = await all([() => sleep(1), () => 'value']);
        scope.cancel();
        return both;
      });
      expect(results).toEqual([undefined, 'value']);
    }),
  );

  test(
    'what finished in spite of the cancellation counts',
    virtualTime(async () => {
      const scope = new CancelScope();
      const results = await scope.run(() =>
        all([
          () => {
            scope.cancel();
            return 1;
          },
          () => 2,
        ]),
      );
      expect(results).toEqual([1, 2]);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a task that cancels itself is a TaskCancelled',
    virtualTime(async () => {
      const cancelItself = async (): Promise<never> => {
        currentScope().cancel();
        return await sleepForever();
      };
      expect(await errorOf(all([cancelItself, () => 1]))).toBeInstanceOf(TaskCancelled);
    }),
  );
});

describe('allSettled', () => {
  test(
    'tells of each how it ended, in the order of the functions',
    virtualTime(async () => {
      const error = new Error('no milk');
      const results = await allSettled([
        () => sleep(2).then(() => 'tea'),
        throwing(error),
        throwing(undefined),
        async () => 1,
      ]);
      expect(results).toEqual([
        { status: 'fulfilled', value: 'tea' },
        { status: 'rejected', reason: error },
        { status: 'rejected', reason: undefined },
        { status: 'fulfilled', value: 1 },
      ]);
      expect(currentTime()).toBe(2);
      expect(await allSettled([])).toEqual([]);
    }),
  );

  test(
    'a failure cancels nobody',
    virtualTime(async () => {
      const [, other] = await allSettled([throwing('at once'), () => sleep(10).then(() => 'unharmed')]);
      expect(other).toEqual({ status: 'fulfilled', value: 'unharmed' });
    }),
  );

  test(
    'cancelled: rejects with the cancellation, after everyone has ended',
    virtualTime(async () => {
      const scope = new CancelScope({ timeout: 5 });
      let seen: unknown;
      await scope.run(async () => {
        seen = await errorOf(allSettled([() => waitAndCleanUp(5), () => 1]));
        expect(currentTime()).toBe(10);
      });
      expect(seen).toBeInstanceOf(Cancelled);
    }),
  );

  test(
    'an error of a task that is being cancelled is not lost among the results that nobody gets',
    virtualTime(async () => {
      const scope = new CancelScope({ timeout: 5 });
      const settled = scope.run(() => allSettled([() => sleepForever().catch(() => 'swallowed')]));
      expect(await settled).toEqual([{ status: 'fulfilled', value: 'swallowed' }]);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a cancellation that a task brought from elsewhere is a rejection like any other',
    virtualTime(async () => {
      const stray = await strayCancellation();
      const results = await allSettled([throwing(stray), () => sleep(1)]);
      expect(results[0]).toEqual({ status: 'rejected', reason: stray });
      expect(results[1]).toEqual({ status: 'fulfilled', value: undefined });
    }),
  );

  test(
    'a task that cancels itself is a rejection, not a hole',
    virtualTime(async () => {
      const results = await allSettled([
        async () => {
          currentScope().cancel();
          await checkpoint();
        },
        () => 1,
      ]);
      expect(results).toHaveLength(2);
      const [first] = results;
      expect(first.status).toBe('rejected');
      expect((first as PromiseRejectedResult).reason).toBeInstanceOf(TaskCancelled);
    }),
  );
});

describe.each([
  ['all', all],
  ['allSettled', allSettled],
] as const)('%s, both', (_, combine) => {
  test(
    'reject with the reason of a foreign signal, after everyone has ended, and leave no listener',
    virtualTime(async () => {
      const controller = new AbortController();
      const reason = new Error('stop');
      const combined = errorOf(
        combine([() => waitAndCleanUp(5), () => 1], {
          signal: controller.signal,
        }),
      );
      await waitAllTasksBlocked();
      controller.abort(reason);
      expect(await combined).toBe(reason);
      expect(currentTime()).toBe(5);
      expect(await errorOf(combine([() => checkpoint()], { signal: controller.signal }))).toBe(reason);
    }),
  );

  test(
    'reject with the cancellation of a scope whose signal they were given',
    virtualTime(async () => {
      const other = new CancelScope();
      await other.run(async () => {});
      const scope = new CancelScope();
      const combined = errorOf(combine([() => sleepForever()], { signal: scope.signal }));
      await waitAllTasksBlocked();
      scope.cancel('its reason');
      const error = await combined;
      expect(error).toBeInstanceOf(Cancelled);
      expect((error as Cancelled).reason).toBe('its reason');
    }),
  );

  test('a result that nobody awaits is not heard of when it is a cancellation', async () => {
    const reasons = await unhandledRejections(async () => {
      const scope = new CancelScope();
      void combine([() => sleepForever()], { signal: scope.signal });
      await moveOnAfter(0, async () => {
        void combine([() => sleepForever()]);
        await sleepForever();
      });
      scope.cancel();
    });
    expect(reasons).toEqual([]);
  });

  test(
    'refuse what is no list of functions, and start none',
    virtualTime(async () => {
      let started = false;
      const start = (): void => {
        started = true;
      };
      const promise = await errorOf(combine([start, Promise.resolve()] as never));
      expect(promise).toBeInstanceOf(TypeError);
      expect((promise as Error).message).toMatch(
        /tasks\[1\] must be a function, got a Promise\. Pass the function itself/,
      );
      expect(await errorOf(combine(undefined as never))).toBeInstanceOf(TypeError);
      expect(await errorOf(combine('abc' as never))).toBeInstanceOf(TypeError);
      expect(await errorOf(combine([start], { signal: 1 as never }))).toBeInstanceOf(TypeError);
      await checkpoint();
      expect(started).toBe(false);
    }),
  );
});

test(
  'all: a cancellation that a task brought from elsewhere is an error',
  inPlainOrder('tasks begin in the order in which they were started', async () => {
    const stray = await strayCancellation();
    const [error] = await errorsOf(all([throwing(stray), () => sleepForever()]));
    expect(error).toMatchObject({ name: 'InvalidStateError', cause: stray });
    expect(await errorsOf(all([throwing(stray), throwing('error')]))).toEqual([expect.any(Error), 'error']);
  }),
);
