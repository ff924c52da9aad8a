/**
 * Sending into a foreign stream, which knows nothing of scopes.
 *
 * What was written there cannot be taken back. So whoever sends waits in a queue of ours until there is
 * room, and only then is the item written: a send that is cancelled leaves nothing behind, and one that has
 * resolved has written. What goes wrong in writing is told to the next who sends or closes.
 */

import {
  abandonOnCancel,
  BrokenResourceError,
  cleanup,
  ClosedResourceError,
  type WaitOptions,
} from '@taskscope/core';
import { completed, refusal, rejected, scopeOfWait, suspend, WaitQueue } from '@taskscope/core/lowlevel';

import type { ObjectSendStream } from './object-stream.js';
import { watchOwner } from './owner.js';
import { quiet } from './receiving.js';

/** A foreign stream that is written. */
export interface ForeignSink<T> {
  /** Called once, before anything else. */
  connect(outbox: Outbox): void;
  /** Whether an item can be written without exceeding what the stream wants to buffer. */
  readonly hasRoom: boolean;
  /** Writes an item. Throws if it is none that can be written; other errors are told later. */
  write(item: T): void;
  /** Somebody waits: sees to it that the outbox is told. It may be asked again before it was. */
  request(): void;
  /** Closes the foreign stream. Settles when everything is written. */
  finish(): PromiseLike<unknown>;
  /**
   * Stops the foreign stream, whatever is still to be written, and lets go of it. What it returns settles
   * when that is done.
   */
  abort(reason: unknown): PromiseLike<unknown> | undefined;
  /** Lets go of the foreign stream, which is closed or has failed. */
  release(): void;
}

/** What a sink tells. */
export interface Outbox {
  /** There may be room. */
  admit(): void;
  fail(error: unknown): void;
}

interface Failure {
  readonly error: unknown;
}

/** What the bridges return that write a foreign stream. */
export class ForeignSendStream<T> implements ObjectSendStream<T>, Outbox {
  readonly #name: string;
  readonly #options: WaitOptions | undefined;
  readonly #sink: ForeignSink<T>;
  readonly #senders = new WaitQueue<void, T>();
  #state: 'open' | 'closing' | 'closed' = 'open';
  #failure: Failure | undefined = undefined;
  /** Whether somebody has been told of the failure. */
  #isTold = false;
  /** The owner was cancelled while somebody closed it. */
  #isAborted = false;
  #closing: Promise<unknown> | undefined = undefined;
  #leaveOwner: (() => void) | undefined = undefined;

  /**
   * @param name - The name of the bridge, for messages.
   * @param options - Also those of waits that are given none.
   */
  constructor(name: string, sink: ForeignSink<T>, options: WaitOptions | undefined) {
    this.#name = name;
    this.#options = options;
    this.#sink = sink;
    sink.connect(this);
    if (this.#failure === undefined) this.#leaveOwner = watchOwner(options, (reason) => this.#abort(reason));
  }

  send(item: T, options: WaitOptions | undefined = this.#options): Promise<void> {
    const where = `${this.#name}.send()`;
    try {
      const refused = refusal(where, scopeOfWait(where, options), options);
      if (refused !== undefined) return refused;
      this.#check(where);
      if (this.#senders.size === 0 && this.#sink.hasRoom) {
        this.#sink.write(item);
        return completed();
      }
      return suspend<void>(
        (resolve, reject) => {
          const leave = this.#senders.enlist(item, { resolve, reject });
          this.#sink.request();
          return leave;
        },
        { ...options, label: 'a foreign stream', foreign: true },
      );
    } catch (error) {
      return rejected(error);
    }
  }

  aclose(options: WaitOptions | undefined = this.#options): Promise<void> {
    return this.#aclose(options, false);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#aclose(this.#options, true);
  }

  admit(): void {
    if (this.#state !== 'open' || this.#failure !== undefined) return;
    while (this.#senders.size > 0 && this.#sink.hasRoom) {
      const sender = this.#senders.shift()!;
      try {
        this.#sink.write(sender.data);
      } catch (error) {
        sender.reject(error);
        continue;
      }
      sender.resolve();
    }
    if (this.#senders.size > 0) this.#sink.request();
  }

  fail(error: unknown): void {
    if (this.#state === 'closed' || this.#failure !== undefined) return;
    this.#failure = { error };
    this.#leaveOwner?.();
    this.#sink.release();
    if (this.#senders.size > 0) this.#isTold = true;
    this.#senders.rejectAll(error);
  }

  #check(where: string): void {
    if (this.#state !== 'open') throw closed(where);
    if (this.#failure === undefined) return;
    this.#isTold = true;
    throw this.#failure.error;
  }

  /** A disposer cannot see whether its block was cancelled: if it was, it must not add an error of its own. */
  #aclose(options: WaitOptions | undefined, isDisposer: boolean): Promise<void> {
    const where = `${this.#name}.aclose()`;
    try {
      if (this.#state === 'closed') return this.#closed();
      if (this.#failure !== undefined) {
        this.#state = 'closed';
        if (this.#isTold) return completed();
        this.#isTold = true;
        throw this.#failure.error;
      }
      const refused = refusal(where, scopeOfWait(where, options), options);
      if (refused === undefined) return quiet(this.#flush(options), options);
      return quiet(
        refused.catch(async (reason: unknown) => {
          this.#abort(reason);
          await this.#closed();
          if (!isDisposer) throw reason;
        }),
        options,
      );
    } catch (error) {
      return rejected(error);
    }
  }

  async #flush(options: WaitOptions | undefined): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#senders.rejectAll(this.#closedMeanwhile());
      this.#closing = Promise.resolve(this.#sink.finish());
    }
    let isWritten = false;
    let isSettled = false;
    const finishing = this.#closing!;
    finishing.then(
      () => (isWritten = isSettled = true),
      () => (isSettled = true),
    );
    try {
      await abandonOnCancel(finishing, options);
    } catch (error) {
      // The end of a foreign stream may itself be why somebody cancels, too late for what has been written.
      if (isWritten) return;
      if (!isSettled) {
        // Not waiting any longer means not writing any longer: nobody would hear whether it succeeded.
        this.#abort(error);
        await this.#closed();
        throw error;
      }
      if (this.#isAborted) {
        throw new BrokenResourceError(
          'the scope that the stream belongs to was cancelled before everything was written',
          { cause: error },
        );
      }
      this.#isTold = true;
      throw error;
    } finally {
      if (this.#state !== 'closed') {
        this.#state = 'closed';
        this.#closing = undefined;
        this.#leaveOwner?.();
        this.#sink.release();
      }
    }
  }

  #abort(reason: unknown): void {
    if (this.#state === 'closed') return;
    this.#isAborted = this.#state === 'closing';
    this.#state = 'closed';
    this.#leaveOwner?.();
    this.#closing = Promise.resolve(this.#sink.abort(reason)).catch(ignore);
    // When a scope is cancelled, its signal is told first, and those who wait in it are told why.
    queueMicrotask(() => this.#senders.rejectAll(this.#closedMeanwhile()));
  }

  /** For those who wait to send when it is closed. */
  #closedMeanwhile(): ClosedResourceError {
    return closed(`${this.#name}.send()`);
  }

  /** Waits until the foreign stream has stopped. */
  #closed(): Promise<void> {
    const closing = this.#closing;
    if (closing === undefined) return completed();
    return quiet(cleanup(() => abandonOnCancel(closing))) as Promise<void>;
  }
}

function ignore(): void {}

function closed(where: string): ClosedResourceError {
  return new ClosedResourceError(`${where}: this stream is closed`);
}
