import { stat } from 'node:fs';
import { createServer, connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';

import {
  abandonOnCancel,
  all,
  any,
  asCompleted,
  cancelShieldedCheckpoint,
  CancelScope,
  checkpoint,
  checkpointIfCancelled,
  map,
  moveOnAfter,
  race,
  sleep,
  sleepForever,
  taskGroup,
  withSignal,
  type TaskGroup,
} from './index.js';
import {
  activityCount,
  addProbe,
  completed,
  inNextTurn,
  isTurnPending,
  nowOrNextTurn,
  ParkingLot,
  putOff,
  suspend,
} from './lowlevel.js';
import { uncaughtDuring } from './process-events.fixture.js';

/** What a turn allows. */
const BUDGET = 4_048;
/** Many times that: who has not let the event loop turn by then never will. */
const LIMIT = 20 * BUDGET;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Repeats an operation until the event loop has turned, and returns how often that was. */
async function operationsUntilNextTurn(operation: () => Promise<unknown>): Promise<number> {
  let hasTurned = false;
  setImmediate(() => (hasTurned = true));
  let count = 0;
  for (; !hasTurned && count < LIMIT; count++) await operation();
  return count;
}

/** Operations that complete at once. In a loop, each is what a careless program does. */
const operations: Readonly<Record<string, (tg: TaskGroup) => Promise<unknown>>> = {
  'checkpoint()': () => checkpoint(),
  'checkpoint({ signal })': (tg) => checkpoint({ signal: tg.cancelScope.signal }),
  'cancelShieldedCheckpoint()': () => cancelShieldedCheckpoint(),
  'sleep(0)': () => sleep(0),
  'completed()': () => completed(),
  'suspend(), resolved at once': () => suspend<void>((resolve) => (resolve(), () => {})),
  'withSignal(), done at once': () => withSignal(() => 1),
  'withSignal(), failing at once': () => withSignal(() => Promise.reject(new Error('no'))).catch(() => {}),
  'abandonOnCancel(), of what is there': () => abandonOnCancel(Promise.resolve()),
  'an empty group': () => taskGroup(() => {}),
  'a task, begun and awaited': (tg) => tg.startSoon(() => {}).wait(),
  'the result of a task': (tg) => tg.startSoon(() => 1).result(),
  'start()': (tg) => tg.start<number, []>(async (status) => status.started(1)),
  'start(), failing': (tg) => tg.start(() => Promise.reject(new Error('no'))).catch(() => {}),
  'start(), never started': (tg) => tg.start(() => {}).catch(() => {}),
  'all()': () => all([() => 1]),
  'race()': () => race([() => 1]),
  'any()': () => any([() => 1]),
  'map()': () => map([1], () => 1),
  'asCompleted()': () =>
    asCompleted([() => 1], async (completed) => {
      for await (const _task of completed);
    }),
  'a timeout that is over already': () => moveOnAfter(0, () => sleepForever()),
};

describe('a loop of operations that complete at once lets the event loop turn', () => {
  test.each(Object.entries(operations))('%s', async (_name, operation) => {
    await taskGroup(async (tg) => {
      expect(await operationsUntilNextTurn(() => operation(tg))).toBeLessThanOrEqual(BUDGET + 1);
      // And again and again.
      for (let i = 0; i < 3; i++) {
        expect(await operationsUntilNextTurn(() => operation(tg))).toBeLessThanOrEqual(BUDGET + 1);
      }
    });
  });

  test.each<[string, () => Promise<unknown>]>([
    ['checkpoint()', () => checkpoint()],
    ['checkpointIfCancelled()', () => checkpointIfCancelled()],
    ['sleepForever()', () => sleepForever()],
    ['a parking lot', () => new ParkingLot().park()],
    ['withSignal()', () => withSignal(() => 1)],
    ['a group', () => taskGroup(() => checkpoint())],
  ])('%s in a cancelled scope, by code that swallows the cancellation', async (_name, operation) => {
    await new CancelScope().run(async (scope) => {
      scope.cancel();
      const swallow = (): Promise<unknown> => operation().catch(() => {});
      for (let i = 0; i < 3; i++) {
        expect(await operationsUntilNextTurn(swallow)).toBeLessThanOrEqual(BUDGET + 1);
      }
    });
  });

  test('a wait with a foreign signal that has aborted', async () => {
    const signal = AbortSignal.abort();
    const swallow = (): Promise<unknown> => sleepForever({ signal }).catch(() => {});
    for (let i = 0; i < 3; i++) {
      expect(await operationsUntilNextTurn(swallow)).toBeLessThanOrEqual(BUDGET + 1);
    }
  });

  test('while it computes for long in between: the clock is looked at as well', async () => {
    await nextTurn();
    await sleep(0);
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const compute = (): Promise<void> => {
      now += 1;
      return checkpoint();
    };
    // The clock is asked at the 16th operation, and 5 milliseconds are too many.
    for (let i = 0; i < 3; i++) expect(await operationsUntilNextTurn(compute)).toBeLessThanOrEqual(17);
  });

  test('while it begins to compute for long later in the turn', async () => {
    await nextTurn();
    await sleep(0);
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    for (let i = 0; i < 100; i++) await checkpoint();
    const compute = (): Promise<void> => {
      now += 1;
      return checkpoint();
    };
    // From then on the clock is asked at every 32nd.
    expect(await operationsUntilNextTurn(compute)).toBeLessThanOrEqual(33);
  });
});

describe('hand-overs cost budget, too', () => {
  /** Lets the event loop turn a few times beside tasks that would go on for ever, and returns how often they did something. */
  async function beside(start: (tg: TaskGroup, step: () => void) => void): Promise<number[]> {
    const steps: number[] = [];
    let count = 0;
    await taskGroup(async (tg) => {
      start(tg, () => {
        // Without a turn for so long, the test would never end.
        if (++count > LIMIT) throw new Error('the event loop is starved');
      });
      for (let i = 0; i < 5; i++) {
        await nextTurn();
        steps.push(count);
        count = 0;
      }
      tg.cancel();
    });
    return steps;
  }

  test('two tasks that park and unpark each other', async () => {
    const steps = await beside((tg, step) => {
      const [a, b] = [new ParkingLot(), new ParkingLot()];
      const play = async (mine: ParkingLot, other: ParkingLot): Promise<void> => {
        for (;;) {
          step();
          other.unpark();
          await mine.park();
        }
      };
      tg.startSoon(play, a, b);
      tg.startSoon(play, b, a);
    });
    expect(Math.max(...steps)).toBeLessThanOrEqual(2 * BUDGET);
    expect(Math.min(...steps.slice(1))).toBeGreaterThan(0);
  });

  test('a ring of tasks', async () => {
    const steps = await beside((tg, step) => {
      const lots = Array.from({ length: 10 }, () => new ParkingLot());
      for (const [i, lot] of lots.entries()) {
        tg.startSoon(async () => {
          for (;;) {
            await lot.park();
            step();
            lots[(i + 1) % lots.length]!.unpark();
          }
        });
      }
      tg.startSoon(() => void lots[0]!.unpark());
    });
    expect(Math.max(...steps)).toBeLessThanOrEqual(BUDGET + 1);
  });

  test('tasks that begin the next and end', async () => {
    const steps = await beside((tg, step) => {
      const next = async (): Promise<void> => {
        step();
        await checkpoint();
        tg.startSoon(next);
      };
      tg.startSoon(next);
    });
    expect(Math.max(...steps)).toBeLessThanOrEqual(BUDGET + 1);
  });

  test('tasks that wait for each other’s end', async () => {
    const steps = await beside((tg, step) => {
      tg.startSoon(async () => {
        for (;;) {
          step();
          await tg.startSoon(() => tg.startSoon(() => {}).wait()).wait();
        }
      });
    });
    expect(Math.max(...steps)).toBeLessThanOrEqual(BUDGET + 1);
  });

  test('groups in groups', async () => {
    const steps = await beside((tg, step) => {
      tg.startSoon(async () => {
        for (;;) {
          step();
          await checkpointIfCancelled();
          await taskGroup(
            (outer) => void outer.startSoon(() => taskGroup((inner) => void inner.startSoon(() => {}))),
          );
        }
      });
    });
    expect(Math.max(...steps)).toBeLessThanOrEqual(BUDGET + 1);
  });
});

describe('beside a hot loop', () => {
  /** Runs `work` beside tasks that never stop by themselves. Without fairness, it does not end. */
  async function besideHotLoops(work: () => Promise<void>): Promise<void> {
    await taskGroup(async (tg) => {
      const [a, b] = [new ParkingLot(), new ParkingLot()];
      tg.startSoon(async () => {
        for (;;) await checkpoint();
      });
      for (const [mine, other] of [
        [a, b],
        [b, a],
      ] as const) {
        tg.startSoon(async () => {
          for (;;) {
            other.unpark();
            await mine.park();
          }
        });
      }
      await work();
      tg.cancel();
    });
  }

  test.each(Object.entries(operations))('of %s, a deadline around it fires', async (_name, operation) => {
    // Real time, since that is what is at stake; how much of it passes is not looked at.
    const scope = new CancelScope({ timeout: 2 });
    await taskGroup((tg) =>
      scope.run(async () => {
        for (;;) {
          await operation(tg);
          await checkpointIfCancelled();
        }
      }),
    );
    expect(scope.cancelledCaught).toBe(true);
  });

  test('timers fire', () =>
    besideHotLoops(async () => {
      for (let i = 0; i < 3; i++) await new Promise((resolve) => void setTimeout(resolve, 1));
      await sleep(1);
    }));

  test('files are read', () => besideHotLoops(() => new Promise((resolve) => stat('.', () => resolve()))));

  test('a server answers', () =>
    besideHotLoops(async () => {
      const server = createServer((socket) => {
        socket.end('answer');
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toBe('answer');
      socket.destroy();
      server.close();
      await once(server, 'close');
    }));

  test('its own cancellation comes from a timer', async () => {
    const scope = new CancelScope();
    setTimeout(() => scope.cancel(), 1);
    await scope.run(async () => {
      for (;;) await checkpoint();
    });
    expect(scope.cancelledCaught).toBe(true);
  });
});

describe('what was put off resumes together', () => {
  test('so that no task races ahead: all do the same number of operations', async () => {
    const progress = new Array<number>(7).fill(0);
    let furthestApart = 0;
    await taskGroup((tg) => {
      for (const i of progress.keys()) {
        tg.startSoon(async () => {
          for (let n = 0; n < 2_000; n++) {
            progress[i]!++;
            furthestApart = Math.max(furthestApart, Math.max(...progress) - Math.min(...progress));
            await checkpoint();
          }
        });
      }
    });
    expect(progress).toEqual(new Array<number>(7).fill(2_000));
    expect(furthestApart).toBe(1);
  });

  test('whichever operation it was, and whoever has used the budget up', async () => {
    const progress = [0, 0, 0];
    let furthestApart = 0;
    const loops = [
      () => checkpoint(),
      () => cancelShieldedCheckpoint(),
      () => checkpoint({ signal: new AbortController().signal }),
    ];
    await taskGroup((tg) => {
      for (const [i, operation] of loops.entries()) {
        tg.startSoon(async () => {
          for (let n = 0; n < 2_000; n++) {
            progress[i]!++;
            furthestApart = Math.max(furthestApart, Math.max(...progress) - Math.min(...progress));
            await operation();
          }
        });
      }
    });
    expect(furthestApart).toBe(1);
  });

  test('a pair that hands over does not fall behind a loop of checkpoints', async () => {
    let [loops, handOvers] = [0, 0];
    const ratios: number[] = [];
    await taskGroup(async (tg) => {
      const [a, b] = [new ParkingLot(), new ParkingLot()];
      for (const [mine, other] of [
        [a, b],
        [b, a],
      ] as const) {
        tg.startSoon(async () => {
          for (;;) {
            handOvers++;
            other.unpark();
            await mine.park();
          }
        });
      }
      tg.startSoon(async () => {
        for (;;) {
          loops++;
          await checkpoint();
        }
      });
      for (let i = 0; i < 10; i++) {
        await nextTurn();
        ratios.push(loops / handOvers);
      }
      tg.cancel();
    });
    // Each of the two does about as much as the loop; what matters is that neither is left behind.
    for (const ratio of ratios) {
      expect(ratio).toBeGreaterThan(0.1);
      expect(ratio).toBeLessThan(10);
    }
  });

  test('with its value', async () => {
    const values: string[] = [];
    for (let i = 0; i <= BUDGET; i++) values.push(await completed('tea'));
    expect(new Set(values)).toEqual(new Set(['tea']));
  });

  test('what goes on in the same call does so until then, and afterwards in the next turn', async () => {
    await nextTurn(); // with the whole budget
    expect(nowOrNextTurn('tea')).toBe('tea');
    let last: string | Promise<string>;
    do last = nowOrNextTurn('tea');
    while (last === 'tea');
    expect(isTurnPending()).toBe(true);
    expect(await last).toBe('tea');
    expect(isTurnPending()).toBe(false);
  });

  test('in the order in which it was put off, in one turn', async () => {
    const order: string[] = [];
    const before = activityCount();
    putOff(() => order.push('first'));
    expect(isTurnPending()).toBe(true);
    putOff(() => {
      order.push('second');
      putOff(() => order.push('later'));
      setImmediate(() => order.push('turn'));
    });
    expect(order).toEqual([]);
    await Promise.resolve();
    expect(order).toEqual([]);
    await nextTurn();
    expect(order).toEqual(['first', 'second']);
    expect(isTurnPending()).toBe(true);
    await nextTurn();
    expect(order).toEqual(['first', 'second', 'later', 'turn']);
    expect(isTurnPending()).toBe(false);
    expect(activityCount()).toBeGreaterThan(before);
  });

  test('even if one of those that were put off throws: the error is nobody’s, the others go on', async () => {
    const order: string[] = [];
    const error = new Error('broken');
    const uncaught = await uncaughtDuring(async () => {
      putOff(() => order.push('before'));
      putOff(() => {
        throw error;
      });
      putOff(() => order.push('after'));
      await nextTurn();
    });
    expect(order).toEqual(['before', 'after']);
    expect(uncaught).toEqual([error]);
    await sleep(0);
  });

  test('while operations are put off, all that follow are as well', async () => {
    await new Promise<void>((resolve) => putOff(resolve));
    const order: string[] = [];
    putOff(() => order.push('put off'));
    void checkpoint().then(() => order.push('checkpoint'));
    await nextTurn();
    expect(order).toEqual(['put off', 'checkpoint']);
  });

  test('a wait that was resolved stays resolved, though its task goes on only in the next turn', async () => {
    await new CancelScope().run(async (scope) => {
      const lot = new ParkingLot();
      putOff(() => {});
      const parked = lot.park();
      lot.unpark();
      scope.cancel();
      await parked;
    });
  });

  test('a checkpoint that was put off is cancelled at once', async () => {
    const scope = new CancelScope();
    await scope.run(async () => {
      putOff(() => {});
      const waiting = checkpoint();
      let state = 'pending';
      waiting.catch(() => (state = 'cancelled'));
      scope.cancel();
      await Promise.resolve();
      await Promise.resolve();
      expect(state).toBe('cancelled');
      expect(isTurnPending()).toBe(true);
      await waiting;
    });
    expect(scope.cancelledCaught).toBe(true);
  });
});

describe('inNextTurn()', () => {
  test('calls in a later turn, and is nothing that the runtime has going on', async () => {
    await sleep(0);
    const before = activityCount();
    let called = false;
    inNextTurn(() => (called = true));
    expect(isTurnPending()).toBe(false);
    await Promise.resolve();
    expect(called).toBe(false);
    await nextTurn();
    expect(called).toBe(true);
    expect(activityCount()).toBe(before);
  });
});

describe('addProbe()', () => {
  test('shows every operation that would complete at once, until it is disposed of', async () => {
    const seen: string[] = [];
    const probe = addProbe({
      operation: (kind) => seen.push(kind) > 0,
      cancelPoint: () => void seen.push('cancel point'),
    });
    await checkpoint();
    await cancelShieldedCheckpoint();
    await checkpointIfCancelled();
    const lot = new ParkingLot();
    const parked = lot.park();
    lot.unpark();
    await parked;
    probe[Symbol.dispose]();
    await checkpoint();
    await checkpointIfCancelled();
    expect(seen).toEqual(['checkpoint', 'shielded', 'cancel point', 'hand-over']);
  });

  test('may have an operation put off', async () => {
    using _probe = addProbe({ operation: () => false, cancelPoint() {} });
    let hasTurned = false;
    setImmediate(() => (hasTurned = true));
    await checkpoint();
    expect(hasTurned).toBe(true);
  });

  test('does so if one of several wants it, and shows it to all', async () => {
    const seen: string[] = [];
    using _first = addProbe({ operation: () => false, cancelPoint() {} });
    using _second = addProbe({ operation: (kind) => seen.push(kind) > 0, cancelPoint() {} });
    let hasTurned = false;
    setImmediate(() => (hasTurned = true));
    await cancelShieldedCheckpoint();
    expect(hasTurned).toBe(true);
    expect(seen).toEqual(['shielded']);
  });

  test('keeps the budget', async () => {
    using _probe = addProbe({ operation: () => true, cancelPoint() {} });
    for (let i = 0; i < 3; i++) {
      expect(await operationsUntilNextTurn(() => checkpoint())).toBeLessThanOrEqual(BUDGET + 1);
    }
  });
});
