import createLimit from 'p-limit';

import { Occupancy, PAUSE } from '../occupancy.js';
import type { Peer } from '../programs.js';
import { together } from './native.js';

export const pLimit: Peer = {
  name: 'p-limit',
  packages: ['p-limit'],
  programs: {
    async limiter({ tasks, turns, hold, permits }) {
      const limit = createLimit(permits);
      const occupancy = new Occupancy(permits);
      await together(tasks, async () => {
        for (let turn = 0; turn < turns; turn++) {
          await limit(async () => {
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
      const limited = createLimit(limit);
      const input = Array.from({ length: items }, (_, index) => index);
      for (let round = 0; round < rounds; round++) {
        const results = await Promise.all(input.map((item) => limited(async (n) => n * 2, item)));
        for (const result of results) sum += result;
      }
      return sum;
    },
  },
};
