/**
 * The one primitive under every wait.
 *
 * A wait is a promise that the runtime can reject. While it is pending it hangs below its scope; whoever
 * comes first, the one who resolves it or a cancellation, takes it out of the tree, and from then on it is
 * settled: a value that was handed over is never lost, and nobody can hand anything to a wait that was
 * cancelled.
 */

import { currentScopeNode, scopeOfWait, type WaitOptions } from './ambient.js';
import { checkFunction, checkOptions, checkSignal } from './arguments.js';
import type { Cancelled } from './errors.js';
import { notify, observing, type TaskInfo, type WaitInfo } from './instruments.js';
import {
  attach,
  cellOfSignal,
  detach,
  noteEscape,
  openScope,
  type Member,
  type ScopeNode,
} from './scope-tree.js';
import type { WakeScheduler } from './run-context.js';
import { linkSignal, type SignalLink } from './signal-link.js';
import { ignore, rejected, silence } from './promises.js';
import { hasBudget, noteActivity, putOff } from './turn.js';

/** Why a wait that begins now must not: its scope is cancelled or its signal has aborted. */
export function refusal(
  where: string,
  scope: ScopeNode,
  options: WaitOptions | undefined,
): Promise<never> | undefined {
  if (scope.cancellation !== undefined) return refused(scope.cancellation);
  const signal = options?.signal;
  return signal === undefined ? undefined : refusalBy(where, signal);
}

function refusalBy(where: string, signal: AbortSignal): Promise<never> | undefined {
  checkSignal(where, signal);
  const cell = cellOfSignal(signal);
  if (cell !== undefined) {
    const { cancellation } = openScope(cell);
    if (cancellation !== undefined) return refused(cancellation);
    // Of a scope that was cancelled and left, its signal is all that remembers it.
    return signal.aborted && cell.scope === undefined ? refused(signal.reason) : undefined;
  }
  if (!signal.aborted) return undefined;
  const promise = refused(signal.reason);
  promise.catch(ignore);
  return promise;
}

/**
 * Costs budget as well: a loop that swallows its cancellation must not keep the event loop from its other
 * work.
 */
function refused(error: unknown): Promise<never> {
  const promise = hasBudget('hand-over')
    ? Promise.reject(error)
    : new Promise<never>((_resolve, reject) => putOff(() => reject(error)));
  silence(promise, error);
  return promise;
}

/** Where a wait is queued, or what else has to be undone when it is cancelled. */
export interface Undo {
  /** Called at most once, and never after the wait was satisfied. */
  undo(cancelled: Cancelled): void;
}

/**
 * A pending wait.
 *
 * It makes its promise first and then stores, in one constructor and not in `#fields`: so the engine puts everything into
 * one allocation, without a closure and without write barriers. And it stays small, with what seldom happens in functions of
 * its own: what is inlined into one function may have 920 bytes of bytecode in all, and a send that waits is close to that.
 * Nobody outside of the package sees this class.
 */
export class Wait<T> implements Member, WaitInfo {
  owner: ScopeNode | undefined;
  previous: Member | undefined;
  next: Member | undefined;
  readonly promise: Promise<T>;
  readonly scope: ScopeNode;
  readonly label: string;
  /**
   * Whether something outside the runtime will end it: for virtual clocks, to which it is then no deadlock.
   */
  isForeign: boolean;
  /** Undoes it when it is cancelled. */
  undoer: Undo | undefined;
  private readonly resolvePromise: (value: T) => void;
  private readonly rejectPromise: (error: unknown) => void;
  private signalLink: SignalLink | undefined;

  constructor(label: string, scope: ScopeNode) {
    let resolvePromise!: (value: T) => void;
    let rejectPromise!: (error: unknown) => void;
    const promise = new Promise<T>((resolve, reject) => {
      resolvePromise = resolve;
      rejectPromise = reject;
    });
    this.owner = undefined;
    this.previous = undefined;
    this.next = undefined;
    this.promise = promise;
    this.resolvePromise = resolvePromise;
    this.rejectPromise = rejectPromise;
    this.scope = scope;
    this.label = label;
    this.undoer = undefined;
    this.signalLink = undefined;
    this.isForeign = false;
  }

