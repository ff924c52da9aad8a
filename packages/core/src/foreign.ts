/**
 * Waiting for work that the runtime knows nothing about: APIs that take an AbortSignal, and promises that
 * cannot be cancelled.
 */

import { cellIn, invoke, peekScope, scopeOfWait, type WaitOptions } from './ambient.js';
import { checkFunction, checkOptions, checkSignal, describe, isThenable } from './arguments.js';
import { isAbortError, ScopeExitedError, type Cancelled } from './errors.js';
import { notify, observing, type TaskInfo, type WaitInfo } from './instruments.js';
import { linkSignal, type Abortable, type SignalLink } from './signal-link.js';
import { attach, detach, type Member, noteEscape, type ScopeNode } from './scope-tree.js';
import { ignore, rejected } from './promises.js';
import { refusal, suspend } from './suspend.js';
import { hasBudget, noteActivity, putOff } from './turn.js';

/**
 * The signal of the innermost scope, to hand to APIs that take one. It aborts when the scope is effectively
 * cancelled, and what the API then throws counts as that cancellation.
 *
 * In a scope that lives long, prefer {@link withSignal}: some APIs leave a listener behind at each call.
 *
 * Does not wait. The signal of the root, outside of every scope, never aborts.
 *
 * @example
 * ```ts
 * import { currentSignal, moveOnAfter } from '@taskscope/core';
 * import { setTimeout as delay } from 'node:timers/promises';
 * import assert from 'node:assert/strict';
 *
 * const result = await moveOnAfter(2, () => delay(60_000, 'late', { signal: currentSignal() }));
 * assert.equal(result, undefined);
 * ```
 */
export function currentSignal(): AbortSignal {
  return peekScope().signal;
}

/**
 * Runs work that takes an AbortSignal. When the scope is cancelled the signal aborts, and the work is
 * awaited to its end, however it takes that. The signal is this call's own and is let go afterwards, so
 * that a long-lived scope collects no listeners.
 *
 * Waits until `work` has ended. Cancelled before: rejects without calling `work`. Cancelled during: the
 * signal aborts; when the work then fails because of that, rejects with the cancellation; when it finishes
 * all the same, its result is kept.
 *
 * @throws What `work` throws; `Cancelled` when it was cancelled; `signal.reason` when a foreign signal
 * ended it; TypeError for bad arguments.
 *
 * Semantics: a wait of AnyIO's asyncio backend, which cancels the future and awaits it.
 *
 * @example
 * ```ts
 * import { moveOnAfter, withSignal } from '@taskscope/core';
 * import { once } from 'node:events';
 * import { EventEmitter } from 'node:events';
 * import assert from 'node:assert/strict';
 *
 * const emitter = new EventEmitter();
 * await moveOnAfter(2, () => withSignal((signal) => once(emitter, 'tea', { signal })));
 * assert.equal(emitter.listenerCount('tea'), 0);
 * ```
 */
export function withSignal<T>(
  work: (signal: AbortSignal) => T | PromiseLike<T>,
  options?: WaitOptions,
): Promise<T> {
  const where = 'withSignal()';
  try {
    checkFunction(where, 'work', work);
    checkOptions(where, options);
    const scope = scopeOfWait(where, options);
    const refused = refusal(where, scope, options);
    if (refused !== undefined) return refused;
    return new ForeignWork(scope, options).run(work);
  } catch (error) {
    return rejected(error);
  }
}

/** Ends a wait for work. If that was done at once, this must not keep the event loop from its other work. */
function inBudget<T>(end: () => T | Promise<T>): T | Promise<T> {
  return hasBudget() ? end() : new Promise<void>(putOff).then(end);
}

/**
 * Hangs below a scope while foreign work runs, and aborts its signal. Unlike a wait, it is over only when
 * the work is.
 */
class ForeignWork implements Member, Abortable, WaitInfo {
  owner: ScopeNode | undefined = undefined;
  previous: Member | undefined = undefined;
  next: Member | undefined = undefined;
  readonly isScope = false;
  readonly label = 'withSignal';
  readonly #scope: ScopeNode;
  readonly #controller = new AbortController();
  readonly #link: SignalLink | undefined;
  #abortedWith: unknown = undefined;

  constructor(scope: ScopeNode, options: WaitOptions | undefined) {
    this.#scope = scope;
    // First, since a signal that is not what it seems may throw.
    this.#link = options?.signal === undefined ? undefined : linkSignal(this, scope, options.signal);
    attach(this, scope);
    scope.context.foreignWaits++;
    noteActivity();
  }

