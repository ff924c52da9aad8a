import { PassThrough } from 'node:stream';

import { digest, type Peer } from '../programs.js';

/** Waits when `write` says that the buffer is full, as its documentation asks for. */
async function produce(stream: PassThrough, items: number): Promise<void> {
  for (let item = 0; item < items; item++) {
    if (!stream.write(item)) await new Promise<void>((resolve) => void stream.once('drain', resolve));
  }
  stream.end();
}

export const passThrough: Peer = {
  name: 'PassThrough',
  packages: [],
  programs: {
    async iterate({ buffer, items }) {
      const stream = new PassThrough({ objectMode: true, highWaterMark: buffer });
      const consume = async (): Promise<number> => {
        let value = 0;
        for await (const item of stream) value = digest(value, item as number);
        return value;
      };
      const [value] = await Promise.all([consume(), produce(stream, items)]);
      return value;
    },
  },
};
