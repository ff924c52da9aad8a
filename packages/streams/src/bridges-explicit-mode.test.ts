/** Browsers: nothing is ambient, so bridges and what is made from other streams are told their scope. */

import {
  Cancelled,
  CancelScope,
  ClosedResourceError,
  EndOfStream,
  InvalidStateError,
  run,
} from '@taskscope/core';
import { currentScope } from '@taskscope/core/lowlevel';
import { describe, expect, test, vi } from 'vitest';

import { errorOf, listeners, turns } from '../../core/src/observing.fixture.js';
import { bytes, collect, textOf } from './bytes.fixture.js';
import {
  BufferedByteReceiveStream,
  createMemoryObjectStream,
  fromReadableStream,
  fromWritableStream,
  StapledByteStream,
  StapledObjectStream,
  TextReceiveStream,
  TextStream,
  toNodeReadable,
  toReadableStream,
  toWritableStream,
} from './index.js';

vi.mock('../../core/src/platform/node.js', () => import('../../core/src/platform/browser.js'));
vi.mock('./platform/node.js', () => import('./platform/browser.js'));

test('nothing is ambient', async () => {
  const root = currentScope();
  await run(() => new CancelScope().run(() => expect(currentScope()).toBe(root)));
});

test('there are no streams of Node, and toNodeReadable() says what to do', () => {
  const [, receive] = createMemoryObjectStream<string>();
  expect(() => toNodeReadable(receive)).toThrow(
    new InvalidStateError(
      'toNodeReadable(): this platform has no node:stream. Use toReadableStream(), which works everywhere',
    ),
  );
});

describe('a wait with the signal of a scope is cancelled with it, and loses nothing', () => {
  const waits: [string, (receive: ReturnType<typeof createMemoryObjectStream<Uint8Array>>) => Waits][] = [
    ['StapledObjectStream', ([send, receive]) => new StapledObjectStream(send, receive)],
    [
      'StapledByteStream',
      ([send, receive]) => {
        const stapled = new StapledByteStream(send, new BufferedByteReceiveStream(receive));
        return {
          receive: (options) => stapled.receive(undefined, options),
          values: (options) => stapled.values(options),
        };
      },
    ],
    [
      'BufferedByteReceiveStream.receiveUntil()',
      ([, receive]) => {
        const stream = new BufferedByteReceiveStream(receive);
        return {
          receive: (options) => stream.receiveUntil('\n', 10, options),
          values: (options) => stream.values(options),
        };
      },
    ],
    ['TextReceiveStream', ([, receive]) => new TextReceiveStream(receive)],
    ['TextStream', ([send, receive]) => new TextStream(new StapledObjectStream(send, receive))],
  ];

  interface Waits {
    receive(options: { signal: AbortSignal }): Promise<unknown>;
    values(options: { signal: AbortSignal }): AsyncIterable<unknown>;
  }

  test.each(waits)('%s', async (_name, make) => {
    const [send, receive] = createMemoryObjectStream<Uint8Array>(1);
    const stream = make([send, receive]);
    for (const wait of [
      (signal: AbortSignal) => stream.receive({ signal }),
      (signal: AbortSignal) => stream.values({ signal })[Symbol.asyncIterator]().next(),
    ]) {
      const scope = new CancelScope();
      await scope.run(async ({ signal }) => {
        const waiting = wait(signal);
        expect(receive.statistics().tasksWaitingReceive).toBe(1);
        scope.cancel();
        expect(receive.statistics().tasksWaitingReceive).toBe(0);
        expect(await errorOf(wait(signal))).toBeInstanceOf(Cancelled);
        await waiting;
      });
      expect(scope.cancelledCaught).toBe(true);
    }
    send.sendNowait(bytes('tea\n'));
    const other = new CancelScope();
    expect(await stream.receive({ signal: other.signal })).toBeTruthy();
  });
});

