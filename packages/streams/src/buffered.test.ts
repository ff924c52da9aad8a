import {
  CancelScope,
  ClosedResourceError,
  DelimiterNotFound,
  EndOfStream,
  IncompleteRead,
  moveOnAfter,
  sleep,
  taskGroup,
  type WaitOptions,
} from '@taskscope/core';
import {
  cancelEverywhere,
  expectCheckpoint,
  fuzzSchedule,
  virtualTime,
  waitAllTasksBlocked,
} from '@taskscope/testing';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';

import { testCancellation } from '../../sync/src/cancellation.fixture.js';
import { errorOf } from '../../core/src/observing.fixture.js';
import { bytes, collect, textOf } from './bytes.fixture.js';
import {
  BufferedByteReceiveStream,
  BufferedByteStream,
  createMemoryObjectStream,
  StapledObjectStream,
  type ByteReceiveStream,
  type ByteStream,
  type MemoryObjectReceiveStream,
  type MemoryObjectSendStream,
} from './index.js';

/** A buffered stream over what is sent into `send`; `chunks` are sent already. */
function buffer(...chunks: string[]): {
  send: MemoryObjectSendStream<Uint8Array>;
  receive: MemoryObjectReceiveStream<Uint8Array>;
  stream: BufferedByteReceiveStream;
} {
  const [send, receive] = createMemoryObjectStream<Uint8Array>(Infinity);
  for (const chunk of chunks) send.sendNowait(bytes(chunk));
  return { send, receive, stream: new BufferedByteReceiveStream(receive) };
}

/** A byte stream, which gives no more than it is asked for. */
class ByteSource implements ByteReceiveStream {
  readonly type = 'bytes';
  readonly asked: (number | undefined)[] = [];
  readonly options: (WaitOptions | undefined)[] = [];
  #rest: Uint8Array;

  constructor(text: string) {
    this.#rest = bytes(text);
  }

  async receive(maxBytes?: number, options?: WaitOptions): Promise<Uint8Array> {
    this.asked.push(maxBytes);
    this.options.push(options);
    if (this.#rest.length === 0) throw new EndOfStream('the end');
    const chunk = this.#rest.subarray(0, maxBytes);
    this.#rest = this.#rest.subarray(chunk.length);
    return chunk;
  }

  async aclose(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {}
}

describe('receive()', () => {
  test(
    'gives what comes, and what is too much later',
    virtualTime(async () => {
      const { send, stream } = buffer('abcd', 'efg');
      send.close();
      expect(textOf(await stream.receive(3))).toBe('abc');
      expect(textOf(stream.buffer)).toBe('d');
      expect(textOf(await stream.receive())).toBe('d');
      expect(textOf(await stream.receive(Infinity))).toBe('efg');
      expect(await errorOf(stream.receive())).toBeInstanceOf(EndOfStream);
    }),
  );

  test(
    'gives 65,536 bytes at most unless it is told',
    virtualTime(async () => {
      const { stream } = buffer('a'.repeat(65_537));
      expect((await stream.receive()).length).toBe(65_536);
      expect((await stream.receive()).length).toBe(1);
    }),
  );

  test(
    'waits for at least one byte',
    virtualTime(async () => {
      const { stream } = buffer('', '', 'a');
      expect(textOf(await stream.receive())).toBe('a');
    }),
  );

  test('asks a byte stream for no more than is wanted', async () => {
    const source = new ByteSource('abcdef');
    const stream = new BufferedByteReceiveStream(source);
    const { signal } = new AbortController();
    expect(textOf(await stream.receive(2, { signal }))).toBe('ab');
    expect(textOf(await stream.receive(Infinity))).toBe('cdef');
    expect(source.asked).toEqual([2, undefined]);
    expect(source.options).toEqual([{ signal }, undefined]);
  });

  test.each([0, -1, NaN])('refuses to give at most %d bytes', async (maxBytes) => {
    const { stream } = buffer('abc');
    const error = await errorOf(stream.receive(maxBytes));
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).message).toBe(
      `BufferedByteReceiveStream.receive(): maxBytes must be at least 1, got ${maxBytes}`,
    );
    const [, receive] = createMemoryObjectStream<Uint8Array>(1);
    const [send] = createMemoryObjectStream<Uint8Array>(1);
    const duplex = new BufferedByteStream(new StapledObjectStream(send, receive));
    expect(await errorOf(duplex.receive(maxBytes))).toBeInstanceOf(RangeError);
  });

  test('refuses a number of bytes that is none', async () => {
    for (const maxBytes of ['1', 1.5, null]) {
      expect(await errorOf(buffer('abc').stream.receive(maxBytes as number))).toBeInstanceOf(TypeError);
    }
  });

  test(
    'refuses what the stream below gives if that is no bytes, and goes on with the next',
    virtualTime(async () => {
      const { send, stream } = buffer();
      send.sendNowait('text' as never);
      send.sendNowait(bytes('abc'));
      const error = await errorOf(stream.receive());
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(
        /what the stream below gives must be a Uint8Array, got "text"/,
      );
      expect(textOf(await stream.receive())).toBe('abc');
    }),
  );

  test(
    'passes on what the stream below throws',
    virtualTime(async () => {
      const failure = new Error('broken wire');
      const source = new ByteSource('');
      source.receive = () => Promise.reject(failure);
      const stream = new BufferedByteReceiveStream(source);
      stream.feedData(bytes('ab'));
      expect(await errorOf(stream.receiveExactly(3))).toBe(failure);
      expect(await errorOf(stream.receiveUntil('x', 10))).toBe(failure);
      expect(textOf(await stream.receive())).toBe('ab');
      expect(await errorOf(stream.receive())).toBe(failure);
    }),
  );

  test('is a checkpoint, also when all is there', async () => {
    const { stream } = buffer();
    stream.feedData(bytes('abc\ndef'));
    await expectCheckpoint(() => stream.receive(1));
    await expectCheckpoint(() => stream.receiveExactly(1));
    await expectCheckpoint(() => stream.receiveUntil('\n', 10));
    await expectCheckpoint(() => stream.receiveExactly(0));
  });
});

