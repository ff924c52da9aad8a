/** Receiving as many bytes as are wanted, rather than as many as happen to come. */

import {
  ClosedResourceError,
  DelimiterNotFound,
  EndOfStream,
  IncompleteRead,
  type WaitOptions,
} from '@taskscope/core';
import { checkCount, completed, describe, refusal, rejected, scopeOfWait } from '@taskscope/core/lowlevel';
import { Semaphore } from '@taskscope/sync';

import { ByteBuffer } from './byte-buffer.js';
import { dispose } from './closing.js';
import type { AnyByteReceiveStream, AnyByteStream, ByteReceiveStream, ByteStream } from './object-stream.js';
import {
  checkBytes,
  checkMaxBytes,
  checkStream,
  DEFAULT_MAX_BYTES,
  inTurn,
  quiet,
  receiveBytes,
  stepsOf,
} from './receiving.js';

/** Says how to read from the buffer, and what to do when there is too little in it. */
interface Reading {
  /** Takes what is wanted out of the buffer; undefined if more bytes are needed for that. */
  attempt(): Uint8Array | undefined;
  /** How many bytes to ask for, of a stream that can be asked. */
  wanted(): number | undefined;
  /** The error when no more bytes come. */
  ended(end: EndOfStream): Error;
}

/**
 * Receives from a stream of bytes through a buffer: exactly so many, up to a delimiter, or whatever is
 * there. It takes the stream over: closing it closes that, too.
 *
 * A read that is cancelled loses nothing: what it has received stays in the buffer, and the next read
 * begins with that. Several tasks may read: they are served one after another, in the order in which they
 * asked.
 *
 * Semantics: AnyIO's `BufferedByteReceiveStream`.
 *
 * @example
 * ```ts
 * import { BufferedByteReceiveStream, createMemoryObjectStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<Uint8Array>(Infinity);
 * const text = 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntea';
 * for (let at = 0; at < text.length; at += 5) send.sendNowait(new TextEncoder().encode(text.slice(at, at + 5)));
 *
 * const stream = new BufferedByteReceiveStream(receive);
 * const line = async (): Promise<string> => new TextDecoder().decode(await stream.receiveUntil('\r\n', 1_000));
 * assert.equal(await line(), 'HTTP/1.1 200 OK');
 * const length = Number((await line()).split(': ')[1]);
 * await line();
 * assert.equal(new TextDecoder().decode(await stream.receiveExactly(length)), 'tea');
 * ```
 */
export class BufferedByteReceiveStream implements ByteReceiveStream {
  readonly type = 'bytes';
  /** Where is received. */
  readonly receiveStream: AnyByteReceiveStream;
  readonly #buffer = new ByteBuffer();
  readonly #turns = new Semaphore(1);
  #isClosed = false;

  /** @throws TypeError when it is no such stream. */
  constructor(receiveStream: AnyByteReceiveStream) {
    checkStream('new BufferedByteReceiveStream()', 'receiveStream', receiveStream, 'receive');
    this.receiveStream = receiveStream;
  }

  /** A copy of the bytes that have been received, and not yet been read. */
  get buffer(): Uint8Array {
    return this.#buffer.toBytes();
  }

  /**
   * Puts bytes into the buffer, after those that are there. They are read before anything else is received.
   *
   * Does not wait.
   *
   * @throws TypeError when `bytes` is no Uint8Array.
   */
  feedData(bytes: Uint8Array): void {
    checkBytes('BufferedByteReceiveStream.feedData()', 'bytes', bytes);
    this.#buffer.append(bytes.slice());
  }

