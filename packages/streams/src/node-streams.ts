/**
 * Bridges to the streams of Node: files, sockets, requests and responses, child processes.
 *
 * Streams that are read and written are told by what they can do, so this module imports nothing of Node,
 * and works with the streams of userland, too.
 */

import { BrokenResourceError, EndOfStream } from '@taskscope/core';
import { checkCount, describe } from '@taskscope/core/lowlevel';
import { platform } from '#platform';

import { ForeignCalls } from './foreign-calls.js';
import { ForeignReceiveStream, type ForeignSource, type Inbox } from './foreign-receive-stream.js';
import { ForeignSendStream, type ForeignSink, type Outbox } from './foreign-send-stream.js';
import type { ByteReceiveStream, ObjectReceiveStream, ObjectSendStream } from './object-stream.js';
import { checkStream, givesBytes, receiveItem } from './receiving.js';
import { checkBridge, type BridgeOptions } from './web-streams.js';

/** What the bridges need of any stream of Node. */
export interface NodeStreamLike {
  on(event: string, listener: (argument: unknown) => void): unknown;
  off(event: string, listener: (argument: unknown) => void): unknown;
  destroy(): unknown;
  readonly destroyed?: boolean;
  readonly closed?: boolean;
  readonly errored?: Error | null;
}

/** What {@link fromNodeReadable} needs of a stream: every `Readable` of `node:stream` has it. */
export interface NodeReadableSource extends NodeStreamLike {
  read(): unknown;
  readonly readableEnded?: boolean;
}

/** What {@link fromNodeWritable} needs of a stream: every `Writable` of `node:stream` has it. */
export interface NodeWritableSink extends NodeStreamLike {
  write(chunk: never): boolean;
  end(): unknown;
  readonly writableEnded?: boolean;
  readonly writableFinished?: boolean;
  readonly writableNeedDrain?: boolean;
}

/**
 * `Readable` of `node:stream`, where the typings of Node are in use. It is found by way of a global
 * variable, since a browser's program cannot even mention the module.
 */
export type NodeReadable = typeof globalThis extends {
  process: { stdin: { filter: (...args: never[]) => infer R } };
}
  ? R
  : unknown;

/** Options of {@link toNodeReadable}. */
export interface NodeReadableOptions extends BridgeOptions {
  /** Whether the items are anything, rather than bytes and strings. Default: true, unless it is a byte stream. */
  objectMode?: boolean | undefined;
  /** How much to buffer: items, or bytes without `objectMode`. Default: 0. */
  highWaterMark?: number | undefined;
}

/**
 * Receives from a readable stream of Node. It takes the stream over: `aclose()`, and the cancellation of
 * the scope in which this function was called, destroy it. Leaving a loop over it early does not: put
 * `await using` around it. A stream that was given an encoding brings strings, which byte and text streams
 * do not take.
 *
 * Nothing is taken from the stream that nobody has asked for; it buffers as much as its `highWaterMark`
 * says. A `receive()` that is cancelled loses nothing, and the stream goes on. Items go to receivers in the
 * order in which they asked. An error of the stream arrives as it is; a stream that is destroyed before its
 * end is a BrokenResourceError.
 *
 * Does not wait.
 *
 * @throws TypeError when it is no such stream, or for bad options.
 *
 * @example
 * ```ts
 * import { BufferedByteReceiveStream, fromNodeReadable } from '@taskscope/streams';
 * import { createReadStream } from 'node:fs';
 * import assert from 'node:assert/strict';
 *
 * await using file = new BufferedByteReceiveStream(fromNodeReadable(createReadStream('package.json')));
 * assert.equal(new TextDecoder().decode(await file.receiveUntil('\n', 100)), '{');
 * ```
 */
export function fromNodeReadable<T = Uint8Array>(
  readable: NodeReadableSource,
  options?: BridgeOptions,
): ObjectReceiveStream<T> {
  const where = 'fromNodeReadable()';
  checkNodeStream(where, 'readable', readable, 'a readable stream of Node', 'read');
  checkBridge(where, options);
  return new ForeignReceiveStream(where, new NodeSource<T>(readable), options);
}

/**
 * Sends into a writable stream of Node. It takes the stream over: `aclose()` ends it and waits until
 * everything is written; the cancellation of the scope in which this function was called destroys it.
 *
 * A `send()` waits until the stream has room (it has drained), then writes. Cancelled before or during:
 * rejects, and nothing is written. What goes wrong in writing, the next `send()` or `aclose()` rejects
 * with, as it is; a stream that is destroyed by others is a BrokenResourceError.
 *
 * When `aclose()` is cancelled, the stream is destroyed rather than ended: what was not yet written is
 * lost, and nobody takes the rest for the whole.
 *
 * Does not wait.
 *
 * @throws TypeError when it is no such stream, or for bad options.
 *
 * @example
 * ```ts
 * import { fromNodeWritable, TextSendStream } from '@taskscope/streams';
 * import { createWriteStream, readFileSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import assert from 'node:assert/strict';
 *
 * const path = join(tmpdir(), `taskscope-${process.pid}.txt`);
 * const file = new TextSendStream(fromNodeWritable(createWriteStream(path)));
 * for (const word of ['tea', ' for', ' two']) await file.send(word);
 * await file.aclose();
 * assert.equal(readFileSync(path, 'utf8'), 'tea for two');
 * ```
 */
