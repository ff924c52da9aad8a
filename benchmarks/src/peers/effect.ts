import { type Cause, Effect, Fiber, Option, PubSub, Queue, Semaphore, Stream } from 'effect';

import { Occupancy } from '../occupancy.js';
import { digest, type Peer, type TimedWork } from '../programs.js';

const HOUR = 3_600_000;

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

/** Runs `count` fibers, and waits for all. */
const together = <E>(
  count: number,
  fn: (index: number) => Effect.Effect<unknown, E>,
): Effect.Effect<void, E> => Effect.forEach(range(count), fn, { concurrency: 'unbounded', discard: true });

const queueOf = (buffer: number): Effect.Effect<Queue.Queue<number>> =>
  buffer === Infinity ? Queue.unbounded<number>() : Queue.bounded<number>(buffer);

function timed<E>(
  { count, work }: TimedWork,
  withTimeout: (work: Effect.Effect<number>) => Effect.Effect<number, E>,
): Promise<number> {
  return Effect.runPromise(
    Effect.gen(function* () {
      let sum = 0;
      if (work === 'ends at once') {
        for (let i = 0; i < count; i++) sum += yield* withTimeout(Effect.sync(() => 1));
      } else {
        const waits = Effect.as(Effect.sleep(1), 1);
        yield* together(count, () =>
          Effect.gen(function* () {
            const result = yield* withTimeout(waits);
            sum += result;
          }),
        );
      }
      return sum;
    }),
  );
}

function takeTurns(
  { tasks, turns, hold }: { tasks: number; turns: number; hold: boolean },
  permits: number,
): Promise<number> {
  return Effect.runPromise(
    Effect.gen(function* () {
      const semaphore = yield* Semaphore.make(permits);
      const occupancy = new Occupancy(permits);
      const section = hold
        ? Effect.gen(function* () {
            occupancy.enter();
            yield* Effect.promise(() => Promise.resolve());
            occupancy.leave();
          })
        : Effect.sync(() => {
            occupancy.enter();
            occupancy.leave();
          });
      const turn = Semaphore.withPermit(semaphore, section);
      yield* together(tasks, () =>
        Effect.gen(function* () {
          for (let i = 0; i < turns; i++) yield* turn;
        }),
      );
      return occupancy.turns;
    }),
  );
}

/** A scope that is a place to fork from: a fiber, joined. */
const nest = (depth: number): Effect.Effect<number> =>
  depth === 0
    ? Effect.succeed(1)
    : Effect.gen(function* () {
        return yield* Fiber.join(yield* Effect.forkChild(nest(depth - 1)));
      });

