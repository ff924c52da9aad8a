/**
 * Publishing messages to whoever subscribes.
 *
 * Each subscription has a buffer of its own, so a slow subscriber delays nobody: what happens when its
 * buffer is full is a matter of its overflow policy. Only with the policy `block` does a publisher wait,
 * and then only for itself: everybody else has been served.
 */

import { BrokenResourceError, ClosedResourceError, type WaitOptions } from '@taskscope/core';
import {
  chain,
  checkCount,
  checkFunction,
  checkOptions,
  completed,
  describe,
  refusal,
  rejected,
  scopeOfWait,
  type Selectable,
} from '@taskscope/core/lowlevel';

import {
  createMemoryObjectStream,
  failReceivers,
  nameSubscription,
  type MemoryObjectReceiveStream,
  type MemoryObjectSendStream,
  type TryReceived,
} from './memory-object-stream.js';
import type { ObjectReceiveStream } from './object-stream.js';

/**
 * What happens to a message for which a subscription has no room: it is dropped, the oldest in the buffer
 * is dropped for it, the publisher waits, or the subscription is broken: it receives what is in its
 * buffer, and then gets a BrokenResourceError.
 */
export type Overflow = 'drop-newest' | 'drop-oldest' | 'block' | 'disconnect';

/** Options of a {@link MessageRouter}. */
export interface MessageRouterOptions<T> {
  /**
   * How many messages a subscription buffers, unless it says otherwise. With 0, only those who are waiting
   * for a message get it. Default: 100.
   */
  bufferSize?: number | undefined;
  /**
   * What happens when the buffer of a subscription is full, unless it says otherwise. Default:
   * `drop-newest`.
   */
  overflow?: Overflow | undefined;
  /** Called with each message that is dropped, and the subscription for which it is. */
  onDrop?: ((message: T, subscription: Subscription<T>) => void) | undefined;
}

/** Options of `MessageRouter.subscribe()`. */
export interface SubscribeOptions {
  bufferSize?: number | undefined;
  overflow?: Overflow | undefined;
  /** For statistics and messages. */
  name?: string | undefined;
}

/** What is known of one subscription. */
export interface SubscriptionStatistics {
  readonly name: string;
  /** Messages that it was given. */
  readonly delivered: number;
  /** Messages that it was not given, or that were dropped from its buffer; the latter were delivered, too. */
  readonly dropped: number;
  readonly currentBufferUsed: number;
  readonly peakBufferUsed: number;
  readonly maxBufferSize: number;
  readonly tasksWaiting: number;
}

/** What `MessageRouter.statistics()` returns. */
export interface MessageRouterStatistics {
  readonly subscribers: number;
  readonly published: number;
  /** Summed over all subscriptions there ever were. */
  readonly delivered: number;
  readonly dropped: number;
  readonly perSubscriber: readonly SubscriptionStatistics[];
}

const POLICIES: readonly Overflow[] = ['drop-newest', 'drop-oldest', 'block', 'disconnect'];

/** What a router needs of a subscription. */
interface Subscriber<T> {
  readonly subscription: Subscription<T>;
  readonly send: MemoryObjectSendStream<T>;
  readonly receive: MemoryObjectReceiveStream<T>;
  readonly overflow: Overflow;
  readonly filter: ((message: T) => boolean) | undefined;
  /** The last message that was published before it subscribed. */
  readonly since: number;
  delivered: number;
  dropped: number;
}

let newSubscription: <T>(
  name: string,
  receive: MemoryObjectReceiveStream<T>,
  leave: () => void,
  counts: () => { readonly delivered: number; readonly dropped: number },
) => Subscription<T>;

/**
 * Delivers each message that is published to every subscription whose filter lets it pass.
 *
 * Semantics: a broadcast over AnyIO's memory object streams, with a buffer and a policy for each
 * subscriber.
 *
 * @example
 * ```ts
 * import { MessageRouter } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * interface Price {
 *   readonly symbol: string;
 *   readonly price: number;
 * }
 * const router = new MessageRouter<Price>();
 * const teas = router.subscribe({ filter: (price) => price.symbol === 'TEA' });
 * await router.publish({ symbol: 'MILK', price: 1 });
 * await router.publish({ symbol: 'TEA', price: 3 });
 * router.close();
 * for await (const { price } of teas) assert.equal(price, 3);
 * ```
 */
