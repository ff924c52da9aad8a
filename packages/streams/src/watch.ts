/** A value that changes, of which only the latest counts. */

import { ClosedResourceError, EndOfStream, type WaitOptions } from '@taskscope/core';
import {
  chain,
  checkFunction,
  completed,
  refusal,
  rejected,
  scopeOfWait,
  WaitQueue,
  type Selectable,
} from '@taskscope/core/lowlevel';

/**
 * Creates a value that one side sets and others watch: a configuration, a state, a progress. Who is slow
 * misses what was in between, never the latest, and delays nobody.
 *
 * Does not wait.
 *
 * Semantics: tokio's `watch` channel.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { createWatch } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [level, watcher] = createWatch(0);
 * await taskGroup((tg) => {
 *   tg.startSoon(async () => assert.equal(await watcher.until((value) => value >= 2), 2));
 *   tg.startSoon(() => {
 *     level.set(1);
 *     level.set(2);
 *   });
 * });
 * ```
 */
export function createWatch<T>(initial: T): [WatchSender<T>, WatchReceiver<T>] {
  const state = new Watched(initial);
  return [newSender(state), newReceiver(state)];
}

class Watched<T> {
  value: T;
  /** Grows with each change. */
  version = 0;
  isClosed = false;
  /** They are told whether it has changed, or will not any more. */
  readonly queue = new WaitQueue<boolean>();

  constructor(value: T) {
    this.value = value;
  }

  wake(hasChanged: boolean): void {
    // Those who are woken may wait again at once, for the next change.
    for (let left = this.queue.size; left > 0; left--) this.queue.shift()?.resolve(hasChanged);
  }
}

let newSender: <T>(state: Watched<T>) => WatchSender<T>;
let newReceiver: <T>(state: Watched<T>) => WatchReceiver<T>;

/**
 * The side that sets the value.
 *
 * @example
 * ```ts
 * import { createWatch } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [sender, receiver] = createWatch('cold');
 * sender.set('hot');
 * assert.equal(receiver.value, 'hot');
 * sender.close();
 * ```
 */
export class WatchSender<T> implements Disposable {
  readonly #state: Watched<T>;

  private constructor(state: Watched<T>) {
    this.#state = state;
  }

  /** The latest value. */
  get value(): T {
    return this.#state.value;
  }

  /**
   * Sets the value, and wakes those who wait for a change, also when it is the same as before. Does not
   * wait.
   *
   * @throws ClosedResourceError when it was closed.
   */
  set(value: T): void {
    const state = this.#state;
    if (state.isClosed) throw new ClosedResourceError('WatchSender.set(): this watch is closed');
    state.value = value;
    state.version++;
    state.wake(true);
  }

  /** Says that the value will not change any more; a second time does nothing. Does not wait. */
  close(): void {
    this.#state.isClosed = true;
    this.#state.wake(false);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  static {
    newSender = (state) => new WatchSender(state);
  }
}

/**
 * The side that watches. It knows which change it has seen; a clone knows by itself. It can be iterated:
 * first over the value as it is, then over its changes, until the watch is closed.
 *
 * @example
 * ```ts
 * import { createWatch } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [sender, receiver] = createWatch(1);
 * sender.set(2);
 * sender.set(3);
 * assert.equal(await receiver.changed(), 3); // 2 was missed
 * ```
 */
export class WatchReceiver<T> implements AsyncIterable<T> {
  readonly #state: Watched<T>;
  #seen: number;

  private constructor(state: Watched<T>) {
    this.#state = state;
    this.#seen = state.version;
  }

  /** The latest value. Looking at it does not count as having seen a change. */
  get value(): T {
    return this.#state.value;
  }

