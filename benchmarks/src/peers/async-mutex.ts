import { Mutex, Semaphore } from 'async-mutex';

import { Occupancy, PAUSE } from '../occupancy.js';
import type { Peer } from '../programs.js';
import { together } from './native.js';

async function takeTurns(
  resource: Mutex | Semaphore,
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

export const asyncMutex: Peer = {
  name: 'async-mutex',
  packages: ['async-mutex'],
  programs: {
    lock: (parameters) => takeTurns(new Mutex(), parameters, 1),
    semaphore: (parameters) => takeTurns(new Semaphore(parameters.permits), parameters, parameters.permits),

    async limiter({ tasks, turns, hold, permits }) {
      const semaphore = new Semaphore(permits);
      const occupancy = new Occupancy(permits);
      await together(tasks, async () => {
        for (let turn = 0; turn < turns; turn++) {
          await semaphore.runExclusive(async () => {
            occupancy.enter();
            if (hold) await PAUSE;
            occupancy.leave();
          });
        }
      });
      return occupancy.turns;
    },
  },
};
