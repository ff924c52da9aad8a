/**
 * Bridges to the streams of the web platform. They work wherever `ReadableStream` and `WritableStream` are
 * global: browsers, Node, Bun, Deno.
 */

import { EndOfStream, InvalidStateError } from '@taskscope/core';
import { checkOptions, describe, scopeOfWait } from '@taskscope/core/lowlevel';

import { ForeignCalls } from './foreign-calls.js';
import { ForeignReceiveStream, type ForeignSource, type Inbox } from './foreign-receive-stream.js';
import { ForeignSendStream, type ForeignSink, type Outbox } from './foreign-send-stream.js';
import type { ByteReceiveStream, ObjectReceiveStream, ObjectSendStream } from './object-stream.js';
import { checkStream, receiveItem } from './receiving.js';

/** Options of the bridges. */
export interface BridgeOptions {
  /**
   * The signal of the scope that the bridge belongs to, for explicit mode; elsewhere, a foreign signal that
   * closes the bridge, besides the scope in which it was made. Waits on the bridge that are given no signal
   * take this one.
   */
  signal?: AbortSignal | undefined;
}

/**
 * Receives from a web stream: the body of a `fetch` response, for instance. It locks the stream, and takes
 * it over: `aclose()`, and the cancellation of the scope in which this function was called, cancel the
 * stream and release the lock. So does its end, without cancelling. Leaving a loop over it early does
 * neither: put `await using` around it.
 *
 * Nothing is read that nobody has asked for. A `receive()` that is cancelled loses nothing: what its read
 * brings is kept for the next. Items go to receivers in the order in which they asked. An error of the
 * stream arrives as it is.
 *
 * Does not wait.
 *
 * @throws InvalidStateError when the stream is locked; TypeError when it is no ReadableStream, or for bad
 * options.
 *
 * @example
 * ```ts
 * import { fromReadableStream, TextReceiveStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const { body } = new Response('tea for two');
 * await using text = new TextReceiveStream(fromReadableStream(body!));
 * let all = '';
 * for await (const piece of text) all += piece;
 * assert.equal(all, 'tea for two');
 * ```
 */
export function fromReadableStream<T>(
  readable: ReadableStream<T>,
  options?: BridgeOptions,
): ObjectReceiveStream<T> {
  const where = 'fromReadableStream()';
  checkPlatformStream(where, 'readable', readable, 'a ReadableStream', 'getReader');
  checkBridge(where, options);
  checkUnlocked(where, 'readable', readable);
  return new ForeignReceiveStream(where, new WebSource(readable.getReader()), options);
}

class WebSource<T> implements ForeignSource<T> {
  #reader: ReadableStreamDefaultReader<T> | undefined;
  #inbox: Inbox<T> | undefined = undefined;
  #isReading = false;

  constructor(reader: ReadableStreamDefaultReader<T>) {
    this.#reader = reader;
  }

  connect(inbox: Inbox<T>): void {
    this.#inbox = inbox;
  }

  request(): void {
    if (this.#isReading || this.#reader === undefined) return;
    this.#isReading = true;
    this.#reader.read().then(
      (result) => {
        this.#isReading = false;
        if (result.done) this.#inbox?.end();
        else this.#inbox?.deliver(result.value);
      },
      (error: unknown) => {
        this.#isReading = false;
        this.#inbox?.fail(error);
      },
    );
  }

  cancel(reason: unknown): Promise<void> | undefined {
    const cancelling = this.#reader?.cancel(reason);
    this.release();
    return cancelling;
  }

  release(): void {
    this.#reader?.releaseLock();
    this.#reader = undefined;
  }
}

