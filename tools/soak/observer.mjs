// Loaded into the price feed before the program (`node --import`): tells over the IPC channel what the process has in use.

import process from 'node:process';
import { setImmediate as nextTurn } from 'node:timers/promises';

process.on('message', () => {
  const resources = process.getActiveResourcesInfo();
  void (async () => {
    let heap = Infinity;
    for (let i = 0; i < 4; i++) {
      await nextTurn();
      globalThis.gc?.();
      heap = Math.min(heap, process.memoryUsage().heapUsed);
    }
    process.send?.({ heap, resources });
  })();
});
// The program ends by itself, as it would without anybody looking.
process.channel?.unref();