  get isScope(): boolean {
    return false;
  }

  /**
   * Begins the wait. The scope must not be cancelled, nor the signal be aborted: ask `refusal` first.
   *
   * @returns Whether it is pending: an instrument that was told of it may have cancelled it.
   */
  begin(options: WaitOptions | undefined): boolean {
    // First, since it may throw.
    if (options !== undefined) this.link(options);
    attach(this, this.scope);
    noteActivity();
    if (observing.count > 0) this.tell('waitStarted');
    return this.owner !== undefined;
  }

  /** Has a foreign signal end the wait as well, which may throw if it is not what it seems. */
  link({ signal }: WaitOptions): void {
    if (signal !== undefined) this.signalLink = linkSignal(this, this.scope, signal);
  }

  get task(): TaskInfo {
    return (this.owner ?? this.scope).task;
  }

  get isPending(): boolean {
    return this.owner !== undefined;
  }

  /**
   * Satisfies the wait. Does nothing, and returns false, if it is over already. A hand-over costs budget.
   */
  resolve(value: T): boolean {
    if (this.owner === undefined) return false;
    const mayWakeNow = hasBudget('hand-over');
    this.end();
    if (mayWakeNow) this.wake(value);
    else this.wakeInNextTurn(value);
    return true;
  }

  /** The same where the event loop has turned anyway, so that nobody is starved. */
  resolveNow(value: T): boolean {
    if (this.owner === undefined) return false;
    this.end();
    this.wake(value);
    return true;
  }

  /** Ends the wait with an error. Does nothing, and returns false, if it is over already. */
  reject(error: unknown): boolean {
    if (this.owner === undefined) return false;
    this.end();
    this.settleWith(error);
    return true;
  }

  /** Undoes the wait and rejects it with the cancellation, in this call. */
  deliver(cancellation: Error): void {
    this.abort(cancellation);
  }

  /** The same for the reason of a foreign signal. */
  abort(error: unknown): void {
    if (this.owner !== undefined && this.undoWith(error)) this.promise.catch(ignore);
  }

  /** Ends the wait with `error`, or with what undoing it throws. Returns whether that went well. */
  private undoWith(error: unknown): boolean {
    this.leave();
    let broken: { readonly error: unknown } | undefined;
    try {
      // The type is a promise to those who write undo functions: a foreign reason is theirs to recognise.
      this.undoer?.undo(error as Cancelled);
    } catch (problem) {
      broken = { error: problem };
    }
    // Not before it is undone: an instrument may hand something over, and not to this one any more.
    if (observing.count > 0) this.tell('waitEnded');
    this.settleWith(broken === undefined ? error : broken.error);
    return broken === undefined;
  }

  bequeath(heir: ScopeNode, left: ScopeNode): void {
    attach(this, heir);
    // Not a cancellation: what nobody awaits shall be heard of.
    const error = noteEscape(left.cell, heir, this.label);
    // An instrument that was told may have cancelled it.
    if (!this.isPending) return;
    if (error !== undefined) this.undoWith(error);
    else if (heir.cancellation !== undefined) this.deliver(heir.cancellation);
  }

  private wake(value: T): void {
    const { scheduler } = this.scope.context;
    if (scheduler === undefined) this.resolvePromise(value);
    else this.wakeBy(scheduler, value);
  }

  // These are functions of their own since the engine makes the context of a closure when a function is entered, not when it
  // gets to the closure.

  private wakeBy(scheduler: WakeScheduler, value: T): void {
    scheduler.ready(() => this.resolvePromise(value));
  }

  private wakeInNextTurn(value: T): void {
    putOff(() => this.wake(value));
  }

  private settleWith(error: unknown): void {
    const { scheduler } = this.scope.context;
    if (scheduler === undefined) this.rejectPromise(error);
    else scheduler.ready(() => this.rejectPromise(error));
  }

  private end(): void {
    this.leave();
    if (observing.count > 0) this.tell('waitEnded');
  }

  private leave(): void {
    detach(this);
    if (this.signalLink !== undefined || this.isForeign) this.letGo();
    noteActivity();
  }

