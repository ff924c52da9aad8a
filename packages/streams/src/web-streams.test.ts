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
import { describe, expect, expectTypeOf, test } from 'vitest';

import { errorOf, listeners, turns, unhandledRejections } from '../../core/src/observing.fixture.js';
import { bytes, collect, textOf } from './bytes.fixture.js';
import {
  BufferedByteReceiveStream,
  createMemoryObjectStream,
  fromReadableStream,
  fromWritableStream,
  toReadableStream,
  toWritableStream,
  type ObjectReceiveStream,
  type ObjectSendStream,
} from './index.js';

/** A web stream that counts how often it was pulled, and is fed by the test. It buffers nothing by itself. */
function source(): {
  readable: ReadableStream<number>;
  controller: ReadableStreamDefaultController<number>;
  pulls: () => number;
  cancelled: unknown[];
} {
  let controller: ReadableStreamDefaultController<number>;
  let pulls = 0;
  const cancelled: unknown[] = [];
  const readable = new ReadableStream<number>(
    {
      start: (each) => void (controller = each),
      pull: () => void pulls++,
      cancel: (reason) => void cancelled.push(reason),
    },
    { highWaterMark: 0 },
  );
  return { readable, controller: controller!, pulls: () => pulls, cancelled };
}

/** A web stream that gives 1, 2, 3, … to whoever asks. */
function counting(end = Infinity): { readable: ReadableStream<number>; pulls: () => number } {
  let n = 0;
  const readable = new ReadableStream<number>(
    {
      pull(controller) {
        if (n < end) controller.enqueue(++n);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return { readable, pulls: () => n };
}

describe('fromReadableStream()', () => {
  test(
    'receives what comes, until the end, and then releases the lock',
    virtualTime(async () => {
      const { readable } = counting(3);
      const receive = fromReadableStream(readable);
      expectTypeOf(receive).toEqualTypeOf<ObjectReceiveStream<number>>();
      expect(readable.locked).toBe(true);
      expect(await collect(receive)).toEqual([1, 2, 3]);
      expect(readable.locked).toBe(false);
      expect(await errorOf(receive.receive())).toBeInstanceOf(EndOfStream);
      expect(await collect(receive)).toEqual([]);
    }),
  );

  test(
    'reads nothing that nobody has asked for',
    virtualTime(async () => {
      const { readable, pulls } = counting();
      const receive = fromReadableStream(readable);
      await sleep(1);
      expect(pulls()).toBe(0);
      for (let n = 1; n <= 3; n++) {
        expect(await receive.receive()).toBe(n);
        await sleep(1);
        expect(pulls()).toBe(n);
      }
      await receive.aclose();
    }),
  );

  test(
    'serves receivers in the order in which they asked',
    virtualTime(async () => {
      const { readable, pulls } = counting(3);
      const receive = fromReadableStream(readable);
      const receiving = Array.from({ length: 5 }, () => receive.receive().catch((error: unknown) => error));
      const [first, second, third, fourth, fifth] = await Promise.all(receiving);
      expect([first, second, third]).toEqual([1, 2, 3]);
      expect(fourth).toBeInstanceOf(EndOfStream);
      expect(fifth).toBeInstanceOf(EndOfStream);
      expect(pulls()).toBe(3);
    }),
  );

  test(
    'refuses to receive in a scope that is cancelled, and reads nothing',
    virtualTime(async () => {
      const { readable, pulls } = source();
      const receive = fromReadableStream(readable);
      await new CancelScope().run(async (scope) => {
        scope.cancel('before');
        expect(await errorOf(receive.receive())).toMatchObject({ name: 'Cancelled', reason: 'before' });
      });
      await sleep(1);
      expect(pulls()).toBe(0);
      expect(readable.locked).toBe(true);
      await receive.aclose();
    }),
  );

  test(
    'a receive() that is cancelled keeps its chunk for the next, and the stream goes on',
    virtualTime(async () => {
      const { readable, controller, pulls, cancelled } = source();
      const receive = fromReadableStream(readable);
      expect(await moveOnAfter(5, () => receive.receive())).toBe(undefined);
      expect(pulls()).toBe(1);
      controller.enqueue(1);
      await sleep(1);
      expect(await receive.receive()).toBe(1);
      // The chunk that was kept was not paid for with another read.
      expect(pulls()).toBe(1);
      const next = receive.receive();
      await sleep(1);
      expect(pulls()).toBe(2);
      controller.enqueue(2);
      expect(await next).toBe(2);
      expect(cancelled).toEqual([]);
      await receive.aclose();
    }),
  );

  test(
    'the read of a receive() that was cancelled serves the next one',
    virtualTime(async () => {
      const { readable, controller, pulls } = source();
      const receive = fromReadableStream(readable);
      await moveOnAfter(5, () => receive.receive());
      const [second, third] = [receive.receive(), receive.receive()];
      controller.enqueue(1);
      expect(await second).toBe(1);
      controller.enqueue(2);
      expect(await third).toBe(2);
      expect(pulls()).toBe(2);
      await receive.aclose();
    }),
  );

  test(
    'a receive() that is cancelled right after it has got something keeps that',
    virtualTime(async () => {
      const { readable, controller } = source();
      const receive = fromReadableStream(readable);
      const scope = new CancelScope();
      let got: unknown;
      await scope.run(async () => {
        const receiving = receive.receive();
        controller.enqueue(1);
        // The read resolves, and with it the wait.
        const cancelling = receiving.then(() => scope.cancel());
        got = await receiving;
        await cancelling;
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
      const { readable, controller } = source();
      const receive = fromReadableStream(readable);
      const foreign = new AbortController();
      const receiving = receive.receive({ signal: foreign.signal });
      expect(listeners(foreign.signal)).toBe(1);
      const reason = new Error('enough');
      foreign.abort(reason);
      expect(await errorOf(receiving)).toBe(reason);
      expect(listeners(foreign.signal)).toBe(0);
      expect(await errorOf(receive.receive({ signal: foreign.signal }))).toBe(reason);
      controller.enqueue(1);
      expect(await receive.receive()).toBe(1);
      await receive.aclose();
    }),
  );

  test(
    'passes on an error of the stream as it is, again and again, and releases the lock',
    virtualTime(async () => {
      const { readable, controller } = source();
      const receive = fromReadableStream(readable);
      const failure = new Error('broken wire');
      const waiting = [receive.receive(), receive.receive()].map(errorOf);
      controller.error(failure);
      expect(await Promise.all(waiting)).toEqual([failure, failure]);
      expect(await errorOf(receive.receive())).toBe(failure);
      expect(await errorOf(collect(receive))).toBe(failure);
      expect(readable.locked).toBe(false);
      await receive.aclose();
    }),
  );

  test(
    'an error that comes to a receive() that was cancelled is told to the next',
    virtualTime(async () => {
      const { readable, controller } = source();
      const receive = fromReadableStream(readable);
      const failure = new Error('broken wire');
      await moveOnAfter(1, () => receive.receive());
      controller.error(failure);
      await sleep(1);
      expect(await errorOf(receive.receive())).toBe(failure);
    }),
  );

  test(
    'aclose() cancels the stream, releases the lock and ends the waits',
    virtualTime(async () => {
      const { readable, cancelled } = source();
      const receive = fromReadableStream(readable);
      const closed = new ClosedResourceError('fromReadableStream().receive(): this stream is closed');
      await taskGroup(async (tg) => {
        for (let n = 0; n < 2; n++) {
          tg.startSoon(async () => expect(await errorOf(receive.receive())).toEqual(closed));
        }
        await waitAllTasksBlocked();
        await receive.aclose();
        expect(readable.locked).toBe(false);
      });
      expect(cancelled).toEqual([undefined]);
      await receive.aclose();
      expect(cancelled).toEqual([undefined]);
      expect(await errorOf(receive.receive())).toEqual(closed);
    }),
  );

  test(
    'aclose() waits until the stream has stopped, and passes on its error once',
    virtualTime(async () => {
      const failure = new Error('cannot stop');
      let hasStopped = false;
      const readable = new ReadableStream({
        async cancel() {
          await sleep(10);
          hasStopped = true;
          throw failure;
        },
      });
      const receive = fromReadableStream(readable);
      expect(await errorOf(receive.aclose())).toBe(failure);
      expect(hasStopped).toBe(true);
      await receive.aclose();
    }),
  );

  test(
    'aclose() in a scope that is cancelled waits, but not for ever',
    virtualTime(async (clock) => {
      const readable = new ReadableStream({ cancel: () => new Promise(() => {}) });
      await new CancelScope().run(async (scope) => {
        const receive = fromReadableStream(readable);
        scope.cancel();
        await receive.aclose();
      });
      expect(readable.locked).toBe(false);
      expect(clock.now()).toBe(5_000);
    }),
  );

  test(
    'leaving a loop early closes nothing, `await using` does',
    virtualTime(async () => {
      const { readable } = counting();
      {
        await using receive = fromReadableStream(readable);
        for await (const n of receive) if (n === 2) break;
        expect(await receive.receive()).toBe(3);
        expect(readable.locked).toBe(true);
      }
      expect(readable.locked).toBe(false);
    }),
  );

  test(
    'the cancellation of the scope in which it was made cancels the stream and releases the lock',
    virtualTime(async () => {
      const { readable, cancelled } = source();
      const scope = new CancelScope();
      let receive: ObjectReceiveStream<number> | undefined;
      await scope.run(async () => {
        receive = fromReadableStream(readable);
        const receiving = errorOf(receive.receive());
        scope.cancel('enough');
        expect(readable.locked).toBe(false);
        const error = await receiving;
        expect(error).toMatchObject({ name: 'Cancelled', reason: 'enough' });
        expect(cancelled).toEqual([error]);
        expect(await shield(() => errorOf(receive!.receive()))).toBeInstanceOf(ClosedResourceError);
        throw error;
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(await errorOf(receive!.receive())).toBeInstanceOf(ClosedResourceError);
    }),
  );

  test(
    'so does a scope around that, but not one within',
    virtualTime(async () => {
      const { readable, cancelled } = source();
      await moveOnAfter(20, async () => {
        const receive = fromReadableStream(readable);
        await moveOnAfter(10, () => receive.receive());
        expect(readable.locked).toBe(true);
        await receive.receive();
      });
      expect(readable.locked).toBe(false);
      expect(cancelled).toEqual([expect.any(Cancelled)]);
    }),
  );

  test(
    'who waits for it elsewhere is told that it is closed, not that it is cancelled',
    virtualTime(async () => {
      const { readable } = source();
      const owner = new CancelScope();
      await taskGroup(async (tg) => {
        let receive: ObjectReceiveStream<number> | undefined;
        tg.startSoon(() =>
          owner.run(async () => {
            receive = fromReadableStream(readable);
            await sleepForever();
          }),
        );
        await waitAllTasksBlocked();
        const waiting = errorOf(receive!.receive());
        await waitAllTasksBlocked();
        owner.cancel();
        expect(await waiting).toBeInstanceOf(ClosedResourceError);
      });
    }),
  );

  test(
    'is closed at once in a scope that is cancelled already',
    virtualTime(async () => {
      const { readable, cancelled } = source();
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        const receive = fromReadableStream(readable);
        expect(readable.locked).toBe(false);
        expect(cancelled).toHaveLength(1);
        expect(await errorOf(receive.receive())).toBeInstanceOf(Cancelled);
      });
    }),
  );

  test(
    'a signal that is given closes it, too, and is the default of its waits',
    virtualTime(async () => {
      const { readable, cancelled } = source();
      const foreign = new AbortController();
      const receive = fromReadableStream(readable, { signal: foreign.signal });
      const waiting = [receive.receive(), receive[Symbol.asyncIterator]().next()].map(errorOf);
      const reason = new Error('enough');
      foreign.abort(reason);
      expect(await Promise.all(waiting)).toEqual([reason, reason]);
      expect(cancelled).toEqual([reason]);
      expect(readable.locked).toBe(false);
      expect(listeners(foreign.signal)).toBe(0);
    }),
  );

  test(
    'has one listener on the signal of its scope, however many there are, and none when all are over',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(async () => {
        const ended = fromReadableStream(counting(1).readable);
        const failing = source();
        const failed = fromReadableStream(failing.readable);
        const closed = fromReadableStream(source().readable);
        expect(listeners(scope.signal)).toBe(1);
        expect(await collect(ended)).toEqual([1]);
        expect(listeners(scope.signal)).toBe(1);
        failing.controller.error(new Error('broken wire'));
        await errorOf(failed.receive());
        expect(listeners(scope.signal)).toBe(1);
        await closed.aclose();
        expect(listeners(scope.signal)).toBe(0);
      });
    }),
  );

  test('refuses a stream that is locked, and what is none', () => {
    const { readable } = source();
    const reader = readable.getReader();
    expect(() => fromReadableStream(readable)).toThrow(InvalidStateError);
    reader.releaseLock();
    for (const bad of [null, undefined, {}, 'stream', new WritableStream()]) {
      expect(() => fromReadableStream(bad as never)).toThrow(TypeError);
      expect(() => fromReadableStream(bad as never)).toThrow(
        /^fromReadableStream\(\): readable must be a ReadableStream, got /,
      );
    }
    for (const options of [null, 42, { signal: 'abort' }]) {
      expect(() => fromReadableStream(readable, options as never)).toThrow(TypeError);
      expect(readable.locked).toBe(false);
    }
  });

  test('nothing is heard of what nobody looks at', async () => {
    const rejections = await unhandledRejections(() =>
      run(
        async () => {
          const failing = source();
          const receive = fromReadableStream(failing.readable);
          await new CancelScope().run(async (scope) => {
            const stuck = new ReadableStream({ cancel: () => Promise.reject(new Error('cannot stop')) });
            const inside = fromReadableStream(stuck);
            void inside.receive();
            void receive.receive();
            void receive[Symbol.asyncIterator]().next();
            scope.cancel();
            void receive.receive();
          });
          failing.controller.error(new Error('broken wire'));
          await sleep(1);
        },
        { clock: new MockClock({ autojump: true }) },
      ),
    );
    expect(rejections).toEqual([]);
  });

  test(
    'a virtual clock takes its wait for no deadlock',
    virtualTime(async () => {
      const { readable, controller } = source();
      const receive = fromReadableStream(readable);
      setTimeout(() => controller.enqueue(1), 5);
      expect(await receive.receive()).toBe(1);
      await receive.aclose();
    }),
  );
});

describe('toReadableStream()', () => {
  test(
    'gives what is received, until the end',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(3);
      for (const n of [1, 2, 3]) send.sendNowait(n);
      send.close();
      const readable = toReadableStream(receive);
      expectTypeOf(readable).toEqualTypeOf<ReadableStream<number>>();
      expect(await collect(readable)).toEqual([1, 2, 3]);
      expect(await errorOf(receive.receive())).toBeInstanceOf(ClosedResourceError);
    }),
  );

  test(
    'receives nothing that nobody reads',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(3);
      for (const n of [1, 2, 3]) send.sendNowait(n);
      const reader = toReadableStream(receive).getReader();
      await sleep(1);
      expect(receive.statistics().currentBufferUsed).toBe(3);
      expect(await reader.read()).toEqual({ done: false, value: 1 });
      await sleep(1);
      expect(receive.statistics().currentBufferUsed).toBe(2);
    }),
  );

  test(
    'buffers as much as its strategy says',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(9);
      for (const word of ['a', 'bb', 'ccc', 'dddd']) send.sendNowait(word);
      const readable = toReadableStream(receive, { highWaterMark: 3, size: (word) => word.length });
      await sleep(1);
      expect(receive.statistics().currentBufferUsed).toBe(2);
      await readable.cancel();
      expect(() => toReadableStream(receive, { highWaterMark: -1 })).toThrow(RangeError);
    }),
  );

  test(
    'a sender feels the backpressure of the reader',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      let sent = 0;
      await taskGroup(async (tg) => {
        tg.startService(async () => {
          for (;;) {
            await send.send(sent);
            sent++;
          }
        });
        const reader = toReadableStream(receive).getReader();
        for (let n = 0; n < 3; n++) {
          await waitAllTasksBlocked();
          expect(sent).toBe(n);
          expect(await reader.read()).toEqual({ done: false, value: n });
        }
        await reader.cancel();
      }).catch((error: unknown) => {
        // The sender has nobody left.
        expect((error as AggregateError).errors).toEqual([expect.any(BrokenResourceError)]);
      });
      expect(sent).toBe(3);
    }),
  );

  test(
    'cancelling it cancels the pending receive() and closes the stream',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const readable = toReadableStream(receive);
      const reader = readable.getReader();
      const reading = reader.read();
      await waitAllTasksBlocked();
      expect(receive.statistics().tasksWaitingReceive).toBe(1);
      await reader.cancel(new Error('enough'));
      expect(receive.statistics()).toMatchObject({ tasksWaitingReceive: 0, openReceiveStreams: 0 });
      expect(await reading).toEqual({ done: true, value: undefined });
      expect(await errorOf(send.send(1))).toBeInstanceOf(BrokenResourceError);
    }),
  );

  test(
    'cancelling it tells the stream below, whatever that is',
    virtualTime(async () => {
      const { readable, cancelled, pulls } = source();
      const around = toReadableStream(fromReadableStream(readable));
      const reader = around.getReader();
      void reader.read();
      await sleep(1);
      expect(pulls()).toBe(1);
      await reader.cancel('enough');
      expect(cancelled).toHaveLength(1);
      expect(readable.locked).toBe(false);
    }),
  );

  test(
    'passes on an error of the stream as it is, and closes it',
    virtualTime(async () => {
      const { readable, controller } = source();
      const failure = new Error('broken wire');
      const reader = toReadableStream(fromReadableStream(readable)).getReader();
      const reading = errorOf(reader.read());
      controller.error(failure);
      expect(await reading).toBe(failure);
      const [, receive] = createMemoryObjectStream<number>();
      receive.receive = () => Promise.reject(failure);
      expect(await errorOf(collect(toReadableStream(receive)))).toBe(failure);
      expect(receive.statistics().openReceiveStreams).toBe(0);
    }),
  );

  test(
    'waits in the scope in which it was made: its cancellation is what the reader gets',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const scope = new CancelScope();
      let reading: Promise<unknown> | undefined;
      await taskGroup(async (tg) => {
        let readable: ReadableStream<number> | undefined;
        tg.startSoon(() =>
          scope.run(async () => {
            readable = toReadableStream(receive);
            await sleepForever();
          }),
        );
        await waitAllTasksBlocked();
        // Read from elsewhere.
        const reader = readable!.getReader();
        reading = errorOf(reader.read());
        await waitAllTasksBlocked();
        expect(receive.statistics().tasksWaitingReceive).toBe(1);
        scope.cancel('enough');
        expect(receive.statistics().tasksWaitingReceive).toBe(0);
        expect(await reading).toMatchObject({ name: 'Cancelled', reason: 'enough' });
        expect(await errorOf(reader.read())).toBeInstanceOf(Cancelled);
        expect(await errorOf(send.send(1))).toBeInstanceOf(BrokenResourceError);
      });
    }),
  );

  test(
    'fails its reader also when that scope was cancelled between two reads, and has been left',
    virtualTime(async () => {
      const [, receive] = createMemoryObjectStream<number>();
      const [send] = createMemoryObjectStream<number>();
      const scope = new CancelScope();
      const streams = await taskGroup((tg) =>
        tg
          .startSoon(async () => {
            let made: [ReadableStream<number>, WritableStream<number>] | undefined;
            await scope.run(async () => {
              made = [toReadableStream(receive), toWritableStream(send)];
              scope.cancel('enough');
              await checkpoint();
            });
            return made!;
          })
          .result(),
      );
      const [readable, writable] = streams!;
      const enough = { name: 'Cancelled', reason: 'enough' };
      expect(await errorOf(readable.getReader().read())).toMatchObject(enough);
      expect(await errorOf(writable.getWriter().write(1))).toMatchObject(enough);
      expect(receive.statistics().openReceiveStreams + send.statistics().openSendStreams).toBe(0);
      expect(listeners(scope.signal)).toBe(0);
    }),
  );

  test(
    'is not cancelled with the scope in which it is read',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const reader = toReadableStream(receive).getReader();
      let reading: ReturnType<typeof reader.read> | undefined;
      await new CancelScope().run(async (scope) => {
        reading = reader.read();
        await sleep(1);
        scope.cancel();
      });
      await send.send(1);
      expect(await reading).toEqual({ done: false, value: 1 });
      await reader.cancel();
    }),
  );

  test(
    'a signal that is given ends it with its reason',
    virtualTime(async () => {
      const [, receive] = createMemoryObjectStream<number>();
      const foreign = new AbortController();
      const reading = errorOf(
        toReadableStream(receive, undefined, { signal: foreign.signal }).getReader().read(),
      );
      await waitAllTasksBlocked();
      const reason = new Error('enough');
      foreign.abort(reason);
      expect(await reading).toBe(reason);
      expect(listeners(foreign.signal)).toBe(0);
    }),
  );

  test(
    'reads byte streams, too',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<Uint8Array>(2);
      send.sendNowait(bytes('tea for two'));
      send.close();
      const buffered = new BufferedByteReceiveStream(receive);
      await buffered.receiveExactly(4);
      const readable = toReadableStream(buffered);
      expectTypeOf(readable).toEqualTypeOf<ReadableStream<Uint8Array>>();
      expect((await collect(readable)).map(textOf)).toEqual(['for two']);
    }),
  );

  test('refuses what is no stream, and bad options', () => {
    const [, receive] = createMemoryObjectStream<number>();
    expect(() => toReadableStream({} as never)).toThrow(
      'toReadableStream(): receive must be a stream with receive(), got an object',
    );
    expect(() => toReadableStream(receive, undefined, null as never)).toThrow(TypeError);
    expect(() => toReadableStream(receive, { highWaterMark: NaN })).toThrow(RangeError);
  });

  test('nothing is heard of what nobody looks at', async () => {
    const rejections = await unhandledRejections(() =>
      new CancelScope().run(async (scope) => {
        const [, receive] = createMemoryObjectStream<number>();
        toReadableStream(receive, { highWaterMark: 1 });
        const [, other] = createMemoryObjectStream<number>();
        const reader = toReadableStream(other, { highWaterMark: 1 }).getReader();
        await turns();
        await reader.cancel();
        scope.cancel();
      }),
    );
    expect(rejections).toEqual([]);
  });
});

