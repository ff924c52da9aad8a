/**
 * A test for each export of `@taskscope/core`. Every wait is told its scope, as explicit mode wants it, so that the
 * tests are the same everywhere; where something is ambient by its nature, both answers are stated.
 */

import {
  abandonOnCancel,
  all,
  allSettled,
  any,
  asCompleted,
  bindToScope,
  BrokenResourceError,
  BusyResourceError,
  Cancelled,
  CancelScope,
  cancelShieldedCheckpoint,
  catchErrors,
  checkpoint,
  checkpointIfCancelled,
  cleanup,
  ClosedResourceError,
  currentEffectiveDeadline,
  currentSignal,
  currentTask,
  currentTime,
  DelimiterNotFound,
  detached,
  EndOfStream,
  failAfter,
  failAt,
  flattenErrors,
  formatTaskTree,
  FutureCancelled,
  IncompleteRead,
  InvalidStateError,
  isCancelled,
  map,
  moveOnAfter,
  moveOnAt,
  race,
  rethrowSingle,
  run,
  ScopeExitedError,
  shield,
  sleep,
  sleepForever,
  sleepUntil,
  splitErrors,
  TaskCancelled,
  TaskFailed,
  taskGroup,
  TaskGroupError,
  TaskNotFinished,
  taskTree,
  TimeoutError,
  withResource,
  withSignal,
  WouldBlock,
  type TaskContext,
} from '@taskscope/core';
import type * as core from '@taskscope/core';
import { BufferedByteReceiveStream, createMemoryObjectStream } from '@taskscope/streams';
import { Future, ResourceGuard } from '@taskscope/sync';
import { equal, nextTurn, rejects, throws, type TestsOf } from './check.js';

const DAY = 86_400_000;

/** Runs a body in a scope that is cancelled already. */
async function inCancelledScope(body: (scope: CancelScope) => Promise<unknown>): Promise<CancelScope> {
  const scope = new CancelScope();
  scope.cancel();
  await scope.run(body);
  return scope;
}

function forever({ signal }: TaskContext): Promise<never> {
  return sleepForever({ signal });
}

