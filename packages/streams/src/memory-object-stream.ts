/**
 * Passing objects from task to task.
 *
 * A stream has a buffer, a queue of senders and a queue of receivers, and three invariants: while anybody
 * waits to receive, the buffer is empty and nobody waits to send; while anybody waits to send, the buffer
 * is full; and nobody waits whose end, or whose other side, is closed. So an item that is sent goes to the
 * receiver that has waited longest, or else into the buffer, and into the place that a receiver frees goes
 * the item of the sender that has waited longest.
 *
 * There are two exceptions to the first: a place, or a receiver, that is kept for a permit is not there for
 * those who wait to send; and a selection that would send as well as receive waits in both queues.
 *
 * Sending and receiving take effect in the call; only the promise settles later. A wait that is cancelled
 * leaves its queue in the same call, so an item is either delivered or still there.
 */

import {
  BrokenResourceError,
  ClosedResourceError,
  EndOfStream,
  InvalidStateError,
  WouldBlock,
  type WaitOptions,
} from '@taskscope/core';
import {
  chain,
  checkCount,
  checkFunction,
  checkOptions,
  completed,
  refusal,
  rejected,
  scopeOfWait,
  WaitQueue,
  type Linked,
  type Selectable,
} from '@taskscope/core/lowlevel';

import { Buffer } from './buffer.js';
import type { ObjectReceiveStream, ObjectSendStream } from './object-stream.js';

/** What `statistics()` of either end returns. */
export interface MemoryObjectStreamStatistics {
  /** Items in the buffer. */
  readonly currentBufferUsed: number;
  /** The most items that there ever were in the buffer. */
  readonly peakBufferUsed: number;
  readonly maxBufferSize: number;
  /** Send ends that are not closed. */
  readonly openSendStreams: number;
  /** Receive ends that are not closed. */
  readonly openReceiveStreams: number;
  readonly tasksWaitingSend: number;
  readonly tasksWaitingReceive: number;
}

/** Options of {@link createMemoryObjectStream}. */
export interface MemoryObjectStreamOptions<T> {
  /** Called with each item that is still in the buffer when the last receive end is closed. */
  onUndelivered?: ((item: T) => void) | undefined;
}

/** What `tryReceive()` returns. */
export type TryReceived<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      /** Whether nothing will come any more. */
      readonly ended: boolean;
    };

/** Somebody who waits to send. All have the same shape, since the engine is quicker with that. */
class Sending<T> {
  readonly end: MemoryObjectSendStream<T>;
  /** Undefined for one who waits for a place first: that one's item comes later. */
  readonly item: T | undefined;
  readonly reserves: boolean;
  /** The selection that it is a case of. */
  readonly selection: unknown;

  constructor(end: MemoryObjectSendStream<T>, item: T | undefined, reserves: boolean, selection?: unknown) {
    this.end = end;
    this.item = item;
    this.reserves = reserves;
    this.selection = selection;
  }
}

interface Receiving<T> {
  readonly end: MemoryObjectReceiveStream<T>;
  /** Whether it wants an iterator's result rather than the item. */
  readonly iterates: boolean;
  /** The selection that it is a case of. */
  readonly selection: unknown;
}

/**
 * Creates a stream within the process, and returns its two ends. Each can be cloned; each clone is closed
 * by itself.
 *
 * Does not wait.
 *
 * @param maxBufferSize - How many items are kept that nobody has received yet. 0, the default, is a
 * rendezvous: a sender waits until its item has been received. Infinity never makes a sender wait.
 * @throws TypeError or RangeError for bad arguments.
 *
 * Semantics: AnyIO's `create_memory_object_stream`, Trio's `open_memory_channel`.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { createMemoryObjectStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<number>();
 * const received: number[] = [];
 * await taskGroup((tg) => {
 *   tg.startSoon(async () => {
 *     using _ = send;
 *     for (const n of [1, 2, 3]) await send.send(n);
 *   });
 *   tg.startSoon(async () => {
 *     for await (const n of receive) received.push(n);
 *   });
 * });
 * assert.deepEqual(received, [1, 2, 3]);
 * ```
 */