/** A web stream whose writes end when the test says so. */
function sink(strategy?: QueuingStrategy<number>): {
  writable: WritableStream<number>;
  begun: number[];
  /** Ends the write that is going on. */
  proceed: (error?: Error) => Promise<void>;
  closed: () => boolean;
  aborted: unknown[];
} {
  const begun: number[] = [];
  const aborted: unknown[] = [];
  let isClosed = false;
  let end: ((error?: Error) => void) | undefined;
  const writable = new WritableStream<number>(
    {
      write(n) {
        begun.push(n);
        return new Promise((resolve, reject) => {
          end = (error?: Error) => (error === undefined ? resolve() : reject(error));
        });
      },
      close: () => void (isClosed = true),
      abort: (reason) => void aborted.push(reason),
    },
    strategy,
  );
  return {
    writable,
    begun,
    async proceed(error) {
      end?.(error);
      await turns(3);
    },
    closed: () => isClosed,
    aborted,
  };
}

describe('fromWritableStream()', () => {
  test(
    'writes what is sent, and closes when it is closed',
    virtualTime(async () => {
      const written: number[] = [];
      let isClosed = false;
      const writable = new WritableStream<number>({
        write: (n) => void written.push(n),
        close: () => void (isClosed = true),
      });
      const send = fromWritableStream(writable);
      expectTypeOf(send).toEqualTypeOf<ObjectSendStream<number>>();
      expect(writable.locked).toBe(true);
      for (const n of [1, 2, 3]) await send.send(n);
      await send.aclose();
      expect(written).toEqual([1, 2, 3]);
      expect(isClosed).toBe(true);
      expect(writable.locked).toBe(false);
      expect(await errorOf(send.send(4))).toBeInstanceOf(ClosedResourceError);
      await send.aclose();
    }),
  );

  test(
    'waits until there is room, and serves senders in the order in which they asked',
    virtualTime(async () => {
      const { writable, begun, proceed } = sink();
      const send = fromWritableStream(writable);
      await send.send(1);
      const sent: number[] = [];
      for (const n of [2, 3, 4]) void send.send(n).then(() => sent.push(n));
      await turns();
      expect(sent).toEqual([]);
      expect(begun).toEqual([1]);
      for (const n of [2, 3, 4]) {
        await proceed();
        expect(sent.at(-1)).toBe(n);
        expect(begun.at(-1)).toBe(n);
      }
      await proceed();
      await send.aclose();
    }),
  );

  test(
    'fails who comes to send in the moment in which the stream does',
    virtualTime(async () => {
      let controller: WritableStreamDefaultController;
      const send = fromWritableStream(
        new WritableStream<number>({ start: (given) => void (controller = given) }),
      );
      await send.send(1);
      const failure = new Error('broken wire');
      controller!.error(failure);
      expect(await errorOf(send.send(2))).toBe(failure);
    }),
  );

  test(
    'has as much in flight as the strategy of the stream says',
    virtualTime(async () => {
      const { writable, begun, proceed } = sink({ highWaterMark: 3 });
      const send = fromWritableStream(writable);
      for (const n of [1, 2, 3]) await send.send(n);
      const fourth = moveOnAfter(1, () => send.send(4).then(() => 'sent'));
      expect(await fourth).toBe(undefined);
      await proceed();
      await proceed();
      await proceed();
      // The send that was cancelled has left nothing.
      expect(begun).toEqual([1, 2, 3]);
      await send.aclose();
    }),
  );

  test(
    'a send() that is cancelled before or during writes nothing',
    virtualTime(async () => {
      const { writable, begun, proceed } = sink();
      const send = fromWritableStream(writable);
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
      const send = fromWritableStream(writable);
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
      const send = fromWritableStream(writable);
      await send.send(1);
      const foreign = new AbortController();
      const sending = send.send(2, { signal: foreign.signal });
      expect(listeners(foreign.signal)).toBe(1);
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
    'passes on an error of the stream as it is to those who wait, and to later ones',
    virtualTime(async () => {
      const { writable, proceed } = sink();
      const send = fromWritableStream(writable);
      const failure = new Error('disk full');
      await send.send(1);
      const waiting = [send.send(2), send.send(3)].map(errorOf);
      await proceed(failure);
      expect(await Promise.all(waiting)).toEqual([failure, failure]);
      expect(await errorOf(send.send(4))).toBe(failure);
      expect(writable.locked).toBe(false);
      // It has been told.
      await send.aclose();
      expect(await errorOf(send.send(5))).toBeInstanceOf(ClosedResourceError);
    }),
  );

  test(
    'aclose() does not repeat an error of which somebody who waited has been told',
    virtualTime(async () => {
      const { writable, proceed } = sink();
      const send = fromWritableStream(writable);
      await send.send(1);
      const waiting = errorOf(send.send(2));
      const failure = new Error('disk full');
      await proceed(failure);
      expect(await waiting).toBe(failure);
      await send.aclose();
    }),
  );

  test(
    'aclose() passes on an error of which nobody has been told, once',
    virtualTime(async () => {
      const { writable, proceed } = sink();
      const send = fromWritableStream(writable);
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
      const { writable, proceed, closed } = sink();
      const send = fromWritableStream(writable);
      await send.send(1);
      const closing = send.aclose();
      const again = send.aclose();
      expect(await errorOf(send.send(2))).toEqual(
        new ClosedResourceError('fromWritableStream().send(): this stream is closed'),
      );
      await turns();
      expect(closed()).toBe(false);
      await proceed();
      await Promise.all([closing, again]);
      expect(closed()).toBe(true);
      expect(writable.locked).toBe(false);

      const failing = sink();
      const failed = fromWritableStream(failing.writable);
      await failed.send(1);
      const failure = new Error('disk full');
      const ending = errorOf(failed.aclose());
      await failing.proceed(failure);
      expect(await ending).toBe(failure);
      expect(failing.writable.locked).toBe(false);
    }),
  );

  test(
    'aclose() ends the waits of those who send',
    virtualTime(async () => {
      const { writable, begun, proceed } = sink();
      const send = fromWritableStream(writable);
      await send.send(1);
      const waiting = errorOf(send.send(2));
      const closing = send.aclose();
      expect(await waiting).toEqual(
        new ClosedResourceError('fromWritableStream().send(): this stream is closed'),
      );
      await proceed();
      await closing;
      expect(begun).toEqual([1]);
    }),
  );

  test(
    'aclose() that is cancelled aborts the stream',
    virtualTime(async () => {
      const { writable, aborted, closed, proceed } = sink();
      const send = fromWritableStream(writable);
      await send.send(1);
      const closing = errorOf(failAfter(10, () => send.aclose()));
      await sleep(11);
      expect(writable.locked).toBe(false);
      // The write that is going on cannot be interrupted.
      await proceed();
      expect(await closing).toBeInstanceOf(TimeoutError);
      expect(aborted).toEqual([expect.any(Cancelled)]);
      expect(closed()).toBe(false);
      await send.aclose();
    }),
  );

  test(
    'aclose() in a scope that is cancelled aborts the stream and says so; a disposer only aborts it',
    virtualTime(async () => {
      for (const how of ['aclose', 'dispose']) {
        let isOver = false;
        const { writable, aborted, closed } = sink();
        const send = fromWritableStream(writable);
        const scope = new CancelScope();
        await scope.run(async () => {
          scope.cancel();
          if (how === 'aclose') expect(await errorOf(send.aclose())).toBeInstanceOf(Cancelled);
          else await send[Symbol.asyncDispose]();
          isOver = true;
        });
        expect(isOver).toBe(true);
        expect(aborted).toEqual([expect.any(Cancelled)]);
        expect(closed()).toBe(false);
        expect(writable.locked).toBe(false);
      }
    }),
  );

  test(
    '`await using` closes it, and does not get in the way of a cancellation',
    virtualTime(async () => {
      const closing = sink();
      {
        await using _ = fromWritableStream(closing.writable);
      }
      expect(closing.closed()).toBe(true);

      const cancelling = sink();
      const scope = moveOnAfter(5);
      await scope.run(async () => {
        await using send = fromWritableStream(cancelling.writable);
        void send;
        await sleepForever();
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(cancelling.closed()).toBe(false);
      expect(cancelling.aborted).toHaveLength(1);
    }),
  );

  test(
    'the cancellation of the scope in which it was made aborts the stream and releases the lock',
    virtualTime(async () => {
      const { writable, aborted, proceed, begun } = sink();
      const scope = new CancelScope();
      let send: ObjectSendStream<number> | undefined;
      await scope.run(async () => {
        send = fromWritableStream(writable);
        await send.send(1);
        const sending = errorOf(send.send(2));
        scope.cancel('enough');
        expect(writable.locked).toBe(false);
        expect(await sending).toMatchObject({ name: 'Cancelled', reason: 'enough' });
        await proceed();
      });
      expect(aborted).toEqual([expect.any(Cancelled)]);
      expect(begun).toEqual([1]);
      expect(await errorOf(send!.send(3))).toBeInstanceOf(ClosedResourceError);
      await send!.aclose();
    }),
  );

  test(
    'who uses it elsewhere is told that it is closed or broken, not that it is cancelled',
    virtualTime(async () => {
      for (const use of ['send', 'aclose']) {
        const { writable, proceed } = sink();
        const owner = new CancelScope();
        await taskGroup(async (tg) => {
          let send: ObjectSendStream<number> | undefined;
          tg.startSoon(() =>
            owner.run(async () => {
              send = fromWritableStream(writable);
              await send.send(1);
              await sleepForever();
            }),
          );
          await waitAllTasksBlocked();
          const waiting = errorOf(use === 'send' ? send!.send(2) : send!.aclose());
          await waitAllTasksBlocked();
          owner.cancel();
          await proceed();
          expect(await waiting).toBeInstanceOf(use === 'send' ? ClosedResourceError : BrokenResourceError);
        });
      }
    }),
  );

  test(
    'a signal that is given aborts it, too, and leaves no listener',
    virtualTime(async () => {
      const { writable, aborted, proceed } = sink();
      const foreign = new AbortController();
      const send = fromWritableStream(writable, { signal: foreign.signal });
      await send.send(1);
      const sending = errorOf(send.send(2));
      const reason = new Error('enough');
      foreign.abort(reason);
      expect(await sending).toBe(reason);
      await proceed();
      expect(aborted).toEqual([reason]);
      expect(listeners(foreign.signal)).toBe(0);

      const { signal } = new AbortController();
      const closing = fromWritableStream(new WritableStream(), { signal });
      expect(listeners(signal)).toBe(1);
      await closing.aclose();
      expect(listeners(signal)).toBe(0);
      const failing = sink();
      const failed = fromWritableStream(failing.writable, { signal });
      await failed.send(1);
      await failing.proceed(new Error('disk full'));
      expect(listeners(signal)).toBe(0);
      await errorOf(failed.aclose());
    }),
  );

  test('refuses a stream that is locked, and what is none', () => {
    const { writable } = sink();
    const writer = writable.getWriter();
    expect(() => fromWritableStream(writable)).toThrow(InvalidStateError);
    writer.releaseLock();
    for (const bad of [null, undefined, {}, new ReadableStream()]) {
      expect(() => fromWritableStream(bad as never)).toThrow(TypeError);
    }
    expect(() => fromWritableStream(writable, null as never)).toThrow(TypeError);
    expect(writable.locked).toBe(false);
  });

  test('nothing is heard of what nobody looks at', async () => {
    const rejections = await unhandledRejections(() =>
      run(
        async () => {
          const failing = sink();
          const failed = fromWritableStream(failing.writable);
          await failed.send(1);
          await failing.proceed(new Error('disk full'));
          await new CancelScope().run(async (scope) => {
            const stuck = new WritableStream({ abort: () => Promise.reject(new Error('cannot stop')) });
            const stuck2 = new WritableStream({ write: () => new Promise(() => {}) });
            const send = fromWritableStream(stuck);
            await send.send(1);
            const other = fromWritableStream(stuck2);
            await other.send(1);
            void other.send(2);
            void send.aclose();
            scope.cancel();
            void send.send(3);
            void send.aclose();
          });
          await sleep(1);
        },
        { clock: new MockClock({ autojump: true }) },
      ),
    );
    expect(rejections).toEqual([]);
  });
});

describe('toWritableStream()', () => {
  test(
    'sends what is written, and closes when it is closed',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(9);
      const writable = toWritableStream(send);
      expectTypeOf(writable).toEqualTypeOf<WritableStream<number>>();
      const writer = writable.getWriter();
      for (const n of [1, 2, 3]) await writer.write(n);
      await writer.close();
      expect(await collect(receive)).toEqual([1, 2, 3]);
    }),
  );

  test(
    'the writer feels the backpressure of the stream',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const writer = toWritableStream(send).getWriter();
      await writer.ready;
      const writing = writer.write(1);
      let isReady = false;
      const ready = writer.ready.then(() => (isReady = true));
      await waitAllTasksBlocked();
      expect(isReady).toBe(false);
      expect(send.statistics().tasksWaitingSend).toBe(1);
      expect(await receive.receive()).toBe(1);
      await writing;
      await ready;
      await writer.close();
    }),
  );

  test(
    'aborting it cancels the pending send() and closes the stream',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const writer = toWritableStream(send).getWriter();
      const writing = errorOf(writer.write(1));
      await waitAllTasksBlocked();
      expect(send.statistics().tasksWaitingSend).toBe(1);
      const reason = new Error('enough');
      void writer.closed.catch(() => {});
      await writer.abort(reason);
      expect(await writing).toBe(reason);
      expect(send.statistics()).toMatchObject({ tasksWaitingSend: 0, openSendStreams: 0 });
      expect(await errorOf(receive.receive())).toBeInstanceOf(EndOfStream);
    }),
  );

  test(
    'passes on an error of the stream as it is, and closes it',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      receive.close();
      const writer = toWritableStream(send).getWriter();
      void writer.closed.catch(() => {});
      const error = await errorOf(writer.write(1));
      expect(error).toBeInstanceOf(BrokenResourceError);
      expect(await errorOf(writer.write(2))).toBe(error);
      expect(send.statistics().openSendStreams).toBe(0);

      const [failing] = createMemoryObjectStream<number>();
      const failure = new Error('cannot close');
      failing.aclose = () => Promise.reject(failure);
      const closing = toWritableStream(failing).getWriter();
      void closing.closed.catch(() => {});
      expect(await errorOf(closing.close())).toBe(failure);
    }),
  );

  test(
    'waits in the scope in which it was made: its cancellation is what the writer gets',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const scope = new CancelScope();
      await taskGroup(async (tg) => {
        let writable: WritableStream<number> | undefined;
        tg.startSoon(() =>
          scope.run(async () => {
            writable = toWritableStream(send);
            await sleepForever();
          }),
        );
        await waitAllTasksBlocked();
        const writer = writable!.getWriter();
        void writer.closed.catch(() => {});
        const writing = errorOf(writer.write(1));
        await waitAllTasksBlocked();
        scope.cancel('enough');
        expect(send.statistics().tasksWaitingSend).toBe(0);
        expect(await writing).toMatchObject({ name: 'Cancelled', reason: 'enough' });
        expect(await errorOf(receive.receive())).toBeInstanceOf(EndOfStream);
      });
    }),
  );

  test(
    'a signal that is given ends it with its reason',
    virtualTime(async () => {
      const [send] = createMemoryObjectStream<number>();
      const foreign = new AbortController();
      const writer = toWritableStream(send, { signal: foreign.signal }).getWriter();
      void writer.closed.catch(() => {});
      const writing = errorOf(writer.write(1));
      await waitAllTasksBlocked();
      const reason = new Error('enough');
      foreign.abort(reason);
      expect(await writing).toBe(reason);
      expect(listeners(foreign.signal)).toBe(0);
    }),
  );

  test('refuses what is no stream, and bad options', () => {
    const [send] = createMemoryObjectStream<number>();
    expect(() => toWritableStream({} as never)).toThrow(TypeError);
    expect(() => toWritableStream(send, null as never)).toThrow(TypeError);
  });
});

