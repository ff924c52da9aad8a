/** What must not be left behind: memory, listeners, timers. Runs with --expose-gc (see vitest.config.ts). */

import { AsyncResource } from 'node:async_hooks';
import { EventEmitter, getEventListeners, once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';

import { peekScope } from './ambient.js';
import {
  abandonOnCancel,
  all,
  allSettled,
  any,
  asCompleted,
  CancelScope,
  checkpoint,
  checkpointIfCancelled,
  cleanup,
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
  withSignal,
  type TaskGroup,
} from './index.js';
import { ParkingLot, suspend, type Clock } from './lowlevel.js';
import { timers } from './observing.fixture.js';

/** Whether the garbage collector takes all of these. */
async function areFreed(refs: readonly WeakRef<object>[]): Promise<boolean> {
  // A WeakRef holds its target until the end of the turn in which it was made or read.
  for (let round = 0; round < 10; round++) {
    await nextTurn();
    globalThis.gc!();
    if (refs.every((ref) => ref.deref() === undefined)) return true;
  }
  return false;
}

describe('a scope that was left is freed, although a pending promise still holds its async context', () => {
  /** Promises that stay pending: a reaction of each holds the async context in which it was made. */
  const pending: unknown[] = [];
  const holdContext = (): void => {
    const never = new Promise<void>(() => {});
    pending.push(
      never,
      never.then(() => {}),
      (async () => {
        await never;
      })(),
      new AsyncResource('holder'),
    );
  };

  const openers: readonly [string, (body: () => Promise<void>) => Promise<unknown>][] = [
    ['CancelScope', (body) => new CancelScope().run(body)],
    ['moveOnAfter()', (body) => moveOnAfter(60_000, body)],
    ['failAfter()', (body) => failAfter(60_000, body)],
    ['shield()', (body) => shield(body)],
    ['cleanup()', (body) => cleanup(body)],
    ['run()', (body) => run(body, { instruments: [{}] })],
    ['taskGroup()', (body) => taskGroup(body)],
    ['a task', (body) => taskGroup((tg) => void tg.startSoon(body))],
    ['a started task', (body) => taskGroup((tg) => tg.start((status) => (status.started(), body())))],
    ['a service', (body) => taskGroup((tg) => void tg.startService(body))],
    ['a scope in a scope', (body) => new CancelScope().run(() => new CancelScope().run(body))],
  ];

  test.each(openers)('%s', async (_name, open) => {
    const refs: WeakRef<object>[] = [];
    await open(async () => {
      const node = peekScope();
      refs.push(new WeakRef(node), new WeakRef(node.signal));
      for (let owner = node.owner; owner !== undefined && owner.kind !== 'root'; owner = owner.owner) {
        refs.push(new WeakRef(owner));
      }
      holdContext();
      await checkpoint();
      holdContext();
    });
    expect(refs.length).toBeGreaterThan(1);
    expect(await areFreed(refs)).toBe(true);
  });

  test('also when it was left by an error or a cancellation', async () => {
    const refs: WeakRef<object>[] = [];
    await new CancelScope()
      .run(() => {
        refs.push(new WeakRef(peekScope()));
        holdContext();
        throw new Error('left');
      })
      .catch(() => {});
    await new CancelScope().run((scope) => {
      refs.push(new WeakRef(scope), new WeakRef(peekScope()));
      holdContext();
      scope.cancel();
      return checkpoint();
    });
    expect(await areFreed(refs)).toBe(true);
  });

  test('and what an ended wait had to do with is freed in a scope that stays open', async () => {
    await new CancelScope().run(async () => {
      const refs: WeakRef<object>[] = [];
      const waits = async (note: <T>(promise: Promise<T>) => Promise<T>): Promise<void> => {
        await note(sleep(1));
        const lot = new ParkingLot();
        const parked = note(lot.park());
        lot.unpark();
        await parked;
        await moveOnAfter(0, () => note(sleepForever()));
        await note(withSignal(() => checkpoint()));
        await note(suspend<void>((resolve) => (setImmediate(resolve), () => {})));
        holdContext();
      };
      await waits((promise) => {
        refs.push(new WeakRef(promise));
        return promise;
      });
      // Once more, since the engine may keep the last promise of each kind on a stack for a while.
      await waits((promise) => promise);
      expect(refs).toHaveLength(5);
      expect(await areFreed(refs)).toBe(true);
    });
  });

  test('while one that is open is not, so this test can fail', async () => {
    const refs: WeakRef<object>[] = [];
    let close = (): void => {};
    const open = new CancelScope().run(() => {
      refs.push(new WeakRef(peekScope()));
      return new Promise<void>((resolve) => (close = resolve));
    });
    expect(await areFreed(refs)).toBe(false);
    close();
    await open;
  });
});

describe('a finished task holds no memory in a group that goes on', () => {
  const MANY = 1_000;

  /** Does something many times in one group, and tells whether everything it noted is freed while the group is open. */
  async function freedInGroup(
    work: (tg: TaskGroup, note: (value: object) => void) => unknown,
  ): Promise<boolean> {
    const refs: WeakRef<object>[] = [];
    let freed = false;
    await taskGroup(async (tg) => {
      await repeat(() => work(tg, (value) => void refs.push(new WeakRef(value))));
      // Once more, since the engine may keep the last of them on a stack for a while.
      await work(tg, () => {});
      expect(refs.length).toBeGreaterThanOrEqual(MANY);
      freed = await areFreed(refs);
      tg.cancel();
    });
    return freed;
  }

  // A function of its own, so that none of its values stays on the stack.
  async function repeat(work: () => unknown): Promise<void> {
    for (let i = 0; i < MANY; i++) await work();
    await nextTurn();
  }

  const child = async (_argument: object): Promise<object> => {
    await checkpoint();
    return { value: new Array(100).fill(0) };
  };

  test('its handle, arguments and result', async () => {
    const freed = await freedInGroup(async (tg, note) => {
      const argument = {};
      const handle = tg.startSoon(child, argument);
      note(argument);
      note(handle);
      await handle.wait();
      note(handle.returnValue);
    });
    expect(freed).toBe(true);
  });

  test('one that was cancelled alone', async () => {
    const freed = await freedInGroup(async (tg, note) => {
      const handle = tg.startSoon(() => sleepForever());
      note(handle);
      await checkpoint();
      handle.cancel({ reason: 'not needed' });
    });
    expect(freed).toBe(true);
  });

  test('one that was started with start()', async () => {
    const freed = await freedInGroup(async (tg, note) => {
      const handle = await tg.startTask<object, void>(async (status) => {
        const value = {};
        note(value);
        status.started(value);
        await checkpoint();
      });
      note(handle);
    });
    expect(freed).toBe(true);
  });

  test('one whose start failed', async () => {
    const freed = await freedInGroup(async (tg, note) => {
      const error = new Error('not ready');
      note(error);
      await tg.start(() => Promise.reject(error)).catch(() => {});
    });
    expect(freed).toBe(true);
  });

  test('a service that has ended', async () => {
    const freed = await freedInGroup(async (tg, note) => {
      const handle = tg.startService(() => checkpoint());
      note(handle);
      await handle.wait();
    });
    expect(freed).toBe(true);
  });

  test('groups, scopes and combinators inside', async () => {
    const freed = await freedInGroup(async (_tg, note) => {
      await taskGroup((inner) => {
        note(inner);
        note(inner.cancelScope);
        inner.startSoon(() => checkpoint());
      });
      await race([() => checkpoint(), () => sleepForever()]);
      await moveOnAfter(60_000, (scope) => note(scope));
    });
    expect(freed).toBe(true);
  });

  test('while a running one does, so this test can fail', async () => {
    const freed = await freedInGroup((tg, note) => note(tg.startSoon(() => sleepForever())));
    expect(freed).toBe(false);
  });
});

/** Everything that waits, given a foreign signal. `end` is how it comes to its end by itself. */
interface Waiting {
  readonly end?: () => void;
  readonly promise: Promise<unknown>;
}

/** What has the option `signal`, by name. Each begins a wait that ends when `end` is called. */
const withOptionSignal: Readonly<Record<string, (options: { signal: AbortSignal }) => Waiting>> = {
  'sleep()': (options) => ({ promise: sleep(1, options) }),
  'sleep(0)': (options) => ({ promise: sleep(0, options) }),
  'sleepUntil()': (options) => ({ promise: sleepUntil(performance.now() + 1, options) }),
  'sleepForever()': (options) => ({ promise: moveOnAfter(1, () => sleepForever(options)) }),
  'checkpoint()': (options) => ({ promise: checkpoint(options) }),
  'checkpointIfCancelled()': (options) => ({ promise: checkpointIfCancelled(options) }),
  'suspend()': (options) => {
    let end: (() => void) | undefined;
    const promise = suspend<void>((resolve) => ((end = resolve), () => {}), options);
    return { promise, end: () => end?.() };
  },
  'ParkingLot.park()': (options) => {
    const lot = new ParkingLot();
    return { promise: lot.park(options), end: () => void lot.unpark() };
  },
  'ParkingLot.park(), moved to another lot': (options) => {
    const [lot, other] = [new ParkingLot(), new ParkingLot()];
    const promise = lot.park(options);
    lot.repark(other);
    return { promise, end: () => void other.unpark() };
  },
  'ParkingLot.park(), in a lot that is broken': (options) => {
    const lot = new ParkingLot();
    return { promise: lot.park(options), end: () => lot.breakLot() };
  },
  'withSignal()': (options) => {
    let end: (() => void) | undefined;
    const promise = withSignal(
      (signal) =>
        new Promise<void>((resolve, reject) => {
          end = resolve;
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        }),
      options,
    );
    return { promise, end: () => end?.() };
  },
  'withSignal(), whose work throws at once': (options) => ({
    promise: withSignal(() => {
      throw new Error('no');
    }, options),
  }),
  'abandonOnCancel()': (options) => {
    let end: (() => void) | undefined;
    return {
      promise: abandonOnCancel(() => new Promise<void>((resolve) => (end = resolve)), options),
      end: () => end?.(),
    };
  },
  'CancelScope.run()': (options) => {
    const lot = new ParkingLot();
    return { promise: new CancelScope(options).run(() => lot.park()), end: () => void lot.unpark() };
  },
  'CancelScope.run(), whose body throws': (options) => {
    const lot = new ParkingLot();
    const promise = new CancelScope(options).run(async () => {
      await lot.park();
      throw new Error('no');
    });
    return { promise, end: () => void lot.unpark() };
  },
  'moveOnAfter()': (options) => ({ promise: moveOnAfter(1, () => sleepForever(), options) }),
  'failAfter()': (options) => ({ promise: failAfter(1, () => sleepForever(), options) }),
  'shield()': (options) => {
    const lot = new ParkingLot();
    return { promise: shield(() => lot.park(), options), end: () => void lot.unpark() };
  },
  'taskGroup()': (options) => {
    const lot = new ParkingLot();
    const promise = taskGroup((tg) => void tg.startSoon(() => lot.park()), options);
    return { promise, end: () => void lot.unpark() };
  },
  'taskGroup(), one of whose tasks fails': (options) => {
    const lot = new ParkingLot();
    const promise = taskGroup((tg) => {
      tg.startSoon(async () => {
        await lot.park();
        throw new Error('no');
      });
      tg.startSoon(() => sleepForever());
    }, options);
    return { promise, end: () => void lot.unpark() };
  },
  'run()': (options) => {
    const lot = new ParkingLot();
    return { promise: run(() => lot.park(), options), end: () => void lot.unpark() };
  },
  'TaskHandle.wait()': (options) => {
    const lot = new ParkingLot();
    const promise = taskGroup(async (tg) => {
      const task = tg.startSoon(() => lot.park());
      await task.wait(options).finally(() => tg.cancel());
    });
    return { promise, end: () => void lot.unpark() };
  },
  'TaskHandle.result()': (options) => {
    const lot = new ParkingLot();
    const promise = taskGroup(async (tg) => {
      const task = tg.startSoon(() => lot.park());
      await task.result(options).finally(() => tg.cancel());
    });
    return { promise, end: () => void lot.unpark() };
  },
  'all()': (options) => ({ promise: all([() => sleep(1), () => checkpoint()], options) }),
  'allSettled()': (options) => ({ promise: allSettled([() => sleep(1), () => checkpoint()], options) }),
  'race()': (options) => ({ promise: race([() => sleep(1), () => sleepForever()], options) }),
  'any()': (options) => ({ promise: any([() => sleep(1), () => sleepForever()], options) }),
  'map()': (options) => ({ promise: map([1, 1, 1], (ms) => sleep(ms), { limit: 2, ...options }) }),
  'asCompleted()': (options) => ({
    promise: asCompleted(
      [() => sleep(1), () => sleepForever()],
      async (completed) => {
        for await (const _task of completed) break;
      },
      options,
    ),
  }),
};

describe.each(Object.entries(withOptionSignal))(
  'no listener is left on a foreign signal by %s',
  (_, begin) => {
    const listeners = (controller: AbortController): number =>
      getEventListeners(controller.signal, 'abort').length;

    test('when it ends by itself', async () => {
      const controller = new AbortController();
      const { promise, end } = begin({ signal: controller.signal });
      const settled = Promise.allSettled([promise]);
      await nextTurn();
      if (end === undefined) controller.abort();
      else end();
      await settled;
      expect(listeners(controller)).toBe(0);
    });

    test('when a scope around is cancelled', async () => {
      const controller = new AbortController();
      const scope = new CancelScope();
      await scope
        .run(async () => {
          const { promise, end } = begin({ signal: controller.signal });
          const settled = Promise.allSettled([promise]);
          await nextTurn();
          scope.cancel();
          // What is shielded does not mind.
          end?.();
          await settled;
        })
        .catch(() => {});
      expect(listeners(controller)).toBe(0);
    });

    test('when the signal aborts', async () => {
      const controller = new AbortController();
      const { promise } = begin({ signal: controller.signal });
      const settled = Promise.allSettled([promise]);
      controller.abort();
      await settled;
      expect(listeners(controller)).toBe(0);
    });

    test('when the signal has aborted before', async () => {
      const controller = new AbortController();
      controller.abort();
      const { promise, end } = begin({ signal: controller.signal });
      end?.();
      await Promise.allSettled([promise]);
      expect(listeners(controller)).toBe(0);
    });

    test('when the scope around is cancelled already', async () => {
      const controller = new AbortController();
      const scope = new CancelScope();
      scope.cancel();
      await scope
        .run(async () => {
          const { promise, end } = begin({ signal: controller.signal });
          end?.();
          await Promise.allSettled([promise]);
        })
        .catch(() => {});
      expect(listeners(controller)).toBe(0);
    });
  },
);

describe('no timer is left', () => {
  /** Real time, with a count of the calls that are pending. */
  class CountingClock implements Clock {
    pending = 0;
    most = 0;
    now(): number {
      return performance.now();
    }
    schedule(at: number, wake: () => void): { cancel(): void } {
      this.most = Math.max(this.most, ++this.pending);
      let isPending = true;
      const end = (): void => {
        if (isPending) this.pending--;
        isPending = false;
      };
      const timer = setTimeout(
        () => {
          end();
          wake();
        },
        Math.max(0, at - performance.now()),
      );
      return {
        cancel() {
          clearTimeout(timer);
          end();
        },
      };
    }
  }

  const programs: Readonly<Record<string, () => Promise<unknown>>> = {
    'a sleep that was over': () => sleep(1),
    'a sleep that was cancelled': () =>
      new CancelScope().run((scope) => {
        setImmediate(() => scope.cancel());
        return sleep(60_000);
      }),
    'a sleep whose signal aborted': () => {
      const controller = new AbortController();
      setImmediate(() => controller.abort());
      return sleep(60_000, { signal: controller.signal }).catch(() => {});
    },
    'a timeout that did not happen': () => moveOnAfter(60_000, () => checkpoint()),
    'a timeout that did': () => moveOnAfter(1, () => sleep(60_000)),
    'a timeout whose body failed': () =>
      failAfter(60_000, () => Promise.reject(new Error('no'))).catch(() => {}),
    'a deadline that was moved away': () =>
      new CancelScope({ timeout: 60_000 }).run((scope) => {
        scope.deadline = Infinity;
      }),
    'a scope that was cancelled before its time': () =>
      new CancelScope({ timeout: 60_000 }).run((scope) => scope.cancel()),
    'a cleanup': () => cleanup(() => checkpoint()),
    'a group with timeouts of all kinds': () =>
      taskGroup((tg) => {
        for (let i = 0; i < 10; i++) {
          tg.startSoon(() => moveOnAfter(60_000 + i, () => checkpoint()));
          tg.startSoon(() => sleep(60_000 - i));
          tg.startSoon(() => moveOnAfter(60_000 - i, () => sleepForever()));
        }
        setImmediate(() => tg.cancel());
      }),
    'a race against time': () => race([() => checkpoint(), () => sleep(60_000)]),
  };

  test.each(Object.entries(programs))('by %s', async (_name, program) => {
    const clock = new CountingClock();
    await run(
      async () => {
        await program();
        expect(clock.pending).toBe(0);
      },
      { clock },
    );
    expect(clock.most).toBe(1);
  });

  test.each(Object.entries(programs))('of the platform by %s', async (_name, program) => {
    const before = timers();
    await program();
    expect(timers()).toBe(before);
  });
});

describe('no MaxListenersExceededWarning', () => {
  async function warningsDuring(body: () => Promise<unknown>): Promise<string[]> {
    const names: string[] = [];
    const note = (warning: Error): void => void names.push(warning.name);
    process.on('warning', note);
    try {
      await body();
      await nextTurn();
    } finally {
      process.off('warning', note);
    }
    return names;
  }

  const MANY = 100;

  test('for many calls of withSignal() in one scope, at once and one after another', async () => {
    const names = await warningsDuring(() =>
      new CancelScope().run(async (scope) => {
        for (let i = 0; i < MANY; i++) {
          const emitter = new EventEmitter();
          setImmediate(() => emitter.emit('done'));
          await withSignal((signal) => once(emitter, 'done', { signal }));
        }
        expect(getEventListeners(scope.signal, 'abort')).toHaveLength(0);
        const all100 = Array.from({ length: MANY }, () => {
          const emitter = new EventEmitter();
          return withSignal((signal) => once(emitter, 'done', { signal }));
        });
        expect(getEventListeners(scope.signal, 'abort')).toHaveLength(0);
        scope.cancel();
        await Promise.all(all100);
      }),
    );
    expect(names).toEqual([]);
  });

  test('for many waits, scopes and groups with the signal of one scope', async () => {
    const names = await warningsDuring(() =>
      new CancelScope().run(async (scope) => {
        const { signal } = scope;
        const waits = Array.from({ length: MANY }, () => [
          sleepForever({ signal }),
          new CancelScope({ signal }).run(() => sleepForever()),
          taskGroup(() => sleepForever(), { signal }),
          withSignal(() => sleepForever(), { signal }),
        ]);
        expect(getEventListeners(signal, 'abort')).toHaveLength(0);
        scope.cancel();
        await Promise.allSettled(waits.flat());
      }),
    );
    expect(names).toEqual([]);
  });
});
