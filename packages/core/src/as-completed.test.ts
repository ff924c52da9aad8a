import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { expect, expectTypeOf, test } from 'vitest';

import { errorsOf, throwing, waitAndCleanUp } from './failing.fixture.js';
import {
  asCompleted,
  CancelScope,
  checkpoint,
  currentTime,
  moveOnAfter,
  sleep,
  sleepForever,
  TaskFailed,
  TaskGroupError,
  taskTree,
  type TaskHandle,
} from './index.js';
import { currentScope } from './lowlevel.js';
import { errorOf } from './observing.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';

const children = (): number => taskTree().children.at(-1)!.children.length;
const after = (ms: number) => async (): Promise<number> => {
  await sleep(ms);
  return ms;
};

/** All handles, in the order in which they came. */
async function collect<T>(completed: AsyncIterable<TaskHandle<T>>): Promise<TaskHandle<T>[]> {
  const handles: TaskHandle<T>[] = [];
  for await (const handle of completed) handles.push(handle);
  return handles;
}

test(
  'gives the tasks in the order in which they end, as soon as they do',
  virtualTime(async () => {
    const seen: string[] = [];
    const result = await asCompleted([after(3), after(1), after(2), () => 0], async (completed) => {
      for await (const task of completed) seen.push(`${task.returnValue} at ${currentTime()}`);
      return 'body';
    });
    expect(seen).toEqual(['0 at 0', '1 at 1', '2 at 2', '3 at 3']);
    expect(result).toBe('body');
  }),
);

test(
  'keeps them for a body that is slow',
  virtualTime(async () => {
    const handles = await asCompleted([after(2), after(1)], async (completed) => {
      await sleep(10);
      return await collect(completed);
    });
    expect(handles.map((handle) => handle.returnValue)).toEqual([1, 2]);
  }),
);

test(
  'of nothing iterates over nothing',
  virtualTime(async () => {
    expect(await asCompleted([], collect)).toEqual([]);
  }),
);

test(
  'tasks are named after their functions',
  virtualTime(async () => {
    const handles = await asCompleted(
      [function tea() {}, async function coffee(): Promise<void> {}],
      collect as (completed: AsyncIterable<TaskHandle<unknown>>) => Promise<TaskHandle<unknown>[]>,
    );
    expect(handles.map((handle) => handle.name)).toEqual(['tea', 'coffee']);
  }),
);

test(
  'when the body ends early the rest are cancelled and awaited',
  virtualTime(async () => {
    const record: string[] = [];
    const value = await asCompleted(
      [
        () => 'first',
        () =>
          waitAndCleanUp(5).finally(() => {
            record.push('cancelled');
          }),
      ],
      async (completed) => {
        for await (const task of completed) return task.returnValue;
        return 'none';
      },
    );
    expect(value).toBe('first');
    expect(record).toEqual(['cancelled']);
    expect(currentTime()).toBe(5);
  }),
);

test(
  'what they throw then is not lost',
  virtualTime(async () => {
    const errors = await errorsOf(
      asCompleted([() => 'first', () => sleepForever().finally(throwing('clean-up'))], () => 'early'),
    );
    expect(errors).toEqual(['clean-up']);
  }),
);

test(
  'a failure cancels the others and the body',
  virtualTime(async () => {
    const failed = (await errorOf(
      asCompleted([() => sleepForever(), throwing('boom')], async (completed) => {
        for await (const task of completed) void task;
      }),
    )) as TaskGroupError;
    expect(failed).toBeInstanceOf(TaskGroupError);
    expect(failed.errors).toEqual(['boom']);
  }),
);

test(
  'the body may look at the one that failed before it is cancelled',
  virtualTime(async () => {
    let seen: unknown;
    const errors = await errorsOf(
      asCompleted([() => sleepForever(), throwing('boom')], async (completed) => {
        for await (const task of completed) {
          seen = task.exception;
          // The next step is a wait, and the group is cancelled.
        }
      }),
    );
    expect(errors).toEqual(['boom']);
    expect(seen).toBe('boom');
  }),
);

test(
  'its returnValue throws TaskFailed with the error as the cause',
  virtualTime(async () => {
    let seen: unknown;
    await errorsOf(
      asCompleted([throwing('boom')], async (completed) => {
        for await (const task of completed) {
          try {
            void task.returnValue;
          } catch (error) {
            seen = error;
          }
        }
      }),
    );
    expect(seen).toBeInstanceOf(TaskFailed);
    expect((seen as Error).cause).toBe('boom');
  }),
);

