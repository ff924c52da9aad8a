import {
  all,
  CancelScope,
  failAfter,
  map,
  moveOnAfter,
  race,
  run,
  sleep,
  sleepForever,
  taskGroup,
  type TaskHandle,
} from '@taskscope/core';
import { createMemoryObjectStream, MessageRouter } from '@taskscope/streams';
import { CapacityLimiter, Event, Lock, Semaphore } from '@taskscope/sync';

import { Occupancy, PAUSE } from '../occupancy.js';
import { digest, type Peer, type TimedWork } from '../programs.js';
import { shuffle } from '../shuffle.js';
import { blockUntilDue, delayOf } from '../timer-spread.js';

const HOUR = 3_600_000;

/** Runs `count` tasks in a group. */
async function together(count: number, fn: (index: number) => Promise<void>): Promise<void> {
  await taskGroup((tg) => {
    for (let i = 0; i < count; i++) tg.startSoon(fn, i);
  });
}

async function timed(
  { count, work }: TimedWork,
  withTimeout: (fn: () => Promise<number>) => Promise<number | undefined>,
): Promise<number> {
  let sum = 0;
  if (work === 'ends at once') {
    for (let i = 0; i < count; i++) sum += (await withTimeout(async () => 1)) ?? 0;
  } else {
    await together(count, async () => {
      const result = await withTimeout(async () => {
        await sleep(1);
        return 1;
      });
      sum += result ?? 0;
    });
  }
  return sum;
}

async function takeTurns(
  resource: Lock | Semaphore,
  { tasks, turns, hold }: { tasks: number; turns: number; hold: boolean },
  permits: number,
): Promise<number> {
  const occupancy = new Occupancy(permits);
  await together(tasks, async () => {
    for (let turn = 0; turn < turns; turn++) {
      await resource.acquire();
      try {
        occupancy.enter();
        if (hold) await PAUSE;
        occupancy.leave();
      } finally {
        resource.release();
      }
    }
  });
  return occupancy.turns;
}

/** Lets `count` tasks queue up for a lock, and times what `act` and they do then. */
async function queueUp(
  count: number,
  turn: (lock: Lock) => Promise<void>,
  act: (lock: Lock, tasks: readonly TaskHandle<void>[]) => void,
): Promise<number> {
  const lock = new Lock();
  let begun = 0;
  await lock.acquire();
  await taskGroup(async (tg) => {
    const tasks: TaskHandle<void>[] = [];
    for (let i = 0; i < count; i++) tasks.push(tg.startSoon(turn, lock));
    while (lock.statistics().tasksWaiting < count) await sleep(0);
    begun = performance.now();
    act(lock, tasks);
  });
  return performance.now() - begun;
}

async function nestScopes(depth: number): Promise<number> {
  if (depth === 0) return 1;
  return (await new CancelScope().run(() => nestScopes(depth - 1))) ?? 0;
}

async function nestGroups(depth: number, innermost: () => void): Promise<void> {
  if (depth === 0) innermost();
  else await taskGroup((tg) => void tg.startSoon(nestGroups, depth - 1, innermost));
}

