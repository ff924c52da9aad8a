/** What the platform offers for cancellation: signals that are handed on, and timers that are cleared. */

import { setMaxListeners } from 'node:events';

import type { Peer, TimedWork } from '../programs.js';
import { together } from './native.js';

const HOUR = 3_600_000;

/** Sleeps until the time is over or the signal aborts, and leaves neither a timer nor a listener behind. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Aborts the work when the time is over; throws the reason then. */
async function withTimeout<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(TIMED_OUT), ms);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

const TIMED_OUT = new Error('timed out');

async function orElse(result: Promise<number>, otherwise: number): Promise<number> {
  try {
    return await result;
  } catch (error) {
    if (error !== TIMED_OUT) throw error;
    return otherwise;
  }
}

async function timed(
  { count, work }: TimedWork,
  timeout: (work: (signal: AbortSignal) => Promise<number>) => Promise<number>,
): Promise<number> {
  let sum = 0;
  if (work === 'ends at once') {
    for (let i = 0; i < count; i++) sum += await timeout(async () => 1);
  } else {
    await together(count, async () => {
      const result = await timeout(async (signal) => {
        await sleep(1, signal);
        return 1;
      });
      sum += result;
    });
  }
  return sum;
}

/** A controller that aborts with its parent, as long as it is in use. */
async function nest(depth: number, parent: AbortSignal): Promise<number> {
  if (depth === 0) return parent.aborted ? 0 : 1;
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(parent.reason);
  parent.addEventListener('abort', onAbort, { once: true });
  try {
    return await nest(depth - 1, controller.signal);
  } finally {
    parent.removeEventListener('abort', onAbort);
  }
}

export const abortController: Peer = {
  name: 'AbortController',
  packages: [],
  programs: {
    moveOn: (parameters) => timed(parameters, (work) => orElse(withTimeout(HOUR, work), 0)),
    fail: (parameters) => timed(parameters, (work) => withTimeout(HOUR, work)),

    async expire({ count }) {
      const wait = async (signal: AbortSignal): Promise<number> => {
        await sleep(HOUR, signal);
        return 0;
      };
      const results = await together(count, () => orElse(withTimeout(1, wait), 1));
      return results.reduce((sum, result) => sum + result, 0);
    },

    async nestedScopes({ depth, rounds }) {
      let reached = 0;
      for (let round = 0; round < rounds; round++) reached += await nest(depth, new AbortController().signal);
      return reached;
    },

    sleepers({ tasks }) {
      let begun = 0;
      let stopped = 0;
      const controller = new AbortController();
      setMaxListeners(0, controller.signal); // Node.js 20 would warn
      const all = together(tasks, async () => {
        begun++;
        try {
          await sleep(HOUR, controller.signal);
        } catch (error) {
          if (error === TIMED_OUT) stopped++;
        }
      });
      return {
        begun: () => begun,
        stop: async () => {
          controller.abort(TIMED_OUT);
          await all;
          return stopped;
        },
      };
    },
  },
};