export function createMemoryObjectStream<T>(
  maxBufferSize = 0,
  options?: MemoryObjectStreamOptions<T>,
): [MemoryObjectSendStream<T>, MemoryObjectReceiveStream<T>] {
  const where = 'createMemoryObjectStream()';
  checkCount(where, 'maxBufferSize', maxBufferSize, 0);
  checkOptions(where, options);
  if (options?.onUndelivered !== undefined) {
    checkFunction(where, 'options.onUndelivered', options.onUndelivered);
  }
  const channel = new Channel<T>(maxBufferSize, options?.onUndelivered);
  return [newSendStream(channel), newReceiveStream(channel)];
}

/** What the ends of a stream share. */
class Channel<T> {
  readonly buffer = new Buffer<T>();
  readonly maxBufferSize: number;
  readonly onUndelivered: ((item: T) => void) | undefined;
  readonly senders = new WaitQueue<unknown, Sending<T>>();
  readonly receivers = new WaitQueue<unknown, Receiving<T>>();
  peak = 0;
  /** Places that are kept free for those who have a permit. */
  reserved = 0;
  sendEnds = 0;
  receiveEnds = 0;
  /** What receivers get instead of the end of the stream. */
  failure: Error | undefined = undefined;
  /** The name of the subscription whose stream it is, for messages. */
  subscription: string | undefined = undefined;

  constructor(maxBufferSize: number, onUndelivered: ((item: T) => void) | undefined) {
    this.maxBufferSize = maxBufferSize;
    this.onUndelivered = onUndelivered;
  }

  /**
   * Whether an item can be sent now: somebody waits for it, or there is room, that is not promised to
   * others.
   */
  get hasRoom(): boolean {
    return this.buffer.size + this.reserved < this.maxBufferSize + this.receivers.size;
  }

  /** Hands an item over, or puts it into the buffer. */
  put(item: T): void {
    const receiver = this.receivers.shift();
    if (receiver !== undefined) {
      receiver.resolve(receiver.data.iterates ? { done: false, value: item } : item);
      return;
    }
    this.buffer.push(item);
    if (this.buffer.size > this.peak) this.peak = this.buffer.size;
  }

  /** Whether there is something to take, that is not due to others who have waited for longer. */
  get hasItem(): boolean {
    if (this.buffer.size > 0) return true;
    const sender = this.senders.first;
    if (sender === undefined || sender.data.reserves) return false;
    return this.reserved === 0 || this.receivers.size === 0;
  }

  /** Takes an item; there is one. */
  take(): T {
    if (this.buffer.size > 0) {
      const item = this.buffer.shift() as T;
      this.admit();
      return item;
    }
    const sender = this.senders.shift()!;
    sender.resolve(undefined);
    return sender.data.item as T;
  }

  /** Lets those in who wait to send, as long as there is room. */
  admit(): void {
    if (this.senders.size > 0) this.#admitSenders();
  }

  #admitSenders(): void {
    for (let sender = this.#nextSender(); sender !== undefined; sender = this.#nextSender()) {
      this.senders.remove(sender);
      if (sender.data.reserves) {
        this.reserved++;
        sender.resolve(newPermit(this, sender.data.end));
      } else {
        // First, since a selection that sends does not wait to receive any more.
        sender.resolve(undefined);
        this.put(sender.data.item as T);
      }
    }
  }

  /** The one who has waited longest to send, and can. */
  #nextSender(): Linked<unknown, Sending<T>> | undefined {
    const { first } = this.senders;
    if (first === undefined || !this.hasRoom) return undefined;
    return first.data.selection === undefined ? first : this.#nextBesideSelections();
  }

  /** The same where a selection has waited longest. */
  #nextBesideSelections(): Linked<unknown, Sending<T>> | undefined {
    for (const sender of this.senders) {
      if (sender.data.selection === undefined) return sender;
      // A selection that would receive as well does not make room for itself.
      let others = 0;
      for (const { data } of this.receivers) if (data.selection !== sender.data.selection) others++;
      if (this.buffer.size + this.reserved < this.maxBufferSize + others) return sender;
    }
    return undefined;
  }

  statistics(): MemoryObjectStreamStatistics {
    return {
      currentBufferUsed: this.buffer.size,
      peakBufferUsed: this.peak,
      maxBufferSize: this.maxBufferSize,
      openSendStreams: this.sendEnds,
      openReceiveStreams: this.receiveEnds,
      tasksWaitingSend: this.senders.size,
      tasksWaitingReceive: this.receivers.size,
    };
  }
}

