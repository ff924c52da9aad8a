/** Tests of explicit mode, where nothing is ambient: they run in Node on a bundle for browsers (explicit-mode.test.ts). */

import { BrokenResourceError, CancelScope, isCancelled, taskGroup, type WaitOptions } from '@taskscope/core';
import {
  createMemoryObjectStream,
  createWatch,
  merge,
  onTimeout,
  produce,
  select,
  type MemoryObjectReceiveStream,
  type MemoryObjectSendStream,
} from '@taskscope/streams';
import { Event } from '@taskscope/sync';

function equal(actual: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (left !== right) throw new Error(`expected ${right}, got ${left}`);
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

type Ends = readonly [MemoryObjectSendStream<number>, MemoryObjectReceiveStream<number>];

/** Every wait, on a stream that is a rendezvous. */
const waits: Readonly<Record<string, (ends: Ends, options: WaitOptions) => Promise<unknown>>> = {
  send: ([send], options) => send.send(1, options),
  reserve: ([send], options) => send.reserve(options),
  receive: ([, receive], options) => receive.receive(options),
  receiveMany: ([, receive], options) => receive.receiveMany(2, options),
  values: ([, receive], options) => receive.values(options)[Symbol.asyncIterator]().next(),
  select: ([send, receive], options) => {
    const cases = { put: send.onSend(1), get: receive.onReceive(), stop: new Event().onSet() };
    return select(cases, options);
  },
  changed: (_, options) => createWatch(0)[1].changed(options),
  until: (_, options) => createWatch(0)[1].until((n) => n > 0, options),
};

export const tests: Readonly<Record<string, () => Promise<void>>> = {
  async 'every wait is cancelled with the scope whose signal it is given'() {
    for (const wait of Object.values(waits)) {
      const ends = createMemoryObjectStream<number>();
      const scope = new CancelScope();
      await scope.run(async ({ signal }) => {
        const waiting = wait(ends, { signal });
        scope.cancel('enough');
        const { tasksWaitingSend, tasksWaitingReceive } = ends[0].statistics();
        equal([tasksWaitingSend, tasksWaitingReceive], [0, 0]);
        const error = await failing(waiting);
        equal([isCancelled(error), (error as { reason?: unknown }).reason], [true, 'enough']);
        // Again and again: a scope is a level.
        equal(isCancelled(await failing(wait(ends, { signal }))), true);
        throw error;
      });
      equal(scope.cancelledCaught, true);
    }
  },

  async 'every wait is ended by a foreign signal'() {
    for (const wait of Object.values(waits)) {
      const ends = createMemoryObjectStream<number>();
      const controller = new AbortController();
      const waiting = wait(ends, { signal: controller.signal });
      controller.abort('stop');
      equal(await failing(waiting), 'stop');
      equal(await failing(wait(ends, { signal: controller.signal })), 'stop');
    }
  },

  async 'tasks pass items on'() {
    const [send, receive] = createMemoryObjectStream<number>();
    const received: number[] = [];
    await taskGroup((tg) => {
      tg.createTask(async ({ signal }) => {
        for (const n of [1, 2, 3]) await send.send(n, { signal });
        send.close();
      });
      tg.createTask(async ({ signal }) => {
        for await (const n of receive.values({ signal })) received.push(n);
      });
    });
    equal(received, [1, 2, 3]);
  },

  async 'a selection ends with its time'() {
    const [, receive] = createMemoryObjectStream<number>();
    equal((await select({ get: receive.onReceive(), idle: onTimeout(1) })).key, 'idle');
    equal(receive.statistics().tasksWaitingReceive, 0);
  },

  async 'a producer notices by its send that the consumer has left'() {
    const errors: unknown[] = [];
    const found = await produce<number, number>(
      async (send) => {
        try {
          for (let n = 0; ; n++) await send.send(n);
        } catch (error) {
          errors.push(error);
          throw error;
        }
      },
      async (items) => {
        for await (const n of items) if (n === 3) return n;
        return -1;
      },
    );
    equal(found, 3);
    equal([errors.length, errors[0] instanceof BrokenResourceError], [1, true]);
  },

  async 'sources that are merged are stopped when the body leaves'() {
    const events: string[] = [];
    async function* counting(): AsyncGenerator<number> {
      try {
        for (let n = 0; ; n++) yield n;
      } finally {
        events.push('stopped');
      }
    }
    const seen = await merge([counting(), counting()], async (items) => {
      const firstThree: number[] = [];
      for await (const n of items) if (n < 3 && firstThree.push(n) === 6) break;
      return firstThree.toSorted((a, b) => a - b);
    });
    equal(seen, [0, 0, 1, 1, 2, 2]);
    equal(events, ['stopped', 'stopped']);
  },
};
