import {
  ClosedResourceError,
  EndOfStream,
  moveOnAfter,
  sleep,
  taskGroup,
  type WaitOptions,
} from '@taskscope/core';
import { chain } from '@taskscope/core/lowlevel';
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
import { bytes, collect } from './bytes.fixture.js';
import {
  BufferedByteReceiveStream,
  createMemoryObjectStream,
  StapledObjectStream,
  TextReceiveStream,
  TextSendStream,
  TextStream,
  type MemoryObjectReceiveStream,
  type MemoryObjectSendStream,
  type ObjectStream,
  type TextOptions,
} from './index.js';

/** A text stream that receives these chunks, and what is sent into `send`. */
function decode(
  options: TextOptions | undefined,
  ...chunks: Uint8Array[]
): { send: MemoryObjectSendStream<Uint8Array>; text: TextReceiveStream } {
  const [send, receive] = createMemoryObjectStream<Uint8Array>(Infinity);
  for (const chunk of chunks) send.sendNowait(chunk);
  return { send, text: new TextReceiveStream(receive, options) };
}

/** All that is received of these chunks, and then the end. */
async function decodeAll(options: TextOptions | undefined, ...chunks: Uint8Array[]): Promise<string> {
  const { send, text } = decode(options, ...chunks);
  send.close();
  return (await collect(text)).join('');
}

function encode(options?: TextOptions): {
  text: TextSendStream;
  receive: MemoryObjectReceiveStream<Uint8Array>;
} {
  const [send, receive] = createMemoryObjectStream<Uint8Array>(Infinity);
  return { text: new TextSendStream(send, options), receive };
}

/** Each byte of them in a chunk of its own. */
function singly(all: Uint8Array): Uint8Array[] {
  return Array.from(all, (byte) => Uint8Array.of(byte));
}