export const taskscope: Peer = {
  name: 'taskscope',
  packages: ['@taskscope/core', '@taskscope/sync', '@taskscope/streams'],
  programs: {
    spawn: ({ tasks, rounds }) =>
      run(async () => {
        let sum = 0;
        const work = async (index: number): Promise<void> => {
          sum += index;
        };
        for (let round = 0; round < rounds; round++) await together(tasks, work);
        return sum;
      }),

    channel: ({ buffer, producers, consumers, items }) =>
      run(async () => {
        const [send, receive] = createMemoryObjectStream<number>(buffer);
        let sum = 0;
        await taskGroup((tg) => {
          for (let producer = 0; producer < producers; producer++) {
            tg.startSoon(async () => {
              for (let item = producer; item < items; item += producers) await send.send(item);
            });
          }
          for (let consumer = 0; consumer < consumers; consumer++) {
            tg.startSoon(async () => {
              for (let i = items / consumers; i > 0; i--) {
                const item = await receive.receive();
                sum += item;
              }
            });
          }
        });
        return sum;
      }),

    iterate: ({ buffer, items }) =>
      run(async () => {
        const [send, receive] = createMemoryObjectStream<number>(buffer);
        let value = 0;
        await taskGroup((tg) => {
          tg.startSoon(async () => {
            for await (const item of receive) value = digest(value, item);
          });
          tg.startSoon(async () => {
            for (let item = 0; item < items; item++) await send.send(item);
            send.close();
          });
        });
        return value;
      }),

    lock: (parameters) => run(() => takeTurns(new Lock(), parameters, 1)),
    semaphore: (parameters) =>
      run(() => takeTurns(new Semaphore(parameters.permits), parameters, parameters.permits)),

    limiter: ({ tasks, turns, hold, permits }) =>
      run(async () => {
        const limiter = new CapacityLimiter(permits);
        const occupancy = new Occupancy(permits);
        await together(tasks, async () => {
          for (let turn = 0; turn < turns; turn++) {
            await limiter.run(async () => {
              occupancy.enter();
              if (hold) await PAUSE;
              occupancy.leave();
            });
          }
        });
        return occupancy.turns;
      }),

    moveOn: (parameters) => run(() => timed(parameters, (fn) => moveOnAfter(HOUR, fn))),
    fail: (parameters) => run(() => timed(parameters, (fn) => failAfter(HOUR, fn))),

    expire: ({ count }) =>
      run(async () => {
        let expired = 0;
        await together(count, async () => {
          if ((await moveOnAfter(1, () => sleepForever())) === undefined) expired++;
        });
        return expired;
      }),

    nestedScopes: ({ depth, rounds }) =>
      run(async () => {
        let reached = 0;
        for (let round = 0; round < rounds; round++) reached += await nestScopes(depth);
        return reached;
      }),

    nestedGroups: ({ depth, rounds }) =>
      run(async () => {
        let reached = 0;
        for (let round = 0; round < rounds; round++) await nestGroups(depth, () => reached++);
        return reached;
      }),

    sleepers({ tasks }) {
      let begun = 0;
      let stopped = 0;
      const scope = new CancelScope();
      const all = run(() =>
        scope.run(() =>
          together(tasks, async () => {
            begun++;
            try {
              await sleep(HOUR);
            } finally {
              stopped++;
            }
          }),
        ),
      );
      return {
        begun: () => begun,
        stop: async () => {
          scope.cancel();
          await all;
          return stopped;
        },
      };
    },

    fanOut: ({ subscribers, messages, buffer }) =>
      run(async () => {
        const router = new MessageRouter<number>({ bufferSize: buffer, overflow: 'block' });
        let deliveries = 0;
        let begun = 0;
        await taskGroup(async (tg) => {
          for (let i = 0; i < subscribers; i++) {
            const subscription = router.subscribe();
            tg.startSoon(async () => {
              for (let message = 0; message < messages; message++) {
                if ((await subscription.receive()) === message) deliveries++;
              }
            });
          }
          await sleep(0); // everybody waits for the first message
          begun = performance.now();
          for (let message = 0; message < messages; message++) await router.publish(message);
        });
        return { value: deliveries, elapsed: performance.now() - begun };
      }),

    fanOutRoom: ({ subscribers, messages, buffer }) =>
      run(async () => {
        const router = new MessageRouter<number>({ bufferSize: buffer });
        const subscriptions = Array.from({ length: subscribers }, () => router.subscribe());
        const begun = performance.now();
        for (let message = 0; message < messages; message++) await router.publish(message);
        const elapsed = performance.now() - begun;
        let value = 0;
        for (const subscription of subscriptions) while (subscription.tryReceive().ok) value++;
        return { value, elapsed };
      }),

    fanOutFull: ({ subscribers, messages, buffer }) =>
      run(async () => {
        const router = new MessageRouter<number>({ bufferSize: buffer, overflow: 'drop-newest' });
        const subscriptions = Array.from({ length: subscribers }, () => router.subscribe());
        for (let i = 0; i < buffer; i++) router.publishNowait(i);
        const begun = performance.now();
        for (let message = 0; message < messages; message++) await router.publish(message);
        const elapsed = performance.now() - begun;
        return { value: subscriptions.reduce((sum, { dropped }) => sum + dropped, 0), elapsed };
      }),

    all: ({ tasks, rounds }) =>
      run(async () => {
        let sum = 0;
        const functions = Array.from({ length: tasks }, (_, index) => async () => index);
        for (let round = 0; round < rounds; round++) {
          for (const result of await all(functions)) sum += result;
        }
        return sum;
      }),

    race: ({ tasks, rounds }) =>
      run(async () => {
        let sum = 0;
        const functions = Array.from({ length: tasks }, (_, index) => async () => index);
        for (let round = 0; round < rounds; round++) sum += await race(functions);
        return sum;
      }),

    map: ({ items, limit, rounds }) =>
      run(async () => {
        let sum = 0;
        const input = Array.from({ length: items }, (_, index) => index);
        for (let round = 0; round < rounds; round++) {
          for (const result of await map(input, async (n) => n * 2, { limit })) sum += result;
        }
        return sum;
      }),

    handOver: ({ count }) =>
      run(async () => {
        let value = 0;
        const turn = async (lock: Lock): Promise<void> => {
          await lock.acquire();
          value++;
          lock.release();
        };
        const elapsed = await queueUp(count, turn, (lock) => lock.release());
        return { value, elapsed };
      }),

    giveUp: ({ count }) =>
      run(async () => {
        const order = shuffle(count);
        let value = 0;
        const turn = async (lock: Lock): Promise<void> => {
          try {
            await lock.acquire();
          } catch (error) {
            value++;
            throw error;
          }
        };
        const elapsed = await queueUp(count, turn, (_lock, tasks) => {
          for (const index of order) tasks[index]!.cancel();
        });
        return { value, elapsed };
      }),

    timers: ({ count }) =>
      run(async () => {
        const order = shuffle(count);
        let begun = 0;
        let value = 0;
        let elapsed = -performance.now();
        await together(count, async (index) => {
          const sleeping = sleep(delayOf(order[index]!));
          if (++begun === count) {
            elapsed += performance.now();
            blockUntilDue();
            elapsed -= performance.now();
          }
          await sleeping;
          value++;
        });
        return { value, elapsed: elapsed + performance.now() };
      }),

    deadlines: ({ count }) =>
      run(async () => {
        const order = shuffle(count);
        const end = new Event();
        let value = 0;
        await taskGroup(async (tg) => {
          for (const place of order) {
            tg.startSoon(async () => {
              const result = await moveOnAfter(HOUR + place, async () => {
                await end.wait();
                return 1;
              });
              value += result ?? 0;
            });
          }
          while (end.statistics().tasksWaiting < count) await sleep(0);
          end.set();
        });
        return value;
      }),

    subscribe: async ({ count }) => {
      const order = shuffle(count);
      const router = new MessageRouter<number>();
      const begun = performance.now();
      const subscriptions = Array.from({ length: count }, () => router.subscribe());
      const before = router.statistics().subscribers;
      for (const index of order) subscriptions[index]!.close();
      return { value: before - router.statistics().subscribers, elapsed: performance.now() - begun };
    },
  },
};
