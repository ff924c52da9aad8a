/**
 * The queue under every primitive in which tasks wait for their turn.
 *
 * An entry carries what the primitive has to know of the one who waits (the item that it sends, the owner
 * that a lock will have), and is satisfied with a value. The queue is an intrusive doubly linked list: an
 * entry that is cancelled leaves it in constant time, in the call that cancels, so nobody can hand anything
 * to it.
 */

import type { WaitOptions } from './ambient.js';
import type { WaitScope } from './operations.js';
import type { ScopeNode } from './scope-tree.js';
import { Wait, type Undo } from './suspend.js';

/**
 * One who waits in a {@link WaitQueue}. The first of `resolve`, `reject` and a cancellation ends the wait.
 */
export interface QueueEntry<T, D> {
  readonly data: D;
  /** Ends the wait with a value. Returns false if it was over already. */
  resolve(value: T): boolean;
  /** Ends the wait with an error. Returns false if it was over already. */
  reject(error: unknown): boolean;
}

/** What links an entry into a queue. Belongs to the queue. */
export interface Linked<T, D> extends QueueEntry<T, D> {
  queue: WaitQueue<T, D> | undefined;
  ahead: Linked<T, D> | undefined;
  behind: Linked<T, D> | undefined;
}

/** Somebody who waits for one of several things. */
export interface WaitListener<T> {
  /** The same for everything that one and the same listens to: nobody hands anything to itself. */
  readonly selection?: unknown;
  /** Returns false if something else has happened already. */
  resolve(value: T): boolean;
  reject(error: unknown): boolean;
}

/** One of several things that can be waited for at once: see `select()` in `@taskscope/streams`. */
export interface Selectable<T> {
  /** Does it now, if that is possible without waiting. What it throws, the whole selection fails with. */
  attempt(): { readonly value: T } | undefined;
  /**
   * Waits for it. Returns what ends the waiting and leaves no trace; that is not called after the listener
   * was.
   */
  enlist(listener: WaitListener<T>): () => void;
}

class Entry<T, D> implements Linked<T, D>, Undo {
  readonly data: D;
  /** A wait, or somebody who waits for other things as well. */
  readonly listener: WaitListener<T>;
  queue: WaitQueue<T, D> | undefined = undefined;
  ahead: Linked<T, D> | undefined = undefined;
  behind: Linked<T, D> | undefined = undefined;

  constructor(data: D, listener: WaitListener<T>) {
    this.data = data;
    this.listener = listener;
  }

  resolve(value: T): boolean {
    return this.listener.resolve(value);
  }

  reject(error: unknown): boolean {
    return this.listener.reject(error);
  }

  undo(): void {
    this.queue?.remove(this);
  }
}

/**
 * A fair queue of waits, each with data of its own. Build primitives from it that hand something over:
 * whoever is taken out by `shift()` has not been cancelled, and what it is resolved with reaches it.
 *
 * @example
 * ```ts
 * import { taskGroup, type TaskInfo } from '@taskscope/core';
 * import { completed, refusal, scopeOfWait, WaitQueue } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * class Baton {
 *   holder: TaskInfo | undefined;
 *   readonly #queue = new WaitQueue<void, TaskInfo>();
 *   take(): Promise<void> {
 *     const scope = scopeOfWait('Baton.take()');
 *     const refused = refusal('Baton.take()', scope);
 *     if (refused !== undefined) return refused;
 *     if (this.holder !== undefined) return this.#queue.wait('a baton', scope, scope.task);
 *     this.holder = scope.task;
 *     return completed();
 *   }
 *   pass(): void {
 *     const next = this.#queue.shift();
 *     this.holder = next?.data;
 *     next?.resolve();
 *   }
 * }
 * const baton = new Baton();
 * const order: string[] = [];
 * const runner = async (name: string): Promise<void> => {
 *   await baton.take();
 *   order.push(name);
 *   baton.pass();
 * };
 * await taskGroup((tg) => {
 *   tg.startSoon(runner, 'first');
 *   tg.startSoon(runner, 'second');
 * });
 * assert.deepEqual(order, ['first', 'second']);
 * ```
 */
export class WaitQueue<T = void, D = void> {
  #first: Linked<T, D> | undefined = undefined;
  #last: Linked<T, D> | undefined = undefined;
  #size = 0;

  /** How many are waiting. */
  get size(): number {
    return this.#size;
  }

  /** The one who has waited longest. */
  get first(): Linked<T, D> | undefined {
    return this.#first;
  }

  /**
   * Waits at the end of the queue. The caller has made sure that this wait may begin: see `scopeOfWait` and
   * `refusal`.
   *
   * Cancelled: rejects, and the place in the queue is gone. Cancelled after it was resolved: keeps its
   * value.
   *
   * @param label - What is waited for, as the task tree shows it.
   */
  wait(label: string, scope: WaitScope, data: D, options?: WaitOptions): Promise<T> {
    const wait = new Wait<T>(label, scope as ScopeNode);
    const entry = new Entry(data, wait);
    wait.undoer = entry;
    if (options !== undefined) wait.link(options);
    // Before it begins: an instrument that is told of it may hand something over.
    this.append(entry);
    wait.begin(undefined);
    return wait.promise;
  }

  /** Takes out the one who has waited longest; the caller resolves or rejects it. */
  shift(): QueueEntry<T, D> | undefined {
    const first = this.#first;
    if (first === undefined) return undefined;
    const { behind } = first;
    this.#first = behind;
    if (behind === undefined) this.#last = undefined;
    else behind.ahead = undefined;
    first.queue = first.behind = undefined;
    this.#size--;
    return first;
  }

  /** Moves the one who has waited longest to the end of another queue. Returns whether there was one. */
  shiftTo(target: WaitQueue<T, D>): boolean {
    const first = this.#first;
    if (first === undefined) return false;
    this.remove(first);
    target.append(first);
    return true;
  }

  /** Everyone who waits, in order. Entries may be taken out on the way. */
  *[Symbol.iterator](): Generator<Linked<T, D>, void, undefined> {
    const entries: Linked<T, D>[] = [];
    for (let entry = this.#first; entry !== undefined; entry = entry.behind) entries.push(entry);
    for (const entry of entries) if (entry.queue === this) yield entry;
  }

  /** Ends every wait with an error. */
  rejectAll(error: unknown): void {
    for (let entry = this.shift(); entry !== undefined; entry = this.shift()) entry.reject(error);
  }

  /**
   * Puts a listener at the end of the queue, which may listen elsewhere, too. Returns what takes it out
   * again.
   */
  enlist(data: D, listener: WaitListener<T>): () => void {
    const entry = new Entry(data, listener);
    this.append(entry);
    return () => this.remove(entry);
  }

  /** Puts an entry at the end of the queue. */
  append(entry: Linked<T, D>): void {
    entry.queue = this;
    entry.ahead = this.#last;
    if (this.#last === undefined) this.#first = entry;
    else this.#last.behind = entry;
    this.#last = entry;
    this.#size++;
  }

  /** Takes an entry out, if it is in. */
  remove(entry: Linked<T, D>): void {
    if (entry.queue !== this) return;
    const { ahead, behind } = entry;
    if (ahead === undefined) this.#first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.#last = ahead;
    else behind.ahead = ahead;
    entry.queue = entry.ahead = entry.behind = undefined;
    this.#size--;
  }
}