export function fromNodeWritable<T = Uint8Array | string>(
  writable: NodeWritableSink,
  options?: BridgeOptions,
): ObjectSendStream<T> {
  const where = 'fromNodeWritable()';
  checkNodeStream(where, 'writable', writable, 'a writable stream of Node', 'write');
  checkBridge(where, options);
  return new ForeignSendStream(where, new NodeSink<T>(writable), options);
}

/**
 * Makes a `Readable` of `node:stream` of a stream, for `pipeline()` and the like. It takes the stream over,
 * and closes it when it was destroyed, has ended or has failed.
 *
 * An item is received only when somebody reads: nothing is buffered unless `options` say so. What is waited
 * for, is waited for in the scope in which this function was called; when that is cancelled, the readable
 * fails with the `Cancelled`. An error of the stream arrives as it is. When the readable is destroyed, the
 * pending `receive()` is cancelled. An item that is `null` fails it with a TypeError, since to Node that
 * means the end.
 *
 * Does not wait.
 *
 * @throws TypeError when it is no such stream; TypeError or RangeError for bad options; InvalidStateError
 * where there is no `node:stream`, as in browsers.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { createMemoryObjectStream, toNodeReadable } from '@taskscope/streams';
 * import { text } from 'node:stream/consumers';
 * import assert from 'node:assert/strict';
 *
 * await taskGroup(async (tg) => {
 *   const [send, receive] = createMemoryObjectStream<string>();
 *   tg.startSoon(async () => {
 *     using _ = send;
 *     for (const word of ['tea', ' for', ' two']) await send.send(word);
 *   });
 *   assert.equal(await text(toNodeReadable(receive)), 'tea for two');
 * });
 * ```
 */
export function toNodeReadable(
  receive: ObjectReceiveStream<unknown> | ByteReceiveStream,
  options?: NodeReadableOptions,
): NodeReadable {
  const where = 'toNodeReadable()';
  checkStream(where, 'receive', receive, 'receive');
  checkBridge(where, options);
  const { objectMode = !givesBytes(receive), highWaterMark = 0 } = options ?? {};
  if (typeof objectMode !== 'boolean') {
    throw new TypeError(`${where}: options.objectMode must be a boolean, got ${describe(objectMode)}`);
  }
  checkCount(where, 'options.highWaterMark', highWaterMark, 0);
  const calls = new ForeignCalls(options);
  const next = async (): Promise<unknown> => {
    for (;;) {
      const item = await calls.run((waitOptions) => receiveItem(receive, waitOptions));
      // To Node, a chunk without bytes is no chunk, and nobody would ask again.
      if (!objectMode && (item as { length?: unknown } | null)?.length === 0) continue;
      if (item !== null) return item;
      throw new TypeError(`${where}: an item is null, which to a stream of Node means the end`);
    }
  };
  return platform.createReadable(where, {
    objectMode,
    highWaterMark,
    read(readable) {
      next().then(
        (item) => readable.push(item),
        (error: unknown) => {
          if (error instanceof EndOfStream) readable.push(null);
          else readable.destroy(error);
        },
      );
    },
    async destroy(error) {
      calls.interrupt(error);
      await calls.close(receive);
    },
  }) as NodeReadable;
}

/** Listens to a stream of Node, and leaves no listener behind. */
class Listening {
  readonly #stream: NodeStreamLike;
  readonly #listeners: [event: string, listener: (argument: unknown) => void][] = [];

  constructor(stream: NodeStreamLike, listeners: Record<string, (argument: unknown) => void>) {
    this.#stream = stream;
    for (const [event, listener] of Object.entries(listeners)) this.add(event, listener);
  }

  add(event: string, listener: (argument: unknown) => void): void {
    this.#listeners.push([event, listener]);
    this.#stream.on(event, listener);
  }

  /**
   * Listens no more. An error that still comes has nobody to go to and would end the process, so it is
   * ignored until the stream has closed.
   */
  end(): void {
    const stream = this.#stream;
    for (const [event, listener] of this.#listeners.splice(0)) stream.off(event, listener);
    if (stream.closed === true || !emitsClose(stream)) return;
    const leave = (): void => {
      stream.off('error', ignore);
      stream.off('close', leave);
    };
    stream.on('error', ignore);
    stream.on('close', leave);
  }
}

/** Destroys a stream. What it returns settles when the stream has closed. */
function destroy(stream: NodeStreamLike): Promise<void> | undefined {
  if (stream.closed === true) return undefined;
  const closed = new Promise<void>((resolve, reject) => {
    let failure: { readonly error: unknown } | undefined;
    const listening = new Listening(stream, {
      error: (error: unknown) => (failure ??= { error }),
      close() {
        listening.end();
        if (failure === undefined) resolve();
        else reject(failure.error);
      },
    });
  });
  stream.destroy();
  return emitsClose(stream) ? closed : undefined;
}

/** What the streams of Node do not tell otherwise. */
interface StreamState {
  readonly emitClose?: boolean;
  readonly autoDestroy?: boolean;
}

function stateOf(stream: object): StreamState | undefined {
  const { _readableState, _writableState } = stream as Record<string, StreamState | undefined>;
  return _writableState ?? _readableState;
}

function emitsClose(stream: object): boolean {
  return stateOf(stream)?.emitClose !== false;
}

class NodeSource<T> implements ForeignSource<T> {
  readonly #readable: NodeReadableSource;
  #inbox: Inbox<T> | undefined = undefined;
  #listening: Listening | undefined = undefined;
  #isPumping = false;
  #isRead = false;

