import {
  all,
  BrokenResourceError,
  CancelScope,
  checkpoint,
  ClosedResourceError,
  EndOfStream,
  formatTaskTree,
  InvalidStateError,
  moveOnAfter,
  run,
  sleep,
  taskGroup,
  TaskGroupError,
  WouldBlock,
  type WaitOptions,
} from '@taskscope/core';
import { chain } from '@taskscope/core/lowlevel';
import {
  cancelEverywhere,
  expectCheckpoint,
  fuzzSchedule,
  virtualTime,
  waitAllTasksBlocked,
  type Workload,
} from '@taskscope/testing';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';

import { testCancellation } from '../../sync/src/cancellation.fixture.js';
import {
  called,
  checkModel,
  command,
  Operation,
  pendingOperation,
  type Real,
} from '../../sync/src/model.fixture.js';
import { errorOf, listeners, turns } from '../../core/src/observing.fixture.js';
import {
  createMemoryObjectStream,
  select,
  type MemoryObjectReceiveStream,
  type MemoryObjectSendStream,
  type MemoryObjectStreamStatistics,
  type ObjectReceiveStream,
  type ObjectSendStream,
  type Permit,
} from './index.js';
import { PlainStream } from './plain-stream.fixture.js';
import { inTurn } from '../../core/src/schedules.fixture.js';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/** Everything that is there to receive. */
function drain<T>(receive: MemoryObjectReceiveStream<T>): T[] {
  const items: T[] = [];
  for (let next = receive.tryReceive(); next.ok; next = receive.tryReceive()) items.push(next.value);
  return items;
}

/** For what the tests of a fixture call. */
function expectEqual(actual: unknown, expected: unknown): void {
  expect(actual).toEqual(expected);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('createMemoryObjectStream()', () => {
  test('makes a rendezvous unless it is told otherwise', () => {
    const [send] = createMemoryObjectStream<number>();
    expect(send.statistics().maxBufferSize).toBe(0);
    expect(send.trySend(1)).toBe(false);
  });

  test('refuses a size that is no whole number', () => {
    for (const size of [1.5, '1', null, {}, -0.5]) {
      expect(() => createMemoryObjectStream(size as number)).toThrow(
        /^createMemoryObjectStream\(\): maxBufferSize must be a whole number or Infinity, got /,
      );
      expect(() => createMemoryObjectStream(size as number)).toThrow(TypeError);
    }
  });

  test('refuses a size that is negative or NaN', () => {
    for (const size of [-1, -Infinity, NaN]) {
      expect(() => createMemoryObjectStream(size)).toThrow(
        `createMemoryObjectStream(): maxBufferSize must be at least 0, got ${size}`,
      );
      expect(() => createMemoryObjectStream(size)).toThrow(RangeError);
    }
  });

  test('refuses options that are none', () => {
    for (const options of [null, 1, { onUndelivered: 'log' }, { onUndelivered: null }]) {
      expect(() => createMemoryObjectStream(1, options as never)).toThrow(TypeError);
    }
    expect(() => createMemoryObjectStream(1, { onUndelivered: 1 as never })).toThrow(
      'createMemoryObjectStream(): options.onUndelivered must be a function, got 1',
    );
  });

  test('makes ends that are what an interface of streams asks for', () => {
    const [send, receive] = createMemoryObjectStream<number>();
    expectTypeOf(send).toExtend<ObjectSendStream<number>>();
    expectTypeOf(receive).toExtend<ObjectReceiveStream<number>>();
  });

  test('makes ends whose types vary with that of the item', () => {
    const [send, receive] = createMemoryObjectStream<number>();
    const wider: MemoryObjectReceiveStream<number | string> = receive;
    const widerInterface: ObjectReceiveStream<number | string> = receive;
    const narrower: MemoryObjectSendStream<1 | 2> = send;
    const narrowerInterface: ObjectSendStream<1 | 2> = send;
    expect([wider, widerInterface]).toEqual([receive, receive]);
    expect([narrower, narrowerInterface]).toEqual([send, send]);
  });
});

test('an end is not constructed by itself', () => {
  for (const { constructor } of createMemoryObjectStream()) {
    expect(() => Reflect.construct(constructor, [])).toThrow(
      new TypeError(
        `${constructor.name} is not constructed by users: call createMemoryObjectStream() instead`,
      ),
    );
  }
});

describe('a rendezvous', () => {
  test(
    'keeps a sender waiting until its item is received',
    virtualTime(async (clock) => {
      const [send, receive] = createMemoryObjectStream<string>();
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          await send.send('tea');
          expect(clock.now()).toBe(10);
        });
        await sleep(10);
        expect(send.statistics()).toMatchObject({ tasksWaitingSend: 1, currentBufferUsed: 0 });
        expect(await receive.receive()).toBe('tea');
      });
    }),
  );

  test(
    'passes items on to a receiver that waits',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(0);
      const received: string[] = [];
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          received.push(await receive.receive());
          received.push(await receive.receive());
        });
        await waitAllTasksBlocked();
        await send.send('tea');
        await send.send('milk');
      });
      expect(received).toEqual(['tea', 'milk']);
    }),
  );

  test(
    'takes as many items without waiting as there are receivers that wait',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(0);
      const received: string[] = [];
      await taskGroup(async (tg) => {
        await inTurn(2, (i) =>
          tg.startSoon(async () => received.push(`${['first', 'second'][i]}: ${await receive.receive()}`)),
        );
        send.sendNowait('tea');
        send.sendNowait('milk');
        expect(() => send.sendNowait('sugar')).toThrow(WouldBlock);
      });
      expect(received.toSorted()).toEqual(['first: tea', 'second: milk']);
    }),
  );

  test(
    'gives the item of a sender that waits to a receiver that does not',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(0);
      await taskGroup(async (tg) => {
        tg.startSoon(() => send.send('tea'));
        await waitAllTasksBlocked();
        expect(receive.receiveNowait()).toBe('tea');
      });
      expect(() => receive.receiveNowait()).toThrow(WouldBlock);
    }),
  );

  test('does nothing without waiting where nobody waits', () => {
    const [send, receive] = createMemoryObjectStream<number>();
    expect(() => send.sendNowait(1)).toThrow(WouldBlock);
    expect(send.trySend(1)).toBe(false);
    expect(() => receive.receiveNowait()).toThrow(WouldBlock);
    expect(receive.tryReceive()).toEqual({ ok: false, ended: false });
    expect(receive.statistics().currentBufferUsed).toBe(0);
  });
});

describe('a buffer', () => {
  test(
    'takes items without anybody waiting, and gives them back in order',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(3);
      send.sendNowait(1);
      await send.send(2);
      expect(send.trySend(3)).toBe(true);
      expect(receive.statistics().currentBufferUsed).toBe(3);
      expect(receive.receiveNowait()).toBe(1);
      expect(await receive.receive()).toBe(2);
      expect(receive.tryReceive()).toEqual({ ok: true, value: 3 });
      expect(() => receive.receiveNowait()).toThrow(WouldBlock);
    }),
  );

  test('that is full takes no more', () => {
    const [send, receive] = createMemoryObjectStream<number>(1);
    send.sendNowait(1);
    expect(() => send.sendNowait(2)).toThrow(
      expect.objectContaining({
        name: 'WouldBlock',
        message: 'nobody waits to receive, and there is no room in the buffer',
      }),
    );
    expect(send.trySend(2)).toBe(false);
    expect(drain(receive)).toEqual([1]);
  });

  test(
    'that is full lets a sender in when an item is taken',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      send.sendNowait('tea');
      await taskGroup(async (tg) => {
        tg.startSoon(() => send.send('milk'));
        await waitAllTasksBlocked();
        expect(receive.receiveNowait()).toBe('tea');
        expect(send.statistics()).toMatchObject({ tasksWaitingSend: 0, currentBufferUsed: 1 });
        expect(send.trySend('sugar')).toBe(false);
      });
      expect(receive.receiveNowait()).toBe('milk');
    }),
  );

  test(
    'of no limit keeps no sender waiting',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(Infinity);
      for (let n = 0; n < 5_000; n++) await send.send(n);
      expect(send.statistics()).toMatchObject({ currentBufferUsed: 5_000, maxBufferSize: Infinity });
      send.close();
      expect(await collect(receive)).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
    }),
  );

  test('keeps items that are undefined, null or NaN', () => {
    const [send, receive] = createMemoryObjectStream<unknown>(3);
    for (const item of [undefined, null, NaN]) send.sendNowait(item);
    expect(drain(receive)).toEqual([undefined, null, NaN]);
  });
});

