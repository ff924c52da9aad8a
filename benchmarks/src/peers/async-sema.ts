import { Sema } from 'async-sema';

import { Occupancy, PAUSE } from '../occupancy.js';
import type { Peer } from '../programs.js';
import { together } from './native.js';

async function takeTurns(
  { tasks, turns, hold }: { tasks: number; turns: number; hold: boolean },
  permits: number,
): Promise<number> {
  const sema = new Sema(permits, { capacity: tasks });
  const occupancy = new Occupancy(permits);
  await together(tasks, async () => {
    for (let turn = 0; turn < turns; turn++) {
      await sema.acquire();
      try {
        occupancy.enter();
        if (hold) await PAUSE;
        occupancy.leave();
      } finally {
        sema.release();
      }
    }
  });
  return occupancy.turns;
}

export const asyncSema: Peer = {
  name: 'async-sema',
  packages: ['async-sema'],
  programs: {
    lock: (parameters) => takeTurns(parameters, 1),
    semaphore: (parameters) => takeTurns(parameters, parameters.permits),
  },
};
