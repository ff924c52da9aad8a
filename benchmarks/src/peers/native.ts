/** The floor: async functions and promises, and nothing that could be cancelled where that can be left out. */

import { BareChannel } from '../floor/bare-channel.js';
import { BareSemaphore } from '../floor/bare-semaphore.js';
import { Occupancy, PAUSE } from '../occupancy.js';
import { digest, type Peer, type TimedWork } from '../programs.js';
import { shuffle } from '../shuffle.js';
import { blockUntilDue, delayOf } from '../timer-spread.js';

const HOUR = 3_600_000;

/** Calls an async function `count` times, and waits for all. */
export function together<T>(count: number, fn: (index: number) => Promise<T>): Promise<T[]> {
  const promises: Promise<T>[] = [];
  for (let i = 0; i < count; i++) promises.push(fn(i));
  return Promise.all(promises);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What one finds in many a code base: the timer is cleared, the work cannot be stopped. */
async function withTimeout<T, U>(ms: number, work: () => Promise<T>, otherwise: () => U): Promise<T | U> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<U>((resolve, reject) => {
    timer = setTimeout(() => {
      try {
        resolve(otherwise());
      } catch (error) {
        reject(error);
      }
    }, ms);
  });
  try {
    return await Promise.race([work(), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function timed({ count, work }: TimedWork, otherwise: () => number): Promise<number> {
  let sum = 0;
  if (work === 'ends at once') {
    for (let i = 0; i < count; i++) sum += await withTimeout(HOUR, async () => 1, otherwise);
  } else {
    await together(count, async () => {
      const result = await withTimeout(
        HOUR,
        async () => {
          await sleep(1);
          return 1;
        },
        otherwise,
      );
      sum += result;
    });
  }
  return sum;
}

async function nest(depth: number): Promise<number> {
  return depth === 0 ? 1 : await nest(depth - 1);
}

async function nestRounds({ depth, rounds }: { depth: number; rounds: number }): Promise<number> {
  let reached = 0;
  for (let round = 0; round < rounds; round++) reached += await nest(depth);
  return reached;
}

export const native: Peer = {
  name: 'native promises',
  packages: [],
  programs: {
    async spawn({ tasks, rounds }) {
      let sum = 0;
      const work = async (index: number): Promise<void> => {
        sum += index;
      };
      for (let round = 0; round < rounds; round++) await together(tasks, work);
      return sum;
    },

    async channel({ buffer, producers, consumers, items }) {
      const channel = new BareChannel<number>(buffer);
      let sum = 0;
      await Promise.all([
        together(producers, async (producer) => {
          for (let item = producer; item < items; item += producers) await channel.send(item);
        }),
        together(consumers, async () => {
          for (let i = items / consumers; i > 0; i--) {
            const item = await channel.receive();
            sum += item!;
          }
        }),
      ]);
      return sum;
    },

    async iterate({ buffer, items }) {
      const channel = new BareChannel<number>(buffer);
      const produce = async (): Promise<void> => {
        for (let item = 0; item < items; item++) await channel.send(item);
        channel.close();
      };
      const consume = async (): Promise<number> => {
        let value = 0;
        for await (const item of channel) value = digest(value, item);
        return value;
      };
      const [value] = await Promise.all([consume(), produce()]);
      return value;
    },

    lock: ({ tasks, turns, hold }) => takeTurns(tasks, turns, hold, 1),
    semaphore: ({ tasks, turns, hold, permits }) => takeTurns(tasks, turns, hold, permits),

    async limiter({ tasks, turns, hold, permits }) {
      const semaphore = new BareSemaphore(permits);
      const occupancy = new Occupancy(permits);
      const run = async (fn: () => Promise<void>): Promise<void> => {
        await semaphore.acquire();
        try {
          return await fn();
        } finally {
          semaphore.release();
        }
      };
      await together(tasks, async () => {
        for (let turn = 0; turn < turns; turn++) {
          await run(async () => {
            occupancy.enter();
            if (hold) await PAUSE;
            occupancy.leave();
          });
        }
      });
      return occupancy.turns;
    },

    moveOn: (parameters) => timed(parameters, () => 0),
    fail: (parameters) =>
      timed(parameters, () => {
        throw new Error('timed out');
      }),

    async expire({ count }) {
      const results = await together(count, () =>
        withTimeout(
          1,
          () => new Promise<0>(() => {}),
          () => 1,
        ),
      );
      return results.reduce<number>((sum, result) => sum + result, 0);
    },

    nestedScopes: nestRounds,
    nestedGroups: nestRounds,

    sleepers({ tasks }) {
      let begun = 0;
      let stopped = 0;
      const stops: (() => void)[] = [];
      const all = together(tasks, async () => {
        begun++;
        try {
          await new Promise<void>((_resolve, reject) => {
            const timer = setTimeout(() => {}, HOUR);
            stops.push(() => {
              clearTimeout(timer);
              reject(STOPPED);
            });
          });
        } catch (error) {
          if (error === STOPPED) stopped++;
        }
      });
      return {
        begun: () => begun,
        stop: async () => {
          for (const stop of stops) stop();
          await all;
          return stopped;
        },
      };
    },

    async fanOut({ subscribers, messages, buffer }) {
      const channels = Array.from({ length: subscribers }, () => new BareChannel<number>(buffer));
      let deliveries = 0;
      const all = together(subscribers, async (index) => {
        const channel = channels[index]!;
        for (let i = 0; i < messages; i++) {
          if ((await channel.receive()) === i) deliveries++;
        }
      });
      const begun = performance.now();
      for (let message = 0; message < messages; message++) await publish(channels, message);
      await all;
      return { value: deliveries, elapsed: performance.now() - begun };
    },

    async fanOutRoom({ subscribers, messages, buffer }) {
      const channels = Array.from({ length: subscribers }, () => new BareChannel<number>(buffer));
      const begun = performance.now();
      for (let message = 0; message < messages; message++) await publish(channels, message);
      const elapsed = performance.now() - begun;
      let value = 0;
      for (const channel of channels) {
        channel.close();
        while ((await channel.receive()) !== undefined) value++;
      }
      return { value, elapsed };
    },

    async fanOutFull({ subscribers, messages, buffer }) {
      const channels = Array.from({ length: subscribers }, () => new BareChannel<number>(buffer));
      for (const channel of channels) for (let i = 0; i < buffer; i++) channel.trySend(i);
      let dropped = 0;
      const offer = async (message: number): Promise<void> => {
        for (const channel of channels) if (!channel.trySend(message)) dropped++;
      };
      const begun = performance.now();
      for (let message = 0; message < messages; message++) await offer(message);
      return { value: dropped, elapsed: performance.now() - begun };
    },

    async all({ tasks, rounds }) {
      let sum = 0;
      for (let round = 0; round < rounds; round++) {
        for (const result of await together(tasks, async (index) => index)) sum += result;
      }
      return sum;
    },

    async race({ tasks, rounds }) {
      let sum = 0;
      for (let round = 0; round < rounds; round++) {
        const rivals: Promise<number>[] = [];
        for (let index = 0; index < tasks; index++) rivals.push((async () => index)());
        sum += await Promise.race(rivals);
      }
      return sum;
    },

    async map({ items, limit, rounds }) {
      let sum = 0;
      const double = async (n: number): Promise<number> => n * 2;
      for (let round = 0; round < rounds; round++) {
        const results: number[] = [];
        let next = 0;
        await together(limit, async () => {
          while (next < items) {
            const index = next++;
            results[index] = await double(index);
          }
        });
        for (const result of results) sum += result;
      }
      return sum;
    },

    async handOver({ count }) {
      const semaphore = new BareSemaphore(1);
      let value = 0;
      await semaphore.acquire();
      const all = together(count, async () => {
        await semaphore.acquire();
        value++;
        semaphore.release();
      });
      const begun = performance.now();
      semaphore.release();
      await all;
      return { value, elapsed: performance.now() - begun };
    },

    async giveUp({ count }) {
      const order = shuffle(count);
      const stops: (() => void)[] = [];
      let value = 0;
      const all = together(count, async () => {
        try {
          await new Promise<void>((_resolve, reject) => stops.push(() => reject(STOPPED)));
        } catch (error) {
          if (error === STOPPED) value++;
        }
      });
      const begun = performance.now();
      for (const index of order) stops[index]!();
      await all;
      return { value, elapsed: performance.now() - begun };
    },

    async timers({ count }) {
      const order = shuffle(count);
      let value = 0;
      let elapsed = -performance.now();
      const all = together(count, async (index) => {
        await sleep(delayOf(order[index]!));
        value++;
      });
      elapsed += performance.now();
      blockUntilDue();
      elapsed -= performance.now();
      await all;
      return { value, elapsed: elapsed + performance.now() };
    },

    async deadlines({ count }) {
      const order = shuffle(count);
      let end = (): void => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      const all = together(count, (index) =>
        withTimeout(
          HOUR + order[index]!,
          async () => {
            await ended;
            return 1;
          },
          () => 0,
        ),
      );
      end();
      const results = await all;
      return results.reduce<number>((sum, result) => sum + result, 0);
    },

    async subscribe({ count }) {
      const order = shuffle(count);
      const begun = performance.now();
      const channels = new Set<BareChannel<number>>();
      const subscriptions: BareChannel<number>[] = [];
      for (let i = 0; i < count; i++) {
        const channel = new BareChannel<number>(100);
        channels.add(channel);
        subscriptions.push(channel);
      }
      const before = channels.size;
      for (const index of order) {
        channels.delete(subscriptions[index]!);
        subscriptions[index]!.close();
      }
      return { value: before - channels.size, elapsed: performance.now() - begun };
    },
  },
};

/** What stops a sleeper. One for all, since taking a stack for each is no part of the floor. */
const STOPPED = new Error('stopped');

async function takeTurns(tasks: number, turns: number, hold: boolean, permits: number): Promise<number> {
  const semaphore = new BareSemaphore(permits);
  const occupancy = new Occupancy(permits);
  await together(tasks, async () => {
    for (let turn = 0; turn < turns; turn++) {
      await semaphore.acquire();
      try {
        occupancy.enter();
        if (hold) await PAUSE;
        occupancy.leave();
      } finally {
        semaphore.release();
      }
    }
  });
  return occupancy.turns;
}

/** Gives a message to all, and waits for those who have no room. */
async function publish(channels: readonly BareChannel<number>[], message: number): Promise<void> {
  let full: Promise<void>[] | undefined;
  for (const channel of channels) {
    if (!channel.trySend(message)) (full ??= []).push(channel.send(message));
  }
  if (full !== undefined) await Promise.all(full);
}
