/** What tests look at from outside: promises, signals, and rejections that nobody handled. */

import { getEventListeners } from 'node:events';

/** How many listeners a signal has. */
export function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

/** Lets the event loop turn, without the runtime knowing. */
export function turns(count = 1): Promise<void> {
  return new Promise((resolve) => {
    const turn = (left: number): void => {
      if (left === 0) resolve();
      else setImmediate(turn, left - 1);
    };
    turn(count);
  });
}

/** The error that a promise rejects with; fails if it does not. */
export async function errorOf(promise: PromiseLike<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`it should have rejected, but resolved to ${String(value)}`);
}

/** Runs `body`, and returns the reasons of the promises that were rejected with nobody to handle them. */
export async function unhandledRejections(body: () => unknown): Promise<unknown[]> {
  const reasons: unknown[] = [];
  const others = process.listeners('unhandledRejection');
  const note = (reason: unknown): void => void reasons.push(reason);
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', note);
  try {
    await body();
    await turns(3);
  } finally {
    process.off('unhandledRejection', note);
    for (const other of others) process.on('unhandledRejection', other);
  }
  return reasons;
}