/**
 * Makes a web stream of a stream, for `new Response(…)` and the like. It takes the stream over, and closes
 * it when it was cancelled, has ended or has failed.
 *
 * An item is received only when somebody reads: the stream buffers nothing unless `strategy` says so. What
 * is waited for, is waited for in the scope in which this function was called; when that is cancelled, the
 * reader gets the `Cancelled`. An error of the stream arrives at the reader as it is. When the reader
 * cancels, the pending `receive()` is cancelled.
 *
 * Does not wait.
 *
 * @param strategy - How much to buffer. Default: nothing.
 * @throws TypeError when it is no such stream, or for bad options; RangeError when the `highWaterMark` is
 * none.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { createMemoryObjectStream, TextSendStream, toReadableStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * await taskGroup(async (tg) => {
 *   const [send, receive] = createMemoryObjectStream<Uint8Array>();
 *   tg.startSoon(async () => {
 *     await using text = new TextSendStream(send);
 *     for (const word of ['tea', ' for', ' two']) await text.send(word);
 *   });
 *   assert.equal(await new Response(toReadableStream(receive)).text(), 'tea for two');
 * });
 * ```
 */
export function toReadableStream<T>(
  receive: ObjectReceiveStream<T>,
  strategy?: QueuingStrategy<T>,
  options?: BridgeOptions,
): ReadableStream<T>;
export function toReadableStream(
  receive: ByteReceiveStream,
  strategy?: QueuingStrategy<Uint8Array>,
  options?: BridgeOptions,
): ReadableStream<Uint8Array>;
export function toReadableStream<T>(
  receive: ObjectReceiveStream<T> | ByteReceiveStream,
  strategy: QueuingStrategy<T> = { highWaterMark: 0 },
  options?: BridgeOptions,
): ReadableStream<T> {
  const where = 'toReadableStream()';
  checkStream(where, 'receive', receive, 'receive');
  checkBridge(where, options);
  const calls = new ForeignCalls(options);
  return new ReadableStream<T>(
    {
      async pull(controller) {
        try {
          const item = await calls.run((waitOptions) => receiveItem(receive, waitOptions));
          controller.enqueue(item as T);
        } catch (error) {
          if (error instanceof EndOfStream) {
            await calls.close(receive);
            controller.close();
            return;
          }
          // The error is what the reader wants to know of, and at once.
          calls.close(receive).catch(ignore);
          throw error;
        }
      },
      cancel(reason) {
        calls.interrupt(reason);
        return calls.close(receive);
      },
    },
    strategy,
  );
}

/**
 * Sends into a web stream. It locks the stream, and takes it over: `aclose()` closes it and waits until
 * everything is written; the cancellation of the scope in which this function was called aborts it. Both
 * release the lock.
 *
 * A `send()` waits until there is room, then writes. Cancelled before or during: rejects, and nothing is
 * written. What goes wrong in writing, the next `send()` or `aclose()` rejects with, as it is.
 *
 * When `aclose()` is cancelled, the stream is aborted rather than closed: what was not yet written is lost,
 * and nobody takes the rest for the whole.
 *
 * Does not wait.
 *
 * @throws InvalidStateError when the stream is locked; TypeError when it is no WritableStream, or for bad
 * options.
 *
 * @example
 * ```ts
 * import { fromWritableStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const written: string[] = [];
 * const writable = new WritableStream<string>({ write: (chunk) => void written.push(chunk) });
 * const send = fromWritableStream(writable);
 * for (const word of ['tea', 'for', 'two']) await send.send(word);
 * await send.aclose();
 * assert.deepEqual(written, ['tea', 'for', 'two']);
 * ```
 */
export function fromWritableStream<T>(
  writable: WritableStream<T>,
  options?: BridgeOptions,
): ObjectSendStream<T> {
  const where = 'fromWritableStream()';
  checkPlatformStream(where, 'writable', writable, 'a WritableStream', 'getWriter');
  checkBridge(where, options);
  checkUnlocked(where, 'writable', writable);
  return new ForeignSendStream(where, new WebSink(writable.getWriter()), options);
}

class WebSink<T> implements ForeignSink<T> {
  readonly #writer: WritableStreamDefaultWriter<T>;
  #outbox: Outbox | undefined = undefined;
  #isRequested = false;

