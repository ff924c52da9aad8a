/** A test for each export of `@taskscope/streams`, the same in both modes. */

import { CancelScope, EndOfStream, InvalidStateError, taskGroup } from '@taskscope/core';
import {
  BufferedByteReceiveStream,
  BufferedByteStream,
  createMemoryObjectStream,
  createWatch,
  fromAsyncIterable,
  fromNodeReadable,
  fromNodeWritable,
  fromReadableStream,
  fromWritableStream,
  MemoryObjectReceiveStream,
  MemoryObjectSendStream,
  merge,
  MessageRouter,
  onTimeout,
  produce,
  select,
  StapledByteStream,
  StapledObjectStream,
  Subscription,
  TextReceiveStream,
  TextSendStream,
  TextStream,
  toNodeReadable,
  toReadableStream,
  toWritableStream,
  WatchReceiver,
  WatchSender,
} from '@taskscope/streams';
import type * as streams from '@taskscope/streams';
import { equal, nextTurn, rejects, throws, type TestsOf } from './check.js';

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A stream that holds some items, and ends after them. */
function streamOf<T>(...items: T[]): MemoryObjectReceiveStream<T> {
  const [send, receive] = createMemoryObjectStream<T>(items.length);
  for (const item of items) send.sendNowait(item);
  send.close();
  return receive;
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(chunk: Uint8Array): string {
  return new TextDecoder().decode(chunk);
}

export const streamsTests: TestsOf<typeof streams> = {
  async createMemoryObjectStream() {
    const [send, receive] = createMemoryObjectStream<number>();
    const received: number[] = [];
    await taskGroup((tg) => {
      tg.createTask(async ({ signal }) => {
        for (const n of [1, 2, 3]) await send.send(n, { signal });
        send.close();
      });
      tg.createTask(async ({ signal }) => {
        for await (const n of receive.values({ signal })) received.push(n);
      });
    });
    equal(received, [1, 2, 3]);
  },

  async MemoryObjectSendStream() {
    const [send, receive] = createMemoryObjectStream<number>(1);
    equal(send instanceof MemoryObjectSendStream, true);
    equal([send.trySend(1), send.trySend(2)], [true, false]);
    const scope = new CancelScope();
    await scope.run(({ signal }) => {
      setTimeout(() => scope.cancel(), 0);
      return send.send(3, { signal });
    });
    equal(scope.cancelledCaught, true);
    const clone = send.clone();
    send.close();
    equal(receive.receiveNowait(), 1);
    const permit = await clone.reserve();
    permit.send(4);
    clone.close();
    equal(await collect(receive), [4]);
  },

  async MemoryObjectReceiveStream() {
    const [send, receive] = createMemoryObjectStream<number>(3);
    equal(receive instanceof MemoryObjectReceiveStream, true);
    equal(receive.tryReceive(), { ok: false, ended: false });
    const scope = new CancelScope();
    await scope.run(async ({ signal }) => {
      const receiving = receive.receive({ signal });
      scope.cancel();
      send.sendNowait(1);
      await receiving;
    });
    // What was cancelled has taken nothing.
    send.sendNowait(2);
    equal(await receive.receiveMany(10), [1, 2]);
    send.close();
    await rejects(receive.receive(), EndOfStream);
    equal(receive.statistics().openSendStreams, 0);
  },

  async select() {
    const [send, receive] = createMemoryObjectStream<string>();
    const [, other] = createMemoryObjectStream<string>();
    setTimeout(() => void send.send('tea'), 0);
    equal(await select({ first: receive.onReceive(), second: other.onReceive() }), {
      key: 'first',
      value: 'tea',
    });
    equal(other.statistics().tasksWaitingReceive, 0);
  },

  async onTimeout() {
    const [, receive] = createMemoryObjectStream<string>();
    equal((await select({ item: receive.onReceive(), silence: onTimeout(1) })).key, 'silence');
    equal(receive.statistics().tasksWaitingReceive, 0);
  },

  async createWatch() {
    const [sender, receiver] = createWatch(1);
    equal(receiver.value, 1);
    setTimeout(() => sender.set(2), 0);
    equal(await receiver.changed(), 2);
  },

  async WatchSender() {
    const [sender, receiver] = createWatch('cold');
    equal(sender instanceof WatchSender, true);
    sender.set('hot');
    equal(sender.value, 'hot');
    sender.close();
    equal(await receiver.changed(), 'hot');
    await rejects(receiver.changed(), EndOfStream);
  },

  async WatchReceiver() {
    const [sender, receiver] = createWatch(0);
    equal(receiver instanceof WatchReceiver, true);
    const reached = receiver.clone().until((n) => n >= 2);
    for (const n of [1, 2]) sender.set(n);
    equal(await reached, 2);
  },

  async fromAsyncIterable() {
    const [send, receive] = createMemoryObjectStream<number>(3);
    await fromAsyncIterable([1, 2, 3], send);
    send.close();
    equal(await collect(receive), [1, 2, 3]);
  },

  async merge() {
    const sources = [streamOf(1, 2), streamOf(3)];
    const all = await merge(sources, collect);
    equal(new Set(all).size, 3);
  },

  async produce() {
    const log: string[] = [];
    const first = await produce<number, number | undefined>(
      async (send) => {
        try {
          for (let n = 0; ; n++) await send.send(n);
        } finally {
          log.push('stopped');
        }
      },
      async (items) => {
        for await (const n of items) if (n === 3) return n;
        return undefined;
      },
    );
    equal(first, 3);
    equal(log, ['stopped']);
  },

  async MessageRouter() {
    const router = new MessageRouter<number>({ bufferSize: 2 });
    const even = router.subscribe({ filter: (n) => n % 2 === 0 });
    const every = router.subscribe({ overflow: 'drop-oldest' });
    for (const n of [1, 2, 3, 4]) await router.publish(n);
    router.close();
    equal(
      [await collect(even), await collect(every)],
      [
        [2, 4],
        [3, 4],
      ],
    );
    equal(router.statistics().published, 4);
  },

  async Subscription() {
    const router = new MessageRouter<number>({ bufferSize: 1 });
    const subscription = router.subscribe({ name: 'slow' });
    equal(subscription instanceof Subscription, true);
    equal([router.publishNowait(1), router.publishNowait(2)], [1, 0]);
    equal([subscription.name, subscription.dropped, await subscription.receive()], ['slow', 1, 1]);
    subscription.close();
    equal(router.statistics().subscribers, 0);
  },

  async StapledObjectStream() {
    const [send, sent] = createMemoryObjectStream<string>(1);
    const stapled = new StapledObjectStream(send, streamOf('answer'));
    await stapled.send('question');
    equal([await sent.receive(), await stapled.receive()], ['question', 'answer']);
    await stapled.aclose();
    await rejects(sent.receive(), EndOfStream);
  },

  async StapledByteStream() {
    const [send, sent] = createMemoryObjectStream<Uint8Array>(1);
    const stapled = new StapledByteStream(send, new BufferedByteReceiveStream(streamOf(bytes('answer'))));
    await stapled.send(bytes('question'));
    equal([textOf(await sent.receive()), textOf(await stapled.receive(3))], ['question', 'ans']);
  },

  async BufferedByteReceiveStream() {
    const stream = new BufferedByteReceiveStream(streamOf(bytes('GET / HT'), bytes('TP/1.1\r\nHost')));
    equal(textOf(await stream.receiveUntil('\r\n', 100)), 'GET / HTTP/1.1');
    equal(textOf(await stream.receiveExactly(2)), 'Ho');
    equal(textOf(stream.buffer), 'st');
  },

  async BufferedByteStream() {
    const [send, sent] = createMemoryObjectStream<Uint8Array>(1);
    const stream = new BufferedByteStream(
      new StapledObjectStream(send, streamOf(bytes('an'), bytes('swer'))),
    );
    await stream.send(bytes('question'));
    await stream.sendEof();
    equal((await collect(sent)).map(textOf), ['question']);
    equal(textOf(await stream.receiveExactly(6)), 'answer');
  },

  async TextReceiveStream() {
    const [euro] = [bytes('€')];
    const stream = new TextReceiveStream(streamOf(euro.slice(0, 1), euro.slice(1)));
    equal((await collect(stream)).join(''), '€');
  },

  async TextSendStream() {
    const [send, sent] = createMemoryObjectStream<Uint8Array>(1);
    await new TextSendStream(send).send('tea');
    equal(textOf(await sent.receive()), 'tea');
  },

  async TextStream() {
    const [send, sent] = createMemoryObjectStream<Uint8Array>(1);
    const stream = new TextStream(new StapledObjectStream(send, streamOf(bytes('answer'))));
    await stream.send('question');
    equal([textOf(await sent.receive()), await stream.receive()], ['question', 'answer']);
  },

  async fromReadableStream() {
    const readable = new ReadableStream<number>({
      start(controller) {
        for (const n of [1, 2]) controller.enqueue(n);
        controller.close();
      },
    });
    equal(await collect(fromReadableStream(readable)), [1, 2]);
  },

  async toReadableStream() {
    const reader = toReadableStream(streamOf(1, 2)).getReader();
    const read = [await reader.read(), await reader.read(), await reader.read()];
    equal(
      read.map(({ value, done }) => (done ? 'end' : value)),
      [1, 2, 'end'],
    );
  },

  async fromWritableStream() {
    const log: unknown[] = [];
    const writable = new WritableStream<number>({
      write: (n) => void log.push(n),
      close: () => void log.push('closed'),
    });
    const send = fromWritableStream(writable);
    await send.send(1);
    await send.aclose();
    equal(log, [1, 'closed']);
  },

  async toWritableStream() {
    const [send, receive] = createMemoryObjectStream<number>(1);
    const writer = toWritableStream(send).getWriter();
    await writer.write(1);
    await writer.close();
    equal(await collect(receive), [1]);
  },

  async fromNodeReadable({ node }) {
    if (node === undefined) return void throws(() => fromNodeReadable({} as never), TypeError);
    const { Readable } = node.stream;
    equal(await collect(fromNodeReadable<number>(Readable.from([1, 2]))), [1, 2]);
    const scope = new CancelScope();
    const silent = new Readable({ read() {} });
    await scope.run(({ signal }) => {
      setTimeout(() => scope.cancel(), 0);
      return fromNodeReadable(silent).receive({ signal });
    });
    equal(scope.cancelledCaught, true);
  },

  async fromNodeWritable({ node }) {
    if (node === undefined) return void throws(() => fromNodeWritable({} as never), TypeError);
    const log: string[] = [];
    const writable = new node.stream.Writable({
      write(chunk, _encoding, done) {
        log.push(String(chunk));
        setTimeout(done, 0);
      },
    });
    const send = fromNodeWritable<string>(writable);
    await send.send('tea');
    await send.aclose();
    await nextTurn();
    equal([log, writable.writableFinished], [['tea'], true]);
  },

  async toNodeReadable({ node }) {
    if (node === undefined) return void throws(() => toNodeReadable(streamOf(1)), InvalidStateError);
    const readable = toNodeReadable(streamOf(1, 2), { objectMode: true });
    equal(readable instanceof node.stream.Readable, true);
    equal(await collect(readable as AsyncIterable<unknown>), [1, 2]);
  },
};
