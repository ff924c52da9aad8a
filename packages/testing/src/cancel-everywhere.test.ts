import { EventEmitter } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

import {
  type CancelScope,
  cancelShieldedCheckpoint,
  checkpoint,
  currentSignal,
  currentTime,
  detached,
  isCancelled,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  withSignal,
} from '@taskscope/core';
import { callAt, currentScope, ParkingLot, suspend } from '@taskscope/core/lowlevel';
import { describe, expect, test, vi } from 'vitest';

import { errorOf, unhandledRejections } from '../../core/src/observing.fixture.js';
import { cancelEverywhere, type Cancellation, type Workload, type WorkloadContext } from './index.js';

/** What came of each run: `-` for no cancellation, else what the workload says. */
function recording(): { readonly record: string[]; readonly step: () => Promise<void> } {
  const record: string[] = [];
  return {
    record,
    async step() {
      try {
        await sleep(10);
        record.push(`slept until ${currentTime()}`);
      } catch (error) {
        record.push(`${(error as Error).name} at ${currentTime()}`);
        throw error;
      }
    },
  };
}

const messageOf = async (promise: Promise<unknown>): Promise<string> =>
  ((await errorOf(promise)) as Error).message;

describe('what is cancelled', () => {
  test('an async function, before it begins and at each moment of each of its waits', async () => {
    const { record, step } = recording();
    expect(
      await cancelEverywhere(async () => {
        await step();
        await step();
      }),
    ).toEqual({ waits: 2, runs: 1 + 1 + 2 * 3 });
    expect(record).toEqual(
      [
        // nothing
        'slept until 10, slept until 20',
        // before it begins
        'Cancelled at 0',
        // the first wait: as it begins, during it, as it ends
        'Cancelled at 0, Cancelled at 0, slept until 10, Cancelled at 10',
        // the second
        'slept until 10, Cancelled at 10, slept until 10, Cancelled at 10',
        'slept until 10, slept until 20',
      ].flatMap((line) => line.split(', ')),
    );
  });

  test('each of several tasks, and everyone', async () => {
    const seen: string[] = [];
    const result = await cancelEverywhere(() => ({
      tasks: [() => sleep(1), () => sleep(2)],
      check: (cancelled) => void seen.push(cancelled.map((each) => (each ? 'x' : '-')).join('')),
    }));
    expect(result).toEqual({ waits: 2, runs: 1 + 3 + 2 * 3 * 3 });
    expect(seen).toEqual(
      [
        '--',
        // before they begin: the first, the second, everyone
        'x- -x xx',
        // the wait of the first: as it begins, during it, as it ends
        'x- -x xx x- -x xx -- -x -x',
        // the wait of the second
        'x- -x xx x- -x xx -- -- --',
      ].flatMap((line) => line.split(' ')),
    );
  });

  test('what completes at once has an end only, and a task inside of the workload counts', async () => {
    const { waits, runs } = await cancelEverywhere(() =>
      taskGroup(async (tg) => {
        await checkpoint();
        await cancelShieldedCheckpoint(); // cannot be cancelled, so is no step
        tg.startSoon(() => sleep(1));
      }),
    );
    expect({ waits, runs }).toEqual({ waits: 2, runs: 1 + 1 + 1 + 3 });
  });

  test('work that takes a signal', async () => {
    const emitters: EventEmitter[] = [];
    const { waits } = await cancelEverywhere(() =>
      withSignal(async (signal) => {
        const emitter = new EventEmitter();
        emitters.push(emitter);
        const told = new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          emitter.on('tea', resolve);
        });
        const timer = setTimeout(() => emitter.emit('tea'), 1);
        try {
          await told;
        } finally {
          clearTimeout(timer);
        }
      }),
    );
    // Its end is one of the operations that complete at once.
    expect(waits).toBe(2);
  });

  test('the foreign signal, if it is used', async () => {
    const seen: string[] = [];
    const { runs } = await cancelEverywhere(({ foreignSignal: signal }) => {
      return {
        tasks: [() => sleep(1, { signal }), () => sleep(2)],
        check: (cancelled) => void seen.push(cancelled.map((each) => (each ? 'x' : '-')).join('')),
      };
    });
    expect(runs).toBe(1 + 4 + 2 * 3 * 4);
    // Who waits with another signal goes on.
    expect(seen.slice(0, 5)).toEqual(['--', 'x-', '-x', 'xx', 'x-']);
    const alone = await cancelEverywhere(({ foreignSignal: signal }) => sleep(1, { signal }));
    expect(alone.runs).toBe(1 + 2 + 3 * 2);
  });

  test('under the schedule of a seed, which is the same each time', async () => {
    const recordOf = async (seed: number | false): Promise<string> => {
      const record: string[] = [];
      const task = (name: string) => async (): Promise<void> => {
        for (let i = 0; i < 3; i++) {
          await checkpoint();
          record.push(name);
        }
      };
      await cancelEverywhere(() => ({ tasks: [task('a'), task('b'), task('c')] }), { seed });
      return record.join('');
    };
    const records = new Set([await recordOf(false)]);
    for (const seed of [1, 2, 3]) {
      const record = await recordOf(seed);
      expect(await recordOf(seed)).toBe(record);
      records.add(record);
    }
    expect(records.size).toBe(4);
  });

  test('in virtual time', async () => {
    const began = performance.now();
    await cancelEverywhere(() => sleep(86_400_000));
    expect(performance.now() - began).toBeLessThan(60_000);
  });

  test('in real time, in which the waits may be others each time', async () => {
    let run = 0;
    const { waits, runs } = await cancelEverywhere(
      async () => {
        for (let i = run++ === 0 ? 2 : 3; i > 0; i--) await sleep(1);
        await withSignal((signal) => readFile(new URL(import.meta.url), { signal }));
      },
      { realTime: true },
    );
    expect(waits).toBe(4);
    // Three waits and the end of the third; a fifth, which was not there the first time; and a sixth, which
    // never was.
    expect(runs).toBe(1 + 1 + 3 * 3 + 1 + 3 + 3);
  });

  test.each<Cancellation>([
    { wait: 2, moment: 'during', victim: 'everyone' },
    { wait: 2, moment: 'end', victim: 0 },
    { wait: 0, moment: 'end', victim: 1 },
  ])('only %o', async (only) => {
    const seen: string[] = [];
    const result = await cancelEverywhere(
      () => ({
        tasks: [() => sleep(1), () => sleep(2)],
        check: (cancelled) => void seen.push(cancelled.map((each) => (each ? 'x' : '-')).join('')),
      }),
      { only },
    );
    expect(result).toEqual({ waits: 2, runs: 2 });
    expect(seen).toEqual(['--', only.wait === 0 ? '-x' : only.victim === 0 ? '--' : 'xx']);
  });
});

