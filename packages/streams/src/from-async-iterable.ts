/** From iterables to streams, and several of them to one. */

import { BrokenResourceError, CancelScope, flattenErrors, taskGroup } from '@taskscope/core';
import {
  chain,
  checkCount,
  checkFunction,
  checkOptions,
  describe,
  putOff,
  readIterable,
  rejected,
} from '@taskscope/core/lowlevel';

import { createMemoryObjectStream } from './memory-object-stream.js';
import type { ObjectSendStream } from './object-stream.js';

/**
 * Sends every item of an iterable into a stream. The iterable may be a foreign generator: it runs within
 * this call alone, and when the call is cancelled its `return()` is called and awaited.
 *
 * Waits until the source has ended and everything is sent. It does not close `send`.
 *
 * @throws What the source or `send` throws; Cancelled when the scope is cancelled; TypeError for bad
 * arguments.
 *
 * @example
 * ```ts
 * import { createMemoryObjectStream, fromAsyncIterable } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * async function* countdown(): AsyncGenerator<number> {
 *   for (let n = 3; n > 0; n--) yield n;
 * }
 * const [send, receive] = createMemoryObjectStream<number>(Infinity);
 * await fromAsyncIterable(countdown(), send);
 * assert.deepEqual(await receive.receiveMany(10), [3, 2, 1]);
 * ```
 */
export function fromAsyncIterable<T>(
  source: AsyncIterable<T> | Iterable<T>,
  send: ObjectSendStream<T>,
): Promise<void> {
  const where = 'fromAsyncIterable()';
  try {
    if (typeof (send as Partial<ObjectSendStream<T>> | null)?.send !== 'function') {
      throw new TypeError(`${where}: send must be a send stream, got ${describe(send)}`);
    }
    const reader = readIterable(where, source);
    const pump = async (): Promise<void> => {
      try {
        for (let step = await reader.next(); step.done !== true; step = await reader.next()) {
          await send.send(step.value);
        }
      } finally {
        await reader.close();
      }
    };
    return chain(pump(), () => undefined);
  } catch (error) {
    return rejected(error);
  }
}

/**
 * Gives `body` the items of several iterables as they come, from whichever is first.
 *
 * Waits until `body` has ended and all sources are closed. Leaving early cancels the reading; each source's
 * `return()` is called.
 *
 * @returns What `body` returned.
 * @throws TaskGroupError with what `body` or a source throws; Cancelled when a scope around is cancelled;
 * TypeError for bad arguments.
 *
 * @example
 * ```ts
 * import { merge } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const seen = await merge([['a', 'b'], [1, 2]].map(async function* (items) { yield* items; }), async (items) => {
 *   const all: unknown[] = [];
 *   for await (const item of items) all.push(item);
 *   return all;
 * });
 * assert.equal(seen.length, 4);
 * ```
 */
export function merge<T, R>(
  sources: Iterable<AsyncIterable<T>>,
  body: (items: AsyncIterable<T>) => R | PromiseLike<R>,
): Promise<R> {
  const where = 'merge()';
  try {
    if (typeof (sources as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== 'function') {
      throw new TypeError(`${where}: sources must be an array (or another iterable) of async iterables`);
    }
    const list = [...sources];
    for (const [index, source] of list.entries()) {
      const { [Symbol.asyncIterator]: asynchronous, [Symbol.iterator]: synchronous } = Object(
        source,
      ) as Partial<AsyncIterable<T> & Iterable<T>>;
      if (asynchronous === undefined && synchronous === undefined) {
        throw new TypeError(`${where}: sources[${index}] must be async iterable, got ${describe(source)}`);
      }
    }
    checkFunction(where, 'body', body);
    return consume(
      where,
      0,
      list.map((source) => (send: ObjectSendStream<T>) => fromAsyncIterable(source, send)),
      body,
    );
  } catch (error) {
    return rejected(error);
  }
}

/** Options of {@link produce}. */
export interface ProduceOptions {
  /** How far the producer may be ahead. Default: 0, not at all. */
  bufferSize?: number | undefined;
}

/**
 * Runs a producer beside a consumer: what `producer` sends, `consumer` iterates over. The producer has a
 * task of its own, so it may use scopes and timeouts around what it sends, which a generator may not; it is
 * cancelled when the consumer leaves, and the iteration ends when it returns.
 *
 * Waits until both have ended.
 *
 * @returns What `consumer` returned.
 * @throws TaskGroupError with what either throws; Cancelled when a scope around is cancelled; TypeError or
 * RangeError for bad arguments.
 *
 * @example
 * ```ts
 * import { produce } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * const firstBig = await produce<number, number | undefined>(
 *   async (send) => {
 *     for (let n = 1; ; n *= 2) await send.send(n);
 *   },
 *   async (items) => {
 *     for await (const n of items) if (n > 1_000) return n;
 *     return undefined;
 *   },
 * );
 * assert.equal(firstBig, 1_024);
 * ```
 */
export function produce<T, R>(
  producer: (send: ObjectSendStream<T>) => unknown,
  consumer: (items: AsyncIterable<T>) => R | PromiseLike<R>,
  options?: ProduceOptions,
): Promise<R> {
  const where = 'produce()';
  try {
    checkFunction(where, 'producer', producer);
    checkFunction(where, 'consumer', consumer);
    checkOptions(where, options);
    const { bufferSize = 0 } = options ?? {};
    checkCount(where, 'options.bufferSize', bufferSize, 0);
    return consume(where, bufferSize, [producer], consumer);
  } catch (error) {
    return rejected(error);
  }
}

/**
 * Runs producers as services of the consumer; each has a sending end of its own, and the iteration ends
 * with the last.
 */
function consume<T, R>(
  where: string,
  bufferSize: number,
  producers: readonly ((send: ObjectSendStream<T>) => unknown)[],
  consumer: (items: AsyncIterable<T>) => R | PromiseLike<R>,
): Promise<R> {
  const group = taskGroup(
    async (tg) => {
      const [send, receive] = createMemoryObjectStream<T>(bufferSize);
      let hasLeft = false;
      const scopes = producers.map((producer) => {
        const end = send.clone();
        const scope = new CancelScope({ name: 'producer' });
        tg.startService(async () => {
          try {
            await scope.run(() => producer(end));
          } catch (error) {
            // Whom a cancellation does not reach notices it by this: behind a shield, and in explicit mode.
            if (!hasLeft || !flattenErrors(error).every((leaf) => leaf instanceof BrokenResourceError)) {
              // First the consumer is cancelled: it must not take this for the end of the items.
              putOff(() => end.close());
              throw error;
            }
          }
          end.close();
        });
        return scope;
      });
      send.close();
      try {
        return await consumer(receive);
      } finally {
        hasLeft = true;
        for (const scope of scopes) scope.cancel('the consumer has left');
        receive.close();
      }
    },
    { name: where.slice(0, -2) },
  );
  return chain(group, (result) => result as R);
}