describe('a TextReceiveStream', () => {
  test(
    'gives a character when all its bytes have come',
    virtualTime(async () => {
      const { send, text } = decode(undefined, Uint8Array.of(0xc3, 0xa5, 0xc3, 0xa4, 0xc3));
      expect(await text.receive()).toBe('åä');
      send.sendNowait(Uint8Array.of(0xb6));
      expect(await text.receive()).toBe('ö');
    }),
  );

  test(
    'waits until there is a whole character',
    virtualTime(async () => {
      const { text } = decode(undefined, ...singly(bytes('👩x')));
      expect(await text.receive()).toBe('👩');
      expect(await text.receive()).toBe('x');
    }),
  );

  test('gives the same text however its bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme' }),
        fc.array(fc.nat(4)),
        fc.constantFrom('utf-8', 'utf-16le'),
        async (original, cuts, encoding) => {
          const { text, receive } = encode({ encoding });
          await text.send(original);
          let rest = receive.receiveNowait();
          const chunks: Uint8Array[] = [];
          for (const cut of cuts) {
            chunks.push(rest.subarray(0, cut));
            rest = rest.subarray(cut);
          }
          const decoded = await decodeAll({ encoding }, ...chunks, rest);
          expect(decoded).toBe(original.replace(/^\uFEFF/, ''));
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  test.each([undefined, { encoding: 'utf-8' }, { encoding: 'utf-16le' }])(
    'takes off a byte order mark at the beginning, and only there: %o',
    async (options) => {
      const { text, receive } = encode(options);
      await text.send('\uFEFFtea\uFEFF');
      expect(await decodeAll(options, ...singly(receive.receiveNowait()))).toBe('tea\uFEFF');
    },
  );

  test(
    'by default refuses what is no text, and stays at that',
    virtualTime(async () => {
      const { send, text } = decode(undefined, bytes('tea'), Uint8Array.of(0xe5, 0xe4, 0xf6));
      expect(await text.receive()).toBe('tea');
      const error = await errorOf(text.receive());
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toBe(
        "what was received is no utf-8 text. With errors: 'replace' it is read as U+FFFD",
      );
      send.sendNowait(bytes('more'));
      expect(await errorOf(text.receive())).toBe(error);
    }),
  );

  test(
    'by default refuses half a character at the end, and stays at that',
    virtualTime(async () => {
      const { send, text } = decode(undefined, Uint8Array.of(0x41, 0xc3));
      send.close();
      expect(await text.receive()).toBe('A');
      const error = await errorOf(text.receive());
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/^the stream ended in the middle of a character/);
      expect(await errorOf(text.receive())).toBe(error);
    }),
  );

  test(
    'replaces what is no text if it is told to',
    virtualTime(async () => {
      const { send, text } = decode({ errors: 'replace' }, Uint8Array.of(0xe5, 0xe4, 0xf6));
      expect(await text.receive()).toBe('\uFFFD\uFFFD\uFFFD');
      // Half a character, of which the rest does not come.
      send.sendNowait(Uint8Array.of(0x41, 0xc3));
      send.close();
      expect(await text.receive()).toBe('A');
      expect(await text.receive()).toBe('\uFFFD');
      expect(await errorOf(text.receive())).toBeInstanceOf(EndOfStream);
    }),
  );

  test.each(['latin1', 'iso-8859-1', 'ISO-8859-1'])(
    'takes %s for Latin-1: every byte is the code point of the same number',
    async (encoding) => {
      const all = Uint8Array.from({ length: 256 }, (_, n) => n);
      const expected = Array.from(all, (byte) => String.fromCodePoint(byte)).join('');
      expect(await decodeAll({ encoding }, all)).toBe(expected);
      expect(await decodeAll({ encoding }, new Uint8Array(100_000).fill(0xe9))).toBe('é'.repeat(100_000));
    },
  );

  test('knows the encodings that TextDecoder knows', async () => {
    expect(await decodeAll({ encoding: 'utf-16be' }, Uint8Array.of(0x20, 0xac))).toBe('€');
    expect(() => decode({ encoding: 'utf-99' })).toThrow(RangeError);
    expect(() => decode({ encoding: 'utf-99' })).toThrow(
      'new TextReceiveStream(): options.encoding must be one that TextDecoder knows, got "utf-99"',
    );
  });

  test('reads byte streams, too', async () => {
    const [, receive] = createMemoryObjectStream<Uint8Array>(1);
    const buffered = new BufferedByteReceiveStream(receive);
    buffered.feedData(bytes('tea'));
    const text = new TextReceiveStream(buffered);
    expect(text.transportStream).toBe(buffered);
    expect(await text.receive()).toBe('tea');
  });

  test(
    'is iterated until the end, and leaving the loop closes nothing',
    virtualTime(async () => {
      const { send, text } = decode(undefined, bytes('a'), bytes('b'), bytes('c'));
      send.close();
      for await (const piece of text) {
        expect(piece).toBe('a');
        break;
      }
      expect(await collect(text.values())).toEqual(['b', 'c']);
      expect(await collect(text)).toEqual([]);
    }),
  );

  test('serves those who receive in the order in which they asked', async () => {
    for (let seed = 0; seed < 20; seed++) {
      await fuzzSchedule(seed, async () => {
        const { send, text } = decode(undefined);
        const receiving = [text.receive(), text.receive(), text.receive()];
        for (const byte of singly(bytes('åäö'))) await send.send(byte);
        expect(await Promise.all(receiving)).toEqual(['å', 'ä', 'ö']);
      });
    }
  });

  test(
    'a receive() that is cancelled loses no half character',
    virtualTime(async () => {
      const { send, text } = decode(undefined, Uint8Array.of(0xc3));
      expect(await moveOnAfter(5, () => text.receive())).toBe(undefined);
      send.sendNowait(Uint8Array.of(0xb6));
      expect(await text.receive()).toBe('ö');
    }),
  );

  test(
    'when closed, closes the stream below, and ends the waits on it',
    virtualTime(async () => {
      const { send, text } = decode(undefined);
      await taskGroup(async (tg) => {
        tg.startSoon(async () => expect(await errorOf(text.receive())).toBeInstanceOf(ClosedResourceError));
        await waitAllTasksBlocked();
        await text.aclose();
      });
      expect(send.statistics().openReceiveStreams).toBe(0);
      const disposed = decode(undefined);
      {
        await using _ = disposed.text;
      }
      expect(disposed.send.statistics().openReceiveStreams).toBe(0);
    }),
  );

  test(
    'passes on what the stream below throws, and refuses what is no bytes',
    virtualTime(async () => {
      const { text, send } = decode(undefined);
      send.sendNowait('tea' as never);
      expect(await errorOf(text.receive())).toBeInstanceOf(TypeError);
      const failure = new Error('broken wire');
      const [, receive] = createMemoryObjectStream<Uint8Array>();
      receive.receive = () => Promise.reject(failure);
      expect(await errorOf(new TextReceiveStream(receive).receive())).toBe(failure);
    }),
  );

  test('is a checkpoint, also when there is something', async () => {
    const { text } = decode(undefined, bytes('tea'));
    await expectCheckpoint(() => text.receive());
  });
});

