/** Letting an AbortSignal end something, and leaving nothing behind at the signal when it is over. */

import { cellOfSignal, Member, openScope, type ScopeNode } from './scope-tree.js';

/** Ties something that can be aborted to a signal, until it is unlinked. */
export interface SignalLink {
  unlink(): void;
}

/** What a signal can end. */
export interface Abortable {
  /** `error` is the signal's reason, or the cancellation of the scope that the signal belongs to. */
  abort(error: unknown): void;
}

/**
 * Links `target`, which lives in `scope`, to a signal that has not aborted. The signal of a scope needs no
 * listener: the link hangs below that scope like a wait. A foreign signal gets a listener, which `unlink`
 * removes.
 */
export function linkSignal(target: Abortable, scope: ScopeNode, signal: AbortSignal): SignalLink | undefined {
  const cell = cellOfSignal(signal);
  if (cell !== undefined) {
    const other = openScope(cell);
    return other === scope ? undefined : new ScopeLink(target, other);
  }
  const onAbort = (): void => target.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    unlink(): void {
      signal.removeEventListener('abort', onAbort);
    },
  };
}

class ScopeLink extends Member implements SignalLink {
  override readonly isScope = false;
  readonly #target: Abortable;

  constructor(target: Abortable, scope: ScopeNode) {
    super();
    this.#target = target;
    this.attach(scope);
  }

  unlink(): void {
    this.detach();
  }

  override deliver(cancellation: Error): void {
    this.detach();
    this.#target.abort(cancellation);
  }

  /** A scope that was left can no longer be cancelled, so there is nothing to wait for. */
  override bequeath(): void {}
}