describe('what fails', () => {
  const failing = (
    workload: (context: WorkloadContext) => Workload | PromiseLike<unknown>,
  ): Promise<string> => messageOf(cancelEverywhere(workload));

  test('a workload that fails when it is not cancelled', async () => {
    const error = new Error('boom');
    const failed = await errorOf(cancelEverywhere(() => Promise.reject(error)));
    expect(failed).toMatchObject({
      message: 'cancelEverywhere(), cancelling nothing: boom',
      cause: error,
    });
  });

  test('one that fails when it is cancelled: the message says where, and how to repeat it', async () => {
    const error = new Error('boom');
    const workload = (): Workload => ({
      tasks: [
        () => sleep(1),
        async function second() {
          await sleep(1);
          await sleep(1).catch(() => {
            throw error;
          });
        },
      ],
    });
    const failed = await errorOf(cancelEverywhere(workload));
    expect((failed as Error).message).toMatch(
      /^cancelEverywhere\(\), cancelling task 1 as wait 2 of 3 \(sleep\) ends: .*\nTo repeat only this: cancelEverywhere\(…, \{ only: \{ wait: 2, moment: 'end', victim: 1 \} \}\)$/,
    );
    const again = await errorOf(
      cancelEverywhere(workload, { only: { wait: 2, moment: 'end', victim: 1 }, seed: false }),
    );
    expect((again as Error).message).toBe((failed as Error).message);
    const shuffled = cancelEverywhere(workload, { seed: 7 });
    expect(await messageOf(shuffled)).toMatch(/victim: (\d|'everyone') \}, seed: 7 \}\)$/);
  });

  test('a check that finds something lost', async () => {
    const message = await failing(() => {
      let tokens = 1;
      return {
        tasks: [
          async () => {
            tokens--;
            await sleep(1);
            tokens++;
          },
        ],
        check: () => expect(tokens, 'tokens').toBe(1),
      };
    });
    expect(message).toMatch(
      /^cancelEverywhere\(\), cancelling everyone before anything begins: tokens: expected/,
    );
  });

  test('a task that is cancelled although another was to be', async () => {
    const message = await failing(() => {
      let other: CancelScope | undefined;
      return {
        tasks: [
          () => {
            other = currentScope();
            return sleep(5);
          },
          () => sleep(1).finally(() => currentSignal().aborted && other?.cancel()),
        ],
      };
    });
    expect(message).toMatch(/cancelling task 1 .*: task 0 was cancelled and was not to be\n/);
  });

  test('a deadlock, with the task tree', async () => {
    const message = await failing(() => {
      const lot = new ParkingLot();
      return {
        tasks: [
          () => lot.park({ label: 'a token' }),
          async () => {
            await sleep(1);
            lot.unpark();
          },
        ],
      };
    });
    expect(message).toMatch(/cancelling task 1 .*: deadlock: .*task "task 0".*waits for a token/s);
  });

  test('a wait for what does not come and nobody knows of: after a time', async () => {
    let letGo = (): void => {};
    let [isHanging, hasEnded] = [false, false];
    const message = await messageOf(
      cancelEverywhere(
        async () => {
          await sleep(1).catch(
            () =>
              new Promise<void>((resolve) => {
                isHanging = true;
                letGo = resolve;
              }),
          );
          hasEnded = isHanging;
        },
        { timeout: 50 },
      ),
    );
    expect(message).toMatch(/: the run did not end within 50 ms\nroot .*"workload"/s);
    // It goes on all the same, and would be in the way of others.
    letGo();
    await vi.waitFor(() => expect(hasEnded).toBe(true));
  });

  test('a workload that does something else each time', async () => {
    let run = 0;
    const message = await failing(async () => {
      await sleep(1);
      if (run++ === 0) await sleep(1);
    });
    expect(message).toContain(
      'cancelling everyone as wait 2 of 2 (sleep) begins: the workload did not come to',
    );
  });

  test('one that never waits', async () => {
    expect(await failing(async () => {})).toBe(
      'cancelEverywhere(): the workload never waits, so there is nothing to cancel',
    );
  });
});

