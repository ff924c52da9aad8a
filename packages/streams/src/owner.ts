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
  let leaves: readonly (() => void)[] = [];
  const leave = (): void => {
    for (const each of leaves) each();
  };
  const aborted = (): void => {
    leave();
    for (const { aborted: isAborted, reason } of signals) {
      if (!isAborted) continue;
      onCancelled(reason);
      return;
    }
  };
  leaves = Array.from(signals, (signal) => listen(signal, aborted));
  for (const signal of signals) {
    if (!signal.aborted) continue;
    aborted();
    break;
  }
  return leave;
}

/**
 * Who watches which signal. All of them share one listener, since some versions of Node take more than ten
 * for a leak.
 */
const watchers = new WeakMap<AbortSignal, { readonly all: Set<() => void>; readonly listener: () => void }>();

/** Calls `aborted` when the signal aborts. Returns what ends the listening. */
function listen(signal: AbortSignal, aborted: () => void): () => void {
  let known = watchers.get(signal);
  if (known === undefined) {
    const all = new Set<() => void>();
    known = {
      all,
      listener() {
        for (const each of all) each();
      },
    };
    watchers.set(signal, known);
    signal.addEventListener('abort', known.listener);
  }
  const { all, listener } = known;
  all.add(aborted);
  return () => {
    if (!all.delete(aborted) || all.size > 0) return;
    watchers.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}