  constructor(readable: NodeReadableSource) {
    this.#readable = readable;
  }

  connect(inbox: Inbox<T>): void {
    const readable = this.#readable;
    this.#inbox = inbox;
    const over = whyOver(readable);
    if (readable.readableEnded === true) inbox.end();
    else if (over !== undefined) inbox.fail(over);
    else {
      this.#listening = new Listening(readable, {
        end: () => inbox.end(),
        error: (error: unknown) => inbox.fail(error),
        close: () => inbox.fail(destroyed()),
      });
    }
  }

  poll(): { readonly value: T } | undefined {
    const chunk = this.#readable.read();
    return chunk === null ? undefined : { value: chunk as T };
  }

  request(): void {
    // To be told is to have the stream read ahead, so not before somebody wants something.
    if (!this.#isRead) {
      this.#isRead = true;
      this.#listening?.add('readable', () => this.#pump());
    }
    this.#pump();
  }

  cancel(): Promise<void> | undefined {
    const closed = destroy(this.#readable);
    this.release();
    return closed;
  }

  release(): void {
    this.#listening?.end();
    this.#listening = undefined;
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#inbox?.isWanted === true && this.#listening !== undefined) {
        const chunk = this.poll();
        if (chunk === undefined) return;
        this.#inbox.deliver(chunk.value);
      }
    } finally {
      this.#isPumping = false;
    }
  }
}

class NodeSink<T> implements ForeignSink<T> {
  readonly #writable: NodeWritableSink;
  #listening: Listening | undefined = undefined;
  #needsDrain = false;
  #isFinishing = false;

  constructor(writable: NodeWritableSink) {
    this.#writable = writable;
  }

  connect(outbox: Outbox): void {
    const writable = this.#writable;
    const over = whyOver(writable) ?? (writable.writableEnded === true ? ended() : undefined);
    if (over !== undefined) {
      outbox.fail(over);
      return;
    }
    this.#listening = new Listening(writable, {
      drain: () => {
        this.#needsDrain = false;
        outbox.admit();
      },
      finish: () => {
        if (!this.#isFinishing) outbox.fail(ended());
      },
      error: (error: unknown) => outbox.fail(error),
      close: () => {
        if (!this.#isFinishing) outbox.fail(destroyed());
      },
    });
  }

  get hasRoom(): boolean {
    return !this.#needsDrain && this.#writable.writableNeedDrain !== true;
  }

  write(item: T): void {
    this.#needsDrain = !this.#writable.write(item as never);
  }

  /** A stream that has no room tells when it has drained. */
  request(): void {}

  finish(): Promise<void> {
    const writable = this.#writable;
    this.#isFinishing = true;
    const state = stateOf(writable);
    // What can be read, too, closes only when it has been read to its end.
    const closes = state?.autoDestroy === true && state.emitClose === true && !('read' in writable);
    return new Promise<void>((resolve, reject) => {
      let isFinished = false;
      const settle = (outcome: () => void): void => {
        listening.end();
        outcome();
      };
      const listening = new Listening(writable, {
        finish() {
          isFinished = true;
          if (!closes) settle(resolve);
        },
        error: (error: unknown) => settle(() => reject(error)),
        close: () => settle(isFinished ? resolve : () => reject(destroyed())),
      });
      writable.end();
    });
  }

  abort(): Promise<void> | undefined {
    const closed = destroy(this.#writable);
    this.release();
    return closed;
  }

  release(): void {
    this.#listening?.end();
    this.#listening = undefined;
  }
}

function ignore(): void {}

/** Why a stream cannot be used, if it cannot. */
function whyOver(stream: NodeStreamLike): unknown {
  if (stream.errored !== undefined && stream.errored !== null) return stream.errored;
  return stream.destroyed === true ? destroyed() : undefined;
}

function destroyed(): BrokenResourceError {
  return new BrokenResourceError('the stream of Node was destroyed before its end');
}

function ended(): BrokenResourceError {
  return new BrokenResourceError('the stream of Node was ended by somebody else');
}

/** Told by its methods, so that streams of userland are welcome. */
function checkNodeStream(
  where: string,
  argument: string,
  value: unknown,
  what: string,
  method: string,
): void {
  for (const each of [method, 'on', 'off', 'destroy']) {
    if (typeof (value as Record<string, unknown> | null | undefined)?.[each] === 'function') continue;
    throw new TypeError(`${where}: ${argument} must be ${what}, got ${describe(value)}`);
  }
}