/** Ends a stream with an error: receivers get it when the buffer is empty. For the router. */
export let failReceivers: <T>(send: MemoryObjectSendStream<T>, error: Error) => void;
/** Says whose stream it is. For the router. */
export let nameSubscription: <T>(receive: MemoryObjectReceiveStream<T>, name: string) => void;

let newSendStream: <T>(channel: Channel<T>) => MemoryObjectSendStream<T>;
let newReceiveStream: <T>(channel: Channel<T>) => MemoryObjectReceiveStream<T>;
let newPermit: <T>(channel: Channel<T>, end: MemoryObjectSendStream<T>) => Permit<T>;

/** In JavaScript nothing else keeps anybody from calling a private constructor. */
const NOT_CONSTRUCTED = 'is not constructed by users: call createMemoryObjectStream() instead';

/**
 * The sending end of a memory object stream. Closing it, by `using` for instance, ends the other side when
 * it was the last.
 *
 * Semantics: AnyIO's `MemoryObjectSendStream`.
 *
 * @example
 * ```ts
 * import { createMemoryObjectStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<string>(1);
 * assert.ok(send.trySend('tea'));
 * assert.ok(!send.trySend('milk')); // no room
 * assert.equal(receive.receiveNowait(), 'tea');
 * ```
 */
export class MemoryObjectSendStream<T> implements ObjectSendStream<T>, Disposable {
  readonly #channel: Channel<T>;
  #isClosed = false;

  private constructor(channel: Channel<T>) {
    this.#channel = channel;
    if (channel === undefined) throw new TypeError(`MemoryObjectSendStream ${NOT_CONSTRUCTED}`);
    channel.sendEnds++;
  }

  /**
   * Sends an item, waiting until somebody receives it or there is room in the buffer.
   *
   * Cancelled before or during: rejects, and the item is not sent. Cancelled after it was taken: it is
   * sent.
   *
   * @throws ClosedResourceError when this end is closed, also while it waits; BrokenResourceError when
   * nobody is left to receive; Cancelled when the scope is cancelled; `signal.reason` when a foreign signal
   * aborts.
   */
  send(item: T, options?: WaitOptions): Promise<void> {
    const where = 'MemoryObjectSendStream.send()';
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      if (this.#trySend('send()', item)) return completed();
      const sending = this.#channel.senders.wait(
        'room to send',
        scope,
        new Sending(this, item, false),
        options,
      );
      return sending as Promise<void>;
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Sends an item if that is possible at once.
   *
   * Does not wait.
   *
   * @throws WouldBlock when it is not; ClosedResourceError; BrokenResourceError.
   */
  sendNowait(item: T): void {
    if (!this.#trySend('sendNowait()', item))
      throw new WouldBlock('nobody waits to receive, and there is no room in the buffer');
  }

  /**
   * Sends an item if that is possible at once, and returns whether it was.
   *
   * Does not wait.
   *
   * @throws ClosedResourceError; BrokenResourceError.
   */
  trySend(item: T): boolean {
    return this.#trySend('trySend()', item);
  }

  #trySend(method: string, item: T): boolean {
    const channel = this.#channel;
    this.#check(method);
    if (!channel.hasRoom) return false;
    channel.put(item);
    return true;
  }

  /**
   * Waits until an item could be sent at once, and keeps the place for the permit that it returns.
   *
   * Cancelled before or during: rejects, and no place is kept. Cancelled after it was granted: the permit
   * is there.
   *
   * @throws As `send()`.
   */
  reserve(options?: WaitOptions): Promise<Permit<T>> {
    const where = 'MemoryObjectSendStream.reserve()';
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      const channel = this.#channel;
      this.#check('reserve()');
      if (channel.hasRoom) {
        channel.reserved++;
        return completed(newPermit(channel, this));
      }
      const reserving = new Sending<T>(this, undefined, true);
      return channel.senders.wait('room to send', scope, reserving, options) as Promise<Permit<T>>;
    } catch (error) {
      return rejected(error);
    }
  }