export class MessageRouter<T> {
  readonly #bufferSize: number;
  readonly #overflow: Overflow;
  readonly #onDrop: ((message: T, subscription: Subscription<T>) => void) | undefined;
  readonly #subscribers = new Set<Subscriber<T>>();
  #isClosed = false;
  #published = 0;
  #delivered = 0;
  #dropped = 0;
  #subscriptions = 0;

  /**
   * @throws TypeError or RangeError when an option is wrong.
   */
  constructor(options?: MessageRouterOptions<T>) {
    const where = 'new MessageRouter()';
    checkOptions(where, options);
    const { bufferSize = 100, overflow = 'drop-newest', onDrop } = options ?? {};
    checkCount(where, 'options.bufferSize', bufferSize, 0);
    checkOverflow(where, overflow);
    if (onDrop !== undefined) checkFunction(where, 'options.onDrop', onDrop);
    this.#bufferSize = bufferSize;
    this.#overflow = overflow;
    this.#onDrop = onDrop;
  }

  /**
   * Subscribes: from now on, messages that pass the filter come to the subscription. Close it, by `using`
   * for instance, when you have had enough.
   *
   * Does not wait.
   *
   * @throws ClosedResourceError when the router is closed; TypeError or RangeError when an option is wrong.
   */
  subscribe<U extends T>(
    options: SubscribeOptions & { filter: (message: T) => message is U },
  ): Subscription<U>;
  subscribe(options?: SubscribeOptions & { filter?: ((message: T) => boolean) | undefined }): Subscription<T>;
  subscribe(
    options?: SubscribeOptions & { filter?: ((message: T) => boolean) | undefined },
  ): Subscription<T> {
    const where = 'MessageRouter.subscribe()';
    checkOptions(where, options);
    const { bufferSize = this.#bufferSize, overflow = this.#overflow, filter, name } = options ?? {};
    checkCount(where, 'options.bufferSize', bufferSize, 0);
    checkOverflow(where, overflow);
    if (filter !== undefined) checkFunction(where, 'options.filter', filter);
    if (name !== undefined && typeof name !== 'string') {
      throw new TypeError(`${where}: options.name must be a string, got ${describe(name)}`);
    }
    this.#checkOpen(where);
    const [send, receive] = createMemoryObjectStream<T>(bufferSize);
    const shownName = name ?? `subscription ${++this.#subscriptions}`;
    nameSubscription(receive, shownName);
    const subscriber: Subscriber<T> = {
      subscription: newSubscription(
        shownName,
        receive,
        () => this.#subscribers.delete(subscriber),
        () => subscriber,
      ),
      send,
      receive,
      overflow,
      filter,
      since: this.#published,
      delivered: 0,
      dropped: 0,
    };
    this.#subscribers.add(subscriber);
    return subscriber.subscription;
  }

  /**
   * Publishes a message to all who subscribe now. (A filter or `onDrop` that publishes in its turn gets in
   * between: those who have not been served yet see that message first.) Waits only for full subscriptions
   * with the policy `block`, after everybody else has been served.
   *
   * Cancelled before: rejects, and nobody gets it. Cancelled during: those who have it have it.
   *
   * @returns How many subscriptions got it.
   * @throws ClosedResourceError when the router is closed, also while it waits; what filters or `onDrop`
   * throw (several as an AggregateError), after everybody else has been served; Cancelled when the scope is
   * cancelled; `signal.reason` when a foreign signal aborts.
   */
  publish(message: T, options?: WaitOptions): Promise<number> {
    const where = 'MessageRouter.publish()';
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      this.#checkOpen(where);
      const { delivered, full, errors } = this.#deliver(message);
      if (full === undefined) {
        throwErrors(errors);
        return completed(delivered);
      }
      // All at once, so that every subscription sees the messages of concurrent publishers in the same
      // order.
      const waiting = full.map((subscriber) => this.#waitFor(subscriber, message, options));
      const count = (got: readonly boolean[]): number => {
        throwErrors(errors);
        return delivered + got.filter(Boolean).length;
      };
      const waited = Promise.all(waiting);
      // However the waiting ends, what callbacks threw is not lost: `count` throws it.
      return chain(errors === undefined ? waited : waited.catch(() => []), count, options?.signal);
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * The same without waiting: for a full subscription with the policy `block`, the message is dropped.
   *
   * Does not wait.
   *
   * @returns How many subscriptions got it.
   * @throws ClosedResourceError when the router is closed; what filters or `onDrop` throw, after everybody
   * else has been served.
   */
  publishNowait(message: T): number {
    this.#checkOpen('MessageRouter.publishNowait()');
    const { delivered, full, errors } = this.#deliver(message);
    let problems = errors;
    for (const subscriber of full ?? []) {
      try {
        this.#drop(subscriber, message);
      } catch (error) {
        (problems ??= []).push(error);
      }
    }
    throwErrors(problems);
    return delivered;
  }

  /**
   * Closes the router: each subscription ends as soon as its buffer is empty. A second time does nothing.
   * Does not wait.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { send } of this.#subscribers) send.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A snapshot for people and tests. */
  statistics(): MessageRouterStatistics {
    return {
      subscribers: this.#subscribers.size,
      published: this.#published,
      delivered: this.#delivered,
      dropped: this.#dropped,
      perSubscriber: [...this.#subscribers].map(({ subscription }) => subscription.statistics()),
    };
  }

  /**
   * Gives the message to everybody who has room, or does not need any. Returns those for whom a publisher
   * has to wait.
   */
  #deliver(message: T): {
    delivered: number;
    full: Subscriber<T>[] | undefined;
    errors: unknown[] | undefined;
  } {
    const sequence = ++this.#published;
    let delivered = 0;
    let full: Subscriber<T>[] | undefined;
    let errors: unknown[] | undefined;
    // Filters may subscribe and unsubscribe. A set is iterated over as it is; who has just come waits for
    // the next message.
    for (const subscriber of this.#subscribers) {
      if (subscriber.since >= sequence) continue;
      try {
        if (subscriber.filter !== undefined) {
          if (!subscriber.filter(message)) continue;
          // The filter may have closed the very subscription.
          if (!this.#subscribers.has(subscriber)) continue;
        }
        // A filter, or onDrop, may have closed the router.
        if (this.#isClosed) continue;
        if (subscriber.send.trySend(message)) {
          this.#count(subscriber);
          delivered++;
        } else if (subscriber.overflow === 'block') {
          (full ??= []).push(subscriber);
        } else if (this.#overflowed(subscriber, message)) {
          delivered++;
        }
      } catch (error) {
        (errors ??= []).push(error);
      }
    }
    return { delivered, full, errors };
  }

  /** There is no room. Returns whether the message was delivered all the same. */
  #overflowed(subscriber: Subscriber<T>, message: T): boolean {
    if (subscriber.overflow === 'drop-oldest') {
      const oldest = subscriber.receive.tryReceive();
      if (oldest.ok && subscriber.send.trySend(message)) {
        this.#count(subscriber);
        this.#drop(subscriber, oldest.value);
        return true;
      }
    } else if (subscriber.overflow === 'disconnect') {
      this.#subscribers.delete(subscriber);
      const { name } = subscriber.subscription;
      failReceivers(
        subscriber.send,
        new BrokenResourceError(`"${name}" was disconnected, since it did not keep up with the messages`),
      );
    }
    this.#drop(subscriber, message);
    return false;
  }

  /** The subscriber was given a message. */
  #count(subscriber: Subscriber<T>): void {
    subscriber.delivered++;
    this.#delivered++;
  }

  #drop(subscriber: Subscriber<T>, message: T): void {
    subscriber.dropped++;
    this.#dropped++;
    this.#onDrop?.(message, subscriber.subscription);
  }

  /** Waits for room. Returns false if the subscription was closed meanwhile. */
  async #waitFor(subscriber: Subscriber<T>, message: T, options: WaitOptions | undefined): Promise<boolean> {
    try {
      await subscriber.send.send(message, options);
    } catch (error) {
      if (error instanceof BrokenResourceError) return false;
      if (error instanceof ClosedResourceError) this.#checkOpen('MessageRouter.publish()');
      throw error;
    }
    this.#count(subscriber);
    return true;
  }

  #checkOpen(where: string): void {
    if (this.#isClosed) throw new ClosedResourceError(`${where}: the router is closed`);
  }
}

/**
 * The messages of a router that pass a filter. It is a receive stream: it can be iterated, and ends when
 * the router is closed and its buffer is empty. Close it to unsubscribe.
 *
 * @example
 * ```ts
 * import { MessageRouter } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const router = new MessageRouter<number>({ bufferSize: 1 });
 * const subscription = router.subscribe({ name: 'slow' });
 * router.publishNowait(1);
 * router.publishNowait(2); // no room: dropped
 * assert.equal(await subscription.receive(), 1);
 * assert.equal(subscription.dropped, 1);
 * subscription.close();
 * ```
 */
export class Subscription<T> implements ObjectReceiveStream<T>, Disposable {
  /** For statistics and messages. */
  readonly name: string;
  readonly #receive: MemoryObjectReceiveStream<T>;
  readonly #leave: () => void;
  readonly #counts: () => { readonly delivered: number; readonly dropped: number };