  private letGo(): void {
    this.signalLink?.unlink();
    this.signalLink = undefined;
    if (this.isForeign) this.scope.context.foreignWaits--;
  }

  private tell(event: 'waitStarted' | 'waitEnded'): void {
    notify(this.scope.context.observers, event, this);
  }
}

/** Options of {@link suspend}. */
export interface SuspendOptions extends WaitOptions {
  /** What is waited for, as the task tree shows it. */
  label?: string;
  /**
   * Whether something outside the runtime (a socket, a child process) will end the wait. A virtual clock
   * then takes it for no deadlock.
   */
  foreign?: boolean;
}

/** @inline */
type UndoFunction = (cancelled: Cancelled) => void;

/** Undoes what `start` has begun. */
class UndoStart implements Undo {
  fn: UndoFunction | undefined = undefined;
  /** What cancelled the wait while `start` was still running, so that there was nothing to undo it with. */
  cancelledBy: Cancelled | undefined = undefined;

  undo(cancelled: Cancelled): void {
    if (this.fn === undefined) this.cancelledBy = cancelled;
    else this.fn(cancelled);
  }
}

/**
 * Waits for what a callback brings. `start` is called at once, with two functions of which the first to be
 * called ends the wait (they return whether it was still pending); what `start` returns undoes the wait
 * when it is cancelled, and is called at most once, never after `resolve` or `reject`. Every other wait can
 * be built on this one.
 *
 * In a cancelled scope it rejects without calling `start`. When it is cancelled later, the undo function is
 * called in the same call that cancels, and the promise rejects; when `resolve` came first, its value is
 * kept and the cancellation meets the task at its next wait. If the undo function throws, the wait rejects
 * with that error.
 *
 * @param start - Begins the wait. What it throws, the wait rejects with.
 * @throws Cancelled when the scope is cancelled; `signal.reason` when a foreign signal aborts; TypeError
 * for bad arguments.
 *
 * Semantics: Trio's `wait_task_rescheduled`, with an abort function that always succeeds.
 *
 * @example
 * ```ts
 * import { moveOnAfter } from '@taskscope/core';
 * import { suspend } from '@taskscope/core/lowlevel';
 * import { EventEmitter } from 'node:events';
 * import assert from 'node:assert/strict';
 *
 * function once(emitter: EventEmitter, name: string): Promise<unknown> {
 *   return suspend((resolve) => {
 *     emitter.on(name, resolve);
 *     return () => emitter.off(name, resolve);
 *   });
 * }
 * const emitter = new EventEmitter();
 * await moveOnAfter(1, () => once(emitter, 'tea'));
 * assert.equal(emitter.listenerCount('tea'), 0);
 * ```
 */
export function suspend<T>(
  start: (resolve: (value: T) => boolean, reject: (error: unknown) => boolean) => UndoFunction,
  options?: SuspendOptions,
): Promise<T> {
  try {
    checkFunction('suspend()', 'start', start);
    checkOptions('suspend()', options);
    const scope = options === undefined ? currentScopeNode('suspend()') : scopeOfWait('suspend()', options);
    const refused = refusal('suspend()', scope, options);
    if (refused !== undefined) return refused;
    const wait = new Wait<T>(options?.label ?? 'suspend', scope);
    const undoer = new UndoStart();
    wait.undoer = undoer;
    if (!wait.begin(options)) return wait.promise;
    if (options?.foreign === true) {
      wait.isForeign = true;
      scope.context.foreignWaits++;
    }
    let undo: unknown;
    try {
      undo = start(
        (value) => wait.resolve(value),
        (error) => wait.reject(error),
      );
    } catch (error) {
      wait.reject(error);
      return wait.promise;
    }
    if (wait.isPending) {
      if (typeof undo !== 'function') {
        wait.reject(
          new TypeError(
            'suspend(): start must return the function that undoes the wait when it is cancelled',
          ),
        );
      } else {
        undoer.fn = undo as UndoFunction;
      }
    } else if (undoer.cancelledBy !== undefined && typeof undo === 'function') {
      (undo as UndoFunction)(undoer.cancelledBy);
    }
    return wait.promise;
  } catch (error) {
    return rejected(error);
  }
}
