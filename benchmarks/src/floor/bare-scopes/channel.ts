import { Fifo } from '../fifo.js';
import { current } from './context.js';
import { Queue } from './queue.js';
import { CANCELLED } from './scope.js';

const SENT = Promise.resolve();

/** A channel whose senders and receivers can be cancelled, and lose nothing by it. */
export class Channel<T> {
  readonly #capacity: number;
  readonly #buffer = new Fifo<T>();
  readonly #senders = new Queue<void, T>();
  readonly #receivers = new Queue<T, undefined>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Waits until the item is in the buffer, or received. */
  send(item: T): Promise<void> {
    const scope = current();
    if (scope.isCancelled) return Promise.reject(CANCELLED);
    const receiver = this.#receivers.shift();
    if (receiver !== undefined) receiver.resolve(item);
    else if (this.#buffer.size < this.#capacity) this.#buffer.push(item);
    else return this.#senders.wait(scope, item);
    return SENT;
  }

  receive(): Promise<T> {
    const scope = current();
    if (scope.isCancelled) return Promise.reject(CANCELLED);
    const sender = this.#senders.shift();
    if (this.#buffer.size > 0) {
      const item = this.#buffer.shift()!;
      if (sender !== undefined) {
        this.#buffer.push(sender.data);
        sender.resolve();
      }
      return Promise.resolve(item);
    }
    if (sender === undefined) return this.#receivers.wait(scope, undefined);
    sender.resolve();
    return Promise.resolve(sender.data);
  }
}