  get task(): TaskInfo {
    return (this.owner ?? this.#scope).task;
  }

  run<T>(work: (signal: AbortSignal) => T | PromiseLike<T>): Promise<T> {
    const { signal } = this.#controller;
    let result: T | Promise<T>;
    try {
      // A promise in any case: the signal has to be let go when the work has ended, not before.
      result = invoke(cellIn(this.#scope), work, [signal]);
    } catch (error) {
      result = Promise.reject(error);
    }
    if (observing.count > 0) notify(this.#scope.context.observers, 'waitStarted', this);
    const ended: Promise<T> = Promise.resolve(result).then(
      (value) => {
        this.#end();
        return inBudget(() => value);
      },
      (error: unknown) => {
        this.#end();
        if (!this.#isAbort(error)) return inBudget(() => Promise.reject(error));
        // Nobody needs to look at what was aborted; that it outlived its scope shall be heard of.
        if (!(this.#abortedWith instanceof ScopeExitedError)) ended.catch(ignore);
        throw this.#abortedWith;
      },
    );
    return ended;
  }

  deliver(cancellation: Error): void {
    this.abort(cancellation);
  }

  abort(reason: unknown): void {
    if (this.#controller.signal.aborted) return;
    this.#abortedWith = reason;
    this.#controller.abort(reason);
  }

  bequeath(heir: ScopeNode, left: ScopeNode): void {
    attach(this, heir);
    const error = noteEscape(left.cell, heir, this.label);
    if (error !== undefined) this.abort(error);
    if (heir.cancellation !== undefined) this.deliver(heir.cancellation);
  }

  /** Whether an error says no more than that the work was aborted. */
  #isAbort(error: unknown): boolean {
    const { signal } = this.#controller;
    if (!signal.aborted) return false;
    return (
      error === signal.reason || (isAbortError(error) && (error.cause ?? signal.reason) === signal.reason)
    );
  }

  #end(): void {
    detach(this);
    this.#link?.unlink();
    this.#scope.context.foreignWaits--;
    noteActivity();
    if (observing.count > 0) notify(this.#scope.context.observers, 'waitEnded', this);
  }
}

/**
 * Waits for foreign work that cannot be cancelled. When the scope is cancelled it stops waiting and lets
 * the work go: what it brings later, an error included, is dropped. Use it only where nobody minds that the
 * work goes on.
 *
 * Cancelled before: rejects, without calling `work` if that is a function. Cancelled during: rejects at
 * once. It is not cancel-safe in the sense that the result is lost.
 *
 * @param work - A promise, or a function that begins the work. The function is given a signal that aborts
 * on cancellation.
 * @throws What the work rejects with; `Cancelled` when the scope is cancelled; `signal.reason` when a
 * foreign signal aborts; TypeError for bad arguments.
 *
 * Semantics: `abandon_on_cancel` of AnyIO's and Trio's `to_thread.run_sync`.
 *
 * @example
 * ```ts
 * import { abandonOnCancel, moveOnAfter } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const slow = new Promise((resolve) => setTimeout(resolve, 20, 'late'));
 * assert.equal(await moveOnAfter(2, () => abandonOnCancel(slow)), undefined);
 * ```
 */
export function abandonOnCancel<T>(
  work: PromiseLike<T> | ((signal: AbortSignal) => T | PromiseLike<T>),
  options?: WaitOptions,
): Promise<T> {
  const where = 'abandonOnCancel()';
  let promise: PromiseLike<T> | undefined;
  try {
    if (typeof work !== 'function') {
      if (!isThenable(work)) {
        throw new TypeError(
          `${where}: work must be a promise or a function that begins it, got ${describe(work)}`,
        );
      }
      // A foreign thenable may begin its work at each call of then().
      promise = Promise.resolve(work);
      // Its error belongs to whoever waits for it; when that is nobody any more, to nobody.
      promise.then(ignore, ignore);
    }
    checkOptions(where, options);
    checkSignal(where, options?.signal);
  } catch (error) {
    return rejected(error);
  }
  return suspend<T>(
    (resolve, reject) => {
      const controller = new AbortController();
      const result = promise ?? (work as (signal: AbortSignal) => T | PromiseLike<T>)(controller.signal);
      // A foreign thenable may bring another one.
      if (isThenable(result)) Promise.resolve(result).then(resolve, reject);
      else resolve(result);
      return (cancelled: Cancelled) => controller.abort(cancelled);
    },
    { ...options, label: 'abandonOnCancel', foreign: true },
  );
}