  /**
   * Reads what is in the buffer, or else waits for bytes.
   *
   * Cancelled before or during: rejects, and no byte is lost.
   *
   * @param maxBytes - How many at most. Default: 65,536.
   * @returns At least one byte.
   * @throws EndOfStream when there will be none; ClosedResourceError when this stream was closed; Cancelled
   * when the scope is cancelled; `signal.reason` when a foreign signal aborts; what the stream below
   * throws; TypeError or RangeError when `maxBytes` is no whole number of at least 1.
   */
  receive(maxBytes: number = DEFAULT_MAX_BYTES, options?: WaitOptions): Promise<Uint8Array> {
    const where = 'BufferedByteReceiveStream.receive()';
    try {
      checkMaxBytes(where, maxBytes);
      const buffer = this.#buffer;
      return this.#read(where, options, {
        attempt: () => (buffer.size === 0 ? undefined : buffer.take(Math.min(maxBytes, buffer.size))),
        wanted: () => (maxBytes === Infinity ? undefined : maxBytes),
        ended: (end) => end,
      });
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Reads exactly `count` bytes, waiting until they are there.
   *
   * Cancelled before or during: rejects, and what has been received stays in the buffer.
   *
   * @throws IncompleteRead when the stream ends before; what there was stays in the buffer. Otherwise as
   * `receive()`; TypeError or RangeError when `count` is no whole number of at least 0.
   */
  receiveExactly(count: number, options?: WaitOptions): Promise<Uint8Array> {
    const where = 'BufferedByteReceiveStream.receiveExactly()';
    try {
      checkCount(where, 'count', count, 0);
      if (count === Infinity) throw new RangeError(`${where}: count must be finite, got Infinity`);
      const buffer = this.#buffer;
      return this.#read(where, options, {
        attempt: () => (buffer.size < count ? undefined : buffer.take(count)),
        wanted: () => count - buffer.size,
        ended: (end) =>
          new IncompleteRead(`the stream ended after ${buffer.size} of the ${count} bytes that were wanted`, {
            cause: end,
          }),
      });
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Reads up to a delimiter, waiting until it comes. The delimiter is taken out, too.
   *
   * Cancelled before or during: rejects, and what has been received stays in the buffer.
   *
   * @param delimiter - Bytes, or text, of which the UTF-8 bytes are meant.
   * @param maxBytes - Within how many bytes the delimiter must end. Infinity lets the other side fill your
   * memory.
   * @returns The bytes before the delimiter.
   * @throws DelimiterNotFound when the first `maxBytes` bytes do not contain it; IncompleteRead when the
   * stream ends before it. In both cases what there was stays in the buffer. Otherwise as `receive()`;
   * TypeError or RangeError for bad arguments.
   */
  receiveUntil(delimiter: Uint8Array | string, maxBytes: number, options?: WaitOptions): Promise<Uint8Array> {
    const where = 'BufferedByteReceiveStream.receiveUntil()';
    try {
      const bytes = toDelimiter(where, delimiter);
      checkMaxBytes(where, maxBytes);
      const buffer = this.#buffer;
      return this.#read(where, options, {
        attempt: () => {
          const index = buffer.indexOf(bytes, maxBytes);
          if (index === -1) {
            if (buffer.size < maxBytes) return undefined;
            throw new DelimiterNotFound(`the delimiter was not found within the first ${maxBytes} bytes`);
          }
          const found = buffer.take(index);
          buffer.drop(bytes.length);
          return found;
        },
        wanted: () => undefined,
        ended: (end) =>
          new IncompleteRead(`the stream ended after ${buffer.size} bytes without the delimiter`, {
            cause: end,
          }),
      });
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Iterates over the bytes as they come, until the end of the stream. Each step is cancel-safe, as
   * `receive()` is. Leaving the loop early does not close the stream.
   */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined, undefined> {
    return stepsOf(() => this.receive());
  }

  /** The same with options for each step: in explicit mode, the signal of the scope that it belongs to. */
  values(options?: WaitOptions): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => stepsOf(() => this.receive(undefined, options), options) };
  }

  /**
   * Closes this stream and the one below; what is in the buffer can no longer be read. Waits as the
   * `aclose()` of that one does.
   */
  aclose(): Promise<void> {
    this.#isClosed = true;
    return this.receiveStream.aclose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    return dispose(this.receiveStream);
  }

  #read(where: string, options: WaitOptions | undefined, reading: Reading): Promise<Uint8Array> {
    const scope = scopeOfWait(where, options);
    const refused = refusal(where, scope, options);
    if (refused !== undefined) return refused;
    this.#check(where);
    if (this.#turns.value > 0) {
      const bytes = reading.attempt();
      if (bytes !== undefined) return completed(bytes);
    }
    return inTurn(this.#turns, () => this.#fill(where, options, reading), options);
  }

  async #fill(where: string, options: WaitOptions | undefined, reading: Reading): Promise<Uint8Array> {
    for (;;) {
      this.#check(where);
      const bytes = reading.attempt();
      if (bytes !== undefined) return bytes;
      let chunk: Uint8Array;
      try {
        chunk = await receiveBytes(this.receiveStream, reading.wanted(), options);
      } catch (error) {
        throw error instanceof EndOfStream ? reading.ended(error) : error;
      }
      checkBytes(where, 'what the stream below gives', chunk);
      this.#buffer.append(chunk);
    }
  }

  #check(where: string): void {
    if (this.#isClosed) throw new ClosedResourceError(`${where}: this stream is closed`);
  }
}

/**
 * A stream of bytes in both directions, of which the receiving one is buffered. What is sent goes through
 * as it is. It takes the stream over: closing it closes that, too.
 *
 * Semantics: AnyIO's `BufferedByteStream`.
 *
 * @example
 * ```ts
 * import { BufferedByteStream, createMemoryObjectStream, StapledObjectStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<Uint8Array>(2);
 * const echo = new BufferedByteStream(new StapledObjectStream(send, receive));
 * await echo.send(Uint8Array.of(1, 2, 3));
 * await echo.send(Uint8Array.of(4));
 * assert.deepEqual(await echo.receiveExactly(4), Uint8Array.of(1, 2, 3, 4));
 * ```
 */
export class BufferedByteStream extends BufferedByteReceiveStream implements ByteStream {
  readonly #stream: AnyByteStream;

  /** @throws TypeError when it is no such stream. */
  constructor(stream: AnyByteStream) {
    checkStream('new BufferedByteStream()', 'stream', stream, 'send', 'receive');
    super(stream);
    this.#stream = stream;
  }

  /** Sends bytes into the stream below, as its `send()` does. */
  send(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    try {
      checkBytes('BufferedByteStream.send()', 'bytes', bytes);
      return this.#stream.send(bytes, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** Says that no more will be sent, and goes on receiving. Waits as the `sendEof()` of the stream below. */
  sendEof(): Promise<void> {
    return quiet(this.#stream.sendEof());
  }
}

function toDelimiter(where: string, delimiter: unknown): Uint8Array {
  const bytes = typeof delimiter === 'string' ? new TextEncoder().encode(delimiter) : delimiter;
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`${where}: delimiter must be a Uint8Array or a string, got ${describe(delimiter)}`);
  }
  if (bytes.length === 0) throw new RangeError(`${where}: delimiter must not be empty`);
  return bytes;
}