  constructor(writer: WritableStreamDefaultWriter<T>) {
    this.#writer = writer;
  }

  connect(outbox: Outbox): void {
    this.#outbox = outbox;
    this.#writer.closed.catch((error: unknown) => outbox.fail(error));
  }

  get hasRoom(): boolean {
    // It is null when the stream has failed.
    return (this.#writer.desiredSize ?? 0) > 0;
  }

  write(item: T): void {
    // When it fails, so does the stream.
    this.#writer.write(item).catch(ignore);
  }

  request(): void {
    if (this.#isRequested) return;
    this.#isRequested = true;
    this.#writer.ready.then(
      () => {
        this.#isRequested = false;
        this.#outbox?.admit();
      },
      (error: unknown) => {
        this.#isRequested = false;
        this.#outbox?.fail(error);
      },
    );
  }

  finish(): Promise<void> {
    return this.#writer.close();
  }

  abort(reason: unknown): Promise<void> {
    const aborting = this.#writer.abort(reason);
    this.release();
    return aborting;
  }

  release(): void {
    this.#writer.releaseLock();
  }
}

/**
 * Makes a web stream of a stream, for `pipeTo` and the like. It takes the stream over: closing the web
 * stream closes it, and so do aborting and a failure.
 *
 * What is written is sent, one chunk after another, in the scope in which this function was called; when
 * that is cancelled, the writer gets the `Cancelled`. The writer feels the backpressure of the stream. An
 * error of it arrives at the writer as it is. When the writer aborts, the pending `send()` is cancelled;
 * those who receive on the other side learn only that the stream has ended, since a stream has no way of
 * saying more.
 *
 * Does not wait.
 *
 * @throws TypeError when it is no such stream, or for bad options.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { createMemoryObjectStream, toWritableStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<Uint8Array>();
 * let bytes = 0;
 * await taskGroup((tg) => {
 *   tg.startSoon(() => new Response('tea for two').body!.pipeTo(toWritableStream(send)));
 *   tg.startSoon(async () => {
 *     for await (const chunk of receive) bytes += chunk.length;
 *   });
 * });
 * assert.equal(bytes, 11);
 * ```
 */
export function toWritableStream<T>(send: ObjectSendStream<T>, options?: BridgeOptions): WritableStream<T> {
  const where = 'toWritableStream()';
  checkStream(where, 'send', send, 'send');
  checkBridge(where, options);
  const calls = new ForeignCalls(options);
  return new WritableStream<T>({
    start(controller) {
      // The typings of Node do not have it yet.
      const { signal } = controller as unknown as { readonly signal: AbortSignal };
      signal.addEventListener('abort', () => calls.interrupt(signal.reason), { once: true });
    },
    async write(chunk) {
      try {
        await calls.run((waitOptions) => send.send(chunk, waitOptions));
      } catch (error) {
        // The error is what the writer wants to know of, and at once.
        calls.close(send).catch(ignore);
        throw error;
      }
    },
    async close() {
      await calls.run(() => send.aclose()).finally(() => calls.end());
    },
    abort() {
      return calls.close(send);
    },
  });
}

function ignore(): void {}

/** Told by a method, so that streams of other realms and of polyfills are welcome. */
function checkPlatformStream(
  where: string,
  argument: string,
  value: unknown,
  what: string,
  method: string,
): void {
  if (typeof (value as Record<string, unknown> | null | undefined)?.[method] === 'function') return;
  throw new TypeError(`${where}: ${argument} must be ${what}, got ${describe(value)}`);
}

function checkUnlocked(where: string, argument: string, stream: { readonly locked: boolean }): void {
  if (!stream.locked) return;
  throw new InvalidStateError(`${where}: ${argument} is locked: somebody else uses it already`);
}

/** Checks the options of a bridge. */
export function checkBridge(where: string, options: BridgeOptions | undefined): void {
  checkOptions(where, options);
  scopeOfWait(where, options);
}
