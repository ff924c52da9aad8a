/** A lock that its owner may acquire again. */

import { depthOf, Lock, makeReentrant } from './lock.js';

/**
 * A lock that its owner may acquire again: it is free after as many releases. A call of `run(fn)` inside of
 * another one, on the same call chain, goes through at once; calls that run at the same time in one task
 * queue up, as with Lock. What is acquired inside of `run(fn)` and not released there belongs to the task
 * when `run` has ended.
 *
 * Where nothing is ambient (browsers), a call of `run(fn)` inside of another one cannot be told from one
 * beside it, and waits: use `acquire({ signal })` there.
 *
 * Semantics: Python's `RLock`, with the owners of AnyIO's `Lock`.
 *
 * @example
 * ```ts
 * import { ReentrantLock } from '@taskscope/sync';
 * import assert from 'node:assert/strict';
 *
 * const lock = new ReentrantLock();
 * const inner = (): Promise<number> => lock.run(() => lock.depth);
 * assert.equal(await lock.run(inner), 2);
 * assert.equal(lock.depth, 0);
 * ```
 */
export class ReentrantLock extends Lock {
  constructor() {
    super();
    makeReentrant(this);
  }

  /** How many times the owner has acquired it; 0 when it is free. */
  get depth(): number {
    return depthOf(this);
  }
}
