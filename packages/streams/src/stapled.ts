/** Making one stream of two, one for each direction. */

import type { WaitOptions } from '@taskscope/core';
import { describe, rejected } from '@taskscope/core/lowlevel';

import { closeAll, dispose } from './closing.js';
import type { TryReceived } from './memory-object-stream.js';
import type {
  ByteReceiveStream,
  ByteSendStream,
  ByteStream,
  ObjectReceiveStream,
  ObjectSendStream,
} from './object-stream.js';
import { checkMaxBytes, checkStream, DEFAULT_MAX_BYTES, quiet, stepsOf } from './receiving.js';

/**
 * Two streams of objects, one for each direction, as one: what is sent goes into the one, and what is
 * received comes from the other. It takes them over: closing it closes both.
 *
 * Each method waits, and is cancel-safe, as that of its part is. Those that do not wait (`sendNowait()` and
 * the like) can be called if the part has them.
 *
 * Semantics: AnyIO's `StapledObjectStream`.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { createMemoryObjectStream, StapledObjectStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [ask, questions] = createMemoryObjectStream<string>();
 * const [answer, answers] = createMemoryObjectStream<string>();
 * const client = new StapledObjectStream(ask, answers);
 * const server = new StapledObjectStream(answer, questions);
 * await taskGroup(async (tg) => {
 *   tg.startSoon(async () => {
 *     for await (const question of server) await server.send(question.toUpperCase());
 *   });
 *   await client.send('tea?');
 *   assert.equal(await client.receive(), 'TEA?');
 *   await client.aclose();
 * });
 * ```
 */
export class StapledObjectStream<S, R = S> implements ObjectSendStream<S>, ObjectReceiveStream<R> {
  /** Where is sent. */
  readonly sendStream: ObjectSendStream<S>;
  /** Where is received. */
  readonly receiveStream: ObjectReceiveStream<R>;

  /** @throws TypeError when one of them is no such stream. */
  constructor(sendStream: ObjectSendStream<S>, receiveStream: ObjectReceiveStream<R>) {
    const where = 'new StapledObjectStream()';
    checkStream(where, 'sendStream', sendStream, 'send');
    checkStream(where, 'receiveStream', receiveStream, 'receive');
    this.sendStream = sendStream;
    this.receiveStream = receiveStream;
  }

  /** Sends an item into the one stream, as its `send()` does. */
  send(item: S, options?: WaitOptions): Promise<void> {
    return this.sendStream.send(item, options);
  }

  /**
   * Sends an item if that is possible at once. Does not wait.
   *
   * @throws WouldBlock when it is not; what the stream's own `sendNowait()` throws; TypeError when it has
   * none.
   */
  sendNowait(item: S): void {
    has(this.sendStream, 'sendNowait').sendNowait(item);
  }

  /**
   * Sends an item if that is possible at once, and returns whether it was. Does not wait.
   *
   * @throws What the stream's own `trySend()` throws; TypeError when it has none.
   */
  trySend(item: S): boolean {
    return has(this.sendStream, 'trySend').trySend(item);
  }

  /** Receives an item from the other stream, as its `receive()` does. */
  receive(options?: WaitOptions): Promise<R> {
    return this.receiveStream.receive(options);
  }

  /**
   * Receives an item if there is one. Does not wait.
   *
   * @throws WouldBlock when there is none; what the stream's own `receiveNowait()` throws; TypeError when
   * it has none.
   */
  receiveNowait(): R {
    return has(this.receiveStream, 'receiveNowait').receiveNowait() as R;
  }

  /**
   * Receives an item if there is one, and says so. Does not wait.
   *
   * @throws What the stream's own `tryReceive()` throws; TypeError when it has none.
   */
  tryReceive(): TryReceived<R> {
    return has(this.receiveStream, 'tryReceive').tryReceive() as TryReceived<R>;
  }

  /** Iterates over what is received, as the stream itself does. */
  [Symbol.asyncIterator](): AsyncIterator<R> {
    return this.receiveStream[Symbol.asyncIterator]();
  }

  /** Iterates with options for each step: in explicit mode, the signal of the scope that it belongs to. */
  values(options?: WaitOptions): AsyncIterable<R> {
    return { [Symbol.asyncIterator]: () => stepsOf(() => this.receive(options), options) };
  }

  /** Closes the stream that is sent into, and goes on receiving. Waits as its `aclose()` does. */
  sendEof(): Promise<void> {
    return this.sendStream.aclose();
  }

