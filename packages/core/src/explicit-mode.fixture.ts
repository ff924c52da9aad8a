/**
 * Tests of explicit mode, where nothing is ambient and every wait is told its scope by `{ signal }`. Written for every
 * platform: they run in Node on a bundle for browsers (explicit-mode.test.ts), in a browser (`npm test -- --only browser`),
 * and on other runtimes (`pnpm test:runtimes`).
 */

import {
  abandonOnCancel,
  all,
  allSettled,
  any,
  asCompleted,
  Cancelled,
  CancelScope,
  checkpoint,
  checkpointIfCancelled,
  cleanup,
  currentSignal,
  currentTask,
  currentTime,
  detached,
  failAfter,
  flattenErrors,
  formatTaskTree,
  InvalidStateError,
  isCancelled,
  map,
  moveOnAfter,
  race,
  run,
  shield,
  sleep,
  sleepForever,
  sleepUntil,
  taskGroup,
  TaskGroupError,
  TimeoutError,
  withResource,
  withSignal,
  type WaitOptions,
} from '@taskscope/core';
import { bindToScope, currentScope, ParkingLot, suspend } from '@taskscope/core/lowlevel';

/** What the tests need of the world: a server with `/answer`, which answers "answer", and `/never`, which does not answer. */
export interface Environment {
  readonly url: string;
}

function equal(actual: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  const isSame = Object.is(actual, expected) || (typeof actual === 'object' && left === right);
  if (!isSame) throw new Error(`expected ${String(right ?? expected)}, got ${String(left ?? actual)}`);
}

async function failing(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`expected a rejection, got ${String(value)}`);
}

/** A foreign signal that counts its listeners. */
function countedSignal(): { readonly controller: AbortController; readonly listeners: () => number } {
  const controller = new AbortController();
  return { controller, listeners: countListeners(controller.signal) };
}