describe('what is left behind', () => {
  /** The message for a workload that does `leave` when it is cancelled, and is fine otherwise. */
  const left = async (leave: (context: WorkloadContext) => unknown): Promise<string> => {
    const message = await messageOf(
      cancelEverywhere(async (context) => {
        try {
          await sleep(1);
        } finally {
          if (await errorOf(sleep(0)).then(isCancelled, () => false)) leave(context);
        }
      }),
    );
    expect(message).toMatch(/^cancelEverywhere\(\), cancelling everyone /);
    return message;
  };

  test('a wait that outlives the workload', async () => {
    const message = await left(() => {
      sleep(5).catch(() => {});
      shield(() => sleep(5)).catch(() => {});
    });
    expect(message).toContain('outlived the scope in which it began');
  });

  test('a wait and a task outside of every scope', async () => {
    const lot = new ParkingLot();
    const message = await left(() => {
      detached(() => {
        void lot.park({ label: 'a taxi' });
        void taskGroup((tg) => void tg.createTask(() => lot.park()), { name: 'waiting' });
      });
    });
    expect(message).toMatch(/left behind: .*group "waiting".*; a wait that no scope holds \(a taxi\)/);
    lot.unparkAll();
  });

  test('a timer of the clock', async () => {
    expect(await left(() => callAt(1_000, () => {}))).toContain('left behind: a timer of the clock');
  });

  test('a timer and a server of the platform', async () => {
    const timer = await left(() => void setTimeout(() => {}, 60_000));
    expect(timer).toContain('left behind: Timeout of the platform');
    const server = createServer();
    expect(await left(() => void server.listen(0))).toContain('left behind: TCPServerWrap of the platform');
    server.close();
  });

  test('what ends soon is not left', async () => {
    let ended = 0;
    await cancelEverywhere(async () => {
      setTimeout(() => ended++, 5);
      await sleep(1);
    });
    expect(ended).toBe(5);
  });

  test.each([
    ['the foreign signal', ({ foreignSignal }: WorkloadContext) => foreignSignal],
    ['the signal of the run', () => currentSignal()],
  ])('a listener on %s', async (whose, signalOf) => {
    const leaving = cancelEverywhere(async (context) => {
      const signal = signalOf(context);
      await suspend<void>((resolve) => {
        setImmediate(() => resolve());
        signal.addEventListener('abort', () => {}, { once: true });
        return () => {};
      });
    });
    expect(await messageOf(leaving)).toBe(
      `cancelEverywhere(), cancelling nothing: left behind: 1 listener on ${whose}`,
    );
  });

  test('listeners on the signal of a task', async () => {
    const leaving = cancelEverywhere(() => ({
      tasks: [
        async () => {
          const signal = currentSignal();
          await sleep(1);
          for (let i = 0; i < 2; i++) signal.addEventListener('abort', () => i);
        },
      ],
    }));
    expect(await messageOf(leaving)).toContain('left behind: 2 listeners on the signal of task 0');
  });

  test('a rejection that nobody handles', async () => {
    const error = new Error('oops');
    let failed: unknown;
    const others = await unhandledRejections(async () => {
      failed = await errorOf(
        cancelEverywhere(async () => {
          await sleep(1);
          void Promise.reject(error);
        }),
      );
    });
    expect(failed).toMatchObject({
      message:
        'cancelEverywhere(), cancelling nothing: a promise was rejected and nobody handled it: Error: oops',
      cause: { cause: error },
    });
    // It is nobody else's business less.
    expect(others).toEqual([error]);
  });
});