describe('a TextSendStream', () => {
  test(
    'sends each text as one piece, in UTF-8',
    virtualTime(async () => {
      const { text, receive } = encode();
      await text.send('åäö');
      await text.send('');
      expect(await receive.receive()).toEqual(Uint8Array.of(0xc3, 0xa5, 0xc3, 0xa4, 0xc3, 0xb6));
      expect(await receive.receive()).toEqual(new Uint8Array(0));
    }),
  );

  test.each(['utf-8', 'UTF-8', 'utf8'])('takes %s for UTF-8', async (encoding) => {
    const { text, receive } = encode({ encoding });
    await text.send('£');
    expect(receive.receiveNowait()).toEqual(Uint8Array.of(0xc2, 0xa3));
  });

  test('sends UTF-16', async () => {
    const { text, receive } = encode({ encoding: 'utf-16le' });
    await text.send('a€👩');
    expect(receive.receiveNowait()).toEqual(Uint8Array.of(0x61, 0, 0xac, 0x20, 0x3d, 0xd8, 0x69, 0xdc));
  });

  test.each(['utf-8', 'utf-16le'])(
    'refuses half of a surrogate pair in %s, and sends nothing',
    async (encoding) => {
      const { text, receive } = encode({ encoding });
      for (const half of ['tea\uD83D', 'tea\uDE00', 'tea\uDE00\uD83D']) {
        const error = await errorOf(text.send(half));
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toMatch(
          /^the text cannot be encoded: at 3 it has half of a surrogate/,
        );
      }
      expect(receive.tryReceive().ok).toBe(false);
      const replacing = encode({ encoding, errors: 'replace' });
      await replacing.text.send('a\uD83Db\uDE00👩');
      expect(await decodeAll({ encoding }, replacing.receive.receiveNowait())).toBe('a\uFFFDb\uFFFD👩');
    },
  );

  test('refuses what Latin-1 does not have, or sends a question mark if it is told to', async () => {
    const strict = encode({ encoding: 'latin1' });
    const error = await errorOf(strict.text.send('£2 = €2'));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(/at 5 it has "€", which is not in Latin-1/);
    expect(strict.receive.tryReceive().ok).toBe(false);
    await strict.text.send('£ÿ\0');
    expect(strict.receive.receiveNowait()).toEqual(Uint8Array.of(0xa3, 0xff, 0));
    const replacing = encode({ encoding: 'iso-8859-1', errors: 'replace' });
    await replacing.text.send('€👩\uD83Dx');
    expect(replacing.receive.receiveNowait()).toEqual(bytes('???x'));
  });

  test('refuses encodings that it cannot send, and what is no text', async () => {
    expect(() => encode({ encoding: 'shift_jis' })).toThrow(RangeError);
    expect(() => encode({ encoding: 'shift_jis' })).toThrow(
      'new TextSendStream(): options.encoding must be utf-8, utf-16le or latin1 to send, got "shift_jis"',
    );
    const { text, receive } = encode();
    for (const item of [42, null, bytes('tea')]) {
      const error = await errorOf(text.send(item as never));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/^TextSendStream\.send\(\): text must be a string, got /);
    }
    expect(receive.tryReceive().ok).toBe(false);
  });

  test('when closed, closes the stream below', async () => {
    const { text, receive } = encode();
    await text.aclose();
    expect(receive.tryReceive()).toEqual({ ok: false, ended: true });
    expect(await errorOf(text.send('tea'))).toBeInstanceOf(ClosedResourceError);
    const disposed = encode();
    {
      await using _ = disposed.text;
    }
    expect(disposed.receive.tryReceive()).toEqual({ ok: false, ended: true });
  });
});