test(
  'undefined is an item, whoever waits for whom',
  virtualTime(async () => {
    const [send, receive] = createMemoryObjectStream<undefined>();
    const received = receive.receive();
    send.sendNowait(undefined);
    expect(await received).toBeUndefined();
    const sent = send.send(undefined);
    expect(await receive.receive()).toBeUndefined();
    await sent;
    const next = receive[Symbol.asyncIterator]().next();
    send.sendNowait(undefined);
    expect(await next).toEqual({ done: false, value: undefined });
  }),
);

test(
  'sending and receiving act in the call',
  virtualTime(async () => {
    const [send, receive] = createMemoryObjectStream<number>(1);
    const sent = send.send(1);
    expect(send.statistics().currentBufferUsed).toBe(1);
    const received = receive.receive();
    expect(send.statistics().currentBufferUsed).toBe(0);
    expect([await received, await sent]).toEqual([1, undefined]);
  }),
);

test(
  'sending and receiving are checkpoints, also when they need not wait',
  virtualTime(async () => {
    const [send, receive] = createMemoryObjectStream<number>(2);
    await expectCheckpoint(() => send.send(1));
    await expectCheckpoint(() => receive.receive());
    await expectCheckpoint(async () => (await send.reserve()).send(1));
    await expectCheckpoint(() => receive.receiveMany(2));
    send.sendNowait(1);
    send.close();
    const iterator = receive[Symbol.asyncIterator]();
    await expectCheckpoint(() => iterator.next());
    await expectCheckpoint(() => iterator.next());
  }),
);

test(
  'a rendezvous is a checkpoint for both sides',
  virtualTime(async () => {
    const [send, receive] = createMemoryObjectStream<number>();
    await taskGroup((tg) => {
      tg.startSoon(() => expectCheckpoint(() => send.send(1)));
      tg.startSoon(() => expectCheckpoint(() => receive.receive()));
    });
  }),
);

test(
  'who waits is in the task tree, with what for',
  virtualTime(async () => {
    const [send, receive] = createMemoryObjectStream<number>();
    await taskGroup(async (tg) => {
      tg.createTask(() => receive.receive(), { name: 'reader' });
      await waitAllTasksBlocked();
      expect(formatTaskTree()).toMatch(/"reader".*an item/);
      send.sendNowait(1);
      tg.createTask(() => send.send(1), { name: 'writer' });
      await waitAllTasksBlocked();
      expect(formatTaskTree()).toMatch(/"writer".*room to send/);
      receive.receiveNowait();
    });
  }),
);

test('a stream works outside of run()', async () => {
  const [send, receive] = createMemoryObjectStream<number>();
  const received = receive.receive();
  await send.send(1);
  expect(await received).toBe(1);
  const sent = send.send(2);
  expect(await receive.receive()).toBe(2);
  await sent;
});

describe('the order', () => {
  test(
    'in which receivers asked is that in which they are served',
    virtualTime(async () => {
      for (const size of [0, 1, Infinity]) {
        const [send, receive] = createMemoryObjectStream<number>(size);
        const clone = receive.clone();
        const received: string[] = [];
        await taskGroup(async (tg) => {
          for (const name of ['a', 'b', 'c', 'd']) {
            const end = name < 'c' ? receive : clone;
            tg.startSoon(async () => received.push(`${name}${await end.receive()}`));
            await waitAllTasksBlocked();
          }
          for (let n = 0; n < 4; n++) await send.send(n);
        });
        expect(received).toEqual(['a0', 'b1', 'c2', 'd3']);
      }
    }),
  );

  test(
    'in which senders asked is that of their items',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      const clone = send.clone();
      await taskGroup(async (tg) => {
        for (const name of ['a', 'b', 'c', 'd']) {
          const end = name < 'c' ? send : clone;
          tg.startSoon(() => end.send(name));
          await waitAllTasksBlocked();
        }
        expect(drain(receive)).toEqual(['a', 'b', 'c', 'd']);
      });
    }),
  );

  test(
    'is not changed by one who has left the queue',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const scope = new CancelScope();
      const received: string[] = [];
      const receiver = async (name: string): Promise<void> => {
        received.push(`${name}${await receive.receive()}`);
      };
      await taskGroup(async (tg) => {
        const receivers = [() => receiver('a'), () => scope.run(() => receiver('b')), () => receiver('c')];
        await inTurn(3, (i) => tg.startSoon(receivers[i]!));
        scope.cancel();
        send.sendNowait(1);
        send.sendNowait(2);
        expect(send.trySend(3)).toBe(false);
      });
      expect(received.toSorted()).toEqual(['a1', 'c2']);
    }),
  );

  test(
    'lets one who comes later have an item only if nobody waits for it',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      send.sendNowait(1);
      expect(receive.receiveNowait()).toBe(1);
      let received: number | undefined;
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          received = await receive.receive();
        });
        await waitAllTasksBlocked();
        send.sendNowait(2);
        expect(() => receive.receiveNowait()).toThrow(WouldBlock);
      });
      expect(received).toBe(2);
    }),
  );

  test(
    'lets one who comes later have a place only if nobody waits for it',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      send.sendNowait(1);
      await taskGroup(async (tg) => {
        tg.startSoon(() => send.send(2));
        await waitAllTasksBlocked();
        expect(receive.receiveNowait()).toBe(1);
        expect(() => send.sendNowait(3)).toThrow(WouldBlock);
        expect(await receive.receive()).toBe(2);
      });
    }),
  );
});

describe('several tasks', () => {
  test(
    'produce at the same time, each with a clone of its own, and the consumer sees when all have ended',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const received: number[] = [];
      await taskGroup(async (tg) => {
        for (let i = 0; i < 10; i++) {
          const end = send.clone();
          tg.startSoon(async () => {
            using _ = end;
            for (let n = 3 * i; n < 3 * (i + 1); n++) await end.send(n);
          });
        }
        send.close();
        for await (const n of receive) received.push(n);
      });
      expect(received.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => n));
    }),
  );

  test(
    'consume at the same time, and each gets something',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      const successful = new Set<number>();
      const received: number[] = [];
      await taskGroup(async (tg) => {
        for (let i = 0; i < 5; i++) {
          tg.startSoon(async () => {
            for await (const n of receive) {
              successful.add(i);
              received.push(n);
            }
          });
        }
        await waitAllTasksBlocked();
        for (let n = 0; n < 10; n++) await send.send(n);
        send.close();
      });
      expect(successful.size).toBe(5);
      expect(received.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, n) => n));
    }),
  );

  test('lose and double nothing, in whatever order they are woken', async () => {
    for (const seed of SEEDS) {
      for (const size of [0, 1, 4]) {
        const received: number[] = [];
        const perReceiver: number[][] = [];
        await fuzzSchedule(seed, async () => {
          const [send, receive] = createMemoryObjectStream<number>(size);
          await taskGroup((tg) => {
            for (let i = 0; i < 3; i++) {
              const end = send.clone();
              tg.startSoon(async () => {
                using _ = end;
                for (let n = 0; n < 10; n++) {
                  if (n % 3 === i) await checkpoint();
                  await end.send(100 * i + n);
                }
              });
            }
            send.close();
            for (let i = 0; i < 3; i++) {
              const own: number[] = [];
              perReceiver.push(own);
              tg.startSoon(async () => {
                for await (const n of receive) {
                  own.push(n);
                  received.push(n);
                  if (n % 4 === i) await sleep(1);
                }
              });
            }
          });
        });
        const expected = [0, 1, 2].flatMap((i) => Array.from({ length: 10 }, (_, n) => 100 * i + n));
        expect(received.toSorted((a, b) => a - b)).toEqual(expected);
        // What one task sends comes in order, wherever it arrives.
        for (const own of perReceiver) {
          for (const i of [0, 1, 2]) {
            const ofOne = own.filter((n) => Math.floor(n / 100) === i);
            expect(ofOne).toEqual(ofOne.toSorted((a, b) => a - b));
          }
        }
      }
    }
  });
});

