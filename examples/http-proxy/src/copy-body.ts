/** Copying a body from one connection to another. */

import type { Readable, Writable } from 'node:stream';
import { failAfter } from '@taskscope/core';
import { fromNodeReadable, fromNodeWritable } from '@taskscope/streams';

export interface Side<S> {
  readonly stream: S;
  /** Said of it when it takes too long. */
  readonly name: string;
  /** How long it may take to give, or to take, the next piece, in milliseconds; null for ever. */
  readonly timeout: number | null;
}

/**
 * Copies a body piece by piece, to its end. Nothing is read before there is room for it: a reader that is
 * slow makes the writer wait, across the proxy. Each side has a time limit of its own, since a slow one is
 * not the fault of the other.
 *
 * Cancelled: both streams are destroyed.
 *
 * @throws TimeoutError that names the side; what goes wrong with the streams.
 */
export async function copyBody(from: Side<Readable>, to: Side<Writable>): Promise<void> {
  await using source = fromNodeReadable<Buffer>(from.stream);
  const sink = fromNodeWritable<Buffer>(to.stream);
  const pieces = source[Symbol.asyncIterator]();
  for (;;) {
    const next = await failAfter(from.timeout, () => pieces.next(), { reason: from.name });
    if (next.done === true) break;
    await failAfter(to.timeout, () => sink.send(next.value), { reason: to.name });
  }
  await failAfter(to.timeout, () => sink.aclose(), { reason: to.name });
}