describe('the bridges together', () => {
  test(
    'carry items there and back',
    virtualTime(async () => {
      const items = Array.from({ length: 500 }, (_, n) => n);
      const [send, receive] = createMemoryObjectStream<number>();
      const [back, received] = createMemoryObjectStream<number>();
      const transform = new TransformStream<number, number>({
        transform: (n, controller) => controller.enqueue(n * 2),
      });
      const [, , result] = await all([
        async () => {
          for (const n of items) await send.send(n);
          send.close();
        },
        () => toReadableStream(receive).pipeThrough(transform).pipeTo(toWritableStream(back)),
        () => collect(received),
      ]);
      expect(result).toEqual(items.map((n) => n * 2));
    }),
  );

  test(
    'an error in the middle arrives at both ends',
    virtualTime(async () => {
      const failure = new Error('cannot transform');
      const [send, receive] = createMemoryObjectStream<number>();
      const transform = new TransformStream<number, number>({
        transform(n) {
          if (n === 2) throw failure;
        },
      });
      const errors = await all([
        () =>
          errorOf(
            (async () => {
              for (let n = 0; ; n++) await send.send(n);
            })(),
          ),
        () => errorOf(toReadableStream(receive).pipeTo(transform.writable)),
        () => errorOf(fromReadableStream(transform.readable).receive()),
      ]);
      expect(errors).toEqual([expect.any(BrokenResourceError), failure, failure]);
    }),
  );
});

