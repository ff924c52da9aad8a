/** Something that happens once. */

import type { WaitOptions } from '@taskscope/core';
import {
  completed,
  refusal,
  rejected,
  scopeOfWait,
  WaitQueue,
  type Selectable,
} from '@taskscope/core/lowlevel';

/** What `Event.statistics()` returns. */
export interface EventStatistics {
  readonly tasksWaiting: number;
}

/**
 * Something that happens once: tasks wait for it, until it is set. It is never cleared; for the next time
 * make a new one.
 *
 * Semantics: `Event` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { Event } from '@taskscope/sync';
 *
 * const ready = new Event();
 * await taskGroup(async (tg) => {
 *   tg.startSoon(() => ready.set());
 *   await ready.wait();
 * });
 * ```
 */
export class Event {
  readonly #queue = new WaitQueue();
  #isSet = false;

  /** Whether it has happened. */
  get isSet(): boolean {
    return this.#isSet;
  }

  /** It happens: everyone who waits goes on. A second time does nothing. Does not wait. */
  set(): void {
    if (this.#isSet) return;
    this.#isSet = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next.resolve();
  }

  /**
   * Waits until it has happened.
   *
   * Cancelled before or during: rejects. Cancelled after it was set: resolves.
   *
   * @throws Cancelled when the scope is cancelled; `signal.reason` when a foreign signal aborts.
   */
  wait(options?: WaitOptions): Promise<void> {
    const where = 'Event.wait()';
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      return this.#isSet ? completed() : this.#queue.wait('an event', scope, undefined, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** As a case of `select()`: that it is set. */
  onSet(): Selectable<void> {
    return {
      attempt: () => (this.#isSet ? { value: undefined } : undefined),
      enlist: (listener) => this.#queue.enlist(undefined, listener),
    };
  }

  /** A snapshot for people and tests. */
  statistics(): EventStatistics {
    return { tasksWaiting: this.#queue.size };
  }
}