  private constructor(
    name: string,
    receive: MemoryObjectReceiveStream<T>,
    leave: () => void,
    counts: () => { readonly delivered: number; readonly dropped: number },
  ) {
    this.name = name;
    this.#receive = receive;
    this.#leave = leave;
    this.#counts = counts;
  }

  /** How many messages were dropped because there was no room for them. */
  get dropped(): number {
    return this.#counts().dropped;
  }

  /**
   * Waits for a message.
   *
   * Cancelled before or during: rejects, and no message is lost. Cancelled after it was handed over: it is
   * received.
   *
   * @throws EndOfStream when the router is closed and the buffer empty; BrokenResourceError when the
   * subscription was disconnected; ClosedResourceError when it is closed; Cancelled when the scope is
   * cancelled; `signal.reason` when a foreign signal aborts.
   */
  receive(options?: WaitOptions): Promise<T> {
    return this.#receive.receive(options);
  }

  /** Takes a message that is there: see `MemoryObjectReceiveStream.receiveNowait()`. */
  receiveNowait(): T {
    return this.#receive.receiveNowait();
  }

  /** Takes a message that is there, and says so: see `MemoryObjectReceiveStream.tryReceive()`. */
  tryReceive(): TryReceived<T> {
    return this.#receive.tryReceive();
  }