export const coreTests: TestsOf<typeof core> = {
  async run({ ambient }) {
    equal(await run(() => currentTask().name, { name: 'main' }), ambient ? 'main' : 'root');
    await rejects(
      run(() => Promise.reject(new RangeError('no'))),
      RangeError,
    );
    const controller = new AbortController();
    setTimeout(() => controller.abort(new RangeError('stop')), 0);
    const { signal } = controller;
    await rejects(
      run(() => sleepForever({ signal }), { signal }),
      RangeError,
    );
  },

  async detached({ ambient }) {
    await run(
      () => {
        equal(currentTask().name, ambient ? 'main' : 'root');
        equal(
          detached(() => currentTask().name),
          'root',
        );
      },
      { name: 'main' },
    );
  },

  async bindToScope({ ambient }) {
    await run(
      async () => {
        const bound = bindToScope(() => currentTask().name);
        equal(detached(bound), ambient ? 'main' : 'root');
      },
      { name: 'main' },
    );
  },

  async taskGroup() {
    const done: string[] = [];
    const value = await taskGroup((tg) => {
      for (const name of ['a', 'b']) {
        tg.createTask(async ({ signal }) => {
          await sleep(1, { signal });
          done.push(name);
        });
      }
      return 'value';
    });
    equal(value, 'value');
    equal(done, ['a', 'b']);

    let stopped = false;
    const error = await rejects(
      taskGroup((tg) => {
        tg.createTask((task) => forever(task).finally(() => (stopped = true)));
        tg.startSoon(() => Promise.reject(new RangeError('no')));
      }),
      TaskGroupError,
    );
    equal(flattenErrors(error).map(String), ['RangeError: no']);
    equal(stopped, true);

    await taskGroup(async (tg) => {
      const port = await tg.start<number, []>(async (status) => {
        status.started(8080);
        await sleepForever({ signal: status.signal });
      });
      equal(port, 8080);
      tg.cancel();
    });
  },

  async CancelScope() {
    const scope = new CancelScope({ name: 'outer' });
    const result = await scope.run(({ signal }) => {
      setTimeout(() => scope.cancel('enough'), 0);
      return sleepForever({ signal });
    });
    equal(result, undefined);
    equal([scope.cancelCalled, scope.cancelledCaught, scope.signal.aborted], [true, true, true]);
  },

  async currentEffectiveDeadline({ ambient }) {
    equal(currentEffectiveDeadline(), Infinity);
    const scope = new CancelScope({ timeout: DAY });
    await scope.run(() => equal(currentEffectiveDeadline(), ambient ? scope.deadline : Infinity));
  },

  async failAfter() {
    await rejects(
      failAfter(1, ({ signal }) => sleepForever({ signal })),
      TimeoutError,
    );
    equal(await failAfter(DAY, () => 'in time'), 'in time');
  },

  async failAt() {
    await rejects(
      failAt(currentTime() + 1, ({ signal }) => sleepForever({ signal })),
      TimeoutError,
    );
    equal(await failAt(null, () => 'in time'), 'in time');
  },

  async moveOnAfter() {
    equal(await moveOnAfter(1, ({ signal }) => sleepForever({ signal })), undefined);
    equal(await moveOnAfter(DAY, () => 'in time'), 'in time');
    const scope = moveOnAfter(1);
    await scope.run(({ signal }) => sleepForever({ signal }));
    equal(scope.cancelledCaught, true);
  },

  async moveOnAt() {
    const deadline = currentTime() + 2;
    equal(await moveOnAt(deadline, ({ signal }) => sleepForever({ signal })), undefined);
    equal(currentTime() >= deadline, true);
  },

  async shield() {
    const log: string[] = [];
    const scope = await inCancelledScope(async ({ signal }) => {
      await shield((inner) => sleep(1, { signal: inner.signal }), { signal });
      log.push('slept');
      await checkpoint({ signal });
    });
    equal(log, ['slept']);
    equal(scope.cancelledCaught, true);
  },

  async cleanup() {
    const log: string[] = [];
    await inCancelledScope(async ({ signal }) => {
      try {
        await sleepForever({ signal });
      } finally {
        await cleanup((inner) => sleep(1, { signal: inner.signal }));
        log.push('cleaned up');
      }
    });
    equal(log, ['cleaned up']);
    equal(await cleanup((inner) => sleepForever({ signal: inner.signal }), { grace: 1 }), undefined);
  },

  async withResource() {
    const log: string[] = [];
    const used = withResource(
      () => 'cup',
      () => Promise.reject(new RangeError('broken')),
      async (cup) => {
        await nextTurn();
        log.push(`${cup} released`);
      },
    );
    await rejects(used, RangeError);
    equal(log, ['cup released']);
  },

  async currentTime() {
    const before = currentTime();
    await sleep(5);
    equal(currentTime() - before >= 5, true);
  },

  async sleep() {
    await sleep(0);
    await moveOnAfter(1, async ({ signal }) => {
      await sleep(DAY, { signal });
      throw new Error('not reached');
    });
    await rejects(sleep(NaN), RangeError);
  },

  async sleepForever() {
    const scope = await inCancelledScope(({ signal }) => sleepForever({ signal }));
    equal(scope.cancelledCaught, true);
  },

  async sleepUntil() {
    const deadline = currentTime() + 2;
    await sleepUntil(deadline);
    equal(currentTime() >= deadline, true);
  },

  async cancelShieldedCheckpoint({ ambient }) {
    const scope = await inCancelledScope(() => cancelShieldedCheckpoint());
    equal(scope.cancelledCaught, false);
    if (!ambient) return;
    // Others run meanwhile.
    let ran = false;
    queueMicrotask(() => (ran = true));
    await cancelShieldedCheckpoint();
    equal(ran, true);
  },

  async checkpoint() {
    await checkpoint();
    await inCancelledScope(async ({ signal }) => {
      // A level, not an edge: every wait is cancelled.
      await rejects(checkpoint({ signal }), Cancelled);
      await rejects(checkpoint({ signal }), Cancelled);
    });
  },

  async checkpointIfCancelled() {
    await checkpointIfCancelled();
    await inCancelledScope(({ signal }) => rejects(checkpointIfCancelled({ signal }), Cancelled));
  },

  async abandonOnCancel() {
    equal(await abandonOnCancel(Promise.resolve('value')), 'value');
    const result = await moveOnAfter(1, ({ signal }) => abandonOnCancel(new Promise(() => {}), { signal }));
    equal(result, undefined);
  },

  async currentSignal({ ambient }) {
    await inCancelledScope(async ({ signal }) => {
      equal(currentSignal().aborted, ambient);
      equal(currentSignal() === signal, ambient);
    });
    equal(currentSignal().aborted, false);
  },

  async withSignal() {
    const result = await moveOnAfter(1, ({ signal }) =>
      withSignal(
        (own) =>
          new Promise<never>((_resolve, reject) => {
            own.addEventListener('abort', () => reject(own.reason as Error));
          }),
        { signal },
      ),
    );
    equal(result, undefined);
  },

  async all() {
    equal(await all([() => 1, () => sleep(1).then(() => 'two')]), [1, 'two']);
    let stopped = false;
    const failing = all([
      (task) => forever(task).finally(() => (stopped = true)),
      () => Promise.reject(new Error('no')),
    ]);
    await rejects(failing, TaskGroupError);
    equal(stopped, true);
  },

  async allSettled() {
    const settled = await allSettled([() => 1, () => Promise.reject(new Error('no'))]);
    equal(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
  },

  async any() {
    const tasks = [forever, () => Promise.reject(new Error('no')), () => sleep(1).then(() => 'won')];
    equal(await any<unknown>(tasks), 'won');
    await rejects(any([() => Promise.reject(new Error('no'))]), AggregateError);
  },

  async race() {
    let stopped = false;
    const winner = await race<unknown>([
      (task) => forever(task).finally(() => (stopped = true)),
      () => 'won',
    ]);
    equal(winner, 'won');
    equal(stopped, true);
  },

  async map() {
    let [now, most] = [0, 0];
    const squares = await map(
      [3, 2, 1],
      async (n, _index, { signal }) => {
        most = Math.max(most, ++now);
        await sleep(n, { signal });
        now--;
        return n * n;
      },
      { limit: 2 },
    );
    equal(squares, [9, 4, 1]);
    equal(most, 2);
  },

  async asCompleted() {
    const order = await asCompleted([() => sleep(5).then(() => 'slow'), () => 'fast'], async (completed) => {
      const values: string[] = [];
      for await (const task of completed) values.push(task.returnValue);
      return values;
    });
    equal(order, ['fast', 'slow']);
  },

  async BrokenResourceError() {
    const [send, receive] = createMemoryObjectStream<number>();
    receive.close();
    await rejects(send.send(1), BrokenResourceError);
  },

  BusyResourceError() {
    const guard = new ResourceGuard();
    const inUse = guard.enter();
    throws(() => guard.enter(), BusyResourceError);
    inUse[Symbol.dispose]();
  },

  async Cancelled() {
    const scope = new CancelScope();
    await scope.run(async ({ signal }) => {
      scope.cancel('enough');
      const error = await rejects(checkpoint({ signal }), Cancelled);
      const { name, reason, source } = error as Cancelled;
      equal([name, reason, source], ['Cancelled', 'enough', 'cancel']);
    });
  },

  async ClosedResourceError() {
    const [send] = createMemoryObjectStream<number>();
    send.close();
    await rejects(send.send(1), ClosedResourceError);
  },

  async DelimiterNotFound() {
    const stream = new BufferedByteReceiveStream(createMemoryObjectStream<Uint8Array>()[1]);
    stream.feedData(new Uint8Array(10));
    await rejects(stream.receiveUntil('\n', 5), DelimiterNotFound);
  },

  async EndOfStream() {
    const [send, receive] = createMemoryObjectStream<number>();
    send.close();
    await rejects(receive.receive(), EndOfStream);
  },

  async FutureCancelled() {
    const future = new Future<number>();
    future.cancel();
    await rejects(future.result(), FutureCancelled);
  },

  async IncompleteRead() {
    const [send, receive] = createMemoryObjectStream<Uint8Array>();
    send.close();
    await rejects(new BufferedByteReceiveStream(receive).receiveExactly(1), IncompleteRead);
  },

  async InvalidStateError() {
    const scope = new CancelScope();
    await scope.run(() => {});
    await rejects(
      scope.run(() => {}),
      InvalidStateError,
    );
  },

  async ScopeExitedError() {
    const escaping = async ({ signal }: TaskContext): Promise<unknown> => {
      let forgotten: Promise<void> | undefined;
      const scope = new CancelScope({ signal });
      await scope.run((inner) => void (forgotten = sleep(1, { signal: inner.signal })));
      return forgotten;
    };
    await rejects(run(escaping, { escapes: 'error' }), ScopeExitedError);
  },

  async TaskCancelled() {
    await taskGroup(async (tg) => {
      const task = tg.createTask(forever);
      task.cancel();
      await task.wait();
      throws(() => task.returnValue, TaskCancelled);
    });
  },

  async TaskFailed() {
    let failure: unknown;
    const group = taskGroup(async (tg) => {
      const task = tg.startSoon(() => Promise.reject(new RangeError('no')));
      failure = await task.result().catch((error: unknown) => error);
    });
    await rejects(group, TaskGroupError);
    equal(failure instanceof TaskFailed && failure.cause instanceof RangeError, true);
  },

  async TaskGroupError() {
    const fail = (): never => {
      throw new RangeError('too far');
    };
    const group = taskGroup((tg) => void tg.startSoon(fail), { name: 'trip' });
    const error = (await rejects(group, TaskGroupError)) as TaskGroupError;
    equal(error instanceof AggregateError, true);
    equal(error.message, '1 error in task group "trip": too far');
    equal(error.cause instanceof RangeError, true);
  },

  async TaskNotFinished() {
    await taskGroup((tg) => {
      const task = tg.createTask(() => 1);
      throws(() => task.returnValue, TaskNotFinished);
    });
  },

  async TimeoutError() {
    const limited = failAfter(1, ({ signal }) => sleepForever({ signal }), { reason: 'the tea' });
    equal((await rejects(limited, TimeoutError)).message, 'the tea timed out after 1 ms');
  },

  WouldBlock() {
    throws(() => createMemoryObjectStream<number>()[1].receiveNowait(), WouldBlock);
  },

  async isCancelled() {
    equal(isCancelled(new Error('no')), false);
    await inCancelledScope(async ({ signal }) => {
      equal(isCancelled(await rejects(checkpoint({ signal }), Error)), true);
    });
    equal(isCancelled(undefined), false);
  },

  async catchErrors() {
    const caught: string[] = [];
    const rest = await rejects(
      catchErrors(
        () => Promise.reject(new AggregateError([new RangeError('a'), new TypeError('b')])),
        [RangeError, (group) => caught.push(...group.errors.map(String))],
      ),
      AggregateError,
    );
    equal(caught, ['RangeError: a']);
    equal(flattenErrors(rest).map(String), ['TypeError: b']);
  },

  flattenErrors() {
    equal(flattenErrors(new AggregateError([1, new AggregateError([2, 3])])), [1, 2, 3]);
  },

  rethrowSingle() {
    throws(
      () => rethrowSingle(new AggregateError([new AggregateError([new RangeError('one')])])),
      RangeError,
    );
    throws(() => rethrowSingle(new AggregateError([1, 2])), AggregateError);
  },

  splitErrors() {
    const [matched, rest] = splitErrors(
      new AggregateError([new RangeError('a'), new TypeError('b')]),
      RangeError,
    );
    equal(
      [matched, rest].map((group) => group?.errors.map(String)),
      [['RangeError: a'], ['TypeError: b']],
    );
  },

  async currentTask({ ambient }) {
    equal([currentTask().name, currentTask().id, currentTask().parentId], ['root', 0, undefined]);
    await taskGroup((tg) => {
      tg.createTask(() => equal(currentTask().name, ambient ? 'kettle' : 'root'), { name: 'kettle' });
    });
  },

  async taskTree() {
    await taskGroup(
      async (tg) => {
        tg.createTask(forever, { name: 'kettle' });
        await nextTurn();
        const kitchen = taskTree().children.find(({ name }) => name === 'kitchen');
        const kettle = kitchen?.children[0];
        equal([kettle?.kind, kettle?.name, kettle?.waitingFor], ['task', 'kettle', ['sleepForever']]);
        tg.cancel();
      },
      { name: 'kitchen' },
    );
  },

  async formatTaskTree() {
    await taskGroup(
      async (tg) => {
        tg.createTask(forever, { name: 'kettle' });
        await nextTurn();
        equal(/group "kitchen"[^]*task "kettle" .* waits for sleepForever/.test(formatTaskTree()), true);
        tg.cancel();
      },
      { name: 'kitchen' },
    );
    equal(formatTaskTree().includes('kitchen'), false);
  },
};
