/** Everything that waits, cancelled at every wait: whatever was begun is ended, and nothing is left. */

import { EventEmitter, once } from 'node:events';

import { cancelEverywhere, type Workload } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import {
  abandonOnCancel,
  all,
  allSettled,
  any,
  asCompleted,
  CancelScope,
  cancelShieldedCheckpoint,
  checkpoint,
  checkpointIfCancelled,
  cleanup,
  currentTime,
  failAfter,
  failAt,
  map,
  moveOnAfter,
  moveOnAt,
  race,
  run,
  shield,
  sleep,
  sleepForever,
  sleepUntil,
  taskGroup,
  TimeoutError,
  withResource,
  withSignal,
  type TaskStatus,
} from './index.js';
import {
  bindToScope,
  callAt,
  ParkingLot,
  readIterable,
  refusal,
  scopeOfWait,
  suspend,
  WaitQueue,
} from './lowlevel.js';
import { errorOf } from './observing.fixture.js';

/** Counts what has begun and not yet ended. */
class Open {
  count = 0;

  /** Does something for `ms`, with a clean-up that takes its time. */
  readonly use = async (ms: number): Promise<number> => {
    this.count++;
    try {
      await sleep(ms);
      return ms;
    } finally {
      await cleanup(() => sleep(1));
      this.count--;
    }
  };
}

/** A workload of one function, which is given something to use. */
function using(body: (open: Open) => unknown): () => Workload {
  return () => {
    const open = new Open();
    return { tasks: [() => body(open)], check: () => expect(open.count).toBe(0) };
  };
}

/** Its result when it is not cancelled comes first in `results`. */
async function resultsOf<T>(body: (open: Open) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  await cancelEverywhere(using(async (open) => void results.push(await body(open))));
  return results;
}

describe('waits', () => {
  test.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ['sleep', (signal) => sleep(5, { signal })],
    ['sleep of no time', (signal) => sleep(0, { signal })],
    ['sleepUntil', (signal) => sleepUntil(currentTime() + 5, { signal })],
    ['sleepForever', (signal) => moveOnAfter(5, () => sleepForever({ signal }))],
    ['checkpoint', (signal) => checkpoint({ signal })],
    ['suspend', (signal) => suspend<void>((wake) => disposed(callAt(5, () => wake())), { signal })],
    ['withSignal', (signal) => withSignal(waitForTea, { signal })],
    ['abandonOnCancel', (signal) => abandonOnCancel(waitForTea, { signal })],
    ['abandonOnCancel of a promise', (signal) => abandonOnCancel(Promise.resolve('tea'), { signal })],
  ])('%s', async (_, wait) => {
    let before = 0;
    const { waits, runs } = await cancelEverywhere(async ({ foreignSignal }) => {
      before++;
      await wait(foreignSignal);
    });
    expect(waits).toBeGreaterThan(0);
    expect(before).toBe(runs);
  });

  test('checkpoints that cannot be cancelled, or only be cancelled', async () => {
    let passed = 0;
    await cancelEverywhere(async () => {
      await sleep(1);
      await cancelShieldedCheckpoint();
      passed++;
      await checkpointIfCancelled();
      await sleep(1);
    });
    // Whoever sleeps the first time gets past the shielded one.
    expect(passed).toBeGreaterThan(1);
  });
});

/** Waits for an event, as foreign code does. */
async function waitForTea(signal: AbortSignal): Promise<void> {
  const emitter = new EventEmitter();
  const immediate = setImmediate(() => emitter.emit('tea'));
  try {
    await once(emitter, 'tea', { signal });
  } finally {
    clearImmediate(immediate);
    expect(emitter.listenerCount('tea')).toBe(0);
  }
}

function disposed(thing: Disposable): () => void {
  return () => thing[Symbol.dispose]();
}

