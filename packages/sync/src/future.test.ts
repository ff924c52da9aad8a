import {
  checkpoint,
  FutureCancelled,
  InvalidStateError,
  run,
  sleep,
  TaskCancelled,
  taskGroup,
} from '@taskscope/core';
import { cancelEverywhere, expectCheckpoint, fuzzSchedule, virtualTime } from '@taskscope/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { testCancellation, type Awaited } from './cancellation.fixture.js';
import { Future, type FutureState } from './index.js';
import {
  called,
  checkModel,
  command,
  Operation,
  pendingOperation,
  type Model,
  type Real,
} from './model.fixture.js';
import { errorOf, unhandledRejections } from '../../core/src/observing.fixture.js';
import { inPlainOrder } from '../../core/src/schedules.fixture.js';

describe('a future', () => {
  test(
    'that has a result gives it at once, and is a checkpoint all the same',
    virtualTime(async () => {
      const future = new Future<number>();
      expect(future.status).toBe('pending');
      future.setResult(1);
      expect(future.status).toBe('finished');
      expect(await future.result()).toBe(1);
      expect(future.returnValue).toBe(1);
      expect(future.exception).toBe(undefined);
      await expectCheckpoint(() => future.result());
      await expectCheckpoint(() => future.wait());
    }),
  );

  test(
    'gives its result to who waits for it',
    virtualTime(async () => {
      const future = new Future<number>();
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          await checkpoint();
          future.setResult(2);
        });
        expect(await future.result()).toBe(2);
      });
    }),
  );

  test(
    'is waited for without looking at its result',
    virtualTime(async () => {
      const future = new Future<number>();
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          await checkpoint();
          future.setResult(2);
        });
        expect(await future.wait()).toBe(undefined);
        expect(future.returnValue).toBe(2);
      });
    }),
  );

  test(
    'that was given an error rejects with that very error, whatever it is',
    virtualTime(async () => {
      for (const error of [new RangeError('no'), 'a string', undefined]) {
        const future = new Future<number>();
        await taskGroup(async (tg) => {
          tg.startSoon(async () => {
            await checkpoint();
            future.setError(error);
          });
          expect(await errorOf(future.result())).toBe(error);
        });
        expect(future.status).toBe('failed');
        expect(future.exception).toBe(error);
        expect(await errorOf(future.result())).toBe(error);
        await future.wait();
        let thrown: unknown = 'nothing';
        try {
          void future.returnValue;
        } catch (caught) {
          thrown = caught;
        }
        expect(thrown).toBe(error);
      }
    }),
  );

  test('with an error that nobody waits for is silent', async () => {
    const rejections = await unhandledRejections(() =>
      run(async () => {
        const future = new Future();
        const waiting = future.wait();
        future.setError(new Error('no'));
        await waiting;
      }),
    );
    expect(rejections).toEqual([]);
  });

  test(
    'that was cancelled says so to everyone who waits or asks',
    virtualTime(async () => {
      const future = new Future<number>();
      await taskGroup(async (tg) => {
        tg.startSoon(() => future.cancel());
        const error = await errorOf(future.result());
        expect(error).toBeInstanceOf(FutureCancelled);
        expect((error as Error).message).toBe('the future was cancelled');
      });
      expect(future.status).toBe('cancelled');
      expect(await errorOf(future.result())).toBeInstanceOf(FutureCancelled);
      await future.wait();
      expect(() => future.returnValue).toThrow(FutureCancelled);
      expect(() => future.exception).toThrow(FutureCancelled);
      expect(() => future.setResult(1)).toThrow(InvalidStateError);
      expect(() => future.setError(new Error('no'))).toThrow(InvalidStateError);
      future.cancel();
    }),
  );

  test('is settled once, and the message says by what', () => {
    const future = new Future<number>();
    future.setResult(1);
    expect(() => future.setResult(0)).toThrow(
      new InvalidStateError('Future.setResult(): the future is finished already, and is settled once'),
    );
    expect(() => future.setError(new Error('no'))).toThrow(InvalidStateError);
    expect(future.returnValue).toBe(1);
    const failed = new Future<number>();
    failed.setError(new Error('no'));
    expect(() => failed.setResult(0)).toThrow('the future is failed already');
    expect(failed.status).toBe('failed');
  });

  test(
    'that is settled is not cancelled any more',
    virtualTime(async () => {
      const finished = new Future<string>();
      finished.setResult('tea');
      finished.cancel();
      expect(await finished.result()).toBe('tea');
      const failed = new Future<string>();
      const error = new Error('no');
      failed.setError(error);
      failed.cancel();
      expect(await errorOf(failed.result())).toBe(error);
    }),
  );

  test('that is pending has neither result nor error, and the message says what to do', () => {
    const future = new Future<number>();
    expect(() => future.returnValue).toThrow(
      new InvalidStateError('Future.returnValue: the future is pending: await its wait() or result() first'),
    );
    expect(() => future.exception).toThrow(InvalidStateError);
    expect(future.statistics()).toEqual({ status: 'pending', tasksWaiting: 0 });
  });

  test(
    'gives the same result to all who wait, in the order in which they came',
    inPlainOrder('those who are woken together go on in their order', async () => {
      const future = new Future<object>();
      const value = {};
      const order: number[] = [];
      await taskGroup(async (tg) => {
        const tasks = [0, 1, 2].map((index) =>
          tg.startSoon(async () => {
            const result = await future.result();
            order.push(index);
            return result;
          }),
        );
        await sleep(1);
        expect(future.statistics()).toEqual({ status: 'pending', tasksWaiting: 3 });
        future.setResult(value);
        expect(future.statistics()).toEqual({ status: 'finished', tasksWaiting: 0 });
        for (const task of tasks) expect(await task.result()).toBe(value);
      });
      expect(order).toEqual([0, 1, 2]);
    }),
  );

  test(
    'goes on when one who waits for it is cancelled',
    virtualTime(async () => {
      const future = new Future<string>();
      await taskGroup(async (tg) => {
        const cancelled = tg.startSoon(() => future.result());
        const other = tg.startSoon(() => future.result());
        await sleep(1);
        cancelled.cancel();
        expect(await errorOf(cancelled.result())).toBeInstanceOf(TaskCancelled);
        expect(future.status).toBe('pending');
        expect(future.statistics().tasksWaiting).toBe(1);
        future.setResult('tea');
        expect(await other.result()).toBe('tea');
      });
    }),
  );

  test('is made, settled and waited for outside of run()', async () => {
    const future = new Future<string>();
    const waiting = future.result();
    future.setResult('tea');
    expect(await waiting).toBe('tea');
    expect(await run(() => future.result())).toBe('tea');
  });
});

