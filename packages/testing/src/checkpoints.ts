/** Asserting that code is a checkpoint, or is none. */

import { currentTask } from '@taskscope/core';
import { addInstrument, addProbe, checkFunction } from '@taskscope/core/lowlevel';

/**
 * Runs `body` and fails unless it passes a checkpoint: a point at which its task could have been cancelled,
 * and others could run. A function that waits should pass one on every path, also when what it wants is
 * there already.
 *
 * Waits until `body` has ended.
 *
 * @throws AssertionError when there was no checkpoint; what `body` throws; TypeError when `body` is no
 * function.
 *
 * Semantics: Trio's `assert_checkpoints`.
 *
 * @example
 * ```ts
 * import { sleep } from '@taskscope/core';
 * import { expectCheckpoint } from '@taskscope/testing';
 *
 * await expectCheckpoint(() => sleep(0));
 * ```
 */
export async function expectCheckpoint(body: () => unknown): Promise<void> {
  checkFunction('expectCheckpoint()', 'body', body);
  const seen = await observe(body);
  if (!seen.cancel || !seen.schedule) {
    throw assertionError(
      'expectCheckpoint(): the body passed no checkpoint. Await checkpoint() where nothing else waits',
    );
  }
}

/**
 * Runs `body` and fails if it passes a checkpoint of any kind.
 *
 * Waits until `body` has ended.
 *
 * @throws AssertionError when there was a checkpoint; what `body` throws; TypeError when `body` is no
 * function.
 *
 * Semantics: Trio's `assert_no_checkpoints`.
 *
 * @example
 * ```ts
 * import { expectNoCheckpoint } from '@taskscope/testing';
 *
 * await expectNoCheckpoint(() => Math.sqrt(2));
 * ```
 */
export async function expectNoCheckpoint(body: () => unknown): Promise<void> {
  checkFunction('expectNoCheckpoint()', 'body', body);
  const seen = await observe(body);
  if (seen.cancel || seen.schedule)
    throw assertionError('expectNoCheckpoint(): the body passed a checkpoint');
}

/** Runs `body` and tells which points the task passed: those where it could have been cancelled, and where others could run. */
async function observe(body: () => unknown): Promise<{ cancel: boolean; schedule: boolean }> {
  const { id } = currentTask();
  const seen = { cancel: false, schedule: false };
  const probe = addProbe({
    operation(kind) {
      if (kind === 'hand-over' || currentTask().id !== id) return true;
      seen.schedule = true;
      if (kind === 'checkpoint') seen.cancel = true;
      return true;
    },
    cancelPoint() {
      if (currentTask().id === id) seen.cancel = true;
    },
  });
  const instrument = addInstrument({
    waitStarted(wait) {
      if (wait.task.id === id) seen.cancel = seen.schedule = true;
    },
  });
  try {
    await body();
  } finally {
    probe[Symbol.dispose]();
    instrument[Symbol.dispose]();
  }
  return seen;
}

/** What test runners know as a failed assertion, rather than a crash. */
function assertionError(message: string): Error {
  const error = new Error(message);
  error.name = 'AssertionError';
  return error;
}