describe('scopes', () => {
  test('timeouts, those that happen and those that do not', async () => {
    const results = await resultsOf(async ({ use }) => [
      await moveOnAfter(5, () => use(1)),
      await moveOnAfter(1, () => use(5)),
      await moveOnAt(currentTime() + 5, () => use(2)),
      await failAt(currentTime() + 5, () => use(3)),
      (await errorOf(failAfter(1, () => use(5)))) instanceof TimeoutError,
    ]);
    expect(results[0]).toEqual([1, undefined, 2, 3, true]);
  });

  test('a shield, a scope that is moved and one in a run of its own', async () => {
    const results = await resultsOf(async ({ use }) => {
      await shield(() => use(1));
      const scope = new CancelScope({ shield: true });
      return await run(() =>
        scope.run(async () => {
          await use(1);
          scope.shield = false;
          return await use(2);
        }),
      );
    });
    expect(results[0]).toBe(2);
  });

  test('clean-up takes place whoever is cancelled where', async () => {
    let cleanedUp = 0;
    const { runs } = await cancelEverywhere(async () => {
      try {
        await sleep(1);
      } finally {
        await cleanup(async () => {
          await sleep(1);
          await sleep(1);
          cleanedUp++;
        });
      }
    });
    expect(cleanedUp).toBe(runs);
  });

  test('withResource() releases what was acquired', async () => {
    const results = await resultsOf((open) =>
      withResource(
        async () => {
          await sleep(1);
          open.count++;
        },
        () => sleep(1).then(() => 'used'),
        async () => {
          await sleep(1);
          open.count--;
        },
      ),
    );
    expect(results[0]).toBe('used');
  });

  test('callbacks that are bound to a scope', () =>
    cancelEverywhere(
      using(async ({ use }) => {
        await taskGroup(async (tg) => {
          const inGroup = bindToScope(() => void tg.startSoon(use, 2));
          using _ = callAt(currentTime() + 1, inGroup);
          await sleep(2);
        });
      }),
    ));
});

describe('task groups', () => {
  test('tasks, and those who wait for them', async () => {
    const results = await resultsOf(({ use }) =>
      taskGroup(async (tg) => {
        const first = tg.startSoon(use, 1);
        const second = tg.createTask(() => use(3));
        const waiting = tg.startSoon(() => second.result());
        await first.wait();
        return (await first.result()) + (await waiting.result());
      }),
    );
    expect(results[0]).toBe(4);
  });

  test('tasks that are cancelled one at a time leave the others alone', async () => {
    await cancelEverywhere(() => {
      const open = new Open();
      const done: number[] = [];
      return {
        tasks: [1, 2, 3].map((ms, index) => async () => {
          await taskGroup((tg) => {
            tg.startSoon(open.use, ms);
            tg.startSoon(open.use, ms);
          });
          done.push(index);
        }),
        check(cancelled) {
          expect(open.count).toBe(0);
          expect(cancelled.flatMap((wasCancelled, index) => (wasCancelled ? [] : [index]))).toEqual(
            done.toSorted((a, b) => a - b),
          );
        },
      };
    });
  });

  test('start() and startTask(): a task that is cancelled before it is ready leaves nothing', async () => {
    const serve =
      ({ use }: Open) =>
      async (status: TaskStatus<string>): Promise<void> => {
        await use(1);
        status.started('ready');
        await use(2);
      };
    const results = await resultsOf((open) =>
      taskGroup(async (tg) => {
        const task = await tg.startTask(serve(open));
        return [task.startValue, await tg.start(serve(open))];
      }),
    );
    expect(results[0]).toEqual(['ready', 'ready']);
  });

  test('startService(): it ends after the others', () =>
    cancelEverywhere(() => {
      const open = new Open();
      let services = 0;
      return {
        tasks: [
          () =>
            taskGroup((tg) => {
              tg.startService(async () => {
                services++;
                try {
                  await sleepForever();
                } finally {
                  expect(open.count).toBe(0);
                  services--;
                }
              });
              tg.startSoon(open.use, 1);
              tg.startSoon(open.use, 2);
            }),
        ],
        check: () => expect([open.count, services]).toEqual([0, 0]),
      };
    }));

  test('a task that fails: the others are cancelled, and the error arrives', () =>
    cancelEverywhere(
      using(async ({ use }) => {
        try {
          await taskGroup((tg) => {
            tg.startSoon(use, 5);
            tg.startSoon(async () => {
              await use(1);
              throw new Error('boom');
            });
          });
        } catch (error) {
          if (!(error instanceof AggregateError)) throw error;
          expect(error.errors).toMatchObject([{ message: 'boom' }]);
        }
      }),
    ));
});

