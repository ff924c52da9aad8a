/** For tests: tasks that fail with anything at all, or take their time to clean up, and what a group failed with. */

import { cleanup, sleep, sleepForever } from './index.js';
import { errorOf } from './observing.fixture.js';

/** A function that throws `error`, which may be anything. */
export function throwing(error: unknown): () => never {
  return () => {
    throw error;
  };
}

/** The members of the AggregateError that a promise rejects with. */
export async function errorsOf(promise: PromiseLike<unknown>): Promise<unknown[]> {
  const error = await errorOf(promise);
  if (error instanceof AggregateError) return error.errors;
  throw new Error(`it should have rejected with an AggregateError, got ${String(error)}`, { cause: error });
}

/** Waits until it is cancelled, and cleans up for `ms` then. */
export async function waitAndCleanUp(ms: number): Promise<never> {
  try {
    return await sleepForever();
  } finally {
    await cleanup(() => sleep(ms));
  }
}