describe('onDone(), the case of a selection', () => {
  test('is possible once the future is settled, and fails if there is no result', () => {
    const [finished, failed, cancelled] = [new Future<string>(), new Future<string>(), new Future<string>()];
    for (const future of [finished, failed, cancelled]) expect(future.onDone().attempt()).toBe(undefined);
    finished.setResult('tea');
    failed.setError(new RangeError('no'));
    cancelled.cancel();
    expect(finished.onDone().attempt()).toEqual({ value: 'tea' });
    expect(() => failed.onDone().attempt()).toThrow(RangeError);
    expect(() => cancelled.onDone().attempt()).toThrow(FutureCancelled);
  });

  test('tells those who are enlisted, and leaves no trace of those who left', () => {
    const told: string[] = [];
    const futures = [new Future<string>(), new Future<string>(), new Future<string>()];
    const [finished, failed, cancelled] = futures;
    for (const future of futures) {
      const listener = {
        resolve: (value: string) => told.push(value) > 0,
        reject: (error: unknown) => told.push((error as Error).name) > 0,
      };
      future.onDone().enlist(listener);
      const leave = future.onDone().enlist(listener);
      expect(future.statistics().tasksWaiting).toBe(2);
      leave();
      expect(future.statistics().tasksWaiting).toBe(1);
    }
    finished!.setResult('tea');
    failed!.setError(new RangeError('no'));
    cancelled!.cancel();
    expect(told).toEqual(['tea', 'RangeError', 'FutureCancelled']);
  });
});

const waitFor = (wait: 'wait' | 'result') => (): Awaited => {
  const future = new Future<string>();
  return {
    begin: (options) => future[wait](options),
    satisfy: () => future.setResult('tea'),
    end() {},
    waiting: () => future.statistics().tasksWaiting,
    out: () => 0,
    value: wait === 'wait' ? undefined : 'tea',
  };
};
testCancellation('Future.wait()', waitFor('wait'));
testCancellation('Future.result()', waitFor('result'));