describe('receiveExactly()', () => {
  test(
    'waits until there are enough',
    virtualTime(async () => {
      const { stream } = buffer('abcd', 'efgh');
      const received = await stream.receiveExactly(8);
      expect(received).toBeInstanceOf(Uint8Array);
      expect(textOf(received)).toBe('abcdefgh');
      expect(stream.buffer.length).toBe(0);
    }),
  );

  test(
    'leaves what is too much',
    virtualTime(async () => {
      const { stream } = buffer('abcd', 'efgh');
      expect(textOf(await stream.receiveExactly(5))).toBe('abcde');
      expect(textOf(stream.buffer)).toBe('fgh');
      expect(textOf(await stream.receiveExactly(0))).toBe('');
      expect(textOf(await stream.receiveExactly(3))).toBe('fgh');
    }),
  );

  test(
    'rejects when the stream ends before, and what there was can still be read',
    virtualTime(async () => {
      const { send, stream } = buffer('abcd');
      send.close();
      const error = await errorOf(stream.receiveExactly(8));
      expect(error).toBeInstanceOf(IncompleteRead);
      expect((error as Error).message).toBe('the stream ended after 4 of the 8 bytes that were wanted');
      expect((error as Error).cause).toBeInstanceOf(EndOfStream);
      expect(textOf(stream.buffer)).toBe('abcd');
      expect(textOf(await stream.receiveExactly(4))).toBe('abcd');
      expect(await errorOf(stream.receiveExactly(1))).toBeInstanceOf(IncompleteRead);
      expect(await errorOf(stream.receive())).toBeInstanceOf(EndOfStream);
    }),
  );

  test('asks a byte stream for no more than is missing', async () => {
    const source = new ByteSource('abcdefgh');
    const stream = new BufferedByteReceiveStream(source);
    stream.feedData(bytes('xyz'));
    expect(textOf(await stream.receiveExactly(5))).toBe('xyzab');
    expect(source.asked).toEqual([2]);
    expect(stream.buffer.length).toBe(0);
  });

  test('refuses a count that is none', async () => {
    const { stream } = buffer('abc');
    for (const count of [-1, NaN, Infinity]) {
      expect(await errorOf(stream.receiveExactly(count))).toBeInstanceOf(RangeError);
    }
    for (const count of ['1', 0.5, undefined]) {
      const error = await errorOf(stream.receiveExactly(count as number));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/receiveExactly\(\): count must be a whole number/);
    }
  });

  test('of very many small pieces takes no time to speak of', async () => {
    const { send, stream } = buffer();
    const pieces = 200_000;
    for (let n = 0; n < pieces; n++) send.sendNowait(Uint8Array.of(n & 0xff));
    const all = await stream.receiveExactly(pieces);
    expect(all.every((byte, n) => byte === (n & 0xff))).toBe(true);
  });
});