describe('closing the sending end', () => {
  test(
    'makes every use of it a ClosedResourceError',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      const permit = await send.reserve();
      send.close();
      for (const [method, use] of [
        ['sendNowait', () => send.sendNowait(1)],
        ['trySend', () => send.trySend(1)],
        ['clone', () => send.clone()],
        ['reserve().send', () => permit.send(1)],
        ['onSend', () => send.onSend(1).attempt()],
        ['send', () => send.send(1)],
        ['reserve', () => send.reserve()],
      ] as const) {
        const error = await errorOf((async () => use())());
        expect(error).toBeInstanceOf(ClosedResourceError);
        const cure =
          method === 'clone'
            ? 'Clone it before it is closed: tasks begin later than startSoon() returns'
            : 'Give everyone who sends a clone() of their own';
        expect((error as Error).message).toBe(
          `MemoryObjectSendStream.${method}(): this end of the stream is closed. ${cure}`,
        );
      }
      expect(drain(receive)).toEqual([]);
    }),
  );

  test(
    'those who wait are told what they waited in',
    virtualTime(async () => {
      const [send] = createMemoryObjectStream<number>(0);
      const waiting = [errorOf(send.send(1)), errorOf(send.reserve())];
      await waitAllTasksBlocked();
      send.close();
      const messages = (await Promise.all(waiting)).map((error) => (error as Error).message.split(':')[0]);
      expect(messages).toEqual(['MemoryObjectSendStream.send()', 'MemoryObjectSendStream.reserve()']);
    }),
  );

  test('is done once, however often it is asked for', async () => {
    const [send, receive] = createMemoryObjectStream<number>(1);
    const clone = send.clone();
    send.close();
    send.close();
    await send.aclose();
    expect(receive.statistics().openSendStreams).toBe(1);
    clone.sendNowait(1);
    expect(receive.receiveNowait()).toBe(1);
  });

  test(
    'ends receivers when the buffer is drained, and not before',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(2);
      await send.send(1);
      await send.send(2);
      send.close();
      expect(await receive.receive()).toBe(1);
      expect(receive.receiveNowait()).toBe(2);
      const error = await errorOf(receive.receive());
      expect(error).toBeInstanceOf(EndOfStream);
      expect((error as Error).message).toMatch(/every sending end is closed, and nothing is left/);
      expect(() => receive.receiveNowait()).toThrow(EndOfStream);
      expect(receive.tryReceive()).toEqual({ ok: false, ended: true });
      expect(await errorOf(receive.receiveMany(2))).toBeInstanceOf(EndOfStream);
    }),
  );

  test(
    'wakes those who wait to receive with EndOfStream',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<never>(1);
      const error = await errorOf(
        taskGroup(async (tg) => {
          tg.startSoon(() => receive.receive());
          await waitAllTasksBlocked();
          await send.aclose();
          expect(receive.statistics().tasksWaitingReceive).toBe(0);
        }),
      );
      expect(error).toBeInstanceOf(TaskGroupError);
      expect((error as TaskGroupError).errors).toEqual([expect.any(EndOfStream)]);
    }),
  );

  test(
    'ends everyone who waits, in whatever way',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const waits = [receive.receive(), receive.clone().receive(), receive.receiveMany(2)];
      const next = receive[Symbol.asyncIterator]().next();
      send.close();
      for (const each of waits) expect(await errorOf(each)).toBeInstanceOf(EndOfStream);
      expect(await next).toEqual({ done: true, value: undefined });
      expect(receive.statistics().tasksWaitingReceive).toBe(0);
    }),
  );

  test(
    'ends those who wait on this very end with ClosedResourceError, and nobody else',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      const clone = send.clone();
      const waits = [send.send('no'), send.reserve(), send.send('no, again')];
      const other = clone.send('yes');
      send.close();
      expect(send.statistics().tasksWaitingSend).toBe(1);
      for (const each of waits) expect(await errorOf(each)).toBeInstanceOf(ClosedResourceError);
      expect(await receive.receive()).toBe('yes');
      await other;
    }),
  );
});

describe('closing the receiving end', () => {
  test(
    'makes every use of it a ClosedResourceError',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      send.sendNowait(1);
      const iterator = receive[Symbol.asyncIterator]();
      receive.close();
      for (const [method, use] of [
        ['receiveNowait', () => receive.receiveNowait()],
        ['tryReceive', () => receive.tryReceive()],
        ['clone', () => receive.clone()],
        ['onReceive', () => receive.onReceive().attempt()],
        ['receive', () => receive.receive()],
        ['receive', () => receive.receiveMany(1)],
        ['values', () => iterator.next()],
        ['values', () => collect(receive)],
      ] as const) {
        const error = await errorOf((async () => use())());
        expect(error).toBeInstanceOf(ClosedResourceError);
        const cure =
          method === 'clone'
            ? 'Clone it before it is closed: tasks begin later than startSoon() returns'
            : 'Give everyone who receives a clone() of their own; to end the stream, close the sending end';
        expect((error as Error).message).toBe(
          `MemoryObjectReceiveStream.${method}(): this end of the stream is closed. ${cure}`,
        );
      }
    }),
  );

  test('is done once, however often it is asked for', async () => {
    const dropped: number[] = [];
    const [send, receive] = createMemoryObjectStream<number>(2, { onUndelivered: (n) => dropped.push(n) });
    const clone = receive.clone();
    receive.close();
    receive.close();
    await receive.aclose();
    expect(send.statistics().openReceiveStreams).toBe(1);
    send.sendNowait(1);
    expect(dropped).toEqual([]);
    clone.close();
    clone.close();
    expect(dropped).toEqual([1]);
  });

  test(
    'breaks senders when it was the last, for good',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(5);
      const permit = await send.reserve();
      receive.close();
      const message = 'every receiving end of the stream is closed, so nobody will receive the item';
      for (const use of [() => send.sendNowait(1), () => send.trySend(1), () => permit.send(1)]) {
        expect(use).toThrow(BrokenResourceError);
        expect(use).toThrow(message);
      }
      for (const use of [() => send.send(1), () => send.reserve()]) {
        expect(await errorOf(use())).toBeInstanceOf(BrokenResourceError);
      }
      // Cloning and closing have nothing to do with receivers.
      const clone = send.clone();
      expect(() => clone.sendNowait(1)).toThrow(BrokenResourceError);
      send.close();
      expect(() => send.sendNowait(1)).toThrow(ClosedResourceError);
    }),
  );

  test(
    'wakes those who wait to send with BrokenResourceError',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<undefined>(0);
      const error = await errorOf(
        taskGroup(async (tg) => {
          tg.startSoon(() => send.send(undefined));
          await waitAllTasksBlocked();
          await receive.aclose();
          expect(send.statistics().tasksWaitingSend).toBe(0);
        }),
      );
      expect((error as TaskGroupError).errors).toEqual([expect.any(BrokenResourceError)]);
    }),
  );

  test(
    'breaks everyone who waits, in whatever way',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const waits = [send.send(1), send.clone().send(2), send.reserve(), send.clone().reserve()];
      receive.close();
      for (const each of waits) expect(await errorOf(each)).toBeInstanceOf(BrokenResourceError);
      expect(send.statistics().tasksWaitingSend).toBe(0);
    }),
  );

  test(
    'ends those who wait on this very end with ClosedResourceError, and nobody else',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      const clone = receive.clone();
      const waits = [receive.receive(), receive.receiveMany(2), receive[Symbol.asyncIterator]().next()];
      const other = clone.receive();
      receive.close();
      expect(receive.statistics().tasksWaitingReceive).toBe(1);
      for (const each of waits) expect(await errorOf(each)).toBeInstanceOf(ClosedResourceError);
      await send.send('yes');
      expect(await other).toBe('yes');
    }),
  );

  test(
    'right after an item was handed over takes nothing away',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          await using _ = send;
          await send.send('tea');
        });
        tg.startSoon(async () => {
          await using _ = receive;
          expect(await receive.receive()).toBe('tea');
        });
      });
      const [again, end] = createMemoryObjectStream<string>();
      const received = end.receive();
      again.sendNowait('milk');
      again.close();
      end.close();
      expect(await received).toBe('milk');
    }),
  );
});

