import PQueue from 'p-queue';

import { Occupancy, PAUSE } from '../occupancy.js';
import type { Peer } from '../programs.js';
import { together } from './native.js';

export const pQueue: Peer = {
  name: 'p-queue',
  packages: ['p-queue'],
  programs: {
    async limiter({ tasks, turns, hold, permits }) {
      const queue = new PQueue({ concurrency: permits });
      const occupancy = new Occupancy(permits);
      await together(tasks, async () => {
        for (let turn = 0; turn < turns; turn++) {
          await queue.add(async () => {
            occupancy.enter();
            if (hold) await PAUSE;
            occupancy.leave();
          });
        }
      });
      return occupancy.turns;
    },

    async map({ items, limit, rounds }) {
      let sum = 0;
      const queue = new PQueue({ concurrency: limit });
      const input = Array.from({ length: items }, (_, index) => index);
      for (let round = 0; round < rounds; round++) {
        const results = await queue.addAll(input.map((n) => async () => n * 2));
        for (const result of results) sum += result;
      }
      return sum;
    },
  },
};
