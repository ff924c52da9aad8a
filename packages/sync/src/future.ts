/** A result that somebody will set. */

import { FutureCancelled, InvalidStateError, type WaitOptions } from '@taskscope/core';
import {
  chain,
  completed,
  refusal,
  rejected,
  scopeOfWait,
  WaitQueue,
  type Selectable,
} from '@taskscope/core/lowlevel';

/** How a future is doing. */
export type FutureState = 'pending' | 'finished' | 'failed' | 'cancelled';

/**
 * A result that one task sets and others wait for. Unlike with a promise, the waits can be cancelled, and
 * an error that nobody waits for is silent. It is no promise, and has no `then`: await `result()`.
 *
 * Semantics: AnyIO's `Future`.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { Future } from '@taskscope/sync';
 * import assert from 'node:assert/strict';
 *
 * const answer = new Future<number>();
 * await taskGroup(async (tg) => {
 *   tg.startSoon(() => answer.setResult(42));
 *   assert.equal(await answer.result(), 42);
 * });
 * ```
 */
export class Future<T> {
  #status: FutureState = 'pending';
  #outcome: unknown = undefined;
  readonly #queue = new WaitQueue();

  /** How it is doing. */
  get status(): FutureState {
    return this.#status;
  }

  /**
   * The result.
   *
   * @throws InvalidStateError while it is pending; FutureCancelled; the error that was set.
   */
  get returnValue(): T {
    this.#checkDone('returnValue');
    if (this.#status === 'failed') throw this.#outcome;
    return this.#outcome as T;
  }

  /**
   * The error that was set; undefined if there is a result.
   *
   * @throws InvalidStateError while it is pending; FutureCancelled.
   */
  get exception(): unknown {
    this.#checkDone('exception');
    return this.#status === 'failed' ? this.#outcome : undefined;
  }

  /**
   * Sets the result. Does not wait.
   *
   * @throws InvalidStateError when it is not pending any more.
   */
  setResult(value: T): void {
    this.#settle('setResult()', 'finished', value);
  }

  /**
   * Sets an error instead: `result()` rejects with that very error. Does not wait.
   *
   * @throws InvalidStateError when it is not pending any more.
   */
  setError(error: unknown): void {
    this.#settle('setError()', 'failed', error);
  }

  /**
   * Says that there will be no result: `result()` rejects with FutureCancelled. Does nothing if there is
   * one. Does not wait.
   */
  cancel(): void {
    if (this.#status === 'pending') this.#settle('cancel()', 'cancelled', undefined);
  }

  /**
   * Waits until it is not pending any more, whatever came.
   *
   * Cancelled before or during: rejects, and the future goes on. Cancelled after it was set: resolves.
   *
   * @throws Cancelled when the scope is cancelled; `signal.reason` when a foreign signal aborts.
   */
  wait(options?: WaitOptions): Promise<void> {
    const where = 'Future.wait()';
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      if (this.#status !== 'pending') return completed();
      return this.#queue.wait('a future', scope, undefined, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Waits for the result.
   *
   * Cancelled: as `wait()`.
   *
   * @throws The error that was set; FutureCancelled; as `wait()`.
   */
  result(options?: WaitOptions): Promise<T> {
    return chain(this.wait(options), () => this.returnValue, options?.signal);
  }

  /** As a case of `select()`: that it is done. Its value is the result; an error fails the selection. */
  onDone(): Selectable<T> {
    return {
      attempt: () => (this.#status === 'pending' ? undefined : { value: this.returnValue }),
      enlist: (listener) =>
        this.#queue.enlist(undefined, {
          resolve: () => {
            try {
              return listener.resolve(this.returnValue);
            } catch (error) {
              return listener.reject(error);
            }
          },
          /* v8 ignore next -- a future only ever resolves those who wait for it, whatever it holds */
          reject: (error) => listener.reject(error),
        }),
    };
  }

  /** A snapshot for people and tests. */
  statistics(): { readonly status: FutureState; readonly tasksWaiting: number } {
    return { status: this.#status, tasksWaiting: this.#queue.size };
  }

  #settle(what: string, status: FutureState, outcome: unknown): void {
    if (this.#status !== 'pending') {
      throw new InvalidStateError(
        `Future.${what}: the future is ${this.#status} already, and is settled once`,
      );
    }
    this.#status = status;
    this.#outcome = outcome;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next.resolve();
  }

  #checkDone(what: string): void {
    if (this.#status === 'pending') {
      throw new InvalidStateError(
        `Future.${what}: the future is pending: await its wait() or result() first`,
      );
    }
    if (this.#status === 'cancelled') throw new FutureCancelled('the future was cancelled');
  }
}