describe('nothing is lost', () => {
  const setUp = (): { future: Future<string>; got: string[]; tasks: (() => Promise<void>)[] } => {
    const future = new Future<string>();
    const got: string[] = [];
    const waiter = (at: number) => async (): Promise<void> => {
      await sleep(at);
      got.push(`${at}: ${await future.result()}`);
      await checkpoint();
    };
    const setter = async (): Promise<void> => {
      try {
        await sleep(5);
      } finally {
        future.setResult('tea');
      }
    };
    return { future, got, tasks: [waiter(0), waiter(1), setter, waiter(2), waiter(9)] };
  };

  test('whoever is cancelled at whatever step', async () => {
    const { waits } = await cancelEverywhere(() => {
      const { future, got, tasks } = setUp();
      return {
        tasks,
        check(cancelled) {
          expect(future.statistics()).toEqual({ status: 'finished', tasksWaiting: 0 });
          const times = [0, 1, undefined, 2, 9];
          const others = times.filter((at, index) => at !== undefined && !cancelled[index]);
          expect(got).toEqual(expect.arrayContaining(others.map((at) => `${at}: tea`)));
        },
      };
    });
    expect(waits).toBeGreaterThanOrEqual(8);
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed))('under the schedule of seed %i', (seed) =>
    fuzzSchedule(seed, async () => {
      const { future, got, tasks } = setUp();
      await taskGroup((tg) => {
        for (const task of tasks) tg.startSoon(task);
      });
      expect(got.toSorted()).toEqual(['0: tea', '1: tea', '2: tea', '9: tea']);
      expect(future.statistics().tasksWaiting).toBe(0);
    }),
  );

  test('whatever happens in whatever order: as the model says', async () => {
    interface FutureModel extends Model {
      status: FutureState;
      /** For each operation whether it waits for the result. */
      readonly forResult: boolean[];
    }
    interface RealFuture extends Real {
      readonly future: Future<string>;
    }
    const outcomes = {
      pending: 'pending',
      finished: 'done',
      failed: 'RangeError',
      cancelled: 'FutureCancelled',
    };
    const settle = (name: string, status: FutureState, run: (future: Future<string>) => void) =>
      command<FutureModel, RealFuture, number>(
        name,
        fc.integer({ min: 0, max: 5 }),
        (model, real) => {
          const isLate = model.status !== 'pending';
          const expected = isLate && status !== 'cancelled' ? 'InvalidStateError' : 'done';
          expect(called(() => run(real.future))).toBe(expected);
          if (isLate) return;
          model.status = status;
          for (const [index, forResult] of model.forResult.entries()) {
            if (model.operations[index] !== 'pending') continue;
            model.operations[index] = forResult ? outcomes[status] : 'done';
          }
        },
        // Seldom, so that somebody waits.
        (_model, luck) => luck === 0,
      );
    await checkModel<FutureModel, RealFuture>(
      [
        command('wait', fc.boolean(), (model, real, forResult) => {
          const waited = model.status === 'pending' ? 'pending' : 'done';
          model.operations.push(forResult ? outcomes[model.status] : waited);
          model.forResult.push(forResult);
          real.operations.push(
            new Operation((options) => (forResult ? real.future.result(options) : real.future.wait(options))),
          );
        }),
        command(
          'cancel the wait',
          fc.nat(),
          (model, real, choice) => {
            const chosen = pendingOperation(model, choice)!;
            model.operations[chosen] = 'Cancelled';
            real.operations[chosen]!.cancel();
          },
          (model, choice) => pendingOperation(model, choice) !== undefined,
        ),
        settle('setResult', 'finished', (future) => future.setResult('tea')),
        settle('setError', 'failed', (future) => future.setError(new RangeError('no'))),
        settle('cancel', 'cancelled', (future) => future.cancel()),
      ],
      () => ({
        model: { operations: [], status: 'pending', forResult: [] },
        real: { operations: [], future: new Future() },
      }),
      (model, { future }) => [
        [model.status, future.status],
        [model.operations.filter((status) => status === 'pending').length, future.statistics().tasksWaiting],
        [
          model.status === 'pending' ? 'InvalidStateError' : outcomes[model.status],
          called(() => future.returnValue),
        ],
      ],
    );
  });
});
