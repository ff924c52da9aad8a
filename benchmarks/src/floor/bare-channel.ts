import { Fifo } from './fifo.js';

const SENT = Promise.resolve();

/**
 * A channel of promises and nothing else: no cancellation, no scopes, no errors. What a channel costs at least.
 */
export class BareChannel<T extends {}> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #buffer = new Fifo<T>();
  readonly #senders = new Fifo<{ readonly item: T; readonly resolve: () => void }>();
  /** Each is called with an item, or without one when the channel has ended. */
  readonly #receivers = new Fifo<(item?: T) => void>();
  #isClosed = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Waits until the item is in the buffer, or received. */
  send(item: T): Promise<void> {
    if (this.trySend(item)) return SENT;
    return new Promise((resolve) => {
      this.#senders.push({ item, resolve });
    });
  }

  trySend(item: T): boolean {
    const receiver = this.#receivers.shift();
    if (receiver !== undefined) receiver(item);
    else if (this.#buffer.size < this.#capacity) this.#buffer.push(item);
    else return false;
    return true;
  }

  /** Resolves to undefined when the channel has ended. */
  receive(): Promise<T | undefined> {
    const item = this.#take();
    if (item !== undefined || this.#isClosed) return Promise.resolve(item);
    return new Promise((resolve) => {
      this.#receivers.push(resolve);
    });
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#take();
    if (item !== undefined || this.#isClosed) return Promise.resolve(resultOf(item));
    return new Promise((resolve) => {
      this.#receivers.push((received) => resolve(resultOf(received)));
    });
  }

  /** Ends the channel. Nobody may be waiting to send. */
  close(): void {
    this.#isClosed = true;
    for (let next = this.#receivers.shift(); next !== undefined; next = this.#receivers.shift()) next();
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return this;
  }

  #take(): T | undefined {
    const sender = this.#senders.shift();
    sender?.resolve();
    if (this.#buffer.size === 0) return sender?.item;
    if (sender !== undefined) this.#buffer.push(sender.item);
    return this.#buffer.shift();
  }
}

function resultOf<T extends {}>(item: T | undefined): IteratorResult<T, undefined> {
  return item === undefined ? { done: true, value: undefined } : { done: false, value: item };
}
