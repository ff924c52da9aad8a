/** Waiting until everyone else waits. */

import { suspend } from '@taskscope/core/lowlevel';

import { checkTime } from './arguments.js';
import { addIdleListener } from './idle.js';

/**
 * Waits until every other task waits: the moment to look at what a concurrent program has come to, with no
 * sleep and no guess. Tasks that wait for the world outside (a file, a socket) count as waiting.
 *
 * Cancelled before or during: rejects.
 *
 * @param cushion - For how long everyone must have waited, in real milliseconds. Default: 0.
 * @throws Cancelled when the scope is cancelled; TypeError or RangeError when `cushion` is no time.
 *
 * Semantics: Trio's and AnyIO's `wait_all_tasks_blocked`.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { ParkingLot } from '@taskscope/core/lowlevel';
 * import { waitAllTasksBlocked } from '@taskscope/testing';
 * import assert from 'node:assert/strict';
 *
 * const lot = new ParkingLot();
 * await taskGroup(async (tg) => {
 *   tg.startSoon(() => lot.park());
 *   await waitAllTasksBlocked();
 *   assert.equal(lot.size, 1);
 *   lot.unpark();
 * });
 * ```
 */
export async function waitAllTasksBlocked(cushion = 0): Promise<void> {
  checkTime('waitAllTasksBlocked()', 'cushion', cushion, 0);
  await suspend<void>(
    (resolve) => {
      const listening = addIdleListener({
        cushion,
        changesThings: false,
        onIdle() {
          listening[Symbol.dispose]();
          resolve();
          return true;
        },
      });
      return () => listening[Symbol.dispose]();
    },
    // Whoever looks on is no part of a deadlock.
    { label: 'waitAllTasksBlocked', foreign: true },
  );
}
