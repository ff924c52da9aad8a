/* oxlint-disable require-yield -- an operation that does nothing has nothing to wait for */

import {
  all,
  call,
  createChannel,
  createQueue,
  race,
  run,
  scoped,
  sleep,
  spawn,
  type Operation,
  type Task,
} from 'effection';

import { digest, type Peer, type TimedWork } from '../programs.js';

const HOUR = 3_600_000;

/** Runs `count` tasks, and waits for all. */
function* together(count: number, fn: (index: number) => Operation<void>): Operation<void> {
  const tasks: Task<void>[] = [];
  for (let i = 0; i < count; i++) tasks.push(yield* spawn(() => fn(i)));
  for (const task of tasks) yield* task;
}

/** A timeout, as its documentation builds it: a race against a sleep. */
function* withTimeout(ms: number, work: () => Operation<number>, otherwise: () => number): Operation<number> {
  function* timeout(): Operation<number> {
    yield* sleep(ms);
    return otherwise();
  }
  return yield* race([work(), timeout()]);
}

function* endsAtOnce(): Operation<number> {
  return 1;
}

function* waits(): Operation<number> {
  yield* sleep(1);
  return 1;
}

async function timed({ count, work }: TimedWork, otherwise: () => number): Promise<number> {
  return await run(function* () {
    let sum = 0;
    if (work === 'ends at once') {
      for (let i = 0; i < count; i++) sum += yield* withTimeout(HOUR, endsAtOnce, otherwise);
    } else {
      yield* together(count, function* () {
        const result = yield* withTimeout(HOUR, waits, otherwise);
        sum += result;
      });
    }
    return sum;
  });
}

function* nestScopes(depth: number): Operation<number> {
  if (depth === 0) return 1;
  return yield* scoped(() => nestScopes(depth - 1));
}

function* nestTasks(depth: number): Operation<number> {
  if (depth === 0) return 1;
  return yield* yield* spawn(() => nestTasks(depth - 1));
}

export const effection: Peer = {
  name: 'effection',
  packages: ['effection'],
  programs: {
    spawn: async ({ tasks, rounds }) =>
      await run(function* () {
        let sum = 0;
        for (let round = 0; round < rounds; round++) {
          yield* together(tasks, function* (index) {
            sum += index;
          });
        }
        return sum;
      }),

    // Its queue has no bound, and adding to it does not wait.
    channel: async ({ producers, consumers, items }) =>
      await run(function* () {
        const queue = createQueue<number, void>();
        let sum = 0;
        yield* together(producers + consumers, function* (index) {
          if (index < producers) {
            for (let item = index; item < items; item += producers) queue.add(item);
          } else {
            for (let i = items / consumers; i > 0; i--) {
              const { value } = yield* queue.next();
              sum += value as number;
            }
          }
        });
        return sum;
      }),

    iterate: async ({ items }) =>
      await run(function* () {
        const queue = createQueue<number, void>();
        let value = 0;
        void (yield* spawn(function* () {
          for (let item = 0; item < items; item++) queue.add(item);
          queue.close();
        }));
        for (let next = yield* queue.next(); next.done !== true; next = yield* queue.next()) {
          value = digest(value, next.value);
        }
        return value;
      }),

    moveOn: (parameters) => timed(parameters, () => 0),
    fail: (parameters) =>
      timed(parameters, () => {
        throw new Error('timed out');
      }),

    expire: async ({ count }) =>
      await run(function* () {
        let expired = 0;
        yield* together(count, function* () {
          const result = yield* withTimeout(
            1,
            function* () {
              yield* sleep(HOUR);
              return 0;
            },
            () => 1,
          );
          expired += result;
        });
        return expired;
      }),

    nestedScopes: async ({ depth, rounds }) =>
      await run(function* () {
        let reached = 0;
        for (let round = 0; round < rounds; round++) reached += yield* nestScopes(depth);
        return reached;
      }),

    nestedGroups: async ({ depth, rounds }) =>
      await run(function* () {
        let reached = 0;
        for (let round = 0; round < rounds; round++) reached += yield* nestTasks(depth);
        return reached;
      }),

    sleepers({ tasks }) {
      let begun = 0;
      let stopped = 0;
      const task = run(() =>
        together(tasks, function* () {
          begun++;
          try {
            yield* sleep(HOUR);
          } finally {
            stopped++;
          }
        }),
      );
      task.catch(() => {}); // it is halted
      return {
        begun: () => begun,
        stop: async () => {
          await task.halt();
          return stopped;
        },
      };
    },

    fanOut: async ({ subscribers, messages }) =>
      await run(function* () {
        const channel = createChannel<number>();
        let deliveries = 0;
        let subscribed = 0;
        const everybody = yield* spawn(() =>
          together(subscribers, function* () {
            const subscription = yield* channel;
            subscribed++;
            for (let message = 0; message < messages; message++) {
              const { value } = yield* subscription.next();
              if (value === message) deliveries++;
            }
          }),
        );
        while (subscribed < subscribers) yield* sleep(0);
        const begun = performance.now();
        for (let message = 0; message < messages; message++) yield* channel.send(message);
        yield* everybody;
        return { value: deliveries, elapsed: performance.now() - begun };
      }),

    all: async ({ tasks, rounds }) =>
      await run(function* () {
        let sum = 0;
        for (let round = 0; round < rounds; round++) {
          const operations = Array.from({ length: tasks }, (_, index) => call(async () => index));
          for (const result of yield* all(operations)) sum += result;
        }
        return sum;
      }),

    race: async ({ tasks, rounds }) =>
      await run(function* () {
        let sum = 0;
        for (let round = 0; round < rounds; round++) {
          sum += yield* race(Array.from({ length: tasks }, (_, index) => call(async () => index)));
        }
        return sum;
      }),
  },
};
