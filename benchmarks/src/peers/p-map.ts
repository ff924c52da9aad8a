import pMapFunction from 'p-map';

import type { Peer } from '../programs.js';

export const pMap: Peer = {
  name: 'p-map',
  packages: ['p-map'],
  programs: {
    async map({ items, limit, rounds }) {
      let sum = 0;
      const input = Array.from({ length: items }, (_, index) => index);
      for (let round = 0; round < rounds; round++) {
        const results = await pMapFunction(input, async (n) => n * 2, { concurrency: limit });
        for (const result of results) sum += result;
      }
      return sum;
    },
  },
};