describe('receiveUntil()', () => {
  test(
    'gives what stands before the delimiter, and takes that out, too',
    virtualTime(async () => {
      const { stream } = buffer('abcd', 'efgh');
      const received = await stream.receiveUntil(bytes('de'), 10);
      expect(received).toBeInstanceOf(Uint8Array);
      expect(textOf(received)).toBe('abc');
      expect(textOf(await stream.receiveUntil(bytes('h'), 10))).toBe('fg');
      expect(stream.buffer.length).toBe(0);
    }),
  );

  test(
    'takes text for its UTF-8 bytes',
    virtualTime(async () => {
      const { stream } = buffer('tea £', '2');
      expect(textOf(await stream.receiveUntil('£', 10))).toBe('tea ');
      expect(textOf(await stream.receiveUntil('2', 10))).toBe('');
    }),
  );

  test(
    'rejects when the stream ends before, and what there was can still be read',
    virtualTime(async () => {
      const { send, stream } = buffer('abcd');
      send.close();
      const error = await errorOf(stream.receiveUntil(bytes('de'), 10));
      expect(error).toBeInstanceOf(IncompleteRead);
      expect((error as Error).message).toBe('the stream ended after 4 bytes without the delimiter');
      expect((error as Error).cause).toBeInstanceOf(EndOfStream);
      expect(textOf(stream.buffer)).toBe('abcd');
      expect(textOf(await stream.receiveUntil('d', 10))).toBe('abc');
    }),
  );

  test(
    'rejects when the delimiter does not end within the limit, however the bytes come',
    virtualTime(async () => {
      for (const chunks of [['abcd\nef'], ['a', 'b', 'c', 'd', '\n', 'ef'], ['abcd', '\nef']]) {
        const { stream } = buffer(...chunks);
        const error = await errorOf(stream.receiveUntil('\n', 4));
        expect(error).toBeInstanceOf(DelimiterNotFound);
        expect((error as Error).message).toBe('the delimiter was not found within the first 4 bytes');
        expect(textOf(await stream.receiveUntil('\n', 5))).toBe('abcd');
        expect(textOf(await stream.receive())).toBe('ef');
      }
    }),
  );

  test(
    'does not receive beyond the limit once that is reached',
    virtualTime(async () => {
      const { receive, stream } = buffer('ab', 'cd', 'ef');
      expect(await errorOf(stream.receiveUntil('\n', 3))).toBeInstanceOf(DelimiterNotFound);
      expect(textOf(stream.buffer)).toBe('abcd');
      expect(receive.statistics().currentBufferUsed).toBe(1);
    }),
  );

  test('refuses a delimiter or a limit that is none', async () => {
    const { stream } = buffer('abc');
    for (const delimiter of ['', new Uint8Array(0)]) {
      const error = await errorOf(stream.receiveUntil(delimiter, 10));
      expect(error).toBeInstanceOf(RangeError);
      expect((error as Error).message).toMatch(/receiveUntil\(\): delimiter must not be empty/);
    }
    for (const delimiter of [10, null, undefined, [10]]) {
      expect(await errorOf(stream.receiveUntil(delimiter as never, 10))).toBeInstanceOf(TypeError);
    }
    for (const limit of [0, -1, NaN]) {
      expect(await errorOf(stream.receiveUntil('x', limit))).toBeInstanceOf(RangeError);
    }
    for (const limit of [undefined, 1.5]) {
      expect(await errorOf(stream.receiveUntil('x', limit as number))).toBeInstanceOf(TypeError);
    }
  });

  test('of very many small pieces takes no time to speak of', async () => {
    const { send, stream } = buffer();
    const pieces = 200_000;
    for (let n = 0; n < pieces; n++) send.sendNowait(Uint8Array.of(97));
    send.sendNowait(bytes('\n'));
    expect((await stream.receiveUntil('\n', Infinity)).length).toBe(pieces);
  });
});

