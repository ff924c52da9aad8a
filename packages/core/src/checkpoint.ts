/** Points at which others may run, and at which a task learns that it is cancelled. */

import { currentScopeNode, scopeOfWait, type WaitOptions } from './ambient.js';
import { checkOptions } from './arguments.js';
import { DONE, rejected } from './promises.js';
import { refusal, Wait } from './suspend.js';
import { hasBudget, noteCancelPoint, putOff } from './turn.js';

/**
 * Lets others run, and rejects if the scope is cancelled. In a computation without any other wait, call it
 * now and then.
 *
 * Waits no longer than for those who are ready; when the event loop has been kept from its other work for
 * too long, until its next turn. Cancelled before or during: rejects. It loses nothing.
 *
 * @throws Cancelled when the scope is cancelled; `signal.reason` when a foreign signal has aborted.
 *
 * Semantics: `checkpoint` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { checkpoint, moveOnAfter } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * let rounds = 0;
 * await moveOnAfter(5, async () => {
 *   for (;;) {
 *     rounds++;
 *     await checkpoint();
 *   }
 * });
 * assert.ok(rounds > 1);
 * ```
 */
export function checkpoint(options?: WaitOptions): Promise<void> {
  const scope = options === undefined ? currentScopeNode('checkpoint()') : undefined;
  // Nearly every call ends here.
  if (scope !== undefined && scope.cancellation === undefined && hasBudget()) return DONE;
  try {
    checkOptions('checkpoint()', options);
    const where = scope ?? scopeOfWait('checkpoint()', options);
    const refused = refusal('checkpoint()', where, options);
    if (refused !== undefined) return refused;
    if (scope === undefined && hasBudget()) return DONE;
    const wait = new Wait<void>('checkpoint', where);
    wait.begin(options);
    putOff(() => wait.resolveNow());
    return wait.promise;
  } catch (error) {
    return rejected(error);
  }
}

/**
 * Rejects if the scope is cancelled, and resolves at once if it is not.
 *
 * @throws Cancelled when the scope is cancelled; `signal.reason` when a foreign signal has aborted.
 *
 * Semantics: `checkpoint_if_cancelled` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { CancelScope, checkpointIfCancelled } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const scope = new CancelScope();
 * await scope.run(async () => {
 *   await checkpointIfCancelled();
 *   scope.cancel();
 *   await checkpointIfCancelled();
 *   assert.fail('not reached');
 * });
 * assert.ok(scope.cancelledCaught);
 * ```
 */
export function checkpointIfCancelled(options?: WaitOptions): Promise<void> {
  try {
    checkOptions('checkpointIfCancelled()', options);
    noteCancelPoint();
    const scope = scopeOfWait('checkpointIfCancelled()', options);
    return refusal('checkpointIfCancelled()', scope, options) ?? DONE;
  } catch (error) {
    return rejected(error);
  }
}

/**
 * Lets others run, and does not mind whether the scope is cancelled.
 *
 * Waits as `checkpoint()` does, and never rejects.
 *
 * Semantics: `cancel_shielded_checkpoint` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { cancelShieldedCheckpoint, CancelScope } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const scope = new CancelScope();
 * scope.cancel();
 * assert.equal(await scope.run(() => cancelShieldedCheckpoint().then(() => 'unharmed')), 'unharmed');
 * ```
 */
export function cancelShieldedCheckpoint(): Promise<void> {
  return hasBudget('shielded') ? DONE : new Promise<void>(putOff);
}
