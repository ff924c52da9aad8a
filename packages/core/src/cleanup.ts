/** Giving things back, also when everything around is being cancelled. */

import { checkFunction, checkOptions, checkTime } from './arguments.js';
import { CancelScope, runScope } from './cancel-scope.js';
import { chain, rejected } from './promises.js';

/** Options of {@link cleanup} and {@link withResource}. */
export interface CleanupOptions {
  /** How long the clean-up may take, in milliseconds. Default: 5,000. */
  grace?: number | undefined;
}

const DEFAULT_GRACE = 5_000;

/**
 * Runs `body` shielded from the cancellation around, but not for ever: for `finally` blocks and disposers
 * that have to wait. When the grace period is over, what still waits in `body` is cancelled.
 *
 * Waits until `body` has ended. As everywhere, a bare promise is waited for to its end, also beyond the grace
 * period: await one that may take long with `abandonOnCancel`.
 *
 * @returns What `body` returned; undefined when it took too long.
 * @throws What `body` throws; TypeError or RangeError for bad arguments.
 *
 * Semantics: `CancelScope(deadline=…, shield=True)`, the idiom of Trio's and AnyIO's documentation, with a
 * name.
 *
 * @example
 * ```ts
 * import { cleanup, moveOnAfter, sleep, sleepForever } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * let saidGoodbye = false;
 * await moveOnAfter(1, async () => {
 *   try {
 *     await sleepForever();
 *   } finally {
 *     await cleanup(async () => {
 *       await sleep(1);
 *       saidGoodbye = true;
 *     });
 *   }
 * });
 * assert.ok(saidGoodbye);
 * ```
 */
export function cleanup<T>(
  body: (scope: CancelScope) => T | PromiseLike<T>,
  options?: CleanupOptions,
): Promise<T | undefined> {
  try {
    checkFunction('cleanup()', 'body', body);
    const scope = new CancelScope({ timeout: grace('cleanup()', options), shield: true, name: 'cleanup' });
    return runScope(scope, 'cleanup()', body);
  } catch (error) {
    return rejected(error);
  }
}

/**
 * Acquires a resource, uses it, and releases it in a {@link cleanup}, however the use ended. What was
 * acquired is always released, also when the cancellation came in the very moment of acquiring.
 *
 * Waits for all three. Cancelled before or during `acquire`: that is for `acquire` to handle, and `use` is
 * not called if it throws.
 *
 * @returns What `use` returned.
 * @throws What `acquire`, `use` or `release` throws; when both `use` and `release` throw, an AggregateError
 * of both; TypeError or RangeError for bad arguments.
 *
 * Semantics: `async with` around a resource, with AnyIO's `aclose_forcefully` idiom for the end.
 *
 * @example
 * ```ts
 * import { withResource } from '@taskscope/core';
 * import { open } from 'node:fs/promises';
 * import assert from 'node:assert/strict';
 *
 * const size = await withResource(
 *   () => open(process.execPath),
 *   async (file) => (await file.stat()).size,
 *   (file) => file.close(),
 * );
 * assert.ok(size > 0);
 * ```
 */
export function withResource<R, T>(
  acquire: () => R | PromiseLike<R>,
  use: (resource: R) => T | PromiseLike<T>,
  release: (resource: R) => unknown,
  options?: CleanupOptions,
): Promise<T> {
  const where = 'withResource()';
  try {
    checkFunction(where, 'acquire', acquire);
    checkFunction(where, 'use', use);
    checkFunction(where, 'release', release);
    return chain(acquireUseRelease(acquire, use, release, grace(where, options)), (result) => result);
  } catch (error) {
    return rejected(error);
  }
}

async function acquireUseRelease<R, T>(
  acquire: () => R | PromiseLike<R>,
  use: (resource: R) => T | PromiseLike<T>,
  release: (resource: R) => unknown,
  graceMs: number,
): Promise<T> {
  const limit = { grace: graceMs };
  const resource = await acquire();
  let result: T;
  try {
    result = await use(resource);
  } catch (error) {
    try {
      await cleanup(() => release(resource), limit);
    } catch (releaseError) {
      throw new AggregateError([error, releaseError], 'using the resource failed, and so did releasing it');
    }
    throw error;
  }
  await cleanup(() => release(resource), limit);
  return result;
}

function grace(where: string, options: CleanupOptions | undefined): number {
  checkOptions(where, options);
  const value = options?.grace === undefined ? DEFAULT_GRACE : options.grace;
  checkTime(where, 'options.grace', value);
  return value;
}