describe('feedData()', () => {
  test(
    'puts bytes before what is still to be received',
    virtualTime(async () => {
      const { stream } = buffer('abcd');
      stream.feedData(bytes('xxx'));
      stream.feedData(bytes('foo'));
      expect(textOf(await stream.receiveExactly(10))).toBe('xxxfooabcd');
    }),
  );

  test('copies them, so that the caller may use them again', async () => {
    const { stream } = buffer();
    const data = bytes('abc');
    stream.feedData(data);
    data.fill(0);
    expect(textOf(stream.buffer)).toBe('abc');
    stream.buffer.fill(0);
    expect(textOf(await stream.receive())).toBe('abc');
  });

  test('refuses what is no bytes', () => {
    for (const data of ['abc', [1, 2], null]) {
      expect(() => buffer().stream.feedData(data as never)).toThrow(TypeError);
    }
  });
});

describe('a BufferedByteReceiveStream', () => {
  test('is a byte stream over a stream of either kind', () => {
    expectTypeOf<BufferedByteReceiveStream>().toExtend<ByteReceiveStream>();
    const { receive, stream } = buffer();
    expect(stream.receiveStream).toBe(receive);
    expect(() => new BufferedByteReceiveStream({} as never)).toThrow(TypeError);
  });

  test(
    'over another gives what that gives',
    virtualTime(async () => {
      const { stream } = buffer('abcd', 'ef');
      stream.feedData(bytes('x'));
      const outer = new BufferedByteReceiveStream(stream);
      expect(textOf(await outer.receiveExactly(3))).toBe('xab');
      // It asks for no more than it needs.
      expect(textOf(stream.buffer)).toBe('cd');
    }),
  );

  test(
    'is iterated until the end, and leaving the loop closes nothing',
    virtualTime(async () => {
      const { send, stream } = buffer('abc', 'de', 'f');
      send.close();
      stream.feedData(bytes('x'));
      for await (const chunk of stream) {
        expect(textOf(chunk)).toBe('x');
        break;
      }
      expect((await collect(stream.values())).map(textOf)).toEqual(['abc', 'de', 'f']);
      expect(await collect(stream)).toEqual([]);
    }),
  );

  test(
    'when closed, closes the stream below, and can no longer be read',
    virtualTime(async () => {
      const { send, stream } = buffer();
      stream.feedData(bytes('abc'));
      await stream.aclose();
      expect(send.statistics().openReceiveStreams).toBe(0);
      expect(await errorOf(stream.receive())).toBeInstanceOf(ClosedResourceError);
      expect(await errorOf(stream.receiveExactly(1))).toEqual(
        new ClosedResourceError('BufferedByteReceiveStream.receiveExactly(): this stream is closed'),
      );
      expect(await errorOf(stream.receiveUntil('a', 10))).toBeInstanceOf(ClosedResourceError);
      await stream.aclose();
      const disposed = buffer();
      {
        await using _ = disposed.stream;
      }
      expect(disposed.send.statistics().openReceiveStreams).toBe(0);
    }),
  );

  test(
    'when closed, ends the waits of those who read',
    virtualTime(async () => {
      const { stream } = buffer('ab');
      await taskGroup(async (tg) => {
        for (let n = 0; n < 3; n++) {
          tg.startSoon(async () =>
            expect(await errorOf(stream.receiveExactly(10))).toBeInstanceOf(ClosedResourceError),
          );
        }
        await waitAllTasksBlocked();
        await stream.aclose();
      });
    }),
  );

  test('serves those who read one after another, in the order in which they asked', async () => {
    for (let seed = 0; seed < 20; seed++) {
      await fuzzSchedule(seed, async () => {
        const { send, stream } = buffer();
        const lines: Promise<Uint8Array>[] = [];
        await taskGroup(async (tg) => {
          for (let n = 0; n < 4; n++) lines.push(stream.receiveUntil('\n', 100));
          lines.push(stream.receiveExactly(2));
          tg.startSoon(async () => {
            for (const chunk of ['fir', 'st\nsec', 'ond\nthird', '\n', 'fourth\n', '5', '!']) {
              await send.send(bytes(chunk));
              await sleep(1);
            }
          });
          const read = await Promise.all(lines);
          expect(read.map(textOf)).toEqual(['first', 'second', 'third', 'fourth', '5!']);
        });
      });
    }
  });

  test(
    'who asks later is not served first, although there is enough for it',
    virtualTime(async () => {
      const { send, stream } = buffer();
      stream.feedData(bytes('ab'));
      const first = stream.receiveExactly(4);
      const second = stream.receiveExactly(1);
      await waitAllTasksBlocked();
      expect(textOf(stream.buffer)).toBe('ab');
      send.sendNowait(bytes('cde'));
      expect(textOf(await first)).toBe('abcd');
      expect(textOf(await second)).toBe('e');
    }),
  );

  test(
    'a read that is cancelled loses no byte, and the next begins with them',
    virtualTime(async () => {
      const { send, stream } = buffer('ab');
      await moveOnAfter(5, () => stream.receiveExactly(6));
      expect(textOf(stream.buffer)).toBe('ab');
      send.sendNowait(bytes('c\r'));
      await moveOnAfter(5, () => stream.receiveUntil('\r\n', 100));
      expect(textOf(stream.buffer)).toBe('abc\r');
      send.sendNowait(bytes('\nde'));
      expect(textOf(await stream.receiveUntil('\r\n', 100))).toBe('abc');
      expect(textOf(await stream.receive())).toBe('de');
    }),
  );

  test(
    'a read that is cancelled lets the next one in',
    virtualTime(async () => {
      const { send, stream } = buffer();
      const scope = new CancelScope();
      const first = scope.run(() => stream.receiveExactly(4));
      const second = stream.receiveExactly(2);
      scope.cancel();
      const third = stream.receiveExactly(1);
      send.sendNowait(bytes('abc'));
      expect(await first).toBe(undefined);
      expect(textOf(await second)).toBe('ab');
      expect(textOf(await third)).toBe('c');
    }),
  );

  test('reads what was sent, in whatever pieces it comes and is read, and however often it is cancelled', async () => {
    const reading = fc.oneof(
      fc.integer({ min: 1, max: 9 }).map((max) => ({ how: 'receive' as const, max })),
      fc.integer({ min: 0, max: 9 }).map((count) => ({ how: 'exactly' as const, count })),
      fc.constantFrom('a', 'ab', 'aab').map((delimiter) => ({ how: 'until' as const, delimiter })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 7 }), { maxLength: 12 }),
        fc.array(fc.tuple(reading, fc.nat(3)), { maxLength: 12 }),
        virtualTimeProperty(async (chunks, readings) => {
          const { send, stream } = buffer();
          let read = '';
          await taskGroup(async (tg) => {
            tg.startSoon(async () => {
              for (const chunk of chunks) {
                await sleep(1);
                await send.send(bytes(chunk));
              }
              send.close();
            });
            for (const [each, patience] of readings) {
              try {
                await moveOnAfter(patience + 0.5, async () => {
                  if (each.how === 'receive') read += textOf(await stream.receive(each.max));
                  else if (each.how === 'exactly') read += textOf(await stream.receiveExactly(each.count));
                  else
                    read += `${textOf(await stream.receiveUntil(each.delimiter, Infinity))}${each.delimiter}`;
                });
              } catch (error) {
                if (!(error instanceof EndOfStream) && !(error instanceof IncompleteRead)) throw error;
              }
            }
            for await (const chunk of stream) read += textOf(chunk);
          });
          expect(read).toBe(chunks.join(''));
        }),
      ),
      { numRuns: 300, seed: 1 },
    );
  });
});

