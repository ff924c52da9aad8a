import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

import {
  all,
  BrokenResourceError,
  Cancelled,
  CancelScope,
  checkpoint,
  ClosedResourceError,
  EndOfStream,
  failAfter,
  InvalidStateError,
  moveOnAfter,
  run,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  TimeoutError,
} from '@taskscope/core';
import { cancelEverywhere, MockClock, virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { build } from 'esbuild';
import { afterAll, describe, expect, expectTypeOf, test } from 'vitest';

import { errorOf, listeners, turns, unhandledRejections } from '../../core/src/observing.fixture.js';
import { bytes, collect, textOf } from './bytes.fixture.js';
import type * as Streams from './index.js';
import {
  BufferedByteReceiveStream,
  BufferedByteStream,
  createMemoryObjectStream,
  fromNodeReadable,
  fromNodeWritable,
  StapledObjectStream,
  TextReceiveStream,
  toNodeReadable,
  type ObjectReceiveStream,
  type ObjectSendStream,
} from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'taskscope-streams-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** How many listeners a stream has, for any event but those of its own. */
function listenersOf(stream: NodeJS.EventEmitter): Record<string, number> {
  return Object.fromEntries(stream.eventNames().map((event) => [event, stream.listenerCount(event)]));
}

/** A readable of objects that counts how often it was asked, and is fed by the test. */
function source(): { readable: Readable; reads: () => number } {
  let reads = 0;
  const readable = new Readable({ objectMode: true, highWaterMark: 1, read: () => void reads++ });
  return { readable, reads: () => reads };
}

/** A readable that gives 1, 2, 3, … as fast as it can. */
function counting(end: number, highWaterMark = 2): { readable: Readable; given: () => number } {
  let n = 0;
  const readable = new Readable({
    objectMode: true,
    highWaterMark,
    read() {
      this.push(n < end ? ++n : null);
    },
  });
  return { readable, given: () => n };
}

describe('fromNodeReadable()', () => {
  test(
    'receives what comes, until the end, and leaves no listener',
    virtualTime(async () => {
      const { readable } = counting(5);
      const before = listenersOf(readable);
      const receive = fromNodeReadable<number>(readable);
      expectTypeOf(receive).toEqualTypeOf<ObjectReceiveStream<number>>();
      expectTypeOf(fromNodeReadable(readable)).toEqualTypeOf<ObjectReceiveStream<Uint8Array>>();
      expect(await collect(receive)).toEqual([1, 2, 3, 4, 5]);
      expect(await errorOf(receive.receive())).toBeInstanceOf(EndOfStream);
      await turns(3);
      expect(listenersOf(readable)).toEqual(before);
    }),
  );

  test(
    'reads nothing before somebody asks, and then no further ahead than the stream wants',
    virtualTime(async () => {
      const { readable, given } = counting(1_000, 4);
      const receive = fromNodeReadable<number>(readable);
      await turns(5);
      expect(given()).toBe(0);
      for (let n = 1; n <= 10; n++) {
        expect(await receive.receive()).toBe(n);
        await turns(5);
        expect(given()).toBeLessThanOrEqual(n + 4);
      }
      await receive.aclose();
    }),
  );

  test(
    'serves receivers in the order in which they asked',
    virtualTime(async () => {
      const { readable } = source();
      const receive = fromNodeReadable<number>(readable);
      const receiving = Array.from({ length: 5 }, () => receive.receive().catch((error: unknown) => error));
      for (const n of [1, 2, 3, null]) {
        readable.push(n);
        await turns();
      }
      const [first, second, third, fourth, fifth] = await Promise.all(receiving);
      expect([first, second, third]).toEqual([1, 2, 3]);
      expect(fourth).toBeInstanceOf(EndOfStream);
      expect(fifth).toBeInstanceOf(EndOfStream);
    }),
  );

  test(
    'serves very many receivers at once',
    virtualTime(async () => {
      const many = 50_000;
      const { readable } = source();
      const receive = fromNodeReadable<number>(readable);
      const receiving = Array.from({ length: many }, () => receive.receive());
      for (let n = 0; n < many; n++) readable.push(n);
      expect(await Promise.all(receiving)).toEqual(Array.from({ length: many }, (_, n) => n));
      await receive.aclose();
    }),
  );

  test(
    'refuses to receive in a scope that is cancelled, and reads nothing',
    virtualTime(async () => {
      const { readable, reads } = source();
      const receive = fromNodeReadable(readable);
      await new CancelScope().run(async (scope) => {
        scope.cancel('before');
        expect(await errorOf(receive.receive())).toMatchObject({ name: 'Cancelled', reason: 'before' });
      });
      await turns(3);
      expect(reads()).toBe(0);
      expect(readable.destroyed).toBe(false);
      await receive.aclose();
    }),
  );

  test(
    'a receive() that is cancelled loses nothing, and leaves the stream usable',
    virtualTime(async () => {
      const { readable } = source();
      const receive = fromNodeReadable<number>(readable);
      expect(await moveOnAfter(5, () => receive.receive())).toBe(undefined);
      readable.push(1);
      readable.push(2);
      await sleep(1);
      expect(readable.destroyed).toBe(false);
      expect([await receive.receive(), await receive.receive()]).toEqual([1, 2]);
      const scope = new CancelScope();
      const during = scope.run(() => receive.receive());
      const next = receive.receive();
      scope.cancel();
      readable.push(3);
      expect(await during).toBe(undefined);
      expect(await next).toBe(3);
      await receive.aclose();
    }),
  );

  test(
    'a receive() that is cancelled right after it has got something keeps that',
    virtualTime(async () => {
      const { readable } = source();
      const receive = fromNodeReadable<number>(readable);
      readable.push(1);
      const scope = new CancelScope();
      let got: unknown;
      await scope.run(async () => {
        const receiving = receive.receive();
        scope.cancel();
        got = await receiving;
        await checkpoint();
      });
      expect(got).toBe(1);
      expect(scope.cancelledCaught).toBe(true);
      await receive.aclose();
    }),
  );

  test(
    'by a foreign signal: rejects with its reason, and keeps no listener',
    virtualTime(async () => {
      const { readable } = source();
      const receive = fromNodeReadable(readable);
      const foreign = new AbortController();
      const receiving = receive.receive({ signal: foreign.signal });
      const reason = new Error('enough');
      foreign.abort(reason);
      expect(await errorOf(receiving)).toBe(reason);
      expect(listeners(foreign.signal)).toBe(0);
      readable.push(1);
      expect(await receive.receive()).toBe(1);
      await receive.aclose();
    }),
  );

  test(
    'passes on an error of the stream as it is, again and again',
    virtualTime(async () => {
      const { readable } = source();
      const before = listenersOf(readable);
      const receive = fromNodeReadable(readable);
      const failure = new Error('broken wire');
      const waiting = [receive.receive(), receive.receive()].map(errorOf);
      readable.destroy(failure);
      expect(await Promise.all(waiting)).toEqual([failure, failure]);
      expect(await errorOf(receive.receive())).toBe(failure);
      await receive.aclose();
      await turns(3);
      expect(listenersOf(readable)).toEqual(before);
    }),
  );

  test(
    'an error that comes while nobody waits ends no process, and is told to the next',
    virtualTime(async () => {
      const { readable } = source();
      const receive = fromNodeReadable(readable);
      const failure = new Error('broken wire');
      readable.destroy(failure);
      await turns(3);
      expect(await errorOf(receive.receive())).toBe(failure);
    }),
  );

  test(
    'an error that comes after the end of what can be read ends no process',
    virtualTime(async () => {
      const duplex = new Duplex({ read() {}, write() {} });
      const before = listenersOf(duplex);
      const receive = fromNodeReadable(duplex);
      duplex.push(null);
      expect(await errorOf(receive.receive())).toBeInstanceOf(EndOfStream);
      expect(duplex.closed).toBe(false);
      duplex.destroy(new Error('connection reset'));
      await turns(3);
      expect(duplex.closed).toBe(true);
      expect(listenersOf(duplex)).toEqual(before);
    }),
  );

  test(
    'a stream that is destroyed before its end is broken',
    virtualTime(async () => {
      const { readable } = source();
      const receive = fromNodeReadable(readable);
      const waiting = errorOf(receive.receive());
      readable.destroy();
      expect(await waiting).toBeInstanceOf(BrokenResourceError);
      expect(await errorOf(receive.receive())).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test('knows what has happened to the stream before', async () => {
    const ended = Readable.from([1]);
    for await (const _ of ended);
    const before = listenersOf(ended);
    expect(await errorOf(fromNodeReadable(ended).receive())).toBeInstanceOf(EndOfStream);
    expect(listenersOf(ended)).toEqual(before);
    const destroyed = Readable.from([1]).destroy();
    await once(destroyed, 'close');
    expect(await errorOf(fromNodeReadable(destroyed).receive())).toBeInstanceOf(BrokenResourceError);
    const failure = new Error('broken wire');
    const failed = Readable.from([1]).on('error', () => {});
    const hasClosed = new Promise((resolve) => failed.on('close', resolve));
    failed.destroy(failure);
    await hasClosed;
    const receive = fromNodeReadable(failed);
    expect(await errorOf(receive.receive())).toBe(failure);
    await receive.aclose();
  });

  test('reads what was buffered before', async () => {
    const readable = new PassThrough();
    readable.write('tea');
    readable.end(' for two');
    const receive = fromNodeReadable(readable);
    expect((await collect(receive)).map(textOf).join('')).toBe('tea for two');
  });

  test('gives text if the stream has an encoding', async () => {
    const readable = new PassThrough({ encoding: 'utf8' });
    readable.end('£2');
    expect(await collect(fromNodeReadable<string>(readable))).toEqual(['£2']);
  });

  test(
    'aclose() destroys the stream, waits until it has closed, and ends the waits',
    virtualTime(async () => {
      let hasClosed = false;
      const readable = new Readable({
        read() {},
        destroy(_error, done) {
          setImmediate(() => {
            hasClosed = true;
            done(null);
          });
        },
      });
      const before = listenersOf(readable);
      const receive = fromNodeReadable(readable);
      const waiting = [receive.receive(), receive.receive()].map(errorOf);
      await receive.aclose();
      expect(hasClosed).toBe(true);
      expect(await Promise.all(waiting)).toEqual([
        expect.any(ClosedResourceError),
        expect.any(ClosedResourceError),
      ]);
      expect(await errorOf(receive.receive())).toBeInstanceOf(ClosedResourceError);
      await receive.aclose();
      expect(listenersOf(readable)).toEqual(before);
    }),
  );

  test('aclose() passes on the error of closing, once', async () => {
    const failure = new Error('cannot close');
    const readable = new Readable({ read() {}, destroy: (_error, done) => done(failure) });
    const receive = fromNodeReadable(readable);
    expect(await errorOf(receive.aclose())).toBe(failure);
    await receive.aclose();
  });

  test('aclose() does not wait for a stream that never says that it has closed', async () => {
    const readable = new Readable({ read() {}, emitClose: false });
    await fromNodeReadable(readable).aclose();
    expect(readable.destroyed).toBe(true);
  });

  test('aclose() after the end of a stream that does not close by itself destroys it', async () => {
    const readable = new Readable({ autoDestroy: false, read() {} });
    readable.push(null);
    const receive = fromNodeReadable(readable);
    expect(await errorOf(receive.receive())).toBeInstanceOf(EndOfStream);
    expect(readable.destroyed).toBe(false);
    await receive.aclose();
    expect(readable.destroyed).toBe(true);
  });

  test(
    'leaving a loop early destroys nothing, `await using` does',
    virtualTime(async () => {
      const { readable } = counting(10);
      {
        await using receive = fromNodeReadable<number>(readable);
        for await (const n of receive) if (n === 2) break;
        expect(await receive.receive()).toBe(3);
        expect(readable.destroyed).toBe(false);
      }
      expect(readable.destroyed).toBe(true);
    }),
  );

  test(
    'the cancellation of the scope in which it was made destroys the stream',
    virtualTime(async () => {
      const { readable } = source();
      const before = listenersOf(readable);
      const scope = new CancelScope();
      await scope.run(async () => {
        const receive = fromNodeReadable(readable);
        const receiving = errorOf(receive.receive());
        scope.cancel('enough');
        expect(readable.destroyed).toBe(true);
        const error = await receiving;
        expect(error).toMatchObject({ name: 'Cancelled', reason: 'enough' });
        expect(await shield(() => errorOf(receive.receive()))).toBeInstanceOf(ClosedResourceError);
        throw error;
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(listeners(scope.signal)).toBe(0);
      await turns(3);
      expect(listenersOf(readable)).toEqual(before);
    }),
  );

  test('refuses what is no stream', () => {
    for (const bad of [null, undefined, {}, { read() {} }, new ReadableStream()]) {
      expect(() => fromNodeReadable(bad as never)).toThrow(TypeError);
      expect(() => fromNodeReadable(bad as never)).toThrow(
        /^fromNodeReadable\(\): readable must be a readable stream of Node, got /,
      );
    }
    const { readable } = source();
    expect(() => fromNodeReadable(readable, null as never)).toThrow(TypeError);
    expect(listenersOf(readable)).toEqual(listenersOf(source().readable));
  });

  test('nothing is heard of what nobody looks at', async () => {
    const rejections = await unhandledRejections(() =>
      run(
        async () => {
          const failing = source();
          const receive = fromNodeReadable(failing.readable);
          await new CancelScope().run(async (scope) => {
            const stuck = new Readable({ read() {}, destroy: (_error, done) => done(new Error('cannot')) });
            void fromNodeReadable(stuck).receive();
            void receive.receive();
            void receive[Symbol.asyncIterator]().next();
            scope.cancel();
            void receive.receive();
          });
          failing.readable.destroy(new Error('broken wire'));
          await turns(3);
        },
        { clock: new MockClock({ autojump: true }) },
      ),
    );
    expect(rejections).toEqual([]);
  });

  test('reads a file', async () => {
    const path = join(folder, 'lines.txt');
    const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n}`);
    writeFileSync(path, lines.join('\n'));
    const file = createReadStream(path);
    const read: string[] = [];
    await using stream = new BufferedByteReceiveStream(fromNodeReadable(file));
    for (let n = 1; n < lines.length; n++) read.push(textOf(await stream.receiveUntil('\n', 100)));
    read.push(textOf(await stream.receive()));
    expect(read).toEqual(lines);
    expect(await errorOf(stream.receive())).toBeInstanceOf(EndOfStream);
    const missing = fromNodeReadable(createReadStream(join(folder, 'missing')));
    expect(await errorOf(missing.receive())).toMatchObject({ code: 'ENOENT' });
  });
});

/** A writable whose writes end when the test says so. */
function sink(highWaterMark = 1): {
  writable: Writable;
  begun: number[];
  /** Ends the write that is going on. */
  proceed: (error?: Error) => Promise<void>;
} {
  const begun: number[] = [];
  let end: ((error?: Error) => void) | undefined;
  const writable = new Writable({
    objectMode: true,
    highWaterMark,
    write(n: number, _encoding, done) {
      begun.push(n);
      end = done;
    },
  });
  return {
    writable,
    begun,
    async proceed(error) {
      end?.(error);
      await turns(3);
    },
  };
}

describe('fromNodeWritable()', () => {
  test(
    'writes what is sent, and ends when it is closed',
    virtualTime(async () => {
      const written: number[] = [];
      const writable = new Writable({
        objectMode: true,
        write(n: number, _encoding, done) {
          written.push(n);
          setImmediate(done);
        },
      });
      const before = listenersOf(writable);
      const send = fromNodeWritable<number>(writable);
      expectTypeOf(send).toEqualTypeOf<ObjectSendStream<number>>();
      for (const n of [1, 2, 3]) await send.send(n);
      await send.aclose();
      expect(written).toEqual([1, 2, 3]);
      expect(writable.writableFinished).toBe(true);
      expect(writable.closed).toBe(true);
      expect(await errorOf(send.send(4))).toBeInstanceOf(ClosedResourceError);
      await send.aclose();
      expect(listenersOf(writable)).toEqual(before);
    }),
  );

  test(
    'waits until the stream has drained, and serves senders in the order in which they asked',
    virtualTime(async () => {
      const { writable, begun, proceed } = sink();
      const send = fromNodeWritable<number>(writable);
      await send.send(1);
      expect(writable.writableNeedDrain).toBe(true);
      const sent: number[] = [];
      for (const n of [2, 3, 4]) void send.send(n).then(() => sent.push(n));
      await turns(3);
      expect(sent).toEqual([]);
      expect(begun).toEqual([1]);
      for (const n of [2, 3, 4]) {
        await proceed();
        expect(sent.at(-1)).toBe(n);
        expect(begun.at(-1)).toBe(n);
      }
      const closing = send.aclose();
      await proceed();
      await closing;
    }),
  );

  test(
    'writes as much as the stream wants to buffer, and no more',
    virtualTime(async () => {
      const { writable } = sink(3);
      const send = fromNodeWritable<number>(writable);
      let sent = 0;
      for (const n of [1, 2, 3, 4, 5])
        void send.send(n).then(
          () => sent++,
          () => {},
        );
      await turns(3);
      expect(sent).toBe(3);
      expect(writable.writableLength).toBe(3);
      writable.destroy();
      await turns(3);
    }),
  );

  test(
    'waits when somebody else has filled the stream, too',
    virtualTime(async () => {
      const { writable, begun, proceed } = sink();
      const send = fromNodeWritable<number>(writable);
      writable.write(1);
      const sending = send.send(2);
      await turns(3);
      expect(begun).toEqual([1]);
      await proceed();
      await sending;
      expect(begun).toEqual([1, 2]);
      writable.destroy();
    }),
  );

  test(
    'a send() that is cancelled before or during writes nothing',
    virtualTime(async () => {
      const { writable, begun, proceed } = sink();
      const send = fromNodeWritable<number>(writable);
      await new CancelScope().run(async (scope) => {
        scope.cancel('before');
        expect(await errorOf(send.send(0))).toMatchObject({ name: 'Cancelled', reason: 'before' });
      });
      await send.send(1);
      const scope = new CancelScope();
      const during = scope.run(() => send.send(2));
      const after = send.send(3);
      scope.cancel();
      await during;
      expect(scope.cancelledCaught).toBe(true);
      await proceed();
      await after;
      await proceed();
      await send.aclose();
      expect(begun).toEqual([1, 3]);
    }),
  );

  test(
    'a send() that is cancelled right after it was written is sent',
    virtualTime(async () => {
      const { writable, begun, proceed } = sink();
      const send = fromNodeWritable<number>(writable);
      const scope = new CancelScope();
      let isSent = false;
      await scope.run(async () => {
        const sending = send.send(1);
        scope.cancel();
        await sending;
        isSent = true;
        await checkpoint();
      });
      expect(isSent).toBe(true);
      expect(scope.cancelledCaught).toBe(true);
      await proceed();
      expect(begun).toEqual([1]);
      await send.aclose();
    }),
  );

  test(
    'by a foreign signal: rejects with its reason, and keeps no listener',
    virtualTime(async () => {
      const { writable, begun, proceed } = sink();
      const send = fromNodeWritable<number>(writable);
      await send.send(1);
      const foreign = new AbortController();
      const sending = send.send(2, { signal: foreign.signal });
      const reason = new Error('enough');
      foreign.abort(reason);
      expect(await errorOf(sending)).toBe(reason);
      expect(listeners(foreign.signal)).toBe(0);
      await proceed();
      await send.aclose();
      expect(begun).toEqual([1]);
    }),
  );

  test(
    'of a stream that somebody has ended, and that is still writing, can send nothing',
    virtualTime(async () => {
      const { writable, begun, proceed } = sink();
      writable.write(1);
      writable.end();
      const send = fromNodeWritable<number>(writable);
      const error = await errorOf(send.send(2));
      expect(error).toBeInstanceOf(BrokenResourceError);
      expect((error as Error).message).toBe('the stream of Node was ended by somebody else');
      await proceed();
      expect(begun).toEqual([1]);
      expect(writable.writableFinished).toBe(true);
      await send.aclose();
    }),
  );

  test(
    'passes on an error of the stream as it is to those who wait, and to later ones',
    virtualTime(async () => {
      const { writable, proceed } = sink();
      const before = listenersOf(writable);
      const send = fromNodeWritable<number>(writable);
      const failure = new Error('disk full');
      await send.send(1);
      const waiting = [send.send(2), send.send(3)].map(errorOf);
      await proceed(failure);
      expect(await Promise.all(waiting)).toEqual([failure, failure]);
      expect(await errorOf(send.send(4))).toBe(failure);
      // It has been told.
      await send.aclose();
      expect(await errorOf(send.send(5))).toBeInstanceOf(ClosedResourceError);
      expect(listenersOf(writable)).toEqual(before);
    }),
  );

  test(
    'aclose() passes on an error of which nobody has been told, once',
    virtualTime(async () => {
      const { writable, proceed } = sink();
      const send = fromNodeWritable<number>(writable);
      const failure = new Error('disk full');
      await send.send(1);
      await proceed(failure);
      expect(await errorOf(send.aclose())).toBe(failure);
      await send.aclose();
    }),
  );

  test(
    'aclose() waits until everything is written, and passes on the error if it is not',
    virtualTime(async () => {
      const { writable, proceed } = sink(9);
      const send = fromNodeWritable<number>(writable);
      await send.send(1);
      await send.send(2);
      let isClosed = false;
      const closing = send.aclose().then(() => (isClosed = true));
      await proceed();
      expect(isClosed).toBe(false);
      await proceed();
      await closing;

      const failing = sink();
      const failed = fromNodeWritable<number>(failing.writable);
      await failed.send(1);
      const failure = new Error('disk full');
      const ending = errorOf(failed.aclose());
      await failing.proceed(failure);
      expect(await ending).toBe(failure);

      const destroyed = sink();
      const broken = fromNodeWritable<number>(destroyed.writable);
      await broken.send(1);
      const breaking = errorOf(broken.aclose());
      destroyed.writable.destroy();
      expect(await breaking).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test(
    'aclose() that is cancelled destroys the stream',
    virtualTime(async () => {
      const { writable } = sink();
      const before = listenersOf(writable);
      const send = fromNodeWritable<number>(writable);
      await send.send(1);
      expect(await errorOf(failAfter(10, () => send.aclose()))).toBeInstanceOf(TimeoutError);
      expect(writable.destroyed).toBe(true);
      expect(writable.writableFinished).toBe(false);
      await send.aclose();
      expect(listenersOf(writable)).toEqual(before);
    }),
  );

  test(
    'aclose() in a scope that is cancelled destroys the stream and says so; a disposer only destroys it',
    virtualTime(async () => {
      for (const how of ['aclose', 'dispose']) {
        let isOver = false;
        const { writable } = sink();
        const send = fromNodeWritable<number>(writable);
        await new CancelScope().run(async (scope) => {
          scope.cancel();
          if (how === 'aclose') expect(await errorOf(send.aclose())).toBeInstanceOf(Cancelled);
          else await send[Symbol.asyncDispose]();
          isOver = true;
        });
        expect(isOver).toBe(true);
        expect(writable.destroyed).toBe(true);
        expect(writable.writableEnded).toBe(false);
      }
    }),
  );

  test(
    'the cancellation of the scope in which it was made destroys the stream',
    virtualTime(async () => {
      const { writable } = sink();
      const before = listenersOf(writable);
      const scope = new CancelScope();
      await scope.run(async () => {
        await using send = fromNodeWritable<number>(writable);
        await send.send(1);
        const sending = errorOf(send.send(2));
        scope.cancel('enough');
        expect(writable.destroyed).toBe(true);
        expect(await sending).toMatchObject({ name: 'Cancelled', reason: 'enough' });
        await checkpoint();
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(writable.writableEnded).toBe(false);
      expect(listeners(scope.signal)).toBe(0);
      expect(listenersOf(writable)).toEqual(before);
    }),
  );

  test(
    'a stream that others end or destroy is broken',
    virtualTime(async () => {
      for (const how of ['end', 'destroy'] as const) {
        const { writable, proceed } = sink();
        const send = fromNodeWritable<number>(writable);
        await send.send(1);
        const waiting = errorOf(send.send(2));
        writable[how]();
        await proceed();
        expect(await waiting).toBeInstanceOf(BrokenResourceError);
        expect(await errorOf(fromNodeWritable(writable).send('3'))).toBeInstanceOf(BrokenResourceError);
      }
    }),
  );

  test(
    'an item that the stream refuses is told to its sender, and the stream goes on',
    virtualTime(async () => {
      const written: string[] = [];
      const writable = new Writable({
        highWaterMark: 1,
        write(chunk: Buffer, _encoding, done) {
          written.push(chunk.toString());
          setImmediate(done);
        },
      });
      const send = fromNodeWritable(writable);
      expect(await errorOf(send.send(42 as never))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
      const [first, second, third] = [send.send('tea'), errorOf(send.send(null as never)), send.send('milk')];
      await first;
      expect(await second).toMatchObject({ code: 'ERR_STREAM_NULL_VALUES' });
      await third;
      await send.aclose();
      expect(written).toEqual(['tea', 'milk']);
    }),
  );

  test('refuses what is no stream', () => {
    for (const bad of [null, undefined, {}, { write() {} }, new WritableStream()]) {
      expect(() => fromNodeWritable(bad as never)).toThrow(TypeError);
    }
    expect(() => fromNodeWritable(sink().writable, 42 as never)).toThrow(TypeError);
  });

  test('nothing is heard of what nobody looks at', async () => {
    const rejections = await unhandledRejections(() =>
      run(
        async () => {
          const failing = sink();
          const failed = fromNodeWritable<number>(failing.writable);
          await failed.send(1);
          await failing.proceed(new Error('disk full'));
          await new CancelScope().run(async (scope) => {
            const stuck = new Writable({ write() {}, destroy: (_error, done) => done(new Error('cannot')) });
            const send = fromNodeWritable(stuck);
            await send.send('1');
            void send.aclose();
            scope.cancel();
            void send.send('2');
            void send.aclose();
          });
          await turns(3);
        },
        { clock: new MockClock({ autojump: true }) },
      ),
    );
    expect(rejections).toEqual([]);
  });

  test('writes a file, which is closed and whole after aclose()', async () => {
    const path = join(folder, 'written.txt');
    const file = createWriteStream(path, { highWaterMark: 64 });
    const send = fromNodeWritable(file);
    const lines = Array.from({ length: 1_000 }, (_, n) => `line ${n}\n`);
    for (const line of lines) {
      await send.send(line);
      expect(file.writableLength).toBeLessThan(64 + 10);
    }
    await send.aclose();
    expect(file.closed).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe(lines.join(''));
  });
});

test('receivers of a stream of Node, cancelled at every step: every item arrives once', async () => {
  const { waits } = await cancelEverywhere(() => {
    let n = 0;
    const readable = new Readable({
      objectMode: true,
      highWaterMark: 1,
      read() {
        setImmediate(() => this.push(n < 6 ? ++n : null));
      },
    });
    const receive = fromNodeReadable<number>(readable);
    const received: number[] = [];
    const receiver = async (): Promise<void> => {
      for (let left = 3; left > 0; left--) received.push(await receive.receive());
    };
    return {
      tasks: [receiver, receiver],
      async check() {
        received.push(...(await collect(receive)));
        expect(received.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
      },
    };
  });
  expect(waits).toBeGreaterThan(3);
});

test('senders into a stream of Node, cancelled at every step: what was sent is written, and nothing else', async () => {
  const { waits } = await cancelEverywhere(() => {
    const written: string[] = [];
    const sent: string[] = [];
    const send = fromNodeWritable<string>(
      new Writable({
        objectMode: true,
        highWaterMark: 1,
        write(item: string, _encoding, done) {
          written.push(item);
          setImmediate(done);
        },
      }),
    );
    const sender = (name: string) => async (): Promise<void> => {
      for (let n = 0; n < 3; n++) {
        await send.send(`${name}${n}`);
        sent.push(`${name}${n}`);
      }
    };
    return {
      tasks: [sender('a'), sender('b')],
      async check() {
        await send.aclose();
        expect(written.toSorted()).toEqual(sent.toSorted());
      },
    };
  });
  expect(waits).toBeGreaterThan(3);
});

describe('toNodeReadable()', () => {
  test(
    'gives what is received, until the end',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(3);
      for (const n of [1, 2, 3]) send.sendNowait(n);
      send.close();
      const readable = toNodeReadable(receive);
      expectTypeOf(readable).toEqualTypeOf<Readable>();
      expect(readable).toBeInstanceOf(Readable);
      expect(await collect(readable)).toEqual([1, 2, 3]);
      expect(await errorOf(receive.receive())).toBeInstanceOf(ClosedResourceError);
    }),
  );

  test(
    'receives nothing that nobody reads',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(9);
      for (const n of [1, 2, 3, 4]) send.sendNowait(n);
      const readable = toNodeReadable(receive);
      await turns(3);
      expect(receive.statistics().currentBufferUsed).toBe(4);
      const taken: unknown[] = [];
      readable.on('data', (item) => {
        taken.push(item);
        readable.pause();
      });
      await turns(5);
      expect(taken).toEqual([1]);
      expect(receive.statistics().currentBufferUsed).toBe(3);
      readable.resume();
      await turns(5);
      expect(taken).toEqual([1, 2]);
      expect(receive.statistics().currentBufferUsed).toBe(2);
      readable.destroy();
      await once(readable, 'close');
    }),
  );

  test(
    'buffers as much as it is told to',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(9);
      for (const n of [1, 2, 3, 4, 5]) send.sendNowait(n);
      send.close();
      const readable = toNodeReadable(receive, { highWaterMark: 2 });
      readable.read(0);
      await turns(5);
      expect(readable.readableLength).toBe(2);
      expect(receive.statistics().currentBufferUsed).toBe(3);
      const eager = toNodeReadable(receive, { highWaterMark: Infinity });
      eager.read(0);
      await turns(5);
      expect(eager.readableLength).toBe(3);
      expect(receive.statistics().currentBufferUsed).toBe(0);
    }),
  );

  test(
    'a sender feels the backpressure of a pipeline',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const { writable, begun, proceed } = sink();
      let sent = 0;
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          for (; sent < 20; sent++) await send.send(sent);
          send.close();
        });
        const done = pipeline(toNodeReadable(receive), writable);
        while (begun.length < 20) {
          // One is written, one may be under way.
          expect(sent).toBeLessThanOrEqual(begun.length + 2);
          await proceed();
        }
        await proceed();
        await done;
      });
      expect(begun).toEqual(Array.from({ length: 20 }, (_, n) => n));
    }),
  );

  test(
    'destroying it cancels the pending receive() and closes the stream',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const readable = toNodeReadable(receive);
      readable.read(0);
      await waitAllTasksBlocked();
      expect(receive.statistics().tasksWaitingReceive).toBe(1);
      readable.destroy();
      await once(readable, 'close');
      expect(receive.statistics()).toMatchObject({ tasksWaitingReceive: 0, openReceiveStreams: 0 });
      expect(await errorOf(send.send(1))).toBeInstanceOf(BrokenResourceError);

      const [, other] = createMemoryObjectStream<number>();
      const failing = toNodeReadable(other);
      const failure = new Error('enough');
      failing.read(0);
      const failed = once(failing, 'error');
      failing.destroy(failure);
      expect(await failed).toEqual([failure]);
      expect(other.statistics()).toMatchObject({ tasksWaitingReceive: 0, openReceiveStreams: 0 });
    }),
  );

  test(
    'passes on an error of the stream as it is, and closes it',
    virtualTime(async () => {
      const failure = new Error('broken wire');
      const [, receive] = createMemoryObjectStream<number>();
      receive.receive = () => Promise.reject(failure);
      expect(await errorOf(collect(toNodeReadable(receive)))).toBe(failure);
      expect(receive.statistics().openReceiveStreams).toBe(0);

      const closing = new Error('cannot close');
      const [send, other] = createMemoryObjectStream<number>();
      send.close();
      other.aclose = () => Promise.reject(closing);
      const readable = toNodeReadable(other);
      const failed = once(readable, 'error');
      readable.resume();
      expect(await failed).toEqual([closing]);
    }),
  );

  test(
    'waits in the scope in which it was made: its cancellation fails it',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const scope = new CancelScope();
      await taskGroup(async (tg) => {
        let readable: Readable | undefined;
        tg.startSoon(() =>
          scope.run(async () => {
            readable = toNodeReadable(receive);
            await sleepForever();
          }),
        );
        await waitAllTasksBlocked();
        const reading = errorOf(collect(readable!));
        await waitAllTasksBlocked();
        expect(receive.statistics().tasksWaitingReceive).toBe(1);
        scope.cancel('enough');
        expect(receive.statistics().tasksWaitingReceive).toBe(0);
        expect(await reading).toMatchObject({ name: 'Cancelled', reason: 'enough' });
        expect(await errorOf(send.send(1))).toBeInstanceOf(BrokenResourceError);
      });
    }),
  );

  test(
    'a signal that is given fails it with its reason',
    virtualTime(async () => {
      const [, receive] = createMemoryObjectStream<number>();
      const foreign = new AbortController();
      const reading = errorOf(collect(toNodeReadable(receive, { signal: foreign.signal })));
      await waitAllTasksBlocked();
      const reason = new Error('enough');
      foreign.abort(reason);
      expect(await reading).toBe(reason);
      expect(listeners(foreign.signal)).toBe(0);
    }),
  );

  test(
    'an item that is null fails it, since to Node that would be the end',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number | null>(2);
      send.sendNowait(1);
      send.sendNowait(null);
      const error = await errorOf(collect(toNodeReadable(receive)));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/an item is null/);
    }),
  );

  test(
    'of a byte stream is one of bytes, and an empty chunk does not stop it',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<Uint8Array>(9);
      for (const text of ['tea', ' for', ' two']) send.sendNowait(bytes(text));
      send.close();
      const readable = toNodeReadable(new BufferedByteReceiveStream(receive));
      expect(readable.readableObjectMode).toBe(false);
      expect((await collect(readable)).map(String).join('')).toBe('tea for two');

      const [more, other] = createMemoryObjectStream<Uint8Array>(9);
      for (const text of ['', 'tea', '', '', 'milk']) more.sendNowait(bytes(text));
      more.close();
      const chunks = await collect(toNodeReadable(other, { objectMode: false }));
      expect(chunks.map(String).join('')).toBe('teamilk');
    }),
  );

  test('refuses what is no stream, and bad options', () => {
    const [, receive] = createMemoryObjectStream<number>();
    expect(() => toNodeReadable({} as never)).toThrow(TypeError);
    for (const options of [null, { objectMode: 1 }, { highWaterMark: '1' }, { signal: 'abort' }]) {
      expect(() => toNodeReadable(receive, options as never)).toThrow(TypeError);
    }
    expect(() => toNodeReadable(receive, { highWaterMark: -1 })).toThrow(RangeError);
  });
});

describe('over a network', () => {
  async function listening<S extends { listen(port: number, host: string, then: () => void): unknown }>(
    server: S & { address(): AddressInfo | string | null; close(then: () => void): unknown },
    body: (port: number) => Promise<void>,
  ): Promise<void> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await body((server.address() as AddressInfo).port);
    } finally {
      await new Promise<void>((resolve) => server.close(resolve));
    }
  }

  test('a request is read and a response written, as large as they may be', async () => {
    const chunk = 'x'.repeat(10_000);
    let received = 0;
    const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
      await using body = fromNodeReadable(incoming);
      await using answer = fromNodeWritable(outgoing);
      for await (const piece of body) {
        received += piece.length;
        await answer.send(piece);
      }
    };
    const failures: unknown[] = [];
    const server = createServer((incoming, outgoing) => {
      handle(incoming, outgoing).catch((error: unknown) => failures.push(error));
    });
    await listening(server, async (port) => {
      const outgoing = request({ port, host: '127.0.0.1', method: 'POST', agent: false });
      const responded = once(outgoing, 'response') as Promise<[IncomingMessage]>;
      const send = fromNodeWritable(outgoing);
      const [, total] = await all([
        async () => {
          for (let n = 0; n < 200; n++) await send.send(chunk);
          await send.aclose();
        },
        async () => {
          const [response] = await responded;
          let length = 0;
          for await (const piece of fromNodeReadable(response)) length += piece.length;
          return length;
        },
      ]);
      expect(received).toBe(200 * chunk.length);
      expect(total).toBe(200 * chunk.length);
    });
    expect(failures).toEqual([]);
  });

  test.each(['the scope of the stream', 'a scope around the closing'])(
    'a response that is complete is closed, although its close cancels %s',
    async (which) => {
      const outcomes: unknown[] = [];
      const server = createServer((_incoming, outgoing) => {
        const scope = new CancelScope();
        outgoing.once('close', () => scope.cancel('the client is gone'));
        const answer = async (): Promise<void> => {
          const send = fromNodeWritable<string>(outgoing);
          await send.send('the answer');
          if (which === 'the scope of the stream') await send.aclose();
          else await scope.run(() => send.aclose());
          outcomes.push('closed', scope.cancelCalled, scope.cancelledCaught);
        };
        const answered = which === 'the scope of the stream' ? scope.run(answer) : answer();
        answered.catch((error: unknown) => outcomes.push(error));
      });
      await listening(server, async (port) => {
        const outgoing = request({ port, host: '127.0.0.1', agent: false }).end();
        const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
        expect((await collect(fromNodeReadable(response))).map(textOf).join('')).toBe('the answer');
      });
      expect(outcomes).toEqual(['closed', true, false]);
    },
  );

  test('cancelling a scope ends the connection that it reads', async () => {
    const server = createServer((_incoming, outgoing) => outgoing.write('the beginning'));
    await listening(server, async (port) => {
      const outgoing = request({ port, host: '127.0.0.1', agent: false }).end();
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      const scope = new CancelScope();
      await scope.run(async () => {
        const text = new TextReceiveStream(fromNodeReadable(response));
        expect(await text.receive()).toBe('the beginning');
        queueMicrotask(() => scope.cancel());
        await text.receive();
      });
      expect(scope.cancelledCaught).toBe(true);
      // Or else the server would not close.
      expect(response.destroyed).toBe(true);
    });
  });

  test('a socket is read and written, and is closed as a whole', async () => {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => {
      sockets.push(socket);
      socket.pipe(socket);
    });
    await listening(server, async (port) => {
      const socket = connect(port, '127.0.0.1');
      const stream = new BufferedByteStream(
        new StapledObjectStream<Uint8Array>(fromNodeWritable(socket), fromNodeReadable(socket)),
      );
      await stream.send(bytes('hello\nworld\n'));
      expect(textOf(await stream.receiveUntil('\n', 100))).toBe('hello');
      await stream.sendEof();
      expect(textOf(await stream.receiveExactly(6))).toBe('world\n');
      expect(await errorOf(stream.receive())).toBeInstanceOf(EndOfStream);
      await stream.aclose();
      expect(socket.destroyed).toBe(true);
      expect(listenersOf(socket)['error']).toBe(undefined);
    });
  });

  test('a connection that is reset is an error as it is', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.resetAndDestroy());
    });
    await listening(server, async (port) => {
      const socket = connect(port, '127.0.0.1');
      const stream = new StapledObjectStream<Uint8Array>(fromNodeWritable(socket), fromNodeReadable(socket));
      await stream.send(bytes('hello'));
      const error = await errorOf(stream.receive());
      expect(error).toMatchObject({ code: 'ECONNRESET' });
      expect(await errorOf(stream.send(bytes('world')))).toBe(error);
      await stream.aclose();
    });
  });
});

test('in a bundle for browsers nothing of Node is imported, and toNodeReadable() says what to do', async () => {
  const file = join(folder, 'browser.mjs');
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL('index.ts', import.meta.url))],
    bundle: true,
    outfile: file,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['browser', '@taskscope/source'],
    metafile: true,
    logLevel: 'silent',
  });
  expect(Object.values(metafile.outputs).flatMap((output) => output.imports)).toEqual([]);
  const streams = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as typeof Streams;
  const [send, receive] = streams.createMemoryObjectStream<string>(1);
  let thrown: unknown;
  try {
    streams.toNodeReadable(receive);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({
    name: new InvalidStateError('').name,
    message:
      'toNodeReadable(): this platform has no node:stream. Use toReadableStream(), which works everywhere',
  });
  // The others work on any stream that can do what they need.
  const written: unknown[] = [];
  const writable = new Writable({
    objectMode: true,
    write(item, _encoding, done) {
      written.push(item);
      done();
    },
  });
  const toNode = streams.fromNodeWritable<string>(writable);
  await toNode.send('tea');
  await toNode.aclose();
  expect(written).toEqual(['tea']);
  expect(await collect(streams.fromNodeReadable<string>(Readable.from(['tea', 'milk'])))).toEqual([
    'tea',
    'milk',
  ]);
  send.sendNowait('tea');
  expect(await receive.receive()).toBe('tea');
});