test(
  'a body that fails cancels the tasks',
  virtualTime(async () => {
    const errors = await errorsOf(asCompleted([() => sleepForever()], throwing('body')));
    expect(errors).toEqual(['body']);
  }),
);

test(
  'a task that cancels itself comes as well',
  virtualTime(async () => {
    const statuses: string[] = [];
    const cancelItself = async (): Promise<number> => {
      currentScope().cancel();
      return await sleepForever();
    };
    await asCompleted([after(1), cancelItself], async (completed) => {
      for await (const task of completed) statuses.push(task.status);
    });
    expect(statuses).toEqual(['cancelled', 'finished']);
  }),
);

test(
  'a cancelled step loses no task',
  virtualTime(async () => {
    const values = await asCompleted([after(10), after(20)], async (completed) => {
      const iterator = completed[Symbol.asyncIterator]();
      const seen: number[] = [];
      expect(await moveOnAfter(5, () => iterator.next())).toBeUndefined();
      for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) {
        seen.push(step.value.returnValue);
      }
      return seen;
    });
    expect(values).toEqual([10, 20]);
  }),
);

test(
  'a step is refused in a cancelled scope also when a task has ended, and loses none',
  virtualTime(async () => {
    const value = await asCompleted([() => 'value'], async (completed) => {
      const iterator = completed[Symbol.asyncIterator]();
      await sleep(1);
      expect(await moveOnAfter(0, () => iterator.next())).toBeUndefined();
      const step = await iterator.next();
      return step.value!.returnValue;
    });
    expect(value).toBe('value');
  }),
);

test(
  'cancelled before: the body runs up to its first wait',
  virtualTime(async () => {
    const scope = new CancelScope();
    let began = false;
    await scope.run(async () => {
      scope.cancel();
      await asCompleted([() => checkpoint()], async (completed) => {
        began = true;
        await collect(completed);
        expect.fail('not reached');
      });
    });
    expect(began).toBe(true);
    expect(scope.cancelledCaught).toBe(true);
  }),
);

test(
  'cancelled during: everyone is cancelled and awaited',
  virtualTime(async () => {
    await moveOnAfter(5, () => asCompleted([() => waitAndCleanUp(5)], collect));
    expect(currentTime()).toBe(10);
    expect(children()).toBe(0);
  }),
);

test(
  'cancelled right after: the result of the body is kept',
  virtualTime(async () => {
    const scope = new CancelScope();
    const value = await scope.run(async () => {
      const result = await asCompleted([after(1)], () => 'result');
      scope.cancel();
      return result;
    });
    expect(value).toBe('result');
  }),
);

test(
  'by a foreign signal: rejects with its reason',
  virtualTime(async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const result = errorOf(asCompleted([() => sleepForever()], collect, { signal: controller.signal }));
    await waitAllTasksBlocked();
    controller.abort(reason);
    expect(await result).toBe(reason);
  }),
);

test.each([0, 5])(
  'whoever asks for several at once, %i ms after the beginning, gets each handle once, and then the end',
  (ms) =>
    inPlainOrder('those who are woken together go on in their order', async () => {
      const steps = await asCompleted([after(1), after(2)], async (completed) => {
        const iterator = completed[Symbol.asyncIterator]();
        await sleep(ms);
        return Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
      });
      const values = steps.map((step) => (step.done === true ? 'done' : step.value.returnValue));
      expect(values).toEqual([1, 2, 'done', 'done']);
    })(),
);

test(
  'refuses bad arguments',
  virtualTime(async () => {
    expect(await errorOf(asCompleted([Promise.resolve()] as never, collect))).toBeInstanceOf(TypeError);
    expect(await errorOf(asCompleted(1 as never, collect))).toBeInstanceOf(TypeError);
    expect(await errorOf(asCompleted([], Promise.resolve() as never))).toBeInstanceOf(TypeError);
    expect(await errorOf(asCompleted([], collect, null as never))).toBeInstanceOf(TypeError);
  }),
);

test('tasks may be of different types', async () => {
  await asCompleted([() => 'tea', async () => 5], async (completed) => {
    for await (const task of completed) expectTypeOf(task.returnValue).toEqualTypeOf<string | number>();
  });
});
