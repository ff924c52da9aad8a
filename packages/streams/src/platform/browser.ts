/** Browsers, which have no `node:stream`. */

import { InvalidStateError } from '@taskscope/core';

import type { Platform } from './platform.js';

export const platform: Platform = {
  createReadable(where) {
    throw new InvalidStateError(
      `${where}: this platform has no node:stream. Use toReadableStream(), which works everywhere`,
    );
  },
};
