import { FixedBuffer, Repeater } from '@repeaterjs/repeater';

import { digest, type Peer } from '../programs.js';

/** The numbers below `items`. Awaiting a push waits until there is room, or until the item has been asked for. */
function numbers(items: number, buffer: number): Repeater<number> {
  return new Repeater<number>(
    async (push, stop) => {
      for (let item = 0; item < items; item++) await push(item);
      stop();
    },
    buffer === 0 ? undefined : new FixedBuffer(buffer),
  );
}

export const repeater: Peer = {
  name: '@repeaterjs/repeater',
  packages: ['@repeaterjs/repeater'],
  programs: {
    async channel({ buffer, items }) {
      const source = numbers(items, buffer);
      let sum = 0;
      for (let i = items; i > 0; i--) sum += (await source.next()).value as number;
      return sum;
    },

    async iterate({ buffer, items }) {
      let value = 0;
      for await (const item of numbers(items, buffer)) value = digest(value, item);
      return value;
    },
  },
};