describe('a clone', () => {
  test(
    'stays open when the original is closed',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      const [otherSend, otherReceive] = [send.clone(), receive.clone()];
      await send.aclose();
      await receive.aclose();
      otherSend.sendNowait('tea');
      expect(otherReceive.receiveNowait()).toBe('tea');
    }),
  );

  test('of an end that is closed there is none', () => {
    const [send, receive] = createMemoryObjectStream<never>(1);
    send.close();
    receive.close();
    expect(() => send.clone()).toThrow(ClosedResourceError);
    expect(() => receive.clone()).toThrow(ClosedResourceError);
  });

  test(
    'of the receiving end keeps the stream from breaking until it is closed as well',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(10);
      const [second, third] = [receive.clone(), receive.clone()];
      send.sendNowait(1);
      await receive.aclose();
      second[Symbol.dispose]();
      expect(() => second.clone()).toThrow(ClosedResourceError);
      send.sendNowait(2);
      expect(third.receiveNowait()).toBe(1);
      await third.aclose();
      expect(() => send.sendNowait(3)).toThrow(BrokenResourceError);
    }),
  );

  test('shares the buffer: each item goes to one of them', () => {
    const [send, receive] = createMemoryObjectStream<number>(4);
    const clone = receive.clone();
    for (const n of [1, 2, 3, 4]) send.sendNowait(n);
    expect([receive.receiveNowait(), clone.receiveNowait(), clone.receiveNowait()]).toEqual([1, 2, 3]);
    expect(receive.statistics()).toEqual(clone.statistics());
    expect(drain(receive)).toEqual([4]);
  });

  test('of a clone is like any other', () => {
    const [send, receive] = createMemoryObjectStream<number>(1);
    const grandchild = send.clone().clone();
    expect(send.statistics().openSendStreams).toBe(3);
    grandchild.sendNowait(1);
    expect(receive.receiveNowait()).toBe(1);
  });
});

describe('for await', () => {
  test(
    'ends at the end of the stream',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => collect(receive));
        await send.send('tea');
        await send.send('milk');
        await send.aclose();
        expect(await task.result()).toEqual(['tea', 'milk']);
      });
      expect(receive.statistics().openReceiveStreams).toBe(1);
      expect(await collect(receive)).toEqual([]);
    }),
  );

  test(
    'does not close the stream on break, and loses nothing',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(3);
      for (const n of [1, 2, 3]) send.sendNowait(n);
      for await (const n of receive) {
        expect(n).toBe(1);
        break;
      }
      expect(receive.statistics()).toMatchObject({ openReceiveStreams: 1, currentBufferUsed: 2 });
      const failing = async (): Promise<void> => {
        for await (const n of receive) throw new Error(`no ${n}`);
      };
      await expect(failing()).rejects.toThrow('no 2');
      expect(receive.receiveNowait()).toBe(3);
      send.sendNowait(4);
    }),
  );

  test(
    'fails with ClosedResourceError when this end is closed meanwhile',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      const seen: number[] = [];
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          const loop = async (): Promise<void> => {
            for await (const n of receive) seen.push(n);
          };
          expect(await errorOf(loop())).toBeInstanceOf(ClosedResourceError);
        });
        await send.send(1);
        await waitAllTasksBlocked();
        receive.close();
      });
      expect(seen).toEqual([1]);
    }),
  );

  test(
    'in two tasks at once gives each item to one of them',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(10);
      for (let n = 0; n < 10; n++) send.sendNowait(n);
      send.close();
      const parts = await all([() => collect(receive), () => collect(receive)]);
      expect(parts.flat().toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      for (const part of parts) expect(part).toHaveLength(5);
    }),
  );

  test(
    'notices a cancellation between items that are all there already',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(10);
      for (let n = 0; n < 10; n++) send.sendNowait(n);
      const scope = new CancelScope();
      const seen: number[] = [];
      await scope.run(async () => {
        for await (const n of receive) {
          seen.push(n);
          if (n === 3) scope.cancel();
        }
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(seen).toEqual([0, 1, 2, 3]);
      expect(drain(receive)).toEqual([4, 5, 6, 7, 8, 9]);
    }),
  );
});

describe('statistics()', () => {
  const fresh: MemoryObjectStreamStatistics = {
    currentBufferUsed: 0,
    peakBufferUsed: 0,
    maxBufferSize: 1,
    openSendStreams: 1,
    openReceiveStreams: 1,
    tasksWaitingSend: 0,
    tasksWaitingReceive: 0,
  };

  test('are the same from both ends', () => {
    const [send, receive] = createMemoryObjectStream<number>(1);
    expect(send.statistics()).toEqual(fresh);
    expect(receive.statistics()).toEqual(fresh);
  });

  test(
    'count those who wait',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<undefined>(1);
      for (const end of [send, receive]) {
        await taskGroup(async (tg) => {
          send.sendNowait(undefined);
          expect(end.statistics().currentBufferUsed).toBe(1);
          for (let i = 0; i < 3; i++) tg.startSoon(() => send.send(undefined));
          await waitAllTasksBlocked();
          expect(end.statistics()).toMatchObject({ currentBufferUsed: 1, tasksWaitingSend: 3 });
          for (const left of [2, 1, 0]) {
            receive.receiveNowait();
            expect(end.statistics()).toMatchObject({ currentBufferUsed: 1, tasksWaitingSend: left });
          }
          receive.receiveNowait();
          expect(end.statistics().currentBufferUsed).toBe(0);
        });
        await taskGroup(async (tg) => {
          for (let i = 0; i < 2; i++) tg.startSoon(() => receive.receive());
          await waitAllTasksBlocked();
          for (const left of [1, 0]) {
            expect(end.statistics().tasksWaitingReceive).toBe(left + 1);
            send.sendNowait(undefined);
            expect(end.statistics()).toMatchObject({ tasksWaitingReceive: left, currentBufferUsed: 0 });
          }
        });
      }
    }),
  );

  test(
    'do not count those who were cancelled',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(0);
      await taskGroup(async (tg) => {
        tg.startSoon(() => send.send(1));
        tg.startSoon(() => send.send(2));
        tg.startSoon(() => send.reserve());
        await waitAllTasksBlocked();
        expect(send.statistics().tasksWaitingSend).toBe(3);
        tg.cancel();
        expect(send.statistics().tasksWaitingSend).toBe(0);
      });
      await taskGroup(async (tg) => {
        tg.startSoon(() => receive.receive());
        tg.startSoon(() => collect(receive));
        await waitAllTasksBlocked();
        expect(send.statistics().tasksWaitingReceive).toBe(2);
        tg.cancel();
        expect(send.statistics().tasksWaitingReceive).toBe(0);
      });
    }),
  );

  test('count the ends that are open', () => {
    const [send, receive] = createMemoryObjectStream<number>(2);
    const clones = [send.clone(), receive.clone(), receive.clone()];
    expect(send.statistics()).toMatchObject({ openSendStreams: 2, openReceiveStreams: 3 });
    for (const clone of clones) clone.close();
    expect(send.statistics()).toMatchObject({ openSendStreams: 1, openReceiveStreams: 1 });
    send.close();
    receive.close();
    // They can still be asked.
    expect(send.statistics()).toMatchObject({ openSendStreams: 0, openReceiveStreams: 0 });
    expect(receive.statistics()).toEqual(send.statistics());
  });

  test(
    'remember the most that there ever was in the buffer, and not what passed it by',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(3);
      const peak = (): number => receive.statistics().peakBufferUsed;
      const received = receive.receive();
      send.sendNowait(0);
      await received;
      expect(peak()).toBe(0);
      send.sendNowait(1);
      send.sendNowait(2);
      expect(peak()).toBe(2);
      expect(drain(receive)).toEqual([1, 2]);
      expect(peak()).toBe(2);
      send.sendNowait(3);
      expect(peak()).toBe(2);
      for (const n of [4, 5]) send.sendNowait(n);
      expect(peak()).toBe(3);
      receive.close();
      expect(receive.statistics()).toMatchObject({ currentBufferUsed: 0, peakBufferUsed: 3 });
    }),
  );
});

