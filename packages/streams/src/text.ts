/** Text over streams of bytes. */

import { EndOfStream, type WaitOptions } from '@taskscope/core';
import { checkOptions, describe, refusal, rejected, scopeOfWait } from '@taskscope/core/lowlevel';
import { Semaphore } from '@taskscope/sync';

import { dispose } from './closing.js';
import type {
  AnyByteReceiveStream,
  AnyByteSendStream,
  AnyByteStream,
  ObjectReceiveStream,
  ObjectSendStream,
  ObjectStream,
} from './object-stream.js';
import { checkBytes, checkStream, inTurn, receiveBytes, stepsOf } from './receiving.js';
import { createDecoder, createEncoder, type Decoder, type Encode, type TextErrors } from './text-codec.js';

/** Options of the text streams. */
export interface TextOptions {
  /**
   * The encoding. Default: `utf-8`. Every encoding that `TextDecoder` knows can be received; `utf-8`,
   * `utf-16le` and `latin1` (ISO 8859-1, every byte the code point of the same number) can be sent, too.
   */
  encoding?: string | undefined;
  /**
   * What to do with what cannot be decoded or encoded: `strict`, the default, throws a TypeError; `replace`
   * takes U+FFFD instead, or a question mark where that cannot be encoded.
   */
  errors?: TextErrors | undefined;
}

/**
 * Receives text from a stream of bytes, as it comes: a character whose bytes come in several pieces comes
 * when it is complete. A byte order mark at the beginning is taken off. The stream is taken over: closing
 * this one closes that, too.
 *
 * Semantics: AnyIO's `TextReceiveStream`.
 *
 * @example
 * ```ts
 * import { createMemoryObjectStream, TextReceiveStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<Uint8Array>(2);
 * const text = new TextReceiveStream(receive);
 * const bytes = new TextEncoder().encode('tea for £2');
 * send.sendNowait(bytes.subarray(0, 9)); // half of the £
 * send.sendNowait(bytes.subarray(9));
 * assert.equal(await text.receive(), 'tea for ');
 * assert.equal(await text.receive(), '£2');
 * ```
 */
export class TextReceiveStream implements ObjectReceiveStream<string> {
  /** Where the bytes come from. */
  readonly transportStream: AnyByteReceiveStream;
  readonly #decoder: Decoder;
  readonly #turns = new Semaphore(1);
  /** What could not be decoded. What comes after it has no meaning. */
  #failure: { readonly error: unknown } | undefined = undefined;

  /**
   * @throws TypeError when it is no such stream, or for bad options; RangeError when the encoding is not
   * known.
   */
  constructor(transportStream: AnyByteReceiveStream, options?: TextOptions) {
    const where = 'new TextReceiveStream()';
    checkStream(where, 'transportStream', transportStream, 'receive');
    const { encoding, errors } = checkTextOptions(where, options);
    this.transportStream = transportStream;
    this.#decoder = createDecoder(where, encoding, errors);
  }

