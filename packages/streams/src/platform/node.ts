/** Node, Bun, Deno and every other platform that has `node:stream`. */

import { Readable } from 'node:stream';
import { callbackify } from 'node:util';

import type { CreatedReadable, Platform } from './platform.js';

export const platform: Platform = {
  createReadable(_where, { objectMode, highWaterMark, read, destroy }) {
    const readable = new Readable({
      objectMode,
      // Node takes no Infinity.
      highWaterMark: Math.min(highWaterMark, Number.MAX_SAFE_INTEGER),
      read: () => read(readable),
      destroy(error, done) {
        callbackify(destroy)(error, (failure) => done(error ?? failure));
      },
    }) as Readable & CreatedReadable;
    return readable;
  },
};
