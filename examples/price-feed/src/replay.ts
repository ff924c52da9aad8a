/** Living through the file of ticks again, and again. */

import { currentTime, sleepUntil } from '@taskscope/core';
import type { Tick } from './ticks.js';

/** Between the last tick and the first of the next round. */
const PAUSE_MS = 100;

/**
 * Publishes each tick at its time, until it is cancelled. With a `speed` of 2, everything takes half the
 * time.
 *
 * It sleeps until a time, not for a while, so being late once does not make it late for ever.
 */
export async function replay(
  ticks: readonly Tick[],
  speed: number,
  publish: (tick: Tick) => Promise<unknown>,
): Promise<never> {
  for (let began = currentTime(); ;) {
    for (const tick of ticks) {
      await sleepUntil(began + tick.time / speed);
      await publish(tick);
    }
    began += (ticks.at(-1)!.time + PAUSE_MS) / speed;
    // Slower than that this computer cannot be: do not try to make up for it.
    began = Math.max(began, currentTime());
  }
}
