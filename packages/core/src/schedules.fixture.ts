/**
 * Tests run under shuffled schedules as well (tools/fuzz-runner.ts), and have to pass under each. For those
 * that are about an order: how to have one all the same, and the exception that is made for the order of the
 * plain schedule itself.
 */

import { virtualTime, waitAllTasksBlocked, type MockClock } from '@taskscope/testing';

/** Does something several times, and waits each time until everyone else waits. */
export async function inTurn(count: number, step: (i: number) => unknown): Promise<void> {
  for (let i = 0; i < count; i++) {
    step(i);
    await waitAllTasksBlocked();
  }
}

/** What the plain schedule promises, and a shuffled one does not. */
export type PlainOrder =
  | 'tasks begin in the order in which they were started'
  | 'those who are woken together go on in their order'
  | 'what can be done at once is done at once';

/** As `virtualTime()`, but never shuffled, since the test relies on `promise`. */
export function inPlainOrder<T, A extends unknown[]>(
  _promise: PlainOrder,
  body: (clock: MockClock, ...args: A) => T | PromiseLike<T>,
): (...args: A) => Promise<T> {
  return virtualTime(body, { seed: false });
}