  /**
   * Closes both streams: first the one that is sent into, then the other, also when the first fails. Waits
   * as their `aclose()` does.
   *
   * @throws What they throw; when both do, an AggregateError of both.
   */
  aclose(): Promise<void> {
    return acloseBoth(this.sendStream, this.receiveStream);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return disposeBoth(this.sendStream, this.receiveStream);
  }
}

/**
 * Two streams of bytes, one for each direction, as one: standard input and output, for instance. It takes
 * them over: closing it closes both.
 *
 * Each method waits, and is cancel-safe, as that of its part is.
 *
 * Semantics: AnyIO's `StapledByteStream`.
 *
 * @example
 * ```ts
 * import { BufferedByteReceiveStream, createMemoryObjectStream, StapledByteStream } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<Uint8Array>(1);
 * const echo = new StapledByteStream(send, new BufferedByteReceiveStream(receive));
 * await echo.send(Uint8Array.of(1, 2, 3));
 * assert.deepEqual(await echo.receive(2), Uint8Array.of(1, 2));
 * assert.deepEqual(await echo.receive(), Uint8Array.of(3));
 * ```
 */
export class StapledByteStream implements ByteStream {
  readonly type = 'bytes';
  /** Where is sent. */
  readonly sendStream: ByteSendStream;
  /** Where is received. */
  readonly receiveStream: ByteReceiveStream;

  /** @throws TypeError when one of them is no such stream. */
  constructor(sendStream: ByteSendStream, receiveStream: ByteReceiveStream) {
    const where = 'new StapledByteStream()';
    checkStream(where, 'sendStream', sendStream, 'send');
    checkStream(where, 'receiveStream', receiveStream, 'receive');
    this.sendStream = sendStream;
    this.receiveStream = receiveStream;
  }

  /** Sends bytes into the one stream, as its `send()` does. */
  send(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.sendStream.send(bytes, options);
  }

  /**
   * Receives bytes from the other stream, as its `receive()` does.
   *
   * @param maxBytes - How many at most. Default: 65,536.
   * @throws What it throws; TypeError or RangeError when `maxBytes` is no whole number of at least 1.
   */
  receive(maxBytes: number = DEFAULT_MAX_BYTES, options?: WaitOptions): Promise<Uint8Array> {
    try {
      checkMaxBytes('StapledByteStream.receive()', maxBytes);
      return this.receiveStream.receive(maxBytes, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** Iterates over what is received, as the stream itself does. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.receiveStream[Symbol.asyncIterator]();
  }

  /** Iterates with options for each step: in explicit mode, the signal of the scope that it belongs to. */
  values(options?: WaitOptions): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => stepsOf(() => this.receive(undefined, options), options) };
  }

  /** Closes the stream that is sent into, and goes on receiving. Waits as its `aclose()` does. */
  sendEof(): Promise<void> {
    return this.sendStream.aclose();
  }

  /**
   * Closes both streams: first the one that is sent into, then the other, also when the first fails. Waits
   * as their `aclose()` does.
   *
   * @throws What they throw; when both do, an AggregateError of both.
   */
  aclose(): Promise<void> {
    return acloseBoth(this.sendStream, this.receiveStream);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return disposeBoth(this.sendStream, this.receiveStream);
  }
}

interface Closable extends AsyncDisposable {
  aclose(): Promise<void>;
}

function acloseBoth(send: Closable, receive: Closable): Promise<void> {
  return quiet(closeAll([() => send.aclose(), () => receive.aclose()], 'both of the stapled streams'));
}

function disposeBoth(send: Closable, receive: Closable): Promise<void> {
  return quiet(closeAll([() => dispose(send), () => dispose(receive)], 'both of the stapled streams'));
}

/** What a part may be able to do besides. */
interface WithoutWaiting {
  sendNowait(item: unknown): void;
  trySend(item: unknown): boolean;
  receiveNowait(): unknown;
  tryReceive(): unknown;
}

/** The stream, which must have that method. */
function has<K extends keyof WithoutWaiting>(stream: object, method: K): Pick<WithoutWaiting, K> {
  if (typeof (stream as Partial<WithoutWaiting>)[method] === 'function')
    return stream as Pick<WithoutWaiting, K>;
  const { name } = stream.constructor ?? {};
  throw new TypeError(
    `StapledObjectStream.${method}(): the stapled ${name ?? describe(stream)} has no ${method}()`,
  );
}
