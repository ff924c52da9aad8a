/** What the streams that are made from other streams have in common. */

import { EndOfStream, type WaitOptions } from '@taskscope/core';
import { chain, checkCount, describe } from '@taskscope/core/lowlevel';
import type { Releaser, Semaphore } from '@taskscope/sync';

import type { AnyByteReceiveStream, ByteReceiveStream, ObjectReceiveStream } from './object-stream.js';

/** How much a byte stream gives at most, unless it is told. */
export const DEFAULT_MAX_BYTES = 65_536;

function same<T>(value: T): T {
  return value;
}

/**
 * `promise`, which may be that of an async function: if it is cancelled, nobody needs to look at it.
 *
 * @param options - Those that were given to its waits.
 */
export function quiet<T>(promise: Promise<T>, options?: WaitOptions): Promise<T> {
  return chain(promise, same, options?.signal);
}

/** A step of an iteration over whatever `receive` brings: the end of the stream ends it. */
function step<T>(
  receiving: Promise<T>,
  options: WaitOptions | undefined,
): Promise<IteratorResult<T, undefined>> {
  return quiet(
    receiving.then(
      (value) => ({ done: false, value }),
      (error: unknown) => {
        if (error instanceof EndOfStream) return { done: true, value: undefined };
        throw error;
      },
    ),
    options,
  );
}

/** Iterates over what `receive` brings until the end of the stream. */
export function stepsOf<T>(
  receive: () => Promise<T>,
  options?: WaitOptions,
): AsyncIterator<T, undefined, undefined> {
  return { next: () => step(receive(), options) };
}

/**
 * Runs `work` while no other is running, in the order of the calls. If none is, it begins in this call.
 * `work` must be cancelled when its caller is.
 */
export function inTurn<T>(
  turns: Semaphore,
  work: () => Promise<T>,
  options: WaitOptions | undefined,
): Promise<T> {
  const hold = (turn: Releaser): Promise<T> => {
    const result = work();
    // Not before the result is settled, so that those whose turn it was first have theirs first.
    const release = (): void => turn.release();
    result.then(release, release);
    return quiet(result, options);
  };
  if (turns.value > 0) return hold(turns.acquireNowait());
  return chain(turns.acquire(options), hold, options?.signal);
}

/** Whether a stream can be told how many bytes to give. */
export function givesBytes(stream: object): stream is ByteReceiveStream {
  return (stream as { type?: unknown }).type === 'bytes';
}

/** Receives from a stream of bytes of either kind. */
export function receiveBytes(
  stream: AnyByteReceiveStream,
  maxBytes: number | undefined,
  options: WaitOptions | undefined,
): Promise<Uint8Array> {
  return givesBytes(stream) ? stream.receive(maxBytes, options) : stream.receive(options);
}

/** Receives from a stream of any kind. */
export function receiveItem<T>(
  stream: ObjectReceiveStream<T> | ByteReceiveStream,
  options: WaitOptions | undefined,
): Promise<T | Uint8Array> {
  return givesBytes(stream) ? stream.receive(undefined, options) : stream.receive(options);
}

export function checkMaxBytes(where: string, maxBytes: unknown): void {
  checkCount(where, 'maxBytes', maxBytes, 1);
}

export function checkBytes(where: string, argument: string, value: unknown): void {
  if (value instanceof Uint8Array) return;
  throw new TypeError(`${where}: ${argument} must be a Uint8Array, got ${describe(value)}`);
}

/** Told by its method, since streams may be anybody's. */
export function checkStream(
  where: string,
  argument: string,
  value: unknown,
  ...methods: ('send' | 'receive')[]
): void {
  for (const method of methods) {
    if (typeof (value as Record<string, unknown> | null | undefined)?.[method] === 'function') continue;
    throw new TypeError(`${where}: ${argument} must be a stream with ${method}(), got ${describe(value)}`);
  }
}
