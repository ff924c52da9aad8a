/**
 * Receiving from a foreign stream, which knows nothing of scopes.
 *
 * A read that was begun there cannot be undone. So whoever receives waits in a queue of ours, which a
 * cancellation leaves without a trace, and one read at a time goes on for all of them. What it brings when
 * nobody waits any more is kept for the next one. Nothing is read that nobody has asked for.
 */

import {
  abandonOnCancel,
  cleanup,
  ClosedResourceError,
  EndOfStream,
  type WaitOptions,
} from '@taskscope/core';
import {
  completed,
  refusal,
  rejected,
  scopeOfWait,
  suspend,
  WaitQueue,
  type QueueEntry,
} from '@taskscope/core/lowlevel';

import type { ObjectReceiveStream } from './object-stream.js';
import { watchOwner } from './owner.js';
import { quiet } from './receiving.js';

/** A foreign stream that is read. */
export interface ForeignSource<T> {
  /** Called once, before anything else. */
  connect(inbox: Inbox<T>): void;
  /** Takes what can be had at once. */
  poll?(): { readonly value: T } | undefined;
  /** Somebody waits: sees to it that the inbox is told. It may be asked again before it was. */
  request(): void;
  /**
   * Stops the foreign stream, if it has not ended, and lets go of it. What it returns settles when that is
   * done.
   */
  cancel(reason: unknown): PromiseLike<unknown> | undefined;
  /** Lets go of the foreign stream, which has ended or failed. */
  release(): void;
}

/** What a source tells. */
export interface Inbox<T> {
  /** Whether somebody waits. */
  readonly isWanted: boolean;
  deliver(item: T): void;
  end(): void;
  fail(error: unknown): void;
}

/** What a receiver wants to have for an item, and for the end. */
interface Shape {
  item(item: unknown): unknown;
  end(): unknown;
}

const asItem: Shape = {
  item: (item) => item,
  end() {
    throw new EndOfStream('the stream has ended');
  },
};

const asStep: Shape = {
  item: (value) => ({ done: false, value }),
  end: () => ({ done: true, value: undefined }),
};

type Over =
  | { readonly because: 'end' }
  | { readonly because: 'close' }
  | { readonly because: 'error'; readonly error: unknown };

/** What the bridges return that read a foreign stream. */
export class ForeignReceiveStream<T> implements ObjectReceiveStream<T>, Inbox<T> {
  readonly #name: string;
  readonly #options: WaitOptions | undefined;
  readonly #source: ForeignSource<T>;
  readonly #receivers = new WaitQueue<unknown, Shape>();
  /** What was read when nobody waited any more. */
  #kept: { readonly value: T } | undefined = undefined;
  /** Why nothing more will be received. */
  #over: Over | undefined = undefined;
  #closing: PromiseLike<unknown> | undefined = undefined;
  #leaveOwner: (() => void) | undefined = undefined;

  /**
   * @param name - The name of the bridge, for messages.
   * @param options - Also those of waits that are given none.
   */
  constructor(name: string, source: ForeignSource<T>, options: WaitOptions | undefined) {
    this.#name = name;
    this.#options = options;
    this.#source = source;
    source.connect(this);
    if (this.#over === undefined) this.#leaveOwner = watchOwner(options, (reason) => this.#close(reason));
  }

  receive(options: WaitOptions | undefined = this.#options): Promise<T> {
    return this.#take(asItem, options) as Promise<T>;
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined, undefined> {
    return { next: () => this.#take(asStep, this.#options) as Promise<IteratorResult<T, undefined>> };
  }

  aclose(): Promise<void> {
    this.#close(undefined);
    const closing = this.#closing;
    if (closing === undefined) return completed();
    // Its error is told once.
    this.#closing = closing.then(ignore, ignore);
    return quiet(cleanup(() => abandonOnCancel(closing))) as Promise<void>;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.aclose();
  }

  get isWanted(): boolean {
    return this.#receivers.size > 0;
  }

  deliver(item: T): void {
    if (this.#over !== undefined) return;
    const receiver = this.#receivers.shift();
    if (receiver === undefined) this.#kept = { value: item };
    else receiver.resolve(receiver.data.item(item));
    if (this.isWanted) this.#source.request();
  }

  end(): void {
    this.#finish({ because: 'end' });
  }

  fail(error: unknown): void {
    this.#finish({ because: 'error', error });
  }

  #take(shape: Shape, options: WaitOptions | undefined): Promise<unknown> {
    const where = `${this.#name}.receive()`;
    try {
      const refused = refusal(where, scopeOfWait(where, options), options);
      if (refused !== undefined) return refused;
      if (this.#over?.because === 'close') throw closed(where);
      if (this.#receivers.size === 0) {
        const kept = this.#kept ?? (this.#over === undefined ? this.#source.poll?.() : undefined);
        this.#kept = undefined;
        if (kept !== undefined) return completed(shape.item(kept.value));
      }
      if (this.#over !== undefined) return completed(outcomeOf(where, this.#over, shape));
      return suspend(
        (resolve, reject) => {
          const leave = this.#receivers.enlist(shape, { resolve, reject });
          this.#source.request();
          return leave;
        },
        { ...options, label: 'a foreign stream', foreign: true },
      );
    } catch (error) {
      return rejected(error);
    }
  }

  #finish(over: Over): void {
    if (this.#over !== undefined) return;
    this.#over = over;
    this.#leaveOwner?.();
    this.#source.release();
    this.#dismiss();
  }

  #close(reason: unknown): void {
    if (this.#over?.because === 'close') return;
    this.#over = { because: 'close' };
    this.#kept = undefined;
    this.#leaveOwner?.();
    this.#closing = this.#source.cancel(reason);
    this.#closing?.then(ignore, ignore);
    // When a scope is cancelled, its signal is told first, and those who wait in it are told why.
    queueMicrotask(() => this.#dismiss());
  }

  /** Tells everyone who waits that it is over. */
  #dismiss(): void {
    for (let each = this.#receivers.shift(); each !== undefined; each = this.#receivers.shift()) {
      dismiss(`${this.#name}.receive()`, each, this.#over!);
    }
  }
}

function ignore(): void {}

function closed(where: string): ClosedResourceError {
  return new ClosedResourceError(`${where}: this stream is closed`);
}

function dismiss(where: string, receiver: QueueEntry<unknown, Shape>, over: Over): void {
  try {
    receiver.resolve(outcomeOf(where, over, receiver.data));
  } catch (error) {
    receiver.reject(error);
  }
}

function outcomeOf(where: string, over: Over, shape: Shape): unknown {
  if (over.because === 'end') return shape.end();
  throw over.because === 'error' ? over.error : closed(where);
}