  /**
   * Waits until the value has changed since this receiver last saw a change, and returns the latest.
   *
   * Cancelled before or during: rejects, and the change is still to be seen.
   *
   * @throws EndOfStream when there will be no change; Cancelled when the scope is cancelled;
   * `signal.reason` when a foreign signal aborts.
   */
  changed(options?: WaitOptions): Promise<T> {
    const where = 'WatchReceiver.changed()';
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      const state = this.#state;
      if (this.#seen !== state.version) return completed(this.#see());
      if (state.isClosed) throw ended();
      const see = (hasChanged: boolean): T => {
        if (!hasChanged) throw ended();
        return this.#see();
      };
      return chain(state.queue.wait('a change', scope, undefined, options), see, options?.signal);
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Waits until the value satisfies `predicate`, which is asked at once and then after changes.
   *
   * Cancelled before or during: rejects.
   *
   * @returns The value that did.
   * @throws What `predicate` throws; as `changed()`; TypeError when `predicate` is no function, or returns a promise.
   */
  until(predicate: (value: T) => boolean, options?: WaitOptions): Promise<T> {
    const where = 'WatchReceiver.until()';
    try {
      checkFunction(where, 'predicate', predicate);
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      const value = this.#see();
      if (isTrue(where, predicate(value))) return completed(value);
      return chain(this.#until(where, predicate, options), (changed) => changed, options?.signal);
    } catch (error) {
      return rejected(error);
    }
  }

  async #until(
    where: string,
    predicate: (value: T) => boolean,
    options: WaitOptions | undefined,
  ): Promise<T> {
    for (;;) {
      const value = await this.changed(options);
      if (isTrue(where, predicate(value))) return value;
    }
  }

  /** As a case of `select()`: that the value has changed. */
  onChange(): Selectable<T> {
    return {
      attempt: () => {
        if (this.#seen !== this.#state.version) return { value: this.#see() };
        if (this.#state.isClosed) throw ended();
        return undefined;
      },
      enlist: (listener) =>
        this.#state.queue.enlist(undefined, {
          resolve: (hasChanged) => (hasChanged ? listener.resolve(this.#see()) : listener.reject(ended())),
          /* v8 ignore next -- a watch only ever resolves those who wait for a change, also when it is closed */
          reject: (error) => listener.reject(error),
        }),
    };
  }

  /** Another receiver, which has seen the same changes as this one so far. Does not wait. */
  clone(): WatchReceiver<T> {
    const clone = newReceiver(this.#state);
    clone.#seen = this.#seen;
    return clone;
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined, undefined> {
    return this.values()[Symbol.asyncIterator]();
  }

  /** Iterates with options for each step: in explicit mode, the signal of the scope that it belongs to. */
  values(options?: WaitOptions): AsyncIterable<T> {
    return {
      [Symbol.asyncIterator]: () => {
        let isFirst = true;
        return {
          next: (): Promise<IteratorResult<T, undefined>> => {
            if (isFirst) {
              isFirst = false;
              this.#seen = -1;
            }
            const step = this.changed(options).then(
              (value): IteratorResult<T, undefined> => ({ done: false, value }),
              (error: unknown): IteratorResult<T, undefined> => {
                if (error instanceof EndOfStream) return { done: true, value: undefined };
                throw error;
              },
            );
            return chain(step, (result) => result, options?.signal);
          },
        };
      },
    };
  }

  #see(): T {
    this.#seen = this.#state.version;
    return this.#state.value;
  }

  static {
    newReceiver = (state) => new WatchReceiver(state);
  }
}

/** A promise would be true, whatever it resolves to. */
function isTrue(where: string, answer: unknown): boolean {
  if (typeof (answer as { then?: unknown } | null | undefined)?.then === 'function') {
    Promise.resolve(answer).catch(ignore);
    throw new TypeError(
      `${where}: predicate must not be async: the promise that it returns counts as true. What takes time belongs in a loop around changed()`,
    );
  }
  return Boolean(answer);
}

function ignore(): void {}

function ended(): EndOfStream {
  return new EndOfStream('the watch is closed: the value will not change any more');
}