describe('a TextStream', () => {
  function duplex(options?: TextOptions): {
    text: TextStream;
    sent: MemoryObjectReceiveStream<Uint8Array>;
    toReceive: MemoryObjectSendStream<Uint8Array>;
  } {
    const [send, sent] = createMemoryObjectStream<Uint8Array>(Infinity);
    const [toReceive, receive] = createMemoryObjectStream<Uint8Array>(Infinity);
    return { text: new TextStream(new StapledObjectStream(send, receive), options), sent, toReceive };
  }

  test('receives and sends', async () => {
    const { text, sent, toReceive } = duplex();
    expectTypeOf(text).toExtend<ObjectStream<string>>();
    await text.send('åäö');
    expect(sent.receiveNowait()).toEqual(Uint8Array.of(0xc3, 0xa5, 0xc3, 0xa4, 0xc3, 0xb6));
    toReceive.sendNowait(Uint8Array.of(0xc3, 0xa6, 0xc3, 0xb8));
    expect(await text.receive()).toBe('æø');
    expect(text.transportStream).toBeInstanceOf(StapledObjectStream);
  });

  test('has its options for both directions', async () => {
    const { text, sent, toReceive } = duplex({ encoding: 'latin1', errors: 'replace' });
    await text.send('€ö');
    expect(sent.receiveNowait()).toEqual(Uint8Array.of(0x3f, 0xf6));
    toReceive.sendNowait(Uint8Array.of(0xf6));
    expect(await text.receive()).toBe('ö');
    expect(() => duplex({ encoding: 'utf-16be' })).toThrow(RangeError);
  });

  test('is iterated over what it receives', async () => {
    const { text, toReceive } = duplex();
    for (const piece of ['a', 'b', 'c']) toReceive.sendNowait(bytes(piece));
    toReceive.close();
    for await (const piece of text) {
      expect(piece).toBe('a');
      break;
    }
    expect(await collect(text.values())).toEqual(['b', 'c']);
  });

  test('sendEof() closes one direction, aclose() and `await using` close both', async () => {
    const { text, sent, toReceive } = duplex();
    await text.sendEof();
    expect(sent.tryReceive()).toEqual({ ok: false, ended: true });
    toReceive.sendNowait(bytes('tea'));
    expect(await text.receive()).toBe('tea');
    await text.aclose();
    expect(await errorOf(text.receive())).toBeInstanceOf(ClosedResourceError);
    const disposed = duplex();
    {
      await using _ = disposed.text;
    }
    expect(disposed.sent.tryReceive()).toEqual({ ok: false, ended: true });
    expect(disposed.toReceive.statistics().openReceiveStreams).toBe(0);
  });
});

test('options that are none are refused', () => {
  const [send, receive] = createMemoryObjectStream<Uint8Array>();
  const both = new StapledObjectStream(send, receive);
  for (const options of [null, 'utf-8', { encoding: 8 }, { errors: 'ignore' }, { encoding: null }]) {
    expect(() => new TextReceiveStream(receive, options as never)).toThrow(TypeError);
    expect(() => new TextSendStream(send, options as never)).toThrow(TypeError);
    expect(() => new TextStream(both, options as never)).toThrow(TypeError);
  }
  expect(() => new TextReceiveStream(send as never)).toThrow(
    'new TextReceiveStream(): transportStream must be a stream with receive(), got an object',
  );
  expect(() => new TextSendStream(receive as never)).toThrow(TypeError);
  expect(() => new TextStream(receive as never)).toThrow(TypeError);
});

for (const [name, receiveText] of [
  ['TextReceiveStream.receive()', (text, options) => text.receive(options)],
  ['a step of values()', (text, options) => text.values(options)[Symbol.asyncIterator]().next()],
] satisfies [string, (text: TextReceiveStream, options?: WaitOptions) => Promise<unknown>][]) {
  testCancellation(name, () => {
    const [send, receive] = createMemoryObjectStream<Uint8Array>(Infinity);
    const text = new TextReceiveStream(receive);
    let [sent, taken] = [0, 0];
    return {
      begin: (options) => receiveText(text, options),
      satisfy() {
        send.sendNowait(bytes('ö'));
        sent++;
      },
      end(got) {
        if (got !== undefined) taken++;
        for (let next = receive.tryReceive(); next.ok; next = receive.tryReceive()) taken++;
      },
      waiting: () => receive.statistics().tasksWaitingReceive,
      out: () => sent - taken,
    };
  });
}

testCancellation('TextSendStream.send()', () => {
  const [send, receive] = createMemoryObjectStream<Uint8Array>();
  const text = new TextSendStream(send);
  let [sent, taken] = [0, 0];
  return {
    begin: (options) => chain(text.send('tea', options), () => 'sent', options?.signal),
    satisfy() {
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

test('two receivers and a sender, cancelled at every step: no character is lost or torn', async () => {
  const { waits } = await cancelEverywhere(() => {
    const { send, text } = decode({ errors: 'replace' });
    const all = bytes('åäö');
    const received: string[] = [];
    let sent = 0;
    const receiver = async (): Promise<void> => {
      for await (const piece of text) received.push(piece);
    };
    return {
      tasks: [
        receiver,
        receiver,
        async () => {
          try {
            for (const byte of singly(all)) {
              await sleep(1);
              await send.send(byte);
              sent++;
            }
          } finally {
            send.close();
          }
        },
      ],
      async check() {
        await receiver();
        expect(received.join('')).toBe(new TextDecoder().decode(all.subarray(0, sent)));
      },
    };
  });
  expect(waits).toBeGreaterThan(5);
});