/** The property in virtual time. */
function virtualTimeProperty<A extends unknown[]>(
  body: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  return (...args) => virtualTime(() => body(...args))();
}

describe('a BufferedByteStream', () => {
  test(
    'sends through, and receives by way of the buffer',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<Uint8Array>(1);
      const stream = new BufferedByteStream(new StapledObjectStream(send, receive));
      expectTypeOf(stream).toExtend<ByteStream>();
      await stream.send(bytes('abcd'));
      expect(textOf(await stream.receiveExactly(2))).toBe('ab');
      expect(textOf(await stream.receiveExactly(2))).toBe('cd');

      // That closes only the sending side.
      await stream.sendEof();
      expect(() => send.sendNowait(bytes('abc'))).toThrow(ClosedResourceError);
      expect(() => receive.receiveNowait()).toThrow(EndOfStream);

      await stream.aclose();
      expect(() => receive.receiveNowait()).toThrow(ClosedResourceError);
    }),
  );

  test(
    'feeds its buffer, too',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<Uint8Array>(1);
      const stream = new BufferedByteStream(new StapledObjectStream(send, receive));
      send.sendNowait(bytes('abcd'));
      stream.feedData(bytes('xxx'));
      stream.feedData(bytes('foo'));
      expect(textOf(await stream.receiveExactly(10))).toBe('xxxfooabcd');
    }),
  );

  test('refuses to send what is no bytes, and to be made of what is no stream', async () => {
    const [send, receive] = createMemoryObjectStream<Uint8Array>(1);
    const stream = new BufferedByteStream(new StapledObjectStream(send, receive));
    expect(await errorOf(stream.send('abc' as never))).toBeInstanceOf(TypeError);
    expect(() => new BufferedByteStream(receive as never)).toThrow(
      'new BufferedByteStream(): stream must be a stream with send(), got an object',
    );
  });
});