describe('using', () => {
  test('closes an end', () => {
    const [send, receive] = createMemoryObjectStream<number>(1);
    {
      using a = send;
      using b = receive;
      expect([a, b]).toEqual([send, receive]);
    }
    expect(() => send.sendNowait(1)).toThrow(ClosedResourceError);
    expect(() => receive.receiveNowait()).toThrow(ClosedResourceError);
  });

  test('await using closes an end, also in a cancelled scope', async () => {
    const [send, receive] = createMemoryObjectStream<number>(1);
    const scope = new CancelScope();
    await scope.run(async () => {
      await using a = send;
      await using b = receive;
      expect([a, b]).toEqual([send, receive]);
      scope.cancel();
    });
    expect(scope.cancelledCaught).toBe(false);
    expect(send.statistics()).toMatchObject({ openSendStreams: 0, openReceiveStreams: 0 });
  });

  test(
    'ends the other side when the block fails',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const error = await errorOf(
        taskGroup((tg) => {
          tg.startSoon(async () => {
            using _ = send;
            await send.send(1);
            throw new Error('no more');
          });
          tg.startSoon(() => collect(receive));
        }),
      );
      expect((error as TaskGroupError).errors).toEqual([new Error('no more')]);
      expect(receive.tryReceive()).toEqual({ ok: false, ended: true });
    }),
  );
});

describe('onUndelivered', () => {
  test('is given what is left in the buffer, in order, when the last receiving end is closed', () => {
    const dropped: number[] = [];
    const [send, receive] = createMemoryObjectStream<number>(3, { onUndelivered: (n) => dropped.push(n) });
    const clone = receive.clone();
    for (const n of [1, 2, 3]) send.sendNowait(n);
    expect(receive.receiveNowait()).toBe(1);
    receive.close();
    expect(dropped).toEqual([]);
    clone.close();
    expect(dropped).toEqual([2, 3]);
    expect(send.statistics().currentBufferUsed).toBe(0);
  });

  test(
    'is not given what somebody still waits to send: that was not sent',
    virtualTime(async () => {
      const dropped: number[] = [];
      const [send, receive] = createMemoryObjectStream<number>(1, { onUndelivered: (n) => dropped.push(n) });
      send.sendNowait(1);
      const sent = send.send(2);
      receive.close();
      expect(await errorOf(sent)).toBeInstanceOf(BrokenResourceError);
      expect(dropped).toEqual([1]);
    }),
  );

  test('is not called when the sending end is closed', () => {
    const dropped: number[] = [];
    const [send, receive] = createMemoryObjectStream<number>(1, { onUndelivered: (n) => dropped.push(n) });
    send.sendNowait(1);
    send.close();
    expect(dropped).toEqual([]);
    expect(receive.receiveNowait()).toBe(1);
    receive.close();
    expect(dropped).toEqual([]);
  });

  test(
    'that throws is heard of by who closes, after all has been done',
    virtualTime(async () => {
      const onUndelivered = (n: number): void => {
        if (n > 1) throw new Error(`lost ${n}`);
      };
      const [send, receive] = createMemoryObjectStream<number>(2, { onUndelivered });
      send.sendNowait(1);
      send.sendNowait(2);
      const sent = send.send(3);
      expect(() => receive.close()).toThrow('lost 2');
      expect(await errorOf(sent)).toBeInstanceOf(BrokenResourceError);
      expect(send.statistics()).toMatchObject({ openReceiveStreams: 0, currentBufferUsed: 0 });
      receive.close();

      const [sendTwo, receiveTwo] = createMemoryObjectStream<number>(3, { onUndelivered });
      for (const n of [1, 2, 3]) sendTwo.sendNowait(n);
      const error = await errorOf(receiveTwo.aclose());
      expect(error).toBeInstanceOf(AggregateError);
      expect((error as AggregateError).errors.map(String)).toEqual(['Error: lost 2', 'Error: lost 3']);
    }),
  );
});

describe('receiveMany()', () => {
  test(
    'takes what is there, up to a number',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(Infinity);
      for (let n = 0; n < 5; n++) send.sendNowait(n);
      expect(await receive.receiveMany(3)).toEqual([0, 1, 2]);
      expect(await receive.receiveMany(3)).toEqual([3, 4]);
      send.sendNowait(5);
      expect(await receive.receiveMany(1)).toEqual([5]);
      for (const n of [6, 7]) send.sendNowait(n);
      expect(await receive.receiveMany(Infinity)).toEqual([6, 7]);
    }),
  );

  test(
    'waits for the first alone',
    virtualTime(async (clock) => {
      const [send, receive] = createMemoryObjectStream<number>(5);
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          expect(await receive.receiveMany(5)).toEqual([1]);
          expect(clock.now()).toBe(3);
        });
        await sleep(3);
        await send.send(1);
        await sleep(3);
        await send.send(2);
      });
      expect(drain(receive)).toEqual([2]);
    }),
  );

  test(
    'takes the items of those who wait to send as well',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      const sent = [1, 2, 3, 4].map((n) => send.send(n));
      expect(await receive.receiveMany(3)).toEqual([1, 2, 3]);
      await Promise.all(sent);
      expect(receive.statistics()).toMatchObject({ currentBufferUsed: 1, tasksWaitingSend: 0 });
    }),
  );

  test(
    'gives what it has when the stream ends or this end is closed',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(2);
      send.sendNowait(1);
      send.sendNowait(2);
      send.close();
      expect(await receive.receiveMany(5)).toEqual([1, 2]);
      expect(await errorOf(receive.receiveMany(5))).toBeInstanceOf(EndOfStream);

      const dropped: number[] = [];
      const [again, end] = createMemoryObjectStream<number>(2, { onUndelivered: (n) => dropped.push(n) });
      again.sendNowait(1);
      again.sendNowait(2);
      const received = end.receiveMany(5);
      end.close();
      expect([...(await received), ...dropped]).toEqual([1, 2]);
    }),
  );

  test(
    'takes nothing more once this end is closed, which others may still receive',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(3);
      const clone = receive.clone();
      for (const n of [1, 2, 3]) send.sendNowait(n);
      const received = receive.receiveMany(5);
      receive.close();
      expect(await received).toEqual([1]);
      expect(drain(clone)).toEqual([2, 3]);
    }),
  );

  test(
    'refuses a number that is none, and takes nothing',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      send.sendNowait(1);
      for (const max of [0, -1, NaN]) {
        const error = await errorOf(receive.receiveMany(max));
        expect(error).toBeInstanceOf(RangeError);
        expect((error as Error).message).toBe(
          `MemoryObjectReceiveStream.receiveMany(): max must be at least 1, got ${max}`,
        );
      }
      for (const max of [1.5, '2', undefined]) {
        expect(await errorOf(receive.receiveMany(max as number))).toBeInstanceOf(TypeError);
      }
      expect(receive.receiveNowait()).toBe(1);
    }),
  );
});