function countListeners(signal: AbortSignal): () => number {
  const listeners = new Set<unknown>();
  const addEventListener = signal.addEventListener.bind(signal);
  const removeEventListener = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: never, options: never) => {
    listeners.add(listener);
    addEventListener(type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: never, options: never) => {
    listeners.delete(listener);
    removeEventListener(type, listener, options);
  };
  return () => listeners.size;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

export const tests: Readonly<Record<string, (environment: Environment) => Promise<void>>> = {
  async 'nothing is ambient'() {
    const root = currentScope();
    await run(() =>
      new CancelScope().run((scope) =>
        taskGroup(() => {
          equal(currentScope(), root);
          equal(currentTask().id, 0);
          equal(bindToScope(() => currentScope())(), root);
          equal(
            detached(() => currentScope()),
            root,
          );
          equal(currentSignal().aborted, false);
          if (scope === root) throw new Error('a scope is not the root');
        }),
      ),
    );
    let error: unknown;
    try {
      root.cancel();
    } catch (thrown) {
      error = thrown;
    }
    equal(error instanceof InvalidStateError, true);
  },

  async 'a program runs, and gives back its value and its error'() {
    equal(await run(async () => 42), 42);
    const error = new RangeError('no');
    equal(await failing(run(() => Promise.reject(error))), error);
  },

  async 'the signal of a run stands for the run'() {
    let now = 0;
    const clock = { now: () => now, schedule: () => ({ cancel() {} }) };
    const controller = new AbortController();
    const ended = run(
      async ({ signal }) => {
        await sleepUntil(0, { signal });
        now = 10;
        await sleepUntil(10, { signal });
        controller.abort('reason');
        equal(signal.aborted, true);
        await checkpoint({ signal });
      },
      { clock, signal: controller.signal },
    );
    equal(await failing(ended), 'reason');
  },

  async 'a wait with the signal of a scope is a wait in that scope'() {
    const scope = new CancelScope();
    const lot = new ParkingLot();
    const result = await scope.run(async () => {
      const listeners = countListeners(scope.signal);
      const parked = lot.park({ signal: scope.signal });
      equal(listeners(), 0);
      scope.cancel('enough');
      equal(lot.size, 0);
      await parked;
      return 'not reached';
    });
    equal(result, undefined);
    equal(scope.cancelledCaught, true);
  },

  async 'cancellation is a level: every further wait rejects as well'() {
    const scope = new CancelScope();
    const caught: unknown[] = [];
    await scope.run(async () => {
      scope.cancel();
      const { signal } = scope;
      const waits: ((options: WaitOptions) => Promise<unknown>)[] = [
        checkpoint,
        checkpointIfCancelled,
        sleepForever,
        (options) => sleep(0, options),
        (options) => sleepUntil(currentTime() + 1, options),
        (options) => new ParkingLot().park(options),
        (options) => suspend(() => () => {}, options),
        (options) => withSignal(() => caught.push('was called'), options),
        (options) => abandonOnCancel(() => caught.push('was called'), options),
        (options) => new CancelScope(options).run((inner) => checkpoint({ signal: inner.signal })),
        (options) => taskGroup((tg) => checkpoint({ signal: tg.cancelScope.signal }), options),
      ];
      for (const wait of waits) {
        const error = await failing(wait({ signal }));
        equal(error instanceof Cancelled, true);
        equal(isCancelled(error), true);
      }
      await checkpoint({ signal });
    });
    equal(caught.length, 0);
    equal(scope.cancelledCaught, true);
  },

  async 'a wait without a signal belongs to nobody'() {
    const scope = new CancelScope();
    await scope.run(async () => {
      scope.cancel();
      await checkpoint();
      await sleep(1);
    });
    equal(scope.cancelledCaught, false);
  },

  async 'a scope in a scope is made by the signal of the outer one'() {
    const outer = new CancelScope();
    let inner: CancelScope | undefined;
    await outer.run(async () => {
      inner = new CancelScope({ signal: outer.signal });
      const running = inner.run((scope) => sleepForever({ signal: scope.signal }));
      outer.cancel();
      await running;
    });
    equal(outer.cancelledCaught, true);
    equal(inner?.cancelledCaught, false);
  },

  async 'the inner scope is cancelled alone'() {
    const outer = new CancelScope();
    const result = await outer.run(async () => {
      const inner = new CancelScope({ signal: outer.signal });
      await inner.run((scope) => {
        setTimeout(() => inner.cancel(), 0);
        return sleepForever({ signal: scope.signal });
      });
      equal(inner.cancelledCaught, true);
      await checkpoint({ signal: outer.signal });
      return 'went on';
    });
    equal(result, 'went on');
  },

  async 'a shield keeps out the scope around, whether that is cancelled before or during'() {
    const outer = new CancelScope();
    const done: string[] = [];
    await outer.run(async () => {
      const { signal } = outer;
      const during = shield(
        async (scope) => {
          await sleep(2, { signal: scope.signal });
          done.push('during');
        },
        { signal },
      );
      outer.cancel();
      await during;
      await shield(
        async (scope) => {
          await sleep(1, { signal: scope.signal });
          done.push('before');
        },
        { signal },
      );
      await checkpoint({ signal });
      done.push('not reached');
    });
    equal(done, ['during', 'before']);
    equal(outer.cancelledCaught, true);
  },

  async 'cleaning up is not interrupted'() {
    const released: string[] = [];
    await moveOnAfter(1, async (scope) => {
      try {
        await withResource(
          () => 'resource',
          () => sleepForever({ signal: scope.signal }),
          async (resource) => {
            await sleep(1);
            released.push(resource);
          },
        );
      } finally {
        await cleanup(async (inner) => {
          await sleep(1, { signal: inner.signal });
          released.push('rest');
        });
      }
    });
    equal(released, ['resource', 'rest']);
    const hung = await cleanup((inner) => sleepForever({ signal: inner.signal }), { grace: 1 });
    equal(hung, undefined);
  },

  async 'time limits'() {
    const before = currentTime();
    equal(await moveOnAfter(3, (scope) => sleepForever({ signal: scope.signal })), undefined);
    equal(currentTime() - before >= 3, true);
    equal(
      await moveOnAfter(60_000, (scope) => sleep(1, { signal: scope.signal }).then(() => 'slept')),
      'slept',
    );
    const error = await failing(failAfter(1, (scope) => sleepForever({ signal: scope.signal })));
    equal(error instanceof TimeoutError, true);
  },

  async 'a hot loop of operations that complete at once does not keep a deadline from firing'() {
    let rounds = 0;
    await moveOnAfter(5, async (scope) => {
      for (;;) {
        rounds++;
        await checkpoint({ signal: scope.signal });
      }
    });
    equal(rounds > 1, true);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 0);
    try {
      while (ticks < 3) await checkpoint();
    } finally {
      clearInterval(timer);
    }
  },

  async 'tasks are given their signal'() {
    const lot = new ParkingLot();
    const handles = await taskGroup(async (tg) => {
      const tasks = [
        tg.createTask((task) => lot.park({ signal: task.signal })),
        tg.startSoon((signal: AbortSignal) => lot.park({ signal }), tg.cancelScope.signal),
      ];
      await nextTurn();
      equal(lot.size, 2);
      tg.cancel();
      equal(lot.size, 0);
      return tasks;
    });
    equal(
      handles?.map((handle) => handle.status),
      ['cancelled', 'cancelled'],
    );
  },

  async 'a task is cancelled alone, and awaited'() {
    await taskGroup(async (tg) => {
      const task = tg.createTask((context) => sleepForever({ signal: context.signal }));
      const other = tg.createTask(() => sleep(1));
      await nextTurn();
      task.cancel();
      await task.wait({ signal: tg.cancelScope.signal });
      equal(task.status, 'cancelled');
      await other.result({ signal: tg.cancelScope.signal });
    });
  },

  async 'a failing task cancels its group'() {
    const error = await failing(
      taskGroup(async (tg) => {
        tg.createTask((task) => sleepForever({ signal: task.signal }));
        tg.createTask(async (task) => {
          await sleep(1, { signal: task.signal });
          throw new RangeError('no');
        });
        await sleepForever({ signal: tg.cancelScope.signal });
      }),
    );
    equal(error instanceof TaskGroupError, true);
    equal(
      flattenErrors(error).map((each) => (each as Error).message),
      ['no'],
    );
  },

  async 'a group in a scope is cancelled with it'() {
    const scope = new CancelScope();
    const statuses: string[] = [];
    await scope.run(() =>
      taskGroup(
        async (tg) => {
          const tasks = [1, 2].map(() =>
            tg.createTask((context) => sleepForever({ signal: context.signal })),
          );
          await nextTurn();
          scope.cancel();
          statuses.push(...tasks.map((task) => task.status));
          await Promise.all(tasks.map((task) => task.wait()));
          statuses.push(...tasks.map((task) => task.status));
        },
        { signal: scope.signal },
      ),
    );
    equal(statuses, ['cancelling', 'cancelling', 'cancelled', 'cancelled']);
    equal(scope.cancelledCaught, true);
  },

  async 'start() waits until the task is ready'() {
    await taskGroup(async (tg) => {
      const port = await tg.start<number, []>(async (status) => {
        await sleep(1, { signal: status.signal });
        status.started(8080);
        await sleepForever({ signal: status.signal });
      });
      equal(port, 8080);
      const task = await tg.startTask<string, void>(async (status) => {
        status.started('ready');
        await sleepForever({ signal: status.signal });
      });
      equal(task.startValue, 'ready');
      equal((await failing(tg.start(() => sleep(1)))) instanceof InvalidStateError, true);
      const broken = new RangeError('no');
      equal(await failing(tg.start(() => Promise.reject(broken))), broken);
      tg.cancel();
    });
  },

  async 'race() and any(): the losers are cancelled by their signals'() {
    let cancelled = 0;
    const loser = async (task: { signal: AbortSignal }): Promise<never> => {
      try {
        return await sleepForever({ signal: task.signal });
      } finally {
        cancelled++;
      }
    };
    equal(await race([loser, (task) => sleep(1, { signal: task.signal }).then(() => 'won'), loser]), 'won');
    equal(cancelled, 2);
    equal(await any([loser, () => Promise.reject(new Error('no')), () => sleep(1).then(() => 'won')]), 'won');
    equal(cancelled, 3);
  },

  async 'all(), allSettled() and map()'() {
    equal(await all([() => 1, () => sleep(1).then(() => 2)]), [1, 2]);
    const settled = await allSettled([() => 1, () => Promise.reject(new Error('no'))]);
    equal(
      settled.map((each) => each.status),
      ['fulfilled', 'rejected'],
    );
    let atOnce = 0;
    let most = 0;
    const squares = await map(
      [4, 3, 2, 1],
      async (n, _index, task) => {
        most = Math.max(most, ++atOnce);
        await sleep(n, { signal: task.signal });
        atOnce--;
        return n * n;
      },
      { limit: 2 },
    );
    equal(squares, [16, 9, 4, 1]);
    equal(most, 2);
    let cancelled = false;
    await failing(
      map([1, 2], async (n, _index, task) => {
        if (n === 2) throw new Error('no');
        await sleepForever({ signal: task.signal }).finally(() => (cancelled = true));
      }),
    );
    equal(cancelled, true);
  },

  async 'asCompleted()'() {
    const order = await asCompleted(
      [() => sleep(4).then(() => 'slow'), () => 'fast', (task) => sleepForever({ signal: task.signal })],
      async (completed) => {
        const values: string[] = [];
        for await (const task of completed) {
          values.push(task.returnValue);
          if (values.length === 2) break;
        }
        return values;
      },
    );
    equal(order, ['fast', 'slow']);
  },

  async 'combinators in a scope are cancelled with it'() {
    const wait = (task: { signal: AbortSignal }): Promise<never> => sleepForever({ signal: task.signal });
    const combined: Record<string, (options: WaitOptions) => Promise<unknown>> = {
      all: (options) => all([wait], options),
      allSettled: (options) => allSettled([wait], options),
      race: (options) => race([wait], options),
      any: (options) => any([wait], options),
      map: (options) => map([1], (_item, _index, task) => wait(task), options),
      mapFree: (options) => map([1, 2], (_item, _index, task) => wait(task), { ...options, limit: 1 }),
      asCompleted: (options) =>
        asCompleted(
          [wait],
          async (completed) => {
            for await (const _task of completed);
          },
          options,
        ),
    };
    for (const [name, combine] of Object.entries(combined)) {
      const scope = new CancelScope();
      const result = await scope.run(async () => {
        setTimeout(() => scope.cancel(), 1);
        await combine({ signal: scope.signal });
        return `${name} ended by itself`;
      });
      equal(result, undefined);
      equal(scope.cancelledCaught, true);
    }
  },

  async 'withSignal() aborts a request, and takes that for the cancellation'({ url }) {
    const scope = new CancelScope();
    await scope.run(async () => {
      const { signal } = scope;
      const answer = await withSignal((own) => fetch(`${url}/answer`, { signal: own }), { signal });
      equal(await answer.text(), 'answer');
      setTimeout(() => scope.cancel(), 20);
      await withSignal((own) => fetch(`${url}/never`, { signal: own }), { signal });
    });
    equal(scope.cancelledCaught, true);
    const timedOut = await moveOnAfter(20, (inner) => fetch(`${url}/never`, { signal: inner.signal }));
    equal(timedOut, undefined);
  },

  async 'abandonOnCancel() lets foreign work go'() {
    const result = await moveOnAfter(1, (scope) =>
      abandonOnCancel(new Promise((_resolve, reject) => setTimeout(reject, 5, new Error('late'))), {
        signal: scope.signal,
      }),
    );
    equal(result, undefined);
    await sleep(8);
  },

  async 'a foreign signal ends a wait with its reason, and keeps no listener'() {
    const waits: ((options: WaitOptions) => Promise<unknown>)[] = [
      sleepForever,
      (options) => sleep(60_000, options),
      (options) => new ParkingLot().park(options),
      (options) => suspend(() => () => {}, options),
      (options) => abandonOnCancel(new Promise(() => {}), options),
      (options) =>
        withSignal(
          (signal) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason));
            }),
          options,
        ),
    ];
    for (const wait of waits) {
      const { controller, listeners } = countedSignal();
      const waiting = failing(wait({ signal: controller.signal }));
      equal(listeners(), 1);
      controller.abort('reason');
      equal(await waiting, 'reason');
      equal(listeners(), 0);
      equal(await failing(wait({ signal: controller.signal })), 'reason');
      equal(listeners(), 0);
    }
  },

  async 'a foreign signal keeps no listener of what ended by itself'() {
    const { controller, listeners } = countedSignal();
    const { signal } = controller;
    const lot = new ParkingLot();
    const parked = lot.park({ signal });
    equal(listeners(), 1);
    lot.unpark();
    await parked;
    await sleep(1, { signal });
    await new CancelScope({ signal }).run((scope) => sleep(1, { signal: scope.signal }));
    await taskGroup((tg) => void tg.createTask((task) => sleep(1, { signal: task.signal })), { signal });
    await withSignal(() => sleep(1), { signal });
    await all([() => 1], { signal });
    await run(() => sleep(1), { signal });
    equal(listeners(), 0);
  },

  async 'a foreign signal cancels a scope, a group and a run'() {
    const inScope = new AbortController();
    const scope = new CancelScope({ signal: inScope.signal });
    setTimeout(() => inScope.abort('reason'), 0);
    await scope.run((inner) => sleepForever({ signal: inner.signal }));
    equal(scope.cancelledCaught, true);

    const inGroup = new AbortController();
    setTimeout(() => inGroup.abort('reason'), 0);
    const result = await taskGroup(
      async (tg) => {
        tg.createTask((task) => sleepForever({ signal: task.signal }));
        await sleepForever({ signal: tg.cancelScope.signal });
        return 'not reached';
      },
      { signal: inGroup.signal },
    );
    equal(result, undefined);

    const inRun = new AbortController();
    setTimeout(() => inRun.abort('reason'), 0);
    const { signal } = inRun;
    equal(await failing(run(() => sleepForever({ signal }), { signal })), 'reason');
  },

  async 'a signal of a scope is a fresh one once the scope is no longer cancelled'() {
    const outer = new CancelScope();
    await outer.run(async () => {
      const inner = new CancelScope({ signal: outer.signal });
      await inner.run(async () => {
        const first = inner.signal;
        outer.cancel();
        equal(first.aborted, true);
        inner.shield = true;
        equal(inner.signal.aborted, false);
        await sleep(1, { signal: inner.signal });
        // A wait asks the scope, whichever of its signals it was given.
        await checkpoint({ signal: first });
      });
    });
  },

  async 'the task tree shows who waits for what'() {
    await taskGroup(
      async (tg) => {
        tg.createTask((task) => sleepForever({ signal: task.signal }), { name: 'kettle' });
        await nextTurn();
        equal(/group "kitchen"[^]*task "kettle" .* waits for sleepForever/.test(formatTaskTree()), true);
        tg.cancel();
      },
      { name: 'kitchen' },
    );
    equal(formatTaskTree().includes('kitchen'), false);
  },

  async 'trees are deeper than the call stack'() {
    const lot = new ParkingLot();
    const top = new CancelScope();
    const open = (outer: CancelScope): CancelScope => {
      const scope = new CancelScope({ signal: outer.signal });
      void scope.run(() => lot.park({ signal: scope.signal }));
      return scope;
    };
    await top.run(async () => {
      let scope = top;
      for (let i = 0; i < 10_000; i++) scope = open(scope);
      equal(lot.size, 10_000);
      top.cancel();
      equal(lot.size, 0);
      await checkpoint({ signal: top.signal });
    });
  },
};