test.each([
  [undefined, undefined, /workload must be a function/],
  [() => sleep(1), null, /options must be an object/],
  [() => sleep(1), { realTime: 5 }, /options\.realTime must be one of false, true, got/],
  [() => sleep(1), { timeout: '5' }, /options\.timeout must be a number/],
  [() => sleep(1), { timeout: 0 }, /options\.timeout must be a finite number of at least 1/],
  [() => sleep(1), { seed: -1 }, /options\.seed must be at least 0/],
  [() => sleep(1), { only: null }, /options must be an object/],
  [() => sleep(1), { only: { wait: 0.5, moment: 'end', victim: 0 } }, /options\.only\.wait must be a whole/],
  [() => sleep(1), { only: { wait: 1, moment: 'x', victim: 0 } }, /only\.moment must be one of "begin"/],
  [() => sleep(1), { only: { wait: 1, moment: 'end', victim: 'x' } }, /only\.victim must be/],
  [() => sleep(1), { only: { wait: 1, moment: 'end', victim: 1 } }, /there is no task 1/],
  [() => ({ tasks: ['x'] }), undefined, /tasks\[0\] must be a function/],
  [() => undefined, undefined, /workload must be an async function, or return \{ tasks \}/],
])('refuses %o with %o', async (workload, options, message) => {
  expect(await messageOf(cancelEverywhere(workload as never, options as never))).toMatch(message);
});

test('waits until the workload has ended, however it takes that', async () => {
  const ends: number[] = [];
  await cancelEverywhere(async () => {
    try {
      await sleepForever();
    } finally {
      await shield(() => sleep(5));
      ends.push(currentTime());
    }
  }).catch((error: unknown) => expect((error as Error).message).toContain('deadlock'));
  expect(ends).toEqual([5]);
});