describe('reserve()', () => {
  test(
    'keeps a place, which nobody else can take',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(2);
      const permit = await send.reserve();
      expect(send.trySend('tea')).toBe(true);
      expect(send.trySend('milk')).toBe(false);
      permit.send('sugar');
      expect(drain(receive)).toEqual(['tea', 'sugar']);
      expect(send.trySend('a')).toBe(true);
      expect(send.trySend('b')).toBe(true);
    }),
  );

  test(
    'waits for a place, in the same queue as those who send',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      send.sendNowait('first');
      const order: string[] = [];
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          await send.send('second');
          order.push('second');
        });
        await waitAllTasksBlocked();
        tg.startSoon(async () => {
          const permit = await send.reserve();
          order.push('third');
          permit.send('third');
        });
        await waitAllTasksBlocked();
        expect(send.statistics().tasksWaitingSend).toBe(2);
        const received: string[] = [];
        for (let i = 0; i < 3; i++) {
          received.push(await receive.receive());
          await waitAllTasksBlocked();
        }
        expect(received).toEqual(['first', 'second', 'third']);
      });
      expect(order).toEqual(['second', 'third']);
    }),
  );

  test(
    'in a rendezvous waits for somebody who wants an item',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      await taskGroup(async (tg) => {
        const reserving = tg.startSoon(() => send.reserve());
        await waitAllTasksBlocked();
        expect(reserving.status).toBe('pending');
        expect(receive.tryReceive()).toEqual({ ok: false, ended: false });
        const receiving = tg.startSoon(() => receive.receive());
        const permit = await reserving.result();
        expect(send.trySend('somebody else')).toBe(false);
        permit.send('tea');
        expect(await receiving.result()).toBe('tea');
      });
    }),
  );

  test(
    'in a rendezvous is satisfied by whoever would receive, in whatever way',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      for (const begin of [
        () => receive.receive(),
        () => receive.receiveMany(1),
        () => receive[Symbol.asyncIterator]().next(),
        () => select({ get: receive.onReceive() }),
      ]) {
        const reserving = send.reserve();
        const receiving = begin();
        expect(send.statistics()).toMatchObject({ tasksWaitingSend: 0, tasksWaitingReceive: 1 });
        (await reserving).send('tea');
        expect(JSON.stringify(await receiving)).toContain('tea');
      }
    }),
  );

  test(
    'in a rendezvous whose receiver has left: the item waits for the next',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      const scope = new CancelScope();
      const leaving = scope.run(() => receive.receive());
      const permit = await send.reserve();
      scope.cancel();
      await leaving;
      permit.send('tea');
      expect(send.trySend('milk')).toBe(false);
      expect(await receive.receive()).toBe('tea');
      expect(receive.statistics().currentBufferUsed).toBe(0);
    }),
  );

  test(
    'does not let a receiver who comes later be served first',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      const first = receive.receive();
      const permit = await send.reserve();
      const sent = send.send('tea');
      expect(receive.tryReceive()).toEqual({ ok: false, ended: false });
      const second = receive.receive();
      expect(await first).toBe('tea');
      await sent;
      permit.send('milk');
      expect(await second).toBe('milk');
    }),
  );

  test(
    'gives the place back when the permit is disposed of, once',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      {
        using permit = await send.reserve();
        expect(send.trySend('tea')).toBe(false);
        permit[Symbol.dispose]();
      }
      expect(send.trySend('tea')).toBe(true);
      expect(send.trySend('milk')).toBe(false);
      expect(drain(receive)).toEqual(['tea']);
    }),
  );

  test(
    'gives the place to one who waits when the permit is disposed of',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      const permit = await send.reserve();
      const sent = send.send('tea');
      const next = send.reserve();
      permit[Symbol.dispose]();
      await sent;
      expect(receive.receiveNowait()).toBe('tea');
      (await next).send('milk');
      expect(receive.receiveNowait()).toBe('milk');
      expect(send.statistics().tasksWaitingSend).toBe(0);
    }),
  );

  test(
    'gives a permit for one item',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(5);
      using permit = await send.reserve();
      permit.send('tea');
      expect(() => permit.send('milk')).toThrow(InvalidStateError);
      expect(() => permit.send('milk')).toThrow('the permit is used up: it is for one item');
      const unused = await send.reserve();
      unused[Symbol.dispose]();
      expect(() => unused.send('milk')).toThrow(InvalidStateError);
      expect(drain(receive)).toEqual(['tea']);
    }),
  );

  test(
    'gives a permit that is of no use any more when an end is closed',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      const clone = send.clone();
      const permit = await send.reserve();
      send.close();
      expect(() => permit.send('tea')).toThrow(ClosedResourceError);
      expect(clone.trySend('tea')).toBe(false);
      permit[Symbol.dispose]();
      expect(clone.trySend('tea')).toBe(true);
      receive.receiveNowait();
      const broken = await clone.reserve();
      receive.close();
      expect(() => broken.send('milk')).toThrow(BrokenResourceError);
      broken[Symbol.dispose]();
    }),
  );

  test(
    'is no item: it neither counts as one nor keeps the stream from ending',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      const permit = await send.reserve();
      expect(send.statistics()).toMatchObject({ currentBufferUsed: 0, peakBufferUsed: 0 });
      send.close();
      expect(await errorOf(receive.receive())).toBeInstanceOf(EndOfStream);
      permit[Symbol.dispose]();
    }),
  );
});

testCancellation('receive()', () => {
  const [send, receive] = createMemoryObjectStream<number>(Infinity);
  let sent = 0;
  const received: number[] = [];
  return {
    begin: (options) => receive.receive(options),
    satisfy: () => send.sendNowait(++sent),
    end(got) {
      if (got === undefined) received.push(...drain(receive));
      else received.push(got as number);
      expectEqual(
        received,
        Array.from({ length: sent }, (_, n) => n + 1),
      );
    },
    waiting: () => receive.statistics().tasksWaitingReceive,
    out: () => receive.statistics().currentBufferUsed,
  };
});

testCancellation('receiveMany()', () => {
  const [send, receive] = createMemoryObjectStream<number>(Infinity);
  let sent = 0;
  const received: number[] = [];
  return {
    begin: (options) => receive.receiveMany(3, options),
    satisfy: () => send.sendNowait(++sent),
    end(got) {
      received.push(...((got as number[] | undefined) ?? drain(receive)));
      expectEqual(
        received,
        Array.from({ length: sent }, (_, n) => n + 1),
      );
    },
    waiting: () => receive.statistics().tasksWaitingReceive,
    out: () => receive.statistics().currentBufferUsed,
  };
});

testCancellation('a step of values()', () => {
  const [send, receive] = createMemoryObjectStream<number>(Infinity);
  let sent = 0;
  const received: number[] = [];
  return {
    begin: (options) => receive.values(options)[Symbol.asyncIterator]().next(),
    satisfy: () => send.sendNowait(++sent),
    end(got) {
      if (got === undefined) received.push(...drain(receive));
      else received.push((got as IteratorYieldResult<number>).value);
      expectEqual(
        received,
        Array.from({ length: sent }, (_, n) => n + 1),
      );
    },
    waiting: () => receive.statistics().tasksWaitingReceive,
    out: () => receive.statistics().currentBufferUsed,
  };
});

testCancellation('send()', () => {
  const [send, receive] = createMemoryObjectStream<number>(1);
  send.sendNowait(0);
  let begun = 0;
  const sent = [0];
  const received: number[] = [];
  return {
    begin(options) {
      const item = ++begun;
      return chain(send.send(item, options), () => item, options?.signal);
    },
    satisfy() {
      const next = receive.tryReceive();
      if (next.ok) received.push(next.value);
    },
    end(got) {
      if (got !== undefined) sent.push(got as number);
      received.push(...drain(receive));
      // Everything that was sent is there, and nothing else.
      expectEqual(received, sent);
    },
    waiting: () => send.statistics().tasksWaitingSend,
    out: () => receive.statistics().currentBufferUsed,
  };
});

testCancellation('reserve()', () => {
  const [send, receive] = createMemoryObjectStream<string>(1);
  send.sendNowait('in the way');
  return {
    begin: (options) => send.reserve(options),
    satisfy: () => drain(receive),
    end(got) {
      if (got === undefined) return;
      expectEqual(send.trySend('no room'), false);
      (got as Permit<string>)[Symbol.dispose]();
    },
    waiting: () => send.statistics().tasksWaitingSend,
    /** The places that are kept and not used. */
    out() {
      const { currentBufferUsed } = send.statistics();
      return currentBufferUsed === 0 && !send.trySend('probe') ? 1 : 0;
    },
  };
});

describe('in a cancelled scope', () => {
  test(
    'receiving rejects although there are items, and takes none',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      send.sendNowait(1);
      const sent = send.send(2);
      await new CancelScope().run(async (scope) => {
        scope.cancel('no');
        for (const begin of [
          () => receive.receive(),
          () => receive.receiveMany(2),
          () => receive[Symbol.asyncIterator]().next(),
        ]) {
          expect(await errorOf(begin())).toMatchObject({ name: 'Cancelled', reason: 'no' });
        }
      });
      expect(receive.statistics()).toMatchObject({ currentBufferUsed: 1, tasksWaitingSend: 1 });
      expect(await receive.receiveMany(2)).toEqual([1, 2]);
      await sent;
    }),
  );

  test(
    'receiving takes nothing from those who wait to send',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      await taskGroup(async (tg) => {
        tg.startSoon(() => send.send('tea'));
        await waitAllTasksBlocked();
        tg.startSoon(() => send.send('milk'));
        await waitAllTasksBlocked();
        const scope = new CancelScope();
        await scope.run(async () => {
          scope.cancel();
          await receive.receive();
        });
        expect(scope.cancelledCaught).toBe(true);
        expect(await receive.receive()).toBe('tea');
        expect(await receive.receive()).toBe('milk');
      });
    }),
  );

  test(
    'sending rejects although there is room or somebody waits, and leaves nothing behind',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      const received: string[] = [];
      await taskGroup(async (tg) => {
        await new CancelScope().run(async (scope) => {
          scope.cancel();
          expect(await errorOf(send.send('no'))).toMatchObject({ name: 'Cancelled' });
          expect(await errorOf(send.reserve())).toMatchObject({ name: 'Cancelled' });
        });
        expect(receive.statistics().currentBufferUsed).toBe(0);
        tg.startSoon(async () => received.push(await receive.receive()));
        await waitAllTasksBlocked();
        await new CancelScope().run(async (scope) => {
          scope.cancel();
          await send.send('no');
        });
        expect(receive.statistics().tasksWaitingReceive).toBe(1);
        await send.send('yes');
      });
      expect(received).toEqual(['yes']);
      expect(send.trySend('room')).toBe(true);
    }),
  );

  test(
    'a cancellation is seen before a closed end',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      send.close();
      receive.close();
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        expect(await errorOf(send.send('no'))).toMatchObject({ name: 'Cancelled' });
        expect(await errorOf(receive.receive())).toMatchObject({ name: 'Cancelled' });
      });
    }),
  );

  test('what does not wait works as always', () => {
    const [send, receive] = createMemoryObjectStream<string>(2);
    return new CancelScope().run(async (scope) => {
      scope.cancel();
      send.sendNowait('tea');
      expect(send.trySend('milk')).toBe(true);
      expect(receive.receiveNowait()).toBe('tea');
      expect(receive.tryReceive()).toEqual({ ok: true, value: 'milk' });
      await send.clone().aclose();
      await send.aclose();
      await receive.aclose();
    });
  });
});

