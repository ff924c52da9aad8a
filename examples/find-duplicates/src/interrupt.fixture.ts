/** A program that takes long to clean up. */

import { cleanup, run, sleep } from '@taskscope/core';
import { interruption } from '../../interruption.js';

async function main(): Promise<void> {
  try {
    console.log('working');
    await sleep(60_000);
  } finally {
    console.log('cleaning up');
    await cleanup(() => sleep(60_000), { grace: 60_000 });
  }
}

await run(main, { signal: interruption() });