test('receivers of a web stream, cancelled at every step: every item arrives once', async () => {
  const { waits } = await cancelEverywhere(() => {
    const receive = fromReadableStream(counting(6).readable);
    const received: number[] = [];
    const receiver = async (): Promise<void> => {
      for (let n = 0; n < 3; n++) received.push(await receive.receive());
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

test('senders into a web stream, cancelled at every step: what was sent is written, and nothing else', async () => {
  const { waits } = await cancelEverywhere(() => {
    const written: string[] = [];
    const sent: string[] = [];
    const send = fromWritableStream(
      new WritableStream<string>({
        async write(item) {
          await turns();
          written.push(item);
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

test('a pipe of bridges, cancelled at every step: both ends come to theirs', async () => {
  await cancelEverywhere(() => {
    const [send, receive] = createMemoryObjectStream<number>(Infinity);
    const sent: number[] = [];
    const received: number[] = [];
    return {
      tasks: [
        async () => {
          try {
            for (let n = 0; n < 3; n++) {
              await sleep(1);
              await send.send(n);
              sent.push(n);
            }
          } catch (error) {
            // The other end has gone.
            if (!(error instanceof BrokenResourceError)) throw error;
          } finally {
            send.close();
          }
        },
        async () => {
          await using items = fromReadableStream(toReadableStream(receive));
          for await (const n of items) received.push(n);
        },
      ],
      check(cancelled) {
        if (cancelled[1] === true) expect(sent.slice(0, received.length)).toEqual(received);
        else expect(received).toEqual(sent);
      },
    };
  });
});