  /** Waits for a message, and takes up to `max`: see `MemoryObjectReceiveStream.receiveMany()`. */
  receiveMany(max: number, options?: WaitOptions): Promise<T[]> {
    return this.#receive.receiveMany(max, options);
  }

  /** As a case of `select()`: that a message is received. */
  onReceive(): Selectable<T> {
    return this.#receive.onReceive();
  }

  /** Iterates over the messages until the end. Leaving the loop early does not close the subscription. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined, undefined> {
    return this.#receive[Symbol.asyncIterator]();
  }

  /** The same with options for each step. */
  values(options?: WaitOptions): AsyncIterable<T> {
    return this.#receive.values(options);
  }

  /** Unsubscribes; a second time does nothing. What is in the buffer is dropped. Does not wait. */
  close(): void {
    this.#leave();
    this.#receive.close();
  }

  /** Unsubscribes. Never rejects. */
  aclose(): Promise<void> {
    this.close();
    return completed();
  }

  /** A snapshot for people and tests. */
  statistics(): SubscriptionStatistics {
    const { delivered, dropped } = this.#counts();
    const { currentBufferUsed, peakBufferUsed, maxBufferSize, tasksWaitingReceive } =
      this.#receive.statistics();
    return {
      name: this.name,
      delivered,
      dropped,
      currentBufferUsed,
      peakBufferUsed,
      maxBufferSize,
      tasksWaiting: tasksWaitingReceive,
    };
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.aclose();
  }

  static {
    newSubscription = (name, receive, leave, counts) => new Subscription(name, receive, leave, counts);
  }
}

function checkOverflow(where: string, overflow: unknown): void {
  if ((POLICIES as readonly unknown[]).includes(overflow)) return;
  const allowed = POLICIES.map((policy) => `"${policy}"`).join(', ');
  throw new TypeError(`${where}: options.overflow must be one of ${allowed}, got ${describe(overflow)}`);
}

function throwErrors(errors: readonly unknown[] | undefined): void {
  if (errors === undefined || errors.length === 0) return;
  if (errors.length === 1) throw errors[0];
  throw new AggregateError(errors, 'several filters or onDrop() calls threw');
}