for (const [name, read] of [
  ['receive()', (stream, options) => stream.receive(undefined, options)],
  ['receiveExactly()', (stream, options) => stream.receiveExactly(3, options)],
  ['receiveUntil()', (stream, options) => stream.receiveUntil('b', 10, options)],
  ['a step of values()', (stream, options) => stream.values(options)[Symbol.asyncIterator]().next()],
] satisfies [string, (stream: BufferedByteReceiveStream, options?: WaitOptions) => Promise<unknown>][]) {
  testCancellation(name, () => {
    const { send, receive, stream } = buffer();
    let [sent, taken] = [0, 0];
    return {
      begin: (options) => read(stream, options),
      satisfy() {
        send.sendNowait(bytes('aab'));
        sent++;
      },
      end(got) {
        if (got !== undefined) taken++;
        // Whatever is left is whole.
        let rest = textOf(stream.buffer);
        for (let next = receive.tryReceive(); next.ok; next = receive.tryReceive())
          rest += textOf(next.value);
        taken += rest.split('aab').length - 1;
        stream.feedData(new Uint8Array(0));
      },
      waiting: () => receive.statistics().tasksWaitingReceive,
      out: () => sent - taken,
    };
  });
}

test('two readers and a writer, cancelled at every step: no byte is lost', async () => {
  const { waits } = await cancelEverywhere(() => {
    const [send, receive] = createMemoryObjectStream<Uint8Array>(1);
    const stream = new BufferedByteReceiveStream(receive);
    const read: string[] = [];
    const sent: string[] = [];
    const reader = async (): Promise<void> => {
      for (let n = 0; n < 2; n++) {
        try {
          read.push(`${textOf(await stream.receiveUntil('\n', 100))}\n`);
        } catch (error) {
          if (!(error instanceof IncompleteRead)) throw error;
        }
      }
    };
    return {
      tasks: [
        reader,
        reader,
        async () => {
          try {
            for (const chunk of ['on', 'e\ntw', 'o\nthree\nfo', 'ur\n']) {
              await send.send(bytes(chunk));
              sent.push(chunk);
            }
          } finally {
            send.close();
          }
        },
      ],
      check() {
        let rest = textOf(stream.buffer);
        for (let next = receive.tryReceive(); next.ok; next = receive.tryReceive())
          rest += textOf(next.value);
        expect(read.join('') + rest).toBe(sent.join(''));
      },
    };
  });
  expect(waits).toBeGreaterThan(3);
});
