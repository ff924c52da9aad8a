/** Letting an AbortSignal end something, and leaving nothing behind at the signal when it is over. */

import { attach, detach, cellOfSignal, type Member, openScope, type ScopeNode } from './scope-tree.js';

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
 * listener: the link hangs below that scope like a wait. A foreign signal gets a listener, which is removed
 * when the last of its links is.
 */
export function linkSignal(target: Abortable, scope: ScopeNode, signal: AbortSignal): SignalLink | undefined {
  const cell = cellOfSignal(signal);
  if (cell !== undefined) {
    const other = openScope(cell);
    return other === scope ? undefined : new ScopeLink(target, other);
  }
  return new ForeignLink(target, signal);
}

/**
 * Who is linked to a foreign signal. All of them share one listener: adding and removing one costs
 * microseconds, and some versions of Node take more than ten for a leak.
 */
const linked = new WeakMap<
  AbortSignal,
  { readonly links: Set<ForeignLink>; readonly listener: () => void }
>();

class ForeignLink implements SignalLink {
  readonly target: Abortable;
  readonly #signal: AbortSignal;

  constructor(target: Abortable, signal: AbortSignal) {
    this.target = target;
    this.#signal = signal;
    const known = linked.get(signal);
    if (known !== undefined) {
      known.links.add(this);
      return;
    }
    const links = new Set<ForeignLink>([this]);
    const listener = (): void => {
      // Aborting one may unlink others; a set is iterated over as it is.
      for (const link of links) link.target.abort(signal.reason);
    };
    signal.addEventListener('abort', listener, { once: true });
    linked.set(signal, { links, listener });
  }

  unlink(): void {
    const known = linked.get(this.#signal);
    if (known?.links.delete(this) !== true || known.links.size > 0) return;
    linked.delete(this.#signal);
    this.#signal.removeEventListener('abort', known.listener);
  }
}

class ScopeLink implements Member, SignalLink {
  owner: ScopeNode | undefined = undefined;
  previous: Member | undefined = undefined;
  next: Member | undefined = undefined;
  readonly isScope = false;
  readonly #target: Abortable;

  constructor(target: Abortable, scope: ScopeNode) {
    this.#target = target;
    attach(this, scope);
  }

  unlink(): void {
    detach(this);
  }

  deliver(cancellation: Error): void {
    detach(this);
    this.#target.abort(cancellation);
  }

  /** The nearest open scope around takes the place of one that was left, as for code that runs in it. */
  bequeath(heir: ScopeNode): void {
    attach(this, heir);
    if (heir.cancellation !== undefined) this.deliver(heir.cancellation);
  }
}