describe('a cancelled wait', () => {
  test(
    'of a receiver leaves nobody to send to',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      await taskGroup(async (tg) => {
        tg.startSoon(() => receive.receive());
        await waitAllTasksBlocked();
        tg.cancel();
        expect(() => send.sendNowait('tea')).toThrow(WouldBlock);
      });
      expect(() => send.sendNowait('tea')).toThrow(WouldBlock);
    }),
  );

  test(
    'of a sender leaves nothing to receive',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      await taskGroup(async (tg) => {
        tg.startSoon(() => send.send('tea'));
        await waitAllTasksBlocked();
        tg.cancel();
        expect(() => receive.receiveNowait()).toThrow(WouldBlock);
      });
      expect(() => receive.receiveNowait()).toThrow(WouldBlock);
    }),
  );

  test(
    'keeps the item that came before the cancellation in the same step',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>();
      const received: string[] = [];
      const scope = new CancelScope();
      await taskGroup(async (tg) => {
        tg.startSoon(() =>
          scope.run(async () => {
            received.push(await receive.receive());
            await checkpoint();
          }),
        );
        await waitAllTasksBlocked();
        send.sendNowait('tea');
        scope.cancel();
      });
      expect(received).toEqual(['tea']);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'does not get the item that came after the cancellation in the same step',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      const scope = new CancelScope();
      await taskGroup(async (tg) => {
        tg.startSoon(() => scope.run(() => receive.receive()));
        await waitAllTasksBlocked();
        scope.cancel();
        send.sendNowait('tea');
      });
      expect(receive.receiveNowait()).toBe('tea');
    }),
  );

  test(
    'by a timeout leaves the stream as it was',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      const scope = moveOnAfter(10);
      await scope.run(() => receive.receive());
      expect(scope.cancelledCaught).toBe(true);
      await send.send('tea');
      expect(receive.receiveNowait()).toBe('tea');
    }),
  );

  test(
    'of a whole crowd of receivers leaves every item to those who stay',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const received: number[] = [];
      await taskGroup(async (tg) => {
        const handles = Array.from({ length: 20 }, () =>
          tg.startSoon(async () => received.push(await receive.receive())),
        );
        await waitAllTasksBlocked();
        for (const handle of handles.filter((_, i) => i % 2 === 0)) handle.cancel();
        expect(receive.statistics().tasksWaitingReceive).toBe(10);
        for (let n = 0; n < 10; n++) send.sendNowait(n);
        expect(send.trySend(10)).toBe(false);
      });
      expect(received.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }),
  );
});

describe('with { signal }', () => {
  const waits: readonly (readonly [
    string,
    (
      ends: readonly [MemoryObjectSendStream<number>, MemoryObjectReceiveStream<number>],
      o: WaitOptions,
    ) => Promise<unknown>,
  ])[] = [
    ['send', ([send], o) => send.send(1, o)],
    ['reserve', ([send], o) => send.reserve(o)],
    ['receive', ([, receive], o) => receive.receive(o)],
    ['receiveMany', ([, receive], o) => receive.receiveMany(2, o)],
    ['values', ([, receive], o) => collect(receive.values(o))],
  ];

  test.each(waits)(
    '%s() outside of run() is cancelled with the scope whose signal it is',
    async (_, wait) => {
      const ends = createMemoryObjectStream<number>();
      const scope = new CancelScope();
      const promise = wait(ends, { signal: scope.signal });
      scope.cancel('enough');
      expect(ends[0].statistics()).toMatchObject({ tasksWaitingSend: 0, tasksWaitingReceive: 0 });
      expect(await errorOf(promise)).toMatchObject({ name: 'Cancelled', reason: 'enough' });
      expect(await errorOf(wait(ends, { signal: scope.signal }))).toMatchObject({ name: 'Cancelled' });
    },
  );

  test('values() takes it for each step, and keeps no listener between them', async () => {
    const [send, receive] = createMemoryObjectStream<number>(Infinity);
    const controller = new AbortController();
    const seen: number[] = [];
    const loop = async (): Promise<void> => {
      for await (const n of receive.values({ signal: controller.signal })) {
        expect(listeners(controller.signal)).toBe(0);
        seen.push(n);
      }
    };
    const looping = loop();
    for (const n of [1, 2]) {
      expect(listeners(controller.signal)).toBe(1);
      send.sendNowait(n);
      await turns();
    }
    controller.abort(new Error('stop'));
    await expect(looping).rejects.toThrow('stop');
    expect(listeners(controller.signal)).toBe(0);
    send.sendNowait(3);
    expect(seen).toEqual([1, 2]);
    expect(drain(receive)).toEqual([3]);
  });

  test('values() ends at the end of the stream', async () => {
    const [send, receive] = createMemoryObjectStream<number>(2);
    send.sendNowait(1);
    send.close();
    expect(await collect(receive.values({ signal: new AbortController().signal }))).toEqual([1]);
    expect(await collect(receive.values())).toEqual([]);
  });
});

describe('cancelled at every step it has', () => {
  /** Producers and consumers; whatever was sent was received, is still there, or was undelivered. */
  const pipeline = (
    size: number,
    receiveOne: (receive: MemoryObjectReceiveStream<number>) => Promise<number[]>,
  ) => {
    return (): Workload => {
      const [send, receive] = createMemoryObjectStream<number>(size);
      const sent: number[] = [];
      const received: number[] = [];
      const producer = (first: number) => {
        const end = send.clone();
        return async (): Promise<void> => {
          using _ = end;
          for (const n of [first, first + 1, first + 2]) {
            await end.send(n);
            sent.push(n);
          }
        };
      };
      const consumer = () => {
        const end = receive.clone();
        return async (): Promise<void> => {
          using _ = end;
          for (;;) {
            try {
              received.push(...(await receiveOne(end)));
              // Slower than those who send.
              await sleep(1);
            } catch (error) {
              if (error instanceof EndOfStream) return;
              throw error;
            }
          }
        };
      };
      const tasks = [producer(10), producer(20), consumer(), consumer()];
      send.close();
      return {
        tasks,
        check() {
          const left = drain(receive);
          expect([...received, ...left].toSorted((a, b) => a - b)).toEqual(sent.toSorted((a, b) => a - b));
          expect(receive.statistics()).toMatchObject({
            currentBufferUsed: 0,
            openSendStreams: 0,
            openReceiveStreams: 1,
            tasksWaitingSend: 0,
            tasksWaitingReceive: 0,
          });
          expect(receive.tryReceive()).toEqual({ ok: false, ended: true });
        },
      };
    };
  };

  test('send() and receive() lose nothing', async () => {
    for (const size of [0, 1, 2]) {
      const one = async (receive: MemoryObjectReceiveStream<number>): Promise<number[]> => [
        await receive.receive(),
      ];
      expect((await cancelEverywhere(pipeline(size, one))).waits).toBeGreaterThan(3);
    }
  });

  test('receiveMany() loses nothing', async () => {
    for (const size of [0, 1, 3]) {
      const { waits } = await cancelEverywhere(pipeline(size, (receive) => receive.receiveMany(2)));
      expect(waits).toBeGreaterThan(2);
    }
  });

  test('for await loses nothing', async () => {
    const next = async (receive: MemoryObjectReceiveStream<number>): Promise<number[]> => {
      for await (const n of receive) return [n];
      throw new EndOfStream('it has ended');
    };
    expect((await cancelEverywhere(pipeline(1, next))).waits).toBeGreaterThan(3);
  });

  test('reserve() loses no place and no item', async () => {
    for (const size of [0, 1]) {
      const { waits } = await cancelEverywhere(() => {
        const [send, receive] = createMemoryObjectStream<number>(size);
        const sent: number[] = [];
        const received: number[] = [];
        const producer = (first: number) => {
          const end = send.clone();
          return async (): Promise<void> => {
            using _ = end;
            for (const n of [first, first + 1]) {
              using permit = await end.reserve();
              await checkpoint();
              permit.send(n);
              sent.push(n);
            }
          };
        };
        const consumer = (): Promise<unknown> =>
          moveOnAfter(100, async () => {
            for await (const n of receive) received.push(n);
          });
        const tasks = [producer(10), producer(20), consumer, consumer];
        return {
          tasks,
          check() {
            received.push(...drain(receive));
            expect(received.toSorted((a, b) => a - b)).toEqual(sent.toSorted((a, b) => a - b));
            // No place is kept for anybody any more.
            if (size === 1) expect([send.trySend(0), send.trySend(0)]).toEqual([true, false]);
            else expect(send.trySend(0)).toBe(false);
          },
        };
      });
      expect(waits).toBeGreaterThan(3);
    }
  });
});

