import {
  BrokenResourceError,
  CancelScope,
  ClosedResourceError,
  EndOfStream,
  taskGroup,
  WouldBlock,
  type WaitOptions,
} from '@taskscope/core';
import { chain } from '@taskscope/core/lowlevel';
import { cancelEverywhere, virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';

import { testCancellation } from '../../sync/src/cancellation.fixture.js';
import { errorOf, unhandledRejections } from '../../core/src/observing.fixture.js';
import { bytes, collect, textOf } from './bytes.fixture.js';
import {
  BufferedByteReceiveStream,
  createMemoryObjectStream,
  StapledByteStream,
  StapledObjectStream,
  type ByteReceiveStream,
  type ByteSendStream,
  type ByteStream,
  type MemoryObjectReceiveStream,
  type MemoryObjectSendStream,
  type ObjectReceiveStream,
  type ObjectSendStream,
  type ObjectStream,
} from './index.js';

/** What is sent into `stapled` comes out of `sent`, and what is sent into `toReceive` it receives. */
function staple(): {
  stapled: StapledObjectStream<string>;
  sent: MemoryObjectReceiveStream<string>;
  toReceive: MemoryObjectSendStream<string>;
} {
  const [send, sent] = createMemoryObjectStream<string>(10);
  const [toReceive, receive] = createMemoryObjectStream<string>(10);
  return { stapled: new StapledObjectStream(send, receive), sent, toReceive };
}

/** A stream that only has what the interfaces demand, and notes how it is closed. */
class Plain implements ObjectSendStream<unknown>, ObjectReceiveStream<unknown> {
  readonly closings: string[] = [];
  readonly error: Error | undefined;

  constructor(error?: Error) {
    this.error = error;
  }

  async send(): Promise<void> {}

  async receive(): Promise<unknown> {
    throw new EndOfStream('the end');
  }

  async aclose(): Promise<void> {
    this.closings.push('aclose');
    if (this.error !== undefined) throw this.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closings.push('dispose');
    if (this.error !== undefined) throw this.error;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    yield 'its own iteration';
  }
}

describe('a StapledObjectStream', () => {
  test(
    'sends into the one and receives from the other',
    virtualTime(async () => {
      const { stapled, sent, toReceive } = staple();
      await toReceive.send('hello');
      await toReceive.send('world');
      toReceive.close();
      expect(await stapled.receive()).toBe('hello');
      expect(await stapled.receive()).toBe('world');
      expect(await errorOf(stapled.receive())).toBeInstanceOf(EndOfStream);
      await stapled.send('how are you ');
      await stapled.send('today?');
      expect(await sent.receiveMany(10)).toEqual(['how are you ', 'today?']);
    }),
  );

  test('has its parts as properties, and may send one thing and receive another', () => {
    const [send] = createMemoryObjectStream<number>();
    const [, receive] = createMemoryObjectStream<string>();
    const stapled = new StapledObjectStream(send, receive);
    expect(stapled.sendStream).toBe(send);
    expect(stapled.receiveStream).toBe(receive);
    expectTypeOf(stapled).toEqualTypeOf<StapledObjectStream<number, string>>();
    expectTypeOf<StapledObjectStream<string>>().toExtend<ObjectStream<string>>();
  });

  test('does what its parts can do without waiting', () => {
    const { stapled, sent, toReceive } = staple();
    stapled.sendNowait('one');
    expect(stapled.trySend('two')).toBe(true);
    expect([sent.receiveNowait(), sent.receiveNowait()]).toEqual(['one', 'two']);
    expect(() => stapled.receiveNowait()).toThrow(WouldBlock);
    expect(stapled.tryReceive()).toEqual({ ok: false, ended: false });
    toReceive.sendNowait('three');
    toReceive.sendNowait('four');
    expect(stapled.receiveNowait()).toBe('three');
    expect(stapled.tryReceive()).toEqual({ ok: true, value: 'four' });
  });

  test('says so when its parts cannot do without waiting', () => {
    const stapled = new StapledObjectStream<unknown>(new Plain(), new Plain());
    for (const method of ['sendNowait', 'trySend', 'receiveNowait', 'tryReceive'] as const) {
      expect(() => stapled[method]('item')).toThrow(TypeError);
      expect(() => stapled[method]('item')).toThrow(
        `StapledObjectStream.${method}(): the stapled Plain has no ${method}()`,
      );
    }
  });

  test('says so also of parts that have no class', () => {
    const part = Object.assign(Object.create(null), { send() {}, receive() {} }) as Plain;
    expect(() => new StapledObjectStream<unknown>(part, part).sendNowait('item')).toThrow(
      /^StapledObjectStream\.sendNowait\(\): the stapled .* has no sendNowait\(\)$/,
    );
  });

  test('does not mask an error of a part that can', () => {
    const broken = new TypeError('nonexistent is not a function');
    const send = Object.assign(new Plain(), {
      sendNowait(): void {
        throw broken;
      },
    });
    const stapled = new StapledObjectStream<unknown>(send, new Plain());
    let thrown: unknown;
    try {
      stapled.sendNowait('hello');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBe(broken);
  });

  test(
    'is iterated as the one that is received from',
    virtualTime(async () => {
      const { stapled, toReceive } = staple();
      for (const item of ['a', 'b', 'c', 'd']) toReceive.sendNowait(item);
      for await (const item of stapled) if (item === 'b') break;
      toReceive.close();
      expect(await collect(stapled.values())).toEqual(['c', 'd']);
      expect(await collect(stapled)).toEqual([]);
      expect(await collect(new StapledObjectStream(new Plain(), new Plain()))).toEqual(['its own iteration']);
    }),
  );

  test(
    'sendEof() closes only the one that is sent into, and twice is once',
    virtualTime(async () => {
      const { stapled, sent, toReceive } = staple();
      toReceive.sendNowait('hello');
      await stapled.sendEof();
      await stapled.sendEof();
      expect(await errorOf(stapled.send('world'))).toBeInstanceOf(ClosedResourceError);
      expect(await errorOf(sent.receive())).toBeInstanceOf(EndOfStream);
      expect(await stapled.receive()).toBe('hello');
    }),
  );

  test(
    'aclose() closes both, and ends the waits on them',
    virtualTime(async () => {
      const { stapled, toReceive } = staple();
      await taskGroup(async (tg) => {
        tg.startSoon(async () =>
          expect(await errorOf(stapled.receive())).toBeInstanceOf(ClosedResourceError),
        );
        await waitAllTasksBlocked();
        await stapled.aclose();
      });
      expect(await errorOf(stapled.receive())).toBeInstanceOf(ClosedResourceError);
      expect(await errorOf(stapled.send('hello'))).toBeInstanceOf(ClosedResourceError);
      expect(toReceive.statistics().openReceiveStreams).toBe(0);
    }),
  );

  test(
    'aclose() closes both also in a scope that is cancelled',
    virtualTime(async () => {
      const { stapled, sent, toReceive } = staple();
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        await stapled.aclose();
      });
      expect(sent.statistics().openSendStreams).toBe(0);
      expect(toReceive.statistics().openReceiveStreams).toBe(0);
    }),
  );

  test('of `await using` disposes of both', async () => {
    const [send, receive] = [new Plain(), new Plain()];
    {
      await using _ = new StapledObjectStream(send, receive);
    }
    expect([send.closings, receive.closings]).toEqual([['dispose'], ['dispose']]);
  });

  test.each(['aclose', 'dispose'] as const)('%s closes the second although the first fails', async (how) => {
    const close = (stapled: StapledObjectStream<unknown>): Promise<void> =>
      how === 'aclose' ? stapled.aclose() : stapled[Symbol.asyncDispose]();
    const [first, second] = [new Error('first'), new Error('second')];
    const [failing, fine] = [new Plain(first), new Plain()];
    expect(await errorOf(close(new StapledObjectStream(failing, fine)))).toBe(first);
    expect(fine.closings).toEqual([how]);
    expect(await errorOf(close(new StapledObjectStream(new Plain(), new Plain(second))))).toBe(second);
    const both = await errorOf(close(new StapledObjectStream(new Plain(first), new Plain(second))));
    expect(both).toBeInstanceOf(AggregateError);
    expect((both as AggregateError).errors).toEqual([first, second]);
    // Two ends of one thing that fail for one reason.
    const same = new StapledObjectStream(new Plain(first), new Plain(first));
    expect(await errorOf(close(same))).toBe(first);
  });

  test('refuses what is no stream', () => {
    const plain = new Plain();
    for (const bad of [null, undefined, 42, {}, { aclose() {} }]) {
      expect(() => new StapledObjectStream(bad as never, plain)).toThrow(
        /^new StapledObjectStream\(\): sendStream must be a stream with send\(\), got /,
      );
      expect(() => new StapledObjectStream(plain, bad as never)).toThrow(TypeError);
    }
  });
});