/** A web stream that is fed by the test. */
function source(): {
  readable: ReadableStream<number>;
  controller: ReadableStreamDefaultController<number>;
  cancelled: unknown[];
} {
  let controller: ReadableStreamDefaultController<number>;
  const cancelled: unknown[] = [];
  const readable = new ReadableStream<number>(
    { start: (each) => void (controller = each), cancel: (reason) => void cancelled.push(reason) },
    { highWaterMark: 0 },
  );
  return { readable, controller: controller!, cancelled };
}

describe('fromReadableStream()', () => {
  test('belongs to the scope whose signal it is given, and so do its waits', async () => {
    const { readable, controller, cancelled } = source();
    const scope = new CancelScope();
    const received: number[] = [];
    await scope.run(async ({ signal }) => {
      const receive = fromReadableStream(readable, { signal });
      controller.enqueue(1);
      queueMicrotask(() => queueMicrotask(() => scope.cancel('enough')));
      for await (const n of receive) received.push(n);
    });
    expect(scope.cancelledCaught).toBe(true);
    expect(received).toEqual([1]);
    expect(cancelled).toEqual([expect.any(Cancelled)]);
    expect(readable.locked).toBe(false);
    expect(listeners(scope.signal)).toBe(0);
  });

  test('a receive() with the signal of an inner scope keeps its chunk for the next', async () => {
    const { readable, controller } = source();
    const receive = fromReadableStream(readable);
    const scope = new CancelScope();
    await scope.run(async ({ signal }) => {
      const receiving = receive.receive({ signal });
      scope.cancel();
      await receiving;
    });
    expect(scope.cancelledCaught).toBe(true);
    controller.enqueue(1);
    expect(await receive.receive()).toBe(1);
    await receive.aclose();
    expect(readable.locked).toBe(false);
  });
});

test('fromWritableStream() belongs to the scope whose signal it is given, and so do its waits', async () => {
  const aborted: unknown[] = [];
  const writable = new WritableStream<number>({
    write: () => turns(5),
    abort: (reason) => void aborted.push(reason),
  });
  const scope = new CancelScope();
  await scope.run(async ({ signal }) => {
    const send = fromWritableStream(writable, { signal });
    await send.send(1);
    queueMicrotask(() => scope.cancel());
    await send.send(2);
  });
  expect(scope.cancelledCaught).toBe(true);
  expect(writable.locked).toBe(false);
  await turns(10);
  expect(aborted).toEqual([expect.any(Cancelled)]);
});

test('toReadableStream() and toWritableStream() carry items, and end with their scope', async () => {
  const [send, receive] = createMemoryObjectStream<Uint8Array>(5);
  const [back, received] = createMemoryObjectStream<Uint8Array>(5);
  for (const text of ['tea', 'milk']) send.sendNowait(bytes(text));
  send.close();
  await toReadableStream(receive).pipeTo(toWritableStream(back));
  expect((await collect(received)).map(textOf)).toEqual(['tea', 'milk']);

  const [out, pending] = createMemoryObjectStream<Uint8Array>();
  const scope = new CancelScope();
  let reading: Promise<unknown> | undefined;
  let writing: Promise<unknown> | undefined;
  await scope.run(async ({ signal }) => {
    const [, unread] = createMemoryObjectStream<Uint8Array>();
    reading = errorOf(toReadableStream(unread, undefined, { signal }).getReader().read());
    const writer = toWritableStream(out, { signal }).getWriter();
    writer.closed.catch(() => {});
    writing = errorOf(writer.write(bytes('tea')));
    await turns(2);
    expect(out.statistics().tasksWaitingSend).toBe(1);
    scope.cancel();
  });
  expect(await reading).toBeInstanceOf(Cancelled);
  expect(await writing).toBeInstanceOf(Cancelled);
  expect(await errorOf(pending.receive())).toBeInstanceOf(EndOfStream);
});

test('cancelling a web stream ends what it waits for, whatever its scope', async () => {
  const [, receive] = createMemoryObjectStream<number>();
  const reader = toReadableStream(receive).getReader();
  const reading = reader.read();
  await turns(2);
  await reader.cancel();
  expect(await reading).toEqual({ done: true, value: undefined });
  expect(await errorOf(receive.receive())).toBeInstanceOf(ClosedResourceError);
});