describe('combinators', () => {
  const tasks = ({ use }: Open): (() => Promise<number>)[] => [1, 3, 2].map((ms) => () => use(ms));

  test.each<[string, (open: Open) => Promise<unknown>, unknown]>([
    ['all', (open) => all(tasks(open)), [1, 3, 2]],
    [
      'allSettled',
      async (open) => (await allSettled(tasks(open))).map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'fulfilled'],
    ],
    ['race', (open) => race(tasks(open)), 1],
    ['any', (open) => any([() => Promise.reject(new Error('no')), ...tasks(open)]), 1],
    ['map', (open) => map([1, 3, 2], open.use, { limit: 2 }), [1, 3, 2]],
    [
      'asCompleted',
      (open) =>
        asCompleted(tasks(open), async (completed) => {
          const values: number[] = [];
          for await (const task of completed) values.push(task.returnValue);
          return values;
        }),
      [1, 2, 3],
    ],
  ])('%s', async (_, combine, result) => {
    const results = await resultsOf(combine);
    expect(results[0]).toEqual(result);
  });

  test('map over a source that takes its time: it is closed', () =>
    cancelEverywhere(() => {
      const open = new Open();
      let closed = true;
      async function* source(): AsyncGenerator<number> {
        closed = false;
        try {
          for (let n = 1; n <= 3; n++) {
            await sleep(1);
            yield n;
          }
        } finally {
          await cleanup(() => sleep(1));
          closed = true;
        }
      }
      return {
        tasks: [() => map(source(), open.use, { limit: 2 })],
        check: () => expect([open.count, closed]).toEqual([0, true]),
      };
    }));
});

describe('what primitives are built from', () => {
  test('a parking lot', () =>
    cancelEverywhere(({ foreignSignal: signal }) => {
      const lot = new ParkingLot();
      let left = 2;
      const walker = async (): Promise<void> => {
        try {
          await lot.park({ signal });
        } finally {
          left--;
        }
      };
      return {
        tasks: [
          walker,
          walker,
          async () => {
            try {
              while (left > 0) {
                lot.unpark();
                await sleep(1);
              }
            } finally {
              // Whoever comes now is not let in any more.
              lot.breakLot(new Error('closed'));
            }
          },
        ].map((task) => () => unlessClosed(task)),
        check: () => expect([lot.size, left]).toEqual([0, 0]),
      };
    }));

  test('a wait queue: what is handed over arrives, or goes to the next', () =>
    cancelEverywhere(({ foreignSignal: signal }) => {
      const queue = new WaitQueue<string>();
      const got: string[] = [];
      const taker = async (): Promise<void> => {
        const scope = scopeOfWait('take()', { signal });
        got.push(
          await (refusal('take()', scope, { signal }) ?? queue.wait('tea', scope, undefined, { signal })),
        );
      };
      let isServed = false;
      return {
        tasks: [
          taker,
          taker,
          async () => {
            try {
              await sleep(1);
              isServed = queue.shift()?.resolve('tea') ?? false;
            } finally {
              queue.rejectAll(new Error('closed'));
            }
          },
        ].map((task) => () => unlessClosed(task)),
        check() {
          expect(queue.size).toBe(0);
          expect(got).toEqual(isServed ? ['tea'] : []);
        },
      };
    }));

  test('reading an iterable, in a step that can be abandoned', () =>
    cancelEverywhere(async () => {
      let closed = true;
      async function* source(): AsyncGenerator<number> {
        closed = false;
        try {
          yield 1;
          await sleep(1);
          yield 2;
        } finally {
          closed = true;
        }
      }
      const reader = readIterable('read()', source());
      try {
        while ((await reader.next()).done !== true) await checkpoint();
      } finally {
        await cleanup(() => reader.close());
        expect(closed).toBe(true);
      }
    }));
});

/** What a primitive that was closed says to those who wait is no failure. */
async function unlessClosed(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    if ((error as Error).message !== 'closed') throw error;
  }
}