  /**
   * Waits for text.
   *
   * Cancelled before or during: rejects, and no byte is lost. Several tasks may receive: they are served in
   * the order in which they asked.
   *
   * @returns At least one character.
   * @throws EndOfStream when there will be none; TypeError when what comes is no text in this encoding, or
   * ends in the middle of a character, and then again at every call; Cancelled when the scope is cancelled;
   * `signal.reason` when a foreign signal aborts; what the stream below throws.
   */
  receive(options?: WaitOptions): Promise<string> {
    const where = 'TextReceiveStream.receive()';
    try {
      const refused = refusal(where, scopeOfWait(where, options), options);
      if (refused !== undefined) return refused;
      return inTurn(this.#turns, () => this.#receive(where, options), options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** Iterates over the text as it comes, until the end of the stream. Each step is cancel-safe. */
  [Symbol.asyncIterator](): AsyncIterator<string, undefined, undefined> {
    return stepsOf(() => this.receive());
  }

  /** The same with options for each step: in explicit mode, the signal of the scope that it belongs to. */
  values(options?: WaitOptions): AsyncIterable<string> {
    return { [Symbol.asyncIterator]: () => stepsOf(() => this.receive(options), options) };
  }

  /** Closes the stream below. Waits as its `aclose()` does. */
  aclose(): Promise<void> {
    return this.transportStream.aclose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return dispose(this.transportStream);
  }

  async #receive(where: string, options: WaitOptions | undefined): Promise<string> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      let bytes: Uint8Array;
      try {
        bytes = await receiveBytes(this.transportStream, undefined, options);
      } catch (error) {
        if (!(error instanceof EndOfStream)) throw error;
        const rest = this.#decode(undefined);
        if (rest === '') throw error;
        return rest;
      }
      checkBytes(where, 'what the stream below gives', bytes);
      const text = this.#decode(bytes);
      if (text !== '') return text;
    }
  }

  #decode(bytes: Uint8Array | undefined): string {
    try {
      return this.#decoder.decode(bytes);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}

/**
 * Sends text into a stream of bytes. The stream is taken over: closing this one closes that, too.
 *
 * Semantics: AnyIO's `TextSendStream`.
 *
 * @example
 * ```ts
 * import { createMemoryObjectStream, TextSendStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<Uint8Array>(1);
 * await new TextSendStream(send).send('£2');
 * assert.deepEqual(await receive.receive(), Uint8Array.of(0xc2, 0xa3, 0x32));
 * ```
 */
export class TextSendStream implements ObjectSendStream<string> {
  /** Where the bytes go. */
  readonly transportStream: AnyByteSendStream;
  readonly #encode: Encode;

  /**
   * @throws TypeError when it is no such stream, or for bad options; RangeError when the encoding is none
   * that can be sent.
   */
  constructor(transportStream: AnyByteSendStream, options?: TextOptions) {
    const where = 'new TextSendStream()';
    checkStream(where, 'transportStream', transportStream, 'send');
    const { encoding, errors } = checkTextOptions(where, options);
    this.transportStream = transportStream;
    this.#encode = createEncoder(where, encoding, errors);
  }

  /**
   * Sends a text, as one piece. Waits, and is cancel-safe, as the `send()` of the stream below is.
   *
   * @throws TypeError when `text` is no string, or cannot be encoded; what the stream below throws.
   */
  send(text: string, options?: WaitOptions): Promise<void> {
    const where = 'TextSendStream.send()';
    try {
      if (typeof text !== 'string') {
        throw new TypeError(`${where}: text must be a string, got ${describe(text)}`);
      }
      return this.transportStream.send(this.#encode(text), options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** Closes the stream below. Waits as its `aclose()` does. */
  aclose(): Promise<void> {
    return this.transportStream.aclose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return dispose(this.transportStream);
  }
}

/**
 * Text in both directions over a stream of bytes: a {@link TextReceiveStream} and a {@link TextSendStream}
 * in one.
 *
 * Semantics: AnyIO's `TextStream`.
 *
 * @example
 * ```ts
 * import { createMemoryObjectStream, StapledObjectStream, TextStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<Uint8Array>(1);
 * const echo = new TextStream(new StapledObjectStream(send, receive));
 * await echo.send('£2');
 * assert.equal(await echo.receive(), '£2');
 * ```
 */
export class TextStream implements ObjectStream<string> {
  /** Where the bytes come from and go to. */
  readonly transportStream: AnyByteStream;
  readonly #receiveStream: TextReceiveStream;
  readonly #sendStream: TextSendStream;

  /**
   * @throws TypeError when it is no such stream, or for bad options; RangeError when the encoding is none
   * that can be received and sent.
   */
  constructor(transportStream: AnyByteStream, options?: TextOptions) {
    checkStream('new TextStream()', 'transportStream', transportStream, 'send', 'receive');
    this.transportStream = transportStream;
    this.#receiveStream = new TextReceiveStream(transportStream, options);
    this.#sendStream = new TextSendStream(transportStream, options);
  }

  /** Waits for text: see `TextReceiveStream.receive()`. */
  receive(options?: WaitOptions): Promise<string> {
    return this.#receiveStream.receive(options);
  }

  /** Sends a text: see `TextSendStream.send()`. */
  send(text: string, options?: WaitOptions): Promise<void> {
    return this.#sendStream.send(text, options);
  }

  /** Iterates over the text as it comes, until the end of the stream. Each step is cancel-safe. */
  [Symbol.asyncIterator](): AsyncIterator<string, undefined, undefined> {
    return this.#receiveStream[Symbol.asyncIterator]();
  }

  /** The same with options for each step: in explicit mode, the signal of the scope that it belongs to. */
  values(options?: WaitOptions): AsyncIterable<string> {
    return this.#receiveStream.values(options);
  }

  /** Says that no more will be sent, and goes on receiving. Waits as the `sendEof()` of the stream below. */
  sendEof(): Promise<void> {
    return this.transportStream.sendEof();
  }

  /** Closes the stream below. Waits as its `aclose()` does. */
  aclose(): Promise<void> {
    return this.transportStream.aclose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return dispose(this.transportStream);
  }
}

function checkTextOptions(
  where: string,
  options: TextOptions | undefined,
): { encoding: string; errors: TextErrors } {
  checkOptions(where, options);
  const { encoding = 'utf-8', errors = 'strict' } = options ?? {};
  if (typeof encoding !== 'string') {
    throw new TypeError(`${where}: options.encoding must be a string, got ${describe(encoding)}`);
  }
  if (errors !== 'strict' && errors !== 'replace') {
    throw new TypeError(`${where}: options.errors must be 'strict' or 'replace', got ${describe(errors)}`);
  }
  return { encoding, errors };
}
