/** Whose a bridge is: the scope in which it was made. */

import { currentSignal, detached, type WaitOptions } from '@taskscope/core';
import { currentScope } from '@taskscope/core/lowlevel';

/**
 * Calls `onCancelled` once when the current scope is cancelled, or the signal in `options` aborts; at once
 * if that has happened. Returns what ends the watching.
 */
export function watchOwner(
  options: WaitOptions | undefined,
  onCancelled: (reason: unknown) => void,
): () => void {
  const signals = new Set<AbortSignal>();
  // The root is never cancelled, and its signal would keep for ever whatever listens to it.
  if (currentScope() !== detached(currentScope)) signals.add(currentSignal());
  if (options?.signal !== undefined) signals.add(options.signal);
  const leave = (): void => {
    for (const signal of signals) signal.removeEventListener('abort', aborted);
  };
  const aborted = (): void => {
    leave();
    for (const { aborted: isAborted, reason } of signals) {
      if (!isAborted) continue;
      onCancelled(reason);
      return;
    }
  };
  for (const signal of signals) signal.addEventListener('abort', aborted);
  for (const signal of signals) {
    if (!signal.aborted) continue;
    aborted();
    break;
  }
  return leave;
}