class ByteSource implements ByteReceiveStream {
  readonly type = 'bytes';
  readonly asked: (number | undefined)[] = [];
  readonly options: (WaitOptions | undefined)[] = [];
  #rest: Uint8Array;
  #isClosed = false;

  constructor(text: string) {
    this.#rest = bytes(text);
  }

  async receive(maxBytes = 65_536, options?: WaitOptions): Promise<Uint8Array> {
    this.asked.push(maxBytes);
    this.options.push(options);
    if (this.#isClosed) throw new ClosedResourceError('closed');
    if (this.#rest.length === 0) throw new EndOfStream('the end');
    const chunk = this.#rest.subarray(0, maxBytes);
    this.#rest = this.#rest.subarray(maxBytes);
    return chunk;
  }

  async aclose(): Promise<void> {
    this.#isClosed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.aclose();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    yield bytes('its own iteration');
  }
}

class ByteSink implements ByteSendStream {
  text = '';
  #isClosed = false;

  async send(chunk: Uint8Array): Promise<void> {
    if (this.#isClosed) throw new ClosedResourceError('closed');
    this.text += textOf(chunk);
  }

  async aclose(): Promise<void> {
    this.#isClosed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.aclose();
  }
}

describe('a StapledByteStream', () => {
  test('sends into the one and receives from the other, at most as much as is wanted', async () => {
    const [sink, source] = [new ByteSink(), new ByteSource('hello, world')];
    const stapled = new StapledByteStream(sink, source);
    expectTypeOf(stapled).toExtend<ByteStream>();
    const { signal } = new AbortController();
    expect(textOf(await stapled.receive(3, { signal }))).toBe('hel');
    expect(textOf(await stapled.receive())).toBe('lo, world');
    expect(await errorOf(stapled.receive())).toBeInstanceOf(EndOfStream);
    expect(source.asked).toEqual([3, 65_536, 65_536]);
    expect(source.options[0]).toEqual({ signal });
    await stapled.send(bytes('how are you '));
    await stapled.send(bytes('today?'));
    expect(stapled.sendStream).toBe(sink);
    expect(stapled.receiveStream).toBe(source);
    expect(sink.text).toBe('how are you today?');
  });

  test('is iterated as the one that is received from', async () => {
    expect((await collect(new StapledByteStream(new ByteSink(), new ByteSource('')))).map(textOf)).toEqual([
      'its own iteration',
    ]);
    const stapled = new StapledByteStream(new ByteSink(), new ByteSource('abc'));
    expect((await collect(stapled.values())).map(textOf)).toEqual(['abc']);
  });

  test('sendEof() closes only the one that is sent into, and twice is once', async () => {
    const stapled = new StapledByteStream(new ByteSink(), new ByteSource('hello, world'));
    await stapled.sendEof();
    await stapled.sendEof();
    expect(await errorOf(stapled.send(bytes('world')))).toBeInstanceOf(ClosedResourceError);
    expect(textOf(await stapled.receive())).toBe('hello, world');
  });

  test('aclose() and `await using` close both', async () => {
    const stapled = new StapledByteStream(new ByteSink(), new ByteSource('hello, world'));
    await stapled.aclose();
    expect(await errorOf(stapled.receive())).toBeInstanceOf(ClosedResourceError);
    expect(await errorOf(stapled.send(bytes('')))).toBeInstanceOf(ClosedResourceError);
    const disposed = new StapledByteStream(new ByteSink(), new ByteSource('hello, world'));
    {
      await using _ = disposed;
    }
    expect(await errorOf(disposed.receive())).toBeInstanceOf(ClosedResourceError);
    expect(await errorOf(disposed.send(bytes('')))).toBeInstanceOf(ClosedResourceError);
  });

  test.each([0, -1, NaN])('refuses to receive at most %d bytes', async (maxBytes) => {
    const source = new ByteSource('hello');
    const error = await errorOf(new StapledByteStream(new ByteSink(), source).receive(maxBytes));
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).message).toBe(
      `StapledByteStream.receive(): maxBytes must be at least 1, got ${maxBytes}`,
    );
    expect(source.asked).toEqual([]);
  });

  test('refuses a number of bytes that is none, and what is no stream', async () => {
    const stapled = new StapledByteStream(new ByteSink(), new ByteSource('hello'));
    for (const maxBytes of ['1', 1.5, null]) {
      expect(await errorOf(stapled.receive(maxBytes as number))).toBeInstanceOf(TypeError);
    }
    expect(() => new StapledByteStream(new ByteSink(), {} as never)).toThrow(TypeError);
    expect(() => new StapledByteStream(null as never, new ByteSource(''))).toThrow(TypeError);
  });
});

test('a cancellation that nobody looks at is not heard of', async () => {
  const rejections = await unhandledRejections(() =>
    new CancelScope().run((scope) => {
      scope.cancel();
      const { stapled } = staple();
      void stapled.send('item');
      void stapled.receive();
      void stapled.values()[Symbol.asyncIterator]().next();
      const [, receive] = createMemoryObjectStream<Uint8Array>();
      const ofBytes = new StapledByteStream(new ByteSink(), new BufferedByteReceiveStream(receive));
      void ofBytes.receive();
      void ofBytes.values()[Symbol.asyncIterator]().next();
    }),
  );
  expect(rejections).toEqual([]);
});

testCancellation('StapledObjectStream.receive()', () => {
  const [send, receive] = createMemoryObjectStream<number>(Infinity);
  const stapled = new StapledObjectStream(send, receive);
  let sent = 0;
  let received = 0;
  return {
    begin: (options) => stapled.receive(options),
    satisfy: () => send.sendNowait(++sent),
    end(got) {
      if (got !== undefined) received++;
      else for (let next = receive.tryReceive(); next.ok; next = receive.tryReceive()) received++;
    },
    waiting: () => receive.statistics().tasksWaitingReceive,
    out: () => sent - received,
  };
});

testCancellation('StapledObjectStream.send()', () => {
  const [send, receive] = createMemoryObjectStream<string>();
  const stapled = new StapledObjectStream(send, receive);
  let [taken, sent] = [0, 0];
  return {
    begin: (options) => chain(stapled.send('item', options), () => 'sent', options?.signal),
    satisfy: () => {
      if (receive.tryReceive().ok) taken++;
    },
    end(got) {
      if (got !== undefined) sent++;
    },
    waiting: () => send.statistics().tasksWaitingSend,
    out: () => sent - taken,
    value: 'sent',
  };
});

testCancellation('StapledByteStream.receive()', () => {
  const [send, receive] = createMemoryObjectStream<Uint8Array>(Infinity);
  const stapled = new StapledByteStream(send, new BufferedByteReceiveStream(receive));
  let sent = 0;
  let received = 0;
  return {
    begin: (options) => stapled.receive(undefined, options),
    satisfy() {
      send.sendNowait(bytes('a'));
      sent++;
    },
    end(got) {
      if (got !== undefined) received++;
      else for (let next = receive.tryReceive(); next.ok; next = receive.tryReceive()) received++;
    },
    waiting: () => receive.statistics().tasksWaitingReceive,
    out: () => sent - received,
  };
});

test('two stapled ends that talk to each other, cancelled at every step: no item is lost', async () => {
  const { waits } = await cancelEverywhere(({ foreignSignal: signal }) => {
    const [there, back] = [createMemoryObjectStream<number>(), createMemoryObjectStream<number>()];
    const here = new StapledObjectStream(there[0], back[1]);
    const other = new StapledObjectStream(back[0], there[1]);
    const [sent, received]: number[][] = [[], []];
    return {
      tasks: [
        async () => {
          await using _ = here;
          await untilGone(async () => {
            for (let n = 0; n < 3; n++) {
              await here.send(n, { signal });
              sent!.push(n);
              expect(await here.receive({ signal })).toBe(-n);
            }
          });
        },
        async () => {
          await using _ = other;
          await untilGone(async () => {
            for (;;) {
              const n = await other.receive({ signal });
              received!.push(n);
              await other.send(-n, { signal });
            }
          });
        },
      ],
      // A rendezvous: what was handed over has arrived.
      check: () => expect(received).toEqual(sent),
    };
  });
  expect(waits).toBeGreaterThan(5);
});

/** Until the other end is closed. */
async function untilGone(talk: () => Promise<void>): Promise<void> {
  try {
    await talk();
  } catch (error) {
    if (!(error instanceof EndOfStream) && !(error instanceof BrokenResourceError)) throw error;
  }
}