  /** As a case of `select()`: that `item` is sent. */
  onSend(item: T): Selectable<void> {
    return {
      attempt: () => (this.#trySend('onSend()', item) ? { value: undefined } : undefined),
      enlist: (listener) =>
        this.#channel.senders.enlist(new Sending(this, item, false, listener.selection), {
          resolve: () => listener.resolve(undefined),
          reject: (error) => listener.reject(error),
        }),
    };
  }

  /**
   * Another sending end of the same stream, closed by itself. Does not wait.
   *
   * @throws ClosedResourceError when this end is closed.
   */
  clone(): MemoryObjectSendStream<T> {
    if (this.#isClosed) throw sendEndClosed('clone()');
    return newSendStream(this.#channel);
  }

  /**
   * Closes this end; a second time does nothing. Who waits to send on it gets a ClosedResourceError. When
   * it was the last, receivers get EndOfStream as soon as the buffer is empty. Does not wait.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const channel = this.#channel;
    channel.sendEnds--;
    rejectOf(channel.senders, this, ({ reserves }) => sendEndClosed(reserves ? 'reserve()' : 'send()'));
    if (channel.sendEnds > 0) return;
    for (let next = channel.receivers.shift(); next !== undefined; next = channel.receivers.shift()) {
      if (channel.failure === undefined && next.data.iterates) next.resolve({ done: true, value: undefined });
      else next.reject(channel.failure ?? ended());
    }
  }

  /** Closes this end. Never rejects. */
  aclose(): Promise<void> {
    this.close();
    return completed();
  }

  /** A snapshot for people and tests. */
  statistics(): MemoryObjectStreamStatistics {
    return this.#channel.statistics();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.aclose();
  }

  #check(method: string): void {
    if (this.#isClosed) throw sendEndClosed(method);
    if (this.#channel.receiveEnds === 0) throw broken();
  }

  static {
    newSendStream = (channel) => new MemoryObjectSendStream(channel);
    failReceivers = (send, error) => {
      send.#channel.failure = error;
      send.close();
    };
    newPermit = (channel, end) => new PlaceKept(channel, () => end.#check('reserve().send()'));
  }
}

/**
 * A place that is kept for one item: `send` takes it at once. Dispose of a permit that is not used.
 *
 * Semantics: tokio's `mpsc::Permit`.
 */
export interface Permit<T> extends Disposable {
  /**
   * Sends the item. Does not wait.
   *
   * @throws InvalidStateError when the permit was used or disposed of before; ClosedResourceError;
   * BrokenResourceError.
   */
  send(item: T): void;
}

class PlaceKept<T> implements Permit<T> {
  readonly #channel: Channel<T>;
  readonly #check: () => void;
  #isUsed = false;

  constructor(channel: Channel<T>, check: () => void) {
    this.#channel = channel;
    this.#check = check;
  }

  send(item: T): void {
    if (this.#isUsed) throw new InvalidStateError('Permit.send(): the permit is used up: it is for one item');
    this.#check();
    this.#isUsed = true;
    this.#channel.reserved--;
    this.#channel.put(item);
  }

  [Symbol.dispose](): void {
    if (this.#isUsed) return;
    this.#isUsed = true;
    this.#channel.reserved--;
    this.#channel.admit();
  }
}

/**
 * The receiving end of a memory object stream. It can be iterated: that ends at the end of the stream, and
 * leaving the loop early does not close it. When the last receiving end is closed, senders get a
 * BrokenResourceError.
 *
 * Semantics: AnyIO's `MemoryObjectReceiveStream`.
 *
 * @example
 * ```ts
 * import { createMemoryObjectStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<number>(10);
 * for (const n of [1, 2, 3]) send.sendNowait(n);
 * send.close();
 * assert.deepEqual(await receive.receiveMany(2), [1, 2]);
 * assert.deepEqual(receive.tryReceive(), { ok: true, value: 3 });
 * assert.deepEqual(receive.tryReceive(), { ok: false, ended: true });
 * ```
 */
export class MemoryObjectReceiveStream<T> implements ObjectReceiveStream<T>, Disposable {
  readonly #channel: Channel<T>;
  /** What each wait of this end is queued with. */
  readonly #receiving: Receiving<T> = { end: this, iterates: false, selection: undefined };
  readonly #iterating: Receiving<T> = { end: this, iterates: true, selection: undefined };
  #isClosed = false;

  private constructor(channel: Channel<T>) {
    this.#channel = channel;
    if (channel === undefined) throw new TypeError(`MemoryObjectReceiveStream ${NOT_CONSTRUCTED}`);
    channel.receiveEnds++;
  }

  /**
   * Receives an item, waiting until there is one. Receivers are served in the order in which they asked.
   *
   * Cancelled before or during: rejects, and no item is lost. Cancelled after it was handed over: it is
   * received.
   *
   * @throws EndOfStream when nothing is left and nobody can send any more; ClosedResourceError when this
   * end is closed, also while it waits; Cancelled when the scope is cancelled; `signal.reason` when a
   * foreign signal aborts.
   */
  receive(options?: WaitOptions): Promise<T> {
    return this.#receive('MemoryObjectReceiveStream.receive()', options, false) as Promise<T>;
  }

  /**
   * Receives an item if there is one.
   *
   * Does not wait.
   *
   * @throws WouldBlock when there is none; EndOfStream; ClosedResourceError.
   */
  receiveNowait(): T {
    const received = this.#tryReceive('receiveNowait()');
    if (received.ok) return received.value;
    throw received.ended ? (this.#channel.failure ?? ended()) : new WouldBlock('nothing is there to receive');
  }

  /**
   * Receives an item if there is one, and says so.
   *
   * Does not wait.
   *
   * @throws ClosedResourceError when this end is closed.
   */
  tryReceive(): TryReceived<T> {
    return this.#tryReceive('tryReceive()');
  }

  #tryReceive(method: string): TryReceived<T> {
    const channel = this.#channel;
    if (this.#isClosed) throw receiveEndClosed(channel, method);
    if (channel.hasItem) return { ok: true, value: channel.take() };
    return { ok: false, ended: channel.sendEnds === 0 };
  }

  /**
   * Waits for an item, and takes those that are there besides, up to `max`.
   *
   * Cancelled: as `receive()`.
   *
   * @param max - At least 1.
   * @throws As `receive()`; TypeError or RangeError when `max` is no such number.
   */
  receiveMany(max: number, options?: WaitOptions): Promise<T[]> {
    try {
      checkCount('MemoryObjectReceiveStream.receiveMany()', 'max', max, 1);
      const takeMore = (first: T): T[] => {
        const items = [first];
        while (items.length < max && !this.#isClosed && this.#channel.hasItem)
          items.push(this.#channel.take());
        return items;
      };
      return chain(this.receive(options), takeMore, options?.signal);
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * As a case of `select()`: that an item is received. The end of the stream fails the selection with
   * EndOfStream.
   */
  onReceive(): Selectable<T> {
    return {
      attempt: () => {
        const received = this.#tryReceive('onReceive()');
        if (received.ok) return received;
        if (received.ended) throw this.#channel.failure ?? ended();
        return undefined;
      },
      enlist: (listener) => {
        const leave = this.#channel.receivers.enlist(
          { end: this, iterates: false, selection: listener.selection },
          {
            resolve: (item) => listener.resolve(item as T),
            reject: (error) => listener.reject(error),
          },
        );
        this.#channel.admit();
        return leave;
      },
    };
  }

  /** Iterates over the items until the end of the stream. Each step is cancel-safe, as `receive()` is. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined, undefined> {
    return { next: () => this.#next(undefined) };
  }

  /** The same with options for each step: in explicit mode, the signal of the scope that it belongs to. */
  values(options?: WaitOptions): AsyncIterable<T> {
    return { [Symbol.asyncIterator]: () => ({ next: () => this.#next(options) }) };
  }

  #next(options: WaitOptions | undefined): Promise<IteratorResult<T, undefined>> {
    const next = this.#receive('MemoryObjectReceiveStream.values()', options, true);
    return next as Promise<IteratorResult<T, undefined>>;
  }

  /** An item, or the result of an iterator's step; they differ in how they tell the end of the stream as well. */
  #receive(where: string, options: WaitOptions | undefined, iterates: boolean): Promise<unknown> {
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      const channel = this.#channel;
      if (this.#isClosed) throw receiveEndClosed(channel, iterates ? 'values()' : 'receive()');
      if (channel.hasItem) {
        const item = channel.take();
        return completed(iterates ? { done: false, value: item } : item);
      }
      if (channel.sendEnds === 0) return end(channel, iterates);
      const entry = iterates ? this.#iterating : this.#receiving;
      const receiving = channel.receivers.wait('an item', scope, entry, options);
      channel.admit();
      return receiving;
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Another receiving end of the same stream, closed by itself. Each item goes to one of them. Does not
   * wait.
   *
   * @throws ClosedResourceError when this end is closed.
   */
  clone(): MemoryObjectReceiveStream<T> {
    if (this.#isClosed) throw receiveEndClosed(this.#channel, 'clone()');
    return newReceiveStream(this.#channel);
  }

  /**
   * Closes this end; a second time does nothing. Who waits to receive on it gets a ClosedResourceError.
   * When it was the last, senders get a BrokenResourceError, and what is in the buffer is dropped. Does not
   * wait.
   *
   * @throws What `onUndelivered` throws, after all has been done.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const channel = this.#channel;
    channel.receiveEnds--;
    rejectOf(channel.receivers, this, ({ iterates }) =>
      receiveEndClosed(channel, iterates ? 'values()' : 'receive()'),
    );
    if (channel.receiveEnds > 0) return;
    for (let next = channel.senders.shift(); next !== undefined; next = channel.senders.shift()) {
      next.reject(broken());
    }
    this.#dropBuffer();
  }

  #dropBuffer(): void {
    const { buffer, onUndelivered } = this.#channel;
    const errors: unknown[] = [];
    while (buffer.size > 0) {
      const item = buffer.shift() as T;
      try {
        onUndelivered?.(item);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, 'onUndelivered() threw for several items');
  }

  /** Closes this end. Rejects only with what `onUndelivered` throws. */
  aclose(): Promise<void> {
    try {
      this.close();
      return completed();
    } catch (error) {
      return rejected(error);
    }
  }

  /** A snapshot for people and tests. */
  statistics(): MemoryObjectStreamStatistics {
    return this.#channel.statistics();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.aclose();
  }

  static {
    newReceiveStream = (channel) => new MemoryObjectReceiveStream(channel);
    nameSubscription = (receive, name) => {
      receive.#channel.subscription = name;
    };
  }
}

/** What nothing more comes from tells a receiver. */
function end({ failure }: { readonly failure: Error | undefined }, iterates: boolean): Promise<unknown> {
  if (failure !== undefined || !iterates) throw failure ?? ended();
  return completed({ done: true, value: undefined });
}

/** Ends the waits on one end. */
function rejectOf<D extends { readonly end: unknown }>(
  queue: WaitQueue<unknown, D>,
  end: unknown,
  error: (data: D) => Error,
): void {
  for (const entry of queue) {
    if (entry.data.end !== end) continue;
    queue.remove(entry);
    entry.reject(error(entry.data));
  }
}

const END_CLOSED = 'this end of the stream is closed';
const CLONE_BEFORE = 'Clone it before it is closed: tasks begin later than startSoon() returns';

function sendEndClosed(method: string): ClosedResourceError {
  return new ClosedResourceError(
    `MemoryObjectSendStream.${method}: ${END_CLOSED}. ${method === 'clone()' ? CLONE_BEFORE : 'Give everyone who sends a clone() of their own'}`,
  );
}

function receiveEndClosed(
  { subscription }: { readonly subscription: string | undefined },
  method: string,
): ClosedResourceError {
  return new ClosedResourceError(
    subscription === undefined
      ? `MemoryObjectReceiveStream.${method}: ${END_CLOSED}. ${method === 'clone()' ? CLONE_BEFORE : 'Give everyone who receives a clone() of their own; to end the stream, close the sending end'}`
      : `Subscription.${method}: "${subscription}" is closed`,
  );
}

function broken(): BrokenResourceError {
  return new BrokenResourceError(
    'every receiving end of the stream is closed, so nobody will receive the item',
  );
}

function ended(): EndOfStream {
  return new EndOfStream('the stream has ended: every sending end is closed, and nothing is left to receive');
}