export const effect: Peer = {
  name: 'effect',
  packages: ['effect'],
  programs: {
    spawn: ({ tasks, rounds }) =>
      Effect.runPromise(
        Effect.gen(function* () {
          let sum = 0;
          for (let round = 0; round < rounds; round++) {
            const fibers: Fiber.Fiber<void>[] = [];
            for (let index = 0; index < tasks; index++) {
              const work = Effect.sync(() => {
                sum += index;
              });
              fibers.push(yield* Effect.forkChild(work));
            }
            yield* Fiber.joinAll(fibers);
          }
          return sum;
        }),
      ),

    channel: ({ buffer, producers, consumers, items }) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const queue = yield* queueOf(buffer);
          let sum = 0;
          yield* together(producers + consumers, (index) =>
            index < producers
              ? Effect.gen(function* () {
                  for (let item = index; item < items; item += producers) yield* Queue.offer(queue, item);
                })
              : Effect.gen(function* () {
                  for (let i = items / consumers; i > 0; i--) {
                    const item = yield* Queue.take(queue);
                    sum += item;
                  }
                }),
          );
          return sum;
        }),
      ),

    iterate: ({ buffer, items }) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const queue = yield* Queue.make<number, Cause.Done>({ capacity: buffer });
          let value = 0;
          const produce = Effect.gen(function* () {
            for (let item = 0; item < items; item++) yield* Queue.offer(queue, item);
            yield* Queue.end(queue);
          });
          const consume = Stream.runForEach(Stream.fromQueue(queue), (item) =>
            Effect.sync(() => {
              value = digest(value, item);
            }),
          );
          yield* Effect.all([consume, produce], { concurrency: 'unbounded' });
          return value;
        }),
      ),

    lock: (parameters) => takeTurns(parameters, 1),
    semaphore: (parameters) => takeTurns(parameters, parameters.permits),
    limiter: (parameters) => takeTurns(parameters, parameters.permits),

    moveOn: (parameters) =>
      timed(parameters, (work) =>
        Effect.map(
          Effect.timeoutOption(work, HOUR),
          Option.getOrElse(() => 0),
        ),
      ),
    fail: (parameters) => timed(parameters, (work) => Effect.timeout(work, HOUR)),

    expire: ({ count }) =>
      Effect.runPromise(
        Effect.gen(function* () {
          let expired = 0;
          yield* together(count, () =>
            Effect.gen(function* () {
              if (Option.isNone(yield* Effect.timeoutOption(Effect.never, 1))) expired++;
            }),
          );
          return expired;
        }),
      ),

    nestedGroups: ({ depth, rounds }) =>
      Effect.runPromise(
        Effect.gen(function* () {
          let reached = 0;
          for (let round = 0; round < rounds; round++) reached += yield* nest(depth);
          return reached;
        }),
      ),

    sleepers({ tasks }) {
      let begun = 0;
      let stopped = 0;
      const sleeper = Effect.gen(function* () {
        begun++;
        yield* Effect.onInterrupt(Effect.sleep(HOUR), () =>
          Effect.sync(() => {
            stopped++;
          }),
        );
      });
      const fiber = Effect.runFork(together(tasks, () => sleeper));
      return {
        begun: () => begun,
        stop: async () => {
          await Effect.runPromise(Fiber.interrupt(fiber));
          return stopped;
        },
      };
    },

    fanOut: ({ subscribers, messages, buffer }) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const hub = yield* PubSub.bounded<number>(buffer);
          let deliveries = 0;
          let subscribed = 0;
          const subscriber = Effect.scoped(
            Effect.gen(function* () {
              const subscription = yield* PubSub.subscribe(hub);
              subscribed++;
              for (let message = 0; message < messages; message++) {
                if ((yield* PubSub.take(subscription)) === message) deliveries++;
              }
            }),
          );
          const all = yield* Effect.forkChild(together(subscribers, () => subscriber));
          while (subscribed < subscribers) yield* Effect.sleep(0);
          const begun = performance.now();
          for (let message = 0; message < messages; message++) yield* PubSub.publish(hub, message);
          yield* Fiber.join(all);
          return { value: deliveries, elapsed: performance.now() - begun };
        }),
      ),

    all: ({ tasks, rounds }) =>
      Effect.runPromise(
        Effect.gen(function* () {
          let sum = 0;
          const effects = range(tasks).map((index) => Effect.promise(async () => index));
          for (let round = 0; round < rounds; round++) {
            for (const result of yield* Effect.all(effects, { concurrency: 'unbounded' })) sum += result;
          }
          return sum;
        }),
      ),

    race: ({ tasks, rounds }) =>
      Effect.runPromise(
        Effect.gen(function* () {
          let sum = 0;
          const effects = range(tasks).map((index) => Effect.promise(async () => index));
          for (let round = 0; round < rounds; round++) sum += yield* Effect.raceAll(effects);
          return sum;
        }),
      ),

    map: ({ items, limit, rounds }) =>
      Effect.runPromise(
        Effect.gen(function* () {
          let sum = 0;
          const input = range(items);
          const double = (n: number): Effect.Effect<number> => Effect.promise(async () => n * 2);
          for (let round = 0; round < rounds; round++) {
            for (const result of yield* Effect.forEach(input, double, { concurrency: limit })) sum += result;
          }
          return sum;
        }),
      ),
  },
};
