/** Being called by a foreign stream, which knows nothing of scopes. */

import { detached, type WaitOptions } from '@taskscope/core';
import { bindToScope } from '@taskscope/core/lowlevel';

import { watchOwner } from './owner.js';

/**
 * What a foreign stream has done for it, one call after another: each runs in the scope in which this
 * object was made, and is cancelled when the foreign side loses its interest.
 *
 * There is no scope of its own around a call: unlike a wait, that could outlive the scope in which it is.
 */
export class ForeignCalls {
  readonly #inScope: <T>(fn: () => T) => T = bindToScope((fn) => fn());
  readonly #controller = new AbortController();
  readonly #leaveOwner: () => void;

  /** @param options - A signal that interrupts, too. */
  constructor(options: WaitOptions | undefined) {
    // Also between the calls: the scope may have been left by the next one.
    this.#leaveOwner = watchOwner(options, (reason) => this.interrupt(reason));
  }

  /**
   * Runs `body`, which gets the options for its waits.
   *
   * @throws What `body` throws; the reason when it was interrupted.
   */
  async run<T>(body: (options: WaitOptions) => Promise<T>): Promise<T> {
    const { signal } = this.#controller;
    if (signal.aborted) throw signal.reason;
    return this.#inScope(() => body({ signal }));
  }

  /** Cancels the call that is going on, and every later one. The first reason stands. */
  interrupt(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** There will be no calls any more. */
  end(): void {
    this.#leaveOwner();
  }

  /**
   * Ends, and closes what belongs to the bridge. No scope is asked: the one in which the bridge was made
   * may be cancelled, or may have been left.
   */
  close(stream: { aclose(): Promise<void> }): Promise<void> {
    this.end();
    return detached(() => stream.aclose());
  }
}