test('a loop of sends and receives that need not wait lets the event loop turn', async () => {
  const [send, receive] = createMemoryObjectStream<number>(1);
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  await run(async () => {
    for (let n = 0; n < 100_000 && !turned; n++) {
      await send.send(n);
      await receive.receive();
    }
  });
  expect(turned).toBe(true);
});

test('so does a rendezvous of two tasks that never stop', async () => {
  const [send, receive] = createMemoryObjectStream<number>();
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  await run(() =>
    taskGroup((tg) => {
      tg.startSoon(async () => {
        using _ = send;
        for (let n = 0; n < 100_000 && !turned; n++) await send.send(n);
      });
      tg.startSoon(() => collect(receive));
    }),
  );
  expect(turned).toBe(true);
});

interface RealStream extends Real {
  readonly sendEnds: MemoryObjectSendStream<number>[];
  readonly receiveEnds: MemoryObjectReceiveStream<number>[];
  readonly dropped: number[];
}

describe('with random operations, clones, cancellations and closes', () => {
  const number = fc.nat(1_000);
  const sendEnd = (model: PlainStream, choice: number): number => choice % model.sendEnds.length;
  const receiveEnd = (model: PlainStream, choice: number): number => choice % model.receiveEnds.length;
  const permit = (model: PlainStream, choice: number): number | undefined =>
    [...model.permits.keys()][choice % model.permits.size];
  const expectSame = (expected: string, actual: string): void => {
    if (expected !== actual) throw new Error(`expected ${expected}, got ${actual}`);
  };
  type Run = (model: PlainStream, real: RealStream, choice: number) => void;
  const each = (name: string, run: Run, isPossible?: (model: PlainStream) => boolean) =>
    command<PlainStream, RealStream, number>(
      name,
      number,
      (model, real, choice) => {
        run(model, real, choice);
        model.goOn();
      },
      isPossible,
    );

  const commands = [
    each('send', (model, real, choice) => {
      const [end, item] = [sendEnd(model, choice), model.nextItem++];
      model.send(end, item);
      real.operations.push(new Operation((options) => real.sendEnds[end]!.send(item, options)));
    }),
    each('sendNowait', (model, real, choice) => {
      const [end, item] = [sendEnd(model, choice), model.nextItem++];
      expectSame(
        model.sendNowait(end, item),
        called(() => real.sendEnds[end]!.sendNowait(item)),
      );
    }),
    each('reserve', (model, real, choice) => {
      const end = sendEnd(model, choice);
      model.reserve(end);
      real.operations.push(new Operation((options) => real.sendEnds[end]!.reserve(options)));
    }),
    each(
      'use a permit',
      (model, real, choice) => {
        const [operation, item] = [permit(model, choice)!, model.nextItem++];
        const { value } = real.operations[operation]!;
        expectSame(
          model.usePermit(operation, item),
          called(() => (value as Permit<number>).send(item)),
        );
      },
      (model) => model.permits.size > 0,
    ),
    each(
      'dispose of a permit',
      (model, real, choice) => {
        const operation = permit(model, choice)!;
        model.disposePermit(operation);
        (real.operations[operation]!.value as Permit<number>)[Symbol.dispose]();
      },
      (model) => model.permits.size > 0,
    ),
    each('receive', (model, real, choice) => {
      const end = receiveEnd(model, choice);
      model.receive(end, 'one');
      real.operations.push(new Operation((options) => real.receiveEnds[end]!.receive(options)));
    }),
    each('receiveMany', (model, real, choice) => {
      const end = receiveEnd(model, choice);
      model.receive(end, 'many');
      real.operations.push(new Operation((options) => real.receiveEnds[end]!.receiveMany(3, options)));
    }),
    each('next', (model, real, choice) => {
      const end = receiveEnd(model, choice);
      model.receive(end, 'step');
      const begin = (options: WaitOptions): Promise<unknown> =>
        real.receiveEnds[end]!.values(options)[Symbol.asyncIterator]().next();
      real.operations.push(new Operation(begin));
    }),
    each('receiveNowait', (model, real, choice) => {
      const end = receiveEnd(model, choice);
      let item: number | undefined;
      const status = called(() => (item = real.receiveEnds[end]!.receiveNowait()));
      expectSame(model.receiveNowait(end), item === undefined ? status : `${status} ${item}`);
    }),
    each(
      'cancel',
      (model, real, choice) => {
        const operation = pendingOperation(model, choice)!;
        model.cancel(operation);
        real.operations[operation]!.cancel();
      },
      (model) => model.operations.includes('pending'),
    ),
    each('clone a sending end', (model, real, choice) => {
      const end = sendEnd(model, choice);
      const status = called(() => real.sendEnds.push(real.sendEnds[end]!.clone()));
      expectSame(model.sendEnds[end] ? 'done' : 'ClosedResourceError', status);
      if (model.sendEnds[end]) model.sendEnds.push(true);
    }),
    each('clone a receiving end', (model, real, choice) => {
      const end = receiveEnd(model, choice);
      const status = called(() => real.receiveEnds.push(real.receiveEnds[end]!.clone()));
      expectSame(model.receiveEnds[end] ? 'done' : 'ClosedResourceError', status);
      if (model.receiveEnds[end]) model.receiveEnds.push(true);
    }),
    each('close a sending end', (model, real, choice) => {
      // Rather not the last one, or little would happen.
      const end = sendEnd(model, choice);
      if (choice % 3 > 0 && model.sendEnds.filter(Boolean).length < 2) return;
      model.closeSend(end);
      real.sendEnds[end]!.close();
    }),
    each('close a receiving end', (model, real, choice) => {
      const end = receiveEnd(model, choice);
      if (choice % 3 > 0 && model.receiveEnds.filter(Boolean).length < 2) return;
      model.closeReceive(end);
      real.receiveEnds[end]!.close();
    }),
  ];

  test.each([0, 1, 3, Infinity])('a stream with a buffer of %d does what the model does', (size) =>
    checkModel<PlainStream, RealStream>(
      commands,
      () => {
        const dropped: number[] = [];
        const [send, receive] = createMemoryObjectStream<number>(size, {
          onUndelivered: (item) => dropped.push(item),
        });
        return {
          model: new PlainStream(size),
          real: { operations: [], sendEnds: [send], receiveEnds: [receive], dropped },
        };
      },
      (model, real) => [
        [
          model.values,
          real.operations.map(({ value }) =>
            typeof value === 'object' && value !== null && 'send' in value ? 'a permit' : value,
          ),
        ],
        [
          {
            currentBufferUsed: model.buffer.length,
            peakBufferUsed: model.peak,
            maxBufferSize: size,
            openSendStreams: model.sendEnds.filter(Boolean).length,
            openReceiveStreams: model.receiveEnds.filter(Boolean).length,
            tasksWaitingSend: model.senders.length,
            tasksWaitingReceive: model.receivers.length,
          },
          real.sendEnds[0]!.statistics(),
        ],
        [model.dropped, real.dropped],
      ],
    ),
  );
});
