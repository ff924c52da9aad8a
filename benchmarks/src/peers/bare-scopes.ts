/** The second floor: what has the scopes, waits and cancellation of taskscope, and nothing else. No library. */

import { Channel } from '../floor/bare-scopes/channel.js';
import { Lock } from '../floor/bare-scopes/lock.js';
import { run } from '../floor/bare-scopes/scope.js';
import { sleep } from '../floor/bare-scopes/sleep.js';
import { taskGroup, type Group } from '../floor/bare-scopes/task-group.js';
import { failAfter, moveOnAfter } from '../floor/bare-scopes/timeouts.js';
import { Occupancy, PAUSE } from '../occupancy.js';
import type { Peer, TimedWork } from '../programs.js';

const HOUR = 3_600_000;

/** Runs `count` tasks in a group. */
function together(count: number, fn: (index: number) => Promise<void>): Promise<void> {
  return taskGroup((group) => {
    for (let i = 0; i < count; i++) group.spawn(fn, i);
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

export const bareScopes: Peer = {
  name: 'bare scopes',
  packages: [],
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
        const channel = new Channel<number>(buffer);
        let sum = 0;
        const produce = async (producer: number): Promise<void> => {
          for (let item = producer; item < items; item += producers) await channel.send(item);
        };
        const consume = async (): Promise<void> => {
          for (let i = items / consumers; i > 0; i--) {
            const item = await channel.receive();
            sum += item;
          }
        };
        await taskGroup((group) => {
          for (let producer = 0; producer < producers; producer++) group.spawn(produce, producer);
          for (let consumer = 0; consumer < consumers; consumer++) group.spawn(consume, consumer);
        });
        return sum;
      }),

    lock: ({ tasks, turns, hold }) =>
      run(async () => {
        const lock = new Lock();
        const occupancy = new Occupancy(1);
        await together(tasks, async () => {
          for (let turn = 0; turn < turns; turn++) {
            const holding = await lock.acquire();
            try {
              occupancy.enter();
              if (hold) await PAUSE;
              occupancy.leave();
            } finally {
              holding.release();
            }
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
          if ((await moveOnAfter(1, () => sleep(HOUR))) === undefined) expired++;
        });
        return expired;
      }),

    sleepers({ tasks }) {
      let begun = 0;
      let stopped = 0;
      let sleepers: Group;
      const work = async (): Promise<void> => {
        begun++;
        try {
          await sleep(HOUR);
        } finally {
          stopped++;
        }
      };
      const all = run(() =>
        taskGroup((group) => {
          sleepers = group;
          for (let i = 0; i < tasks; i++) group.spawn(work, undefined);
        }),
      );
      return {
        begun: () => begun,
        stop: async () => {
          sleepers.cancel();
          await all;
          return stopped;
        },
      };
    },
  },
};
