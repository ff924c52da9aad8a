import {
  BrokenResourceError,
  Cancelled,
  CancelScope,
  checkpoint,
  cleanup,
  ClosedResourceError,
  flattenErrors,
  moveOnAfter,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  TaskGroupError,
} from '@taskscope/core';
import { cancelEverywhere, fuzzSchedule, virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';

import { errorOf, turns, unhandledRejections } from '../../core/src/observing.fixture.js';
import {
  createMemoryObjectStream,
  fromAsyncIterable,
  merge,
  produce,
  type MemoryObjectReceiveStream,
  type ObjectSendStream,
} from './index.js';
import { inPlainOrder } from '../../core/src/schedules.fixture.js';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function drain<T>(receive: MemoryObjectReceiveStream<T>): T[] {
  const items: T[] = [];
  for (let next = receive.tryReceive(); next.ok; next = receive.tryReceive()) items.push(next.value);
  return items;
}

/** Counts for ever, and writes down when it is told to stop and when it has. */
async function* counting(events: string[], from = 0): AsyncGenerator<number> {
  try {
    for (let n = from; ; n++) {
      events.push(`yield ${n}`);
      yield n;
    }
  } finally {
    events.push('stopping');
    await sleep(5);
    events.push('stopped');
  }
}

async function* failing(error: Error, ...items: number[]): AsyncGenerator<number> {
  yield* items;
  throw error;
}

/** The errors in the group that a promise rejects with. */
async function errorsOf(promise: Promise<unknown>): Promise<unknown[]> {
  const error = await errorOf(promise);
  expect(error).toBeInstanceOf(TaskGroupError);
  return flattenErrors(error);
}

describe('fromAsyncIterable()', () => {
  test('cancelled at every step it has: the source is told to stop, and no item comes twice', async () => {
    const { waits } = await cancelEverywhere(() => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      const received: number[] = [];
      let open = 0;
      async function* source(): AsyncGenerator<number> {
        open++;
        try {
          for (let n = 0; n < 3; n++) {
            yield n;
            await sleep(1);
          }
        } finally {
          await cleanup(() => sleep(1));
          open--;
        }
      }
      return {
        tasks: [
          async () => {
            using _ = send;
            try {
              await fromAsyncIterable(source(), send);
            } catch (error) {
              // Nobody is there to receive any more.
              if (!(error instanceof BrokenResourceError)) throw error;
            }
          },
          async () => {
            using _ = receive;
            for await (const n of receive) received.push(n);
          },
        ],
        check(cancelled) {
          expect(open).toBe(0);
          expect(received).toEqual([0, 1, 2].slice(0, received.length));
          if (!cancelled.includes(true)) expect(received).toHaveLength(3);
        },
      };
    });
    expect(waits).toBeGreaterThan(5);
  });

  test(
    'sends every item, and does not close the stream',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(Infinity);
      async function* source(): AsyncGenerator<number> {
        for (const n of [1, 2, 3]) {
          await sleep(n);
          yield n;
        }
      }
      expect(await fromAsyncIterable(source(), send)).toBeUndefined();
      await fromAsyncIterable([4, 5], send);
      await fromAsyncIterable(new Set([6]), send);
      expect(drain(receive)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(receive.statistics().openSendStreams).toBe(1);
    }),
  );

  test(
    'waits while there is no room, and asks for no more than it can send',
    virtualTime(async (clock) => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      const events: string[] = [];
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => fromAsyncIterable(counting(events), send));
        await sleep(10);
        expect(events).toEqual(['yield 0', 'yield 1']);
        expect(await receive.receive()).toBe(0);
        await waitAllTasksBlocked();
        expect(events).toEqual(['yield 0', 'yield 1', 'yield 2']);
        task.cancel();
      });
      expect(events.slice(3)).toEqual(['stopping', 'stopped']);
      expect(clock.now()).toBe(15);
      expect(drain(receive)).toEqual([1]);
    }),
  );

  test(
    'rejects with what the source throws, after what came before was sent',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(Infinity);
      const error = new Error('no more');
      expect(await errorOf(fromAsyncIterable(failing(error, 1, 2), send))).toBe(error);
      expect(drain(receive)).toEqual([1, 2]);
      const broken: Iterable<number> = {
        [Symbol.iterator]: () => ({
          next() {
            throw error;
          },
        }),
      };
      expect(await errorOf(fromAsyncIterable(broken, send))).toBe(error);
    }),
  );

  test(
    'stops the source when it cannot send any more',
    virtualTime(async () => {
      for (const side of ['send', 'receive'] as const) {
        const [send, receive] = createMemoryObjectStream<number>(1);
        const events: string[] = [];
        const pumping = fromAsyncIterable(counting(events), send);
        await sleep(1);
        if (side === 'send') send.close();
        else receive.close();
        const error = await errorOf(pumping);
        expect(error).toBeInstanceOf(side === 'send' ? ClosedResourceError : BrokenResourceError);
        expect(events.slice(-2)).toEqual(['stopping', 'stopped']);
      }
    }),
  );

  test(
    'cancelled while the source makes the next item: its return() is called and awaited',
    virtualTime(async (clock) => {
      const [send, receive] = createMemoryObjectStream<number>(Infinity);
      const events: string[] = [];
      async function* slow(): AsyncGenerator<number> {
        try {
          yield 1;
          await shield(() => sleep(100));
          events.push('made');
          yield 2;
          events.push('never');
        } finally {
          await cleanup(() => sleep(5));
          events.push('stopped');
        }
      }
      const scope = moveOnAfter(10);
      await scope.run(() => fromAsyncIterable(slow(), send));
      expect(scope.cancelledCaught).toBe(true);
      expect(events).toEqual(['made', 'stopped']);
      expect(clock.now()).toBe(105);
      expect(drain(receive)).toEqual([1]);
    }),
  );

  test(
    'cancelled while the source waits in the same scope: the source is cancelled, too',
    virtualTime(async (clock) => {
      const [send] = createMemoryObjectStream<number>();
      const seen: unknown[] = [];
      async function* waiting(): AsyncGenerator<number> {
        try {
          await sleepForever();
          yield 1;
        } catch (error) {
          seen.push(error);
          throw error;
        } finally {
          seen.push('left');
        }
      }
      await moveOnAfter(10, () => fromAsyncIterable(waiting(), send));
      expect(seen).toEqual([expect.any(Cancelled), 'left']);
      expect(clock.now()).toBe(10);
    }),
  );

  test(
    'cancelled before: asks the source for nothing, and tells it so',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(5);
      const calls: string[] = [];
      const source: AsyncIterable<number> = {
        [Symbol.asyncIterator]: () => ({
          next() {
            calls.push('next');
            return Promise.resolve({ done: false, value: 1 });
          },
          return() {
            calls.push('return');
            return Promise.resolve({ done: true, value: undefined });
          },
        }),
      };
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        expect(await errorOf(fromAsyncIterable(source, send))).toBeInstanceOf(Cancelled);
      });
      expect(calls).toEqual(['return']);
      expect(drain(receive)).toEqual([]);
    }),
  );

  test(
    'does not call return() on a source that has ended or failed by itself',
    virtualTime(async () => {
      const [send] = createMemoryObjectStream<number>(5);
      for (const end of [
        () => Promise.resolve({ done: true as const, value: undefined }),
        () => Promise.reject(new Error('broken')),
      ]) {
        let returns = 0;
        const source: AsyncIterable<number> = {
          [Symbol.asyncIterator]: () => ({
            next: end,
            return() {
              returns++;
              return Promise.resolve({ done: true, value: undefined });
            },
          }),
        };
        await fromAsyncIterable(source, send).catch((error: unknown) =>
          expect(error).toEqual(new Error('broken')),
        );
        expect(returns).toBe(0);
      }
    }),
  );

  test(
    'notices a cancellation between the items of a source that is always ready',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(Infinity);
      const scope = new CancelScope();
      function* source(): Generator<number> {
        for (let n = 0; n < 1_000; n++) {
          if (n === 3) scope.cancel();
          yield n;
        }
      }
      await scope.run(() => fromAsyncIterable(source(), send));
      expect(drain(receive)).toEqual([0, 1, 2]);
    }),
  );

  test('refuses what is not iterable and what is no stream', async () => {
    const [send] = createMemoryObjectStream<number>(1);
    for (const source of [null, undefined, 5, {}]) {
      const error = await errorOf(fromAsyncIterable(source as never, send));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(
        /^fromAsyncIterable\(\): items must be iterable or async iterable, got /,
      );
    }
    for (const end of [null, undefined, {}, () => {}]) {
      const error = await errorOf(fromAsyncIterable([1], end as never));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/^fromAsyncIterable\(\): send must be a send stream, got /);
    }
  });

  test('cancelled, when nobody looks at it: nothing is heard of it', async () => {
    const rejections = await unhandledRejections(() =>
      virtualTime(async () => {
        const [send] = createMemoryObjectStream<number>();
        await new CancelScope().run(async (scope) => {
          void fromAsyncIterable([1], send);
          await turns();
          scope.cancel();
          void fromAsyncIterable([1], send);
          await turns();
        });
        await turns();
      })(),
    );
    expect(rejections).toEqual([]);
  });
});

describe('produce()', () => {
  test(
    'gives what the consumer returns, and the items in order',
    virtualTime(async () => {
      const result = await produce<number, number[]>(async (send) => {
        for (const n of [1, 2, 3]) {
          await sleep(n);
          await send.send(n);
        }
      }, collect);
      expect(result).toEqual([1, 2, 3]);
      expectTypeOf(result).toEqualTypeOf<number[]>();
    }),
  );

  test(
    'lets the producer be ahead by the size of the buffer, and not at all without one',
    virtualTime(async () => {
      for (const bufferSize of [undefined, 0, 2, Infinity]) {
        const sent: number[] = [];
        await produce<number, void>(
          async (send) => {
            for (let n = 1; n <= 5; n++) {
              await send.send(n);
              sent.push(n);
            }
          },
          async () => {
            await sleep(10);
            expect(sent).toHaveLength(Math.min(bufferSize ?? 0, 5));
          },
          { bufferSize },
        );
      }
    }),
  );

  test(
    'cancels the producer when the consumer leaves, and awaits its end',
    virtualTime(async (clock) => {
      const events: string[] = [];
      const found = await produce<number, number>(
        async (send) => {
          try {
            for (let n = 0; ; n++) await send.send(n);
          } catch (error) {
            events.push((error as Error).name);
            throw error;
          } finally {
            await cleanup(() => sleep(7));
            events.push('stopped');
          }
        },
        async (items) => {
          for await (const n of items) if (n === 3) return n;
          return -1;
        },
      );
      expect(found).toBe(3);
      expect(events).toEqual(['Cancelled', 'stopped']);
      expect(clock.now()).toBe(7);
    }),
  );

  test(
    'cancels a producer that does something else when the consumer leaves',
    virtualTime(async (clock) => {
      const result = await produce<number, string>(
        async (send) => {
          await send.send(1);
          await sleep(1_000);
        },
        async (items) => {
          for await (const n of items) return `had ${n}`;
          return 'had none';
        },
      );
      expect(result).toBe('had 1');
      expect(clock.now()).toBe(0);
    }),
  );

  test(
    'tells a producer that cannot be cancelled just then that nobody receives any more',
    virtualTime(async () => {
      const errors: unknown[] = [];
      await produce<string, void>(
        async (send) => {
          try {
            await sleepForever();
          } finally {
            await shield(async () => {
              await send.send('goodbye').catch((error: unknown) => {
                errors.push(error);
                throw error;
              });
            });
          }
        },
        () => sleep(1),
      );
      expect(errors).toEqual([expect.any(BrokenResourceError)]);
    }),
  );

  test(
    'a producer may use scopes and groups around what it sends',
    virtualTime(async () => {
      const items = await produce<string, string[]>(
        (send) =>
          taskGroup((tg) => {
            for (const name of ['a', 'b']) {
              tg.startSoon(async () => {
                await moveOnAfter(10, async () => {
                  for (let n = 1; ; n++) {
                    await sleep(4);
                    await send.send(`${name}${n}`);
                  }
                });
              });
            }
          }),
        collect,
      );
      expect(items.toSorted()).toEqual(['a1', 'a2', 'b1', 'b2']);
    }),
  );

  test(
    'rejects with what the producer throws, after cancelling the consumer',
    virtualTime(async () => {
      const error = new Error('no more');
      const events: string[] = [];
      const errors = await errorsOf(
        produce<number, void>(
          async (send) => {
            await send.send(1);
            throw error;
          },
          async (items) => {
            try {
              for await (const n of items) {
                events.push(`item ${n}`);
                await sleepForever();
              }
            } finally {
              events.push('left');
            }
          },
        ),
      );
      expect(errors).toEqual([error]);
      expect(events).toEqual(['item 1', 'left']);
    }),
  );

  test(
    'a consumer that waits for the next item does not take a failure for the end of the items',
    virtualTime(async () => {
      const error = new Error('no more');
      const events: string[] = [];
      const consumer = async (items: AsyncIterable<number>): Promise<void> => {
        for await (const n of items) events.push(`item ${n}`);
        events.push('all of them');
      };
      const producer = async (send: ObjectSendStream<number>): Promise<void> => {
        await send.send(1);
        await sleep(1);
        throw error;
      };
      expect(await errorsOf(produce(producer, consumer))).toEqual([error]);
      expect(await errorsOf(merge([failing(error, 1)], consumer))).toEqual([error]);
      expect(events).toEqual(['item 1', 'item 1']);
    }),
  );

  test(
    'a consumer that cannot be cancelled still gets to an end when the producer fails',
    virtualTime(async () => {
      const error = new Error('no more');
      const producer = async (send: ObjectSendStream<number>): Promise<void> => {
        await send.send(1);
        throw error;
      };
      const seen: number[] = [];
      const errors = await errorsOf(
        produce<number, void>(producer, async (items) => {
          await shield(async () => seen.push(...(await collect(items))));
        }),
      );
      expect(errors).toEqual([error]);
      expect(seen).toEqual([1]);
    }),
  );

  test(
    'a producer whose tasks send behind a shield ends when the consumer leaves',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const first = await produce<number, number | undefined>(
        (send) =>
          taskGroup((tg) => {
            for (const n of [1, 2, 3]) tg.startSoon(() => shield(() => send.send(n)));
          }),
        async (items) => {
          for await (const n of items) return n;
          return undefined;
        },
      );
      expect(first).toBe(1);
    }),
  );

  test(
    'rejects with what the consumer throws, and with what the producer throws while it stops',
    virtualTime(async () => {
      const [first, second] = [new Error('first'), new Error('second')];
      const consumer = async (items: AsyncIterable<number>): Promise<void> => {
        for await (const n of items) if (n === 1) throw first;
      };
      const producer = async (send: ObjectSendStream<number>): Promise<void> => {
        for (let n = 0; ; n++) await send.send(n);
      };
      expect(await errorsOf(produce(producer, consumer))).toEqual([first]);
      const clumsy = async (send: ObjectSendStream<number>): Promise<void> => {
        try {
          await producer(send);
        } catch {
          throw second;
        }
      };
      expect(await errorsOf(produce(clumsy, consumer))).toEqual([first, second]);
    }),
  );

  test(
    'an error of the producer that only looks like the end of the stream is one',
    virtualTime(async () => {
      const errors = await errorsOf(
        produce<number, number[]>(() => Promise.reject(new BrokenResourceError('the disk')), collect),
      );
      expect(errors).toEqual([expect.objectContaining({ message: 'the disk' })]);
    }),
  );

  test(
    'ends the iteration when the producer returns, whatever it left open',
    virtualTime(async () => {
      let kept: ObjectSendStream<number> | undefined;
      const items = await produce<number, number[]>(async (send) => {
        kept = send;
        await send.send(1);
      }, collect);
      expect(items).toEqual([1]);
      expect(await errorOf(kept!.send(2))).toBeInstanceOf(ClosedResourceError);
    }),
  );

  test(
    'a producer that closes its end early may go on',
    virtualTime(async (clock) => {
      const items = await produce<number, number[]>(async (send) => {
        await send.send(1);
        await send.aclose();
        await shield(() => sleep(10));
      }, collect);
      expect(items).toEqual([1]);
      expect(clock.now()).toBe(10);
    }),
  );

  test(
    'a producer that sends from within a group: all its tasks end when the consumer leaves',
    virtualTime(async (clock) => {
      const events: string[] = [];
      await produce<number, void>(
        (send) =>
          taskGroup(async (tg) => {
            tg.startSoon(async () => {
              try {
                await sleepForever();
              } finally {
                await cleanup(() => sleep(3));
                events.push('task');
              }
            });
            try {
              for (let n = 0; ; n++) await send.send(n);
            } finally {
              events.push('group');
            }
          }),
        async (items) => {
          for await (const n of items) if (n === 2) return;
        },
      );
      expect(events).toEqual(['group', 'task']);
      expect(clock.now()).toBe(3);
    }),
  );

  test(
    'what such tasks throw while they end is heard of, with what the consumer throws',
    virtualTime(async () => {
      const producer =
        (error: Error) =>
        (send: ObjectSendStream<number>): Promise<unknown> =>
          taskGroup(async (tg) => {
            tg.startSoon(async () => {
              try {
                await sleepForever();
              } catch {
                throw error;
              }
            });
            await send.send(1);
            await sleepForever();
          });
      const [first, second] = [new Error('consumer'), new Error('task')];
      const leave = async (items: AsyncIterable<number>): Promise<void> => {
        for await (const _ of items) return;
      };
      const fail = async (items: AsyncIterable<number>): Promise<void> => {
        for await (const _ of items) throw first;
      };
      expect(await errorsOf(produce(producer(second), leave))).toEqual([second]);
      expect(await errorsOf(produce(producer(second), fail))).toEqual([first, second]);
    }),
  );

  test(
    'nests',
    virtualTime(async () => {
      const range = (count: number) => async (send: ObjectSendStream<number>) => {
        for (let n = 0; n < count; n++) await send.send(n);
      };
      const seen: string[] = [];
      await produce<number, void>(range(2), async (outer) => {
        for await (const i of outer) {
          await produce<number, void>(range(3), async (inner) => {
            for await (const j of inner) seen.push(`${i}${j}`);
          });
        }
      });
      expect(seen).toEqual(['00', '01', '02', '10', '11', '12']);
    }),
  );

  test(
    'gives the items to several tasks of the consumer, each item to one',
    virtualTime(async () => {
      const seen: number[] = [];
      await produce<number, void>(
        async (send) => {
          for (let n = 0; n < 6; n++) await send.send(n);
        },
        async (items) => {
          await taskGroup((tg) => {
            for (let i = 0; i < 3; i++) {
              tg.startSoon(async () => {
                for await (const n of items) seen.push(n);
              });
            }
          });
        },
      );
      expect(seen.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    }),
  );

  test(
    'cancelled from outside: the consumer leaves first, then the producer, and the cancellation goes on',
    virtualTime(async (clock) => {
      const events: string[] = [];
      const scope = moveOnAfter(10);
      await scope.run(async () => {
        const error = await errorOf(
          produce<number, void>(
            async (send) => {
              try {
                for (let n = 0; ; n++) {
                  await send.send(n);
                  await sleep(3);
                }
              } finally {
                events.push('producer');
              }
            },
            async (items) => {
              try {
                for await (const n of items) events.push(`item ${n}`);
              } finally {
                await cleanup(() => sleep(2));
                events.push('consumer');
              }
            },
          ),
        );
        expect(error).toBeInstanceOf(Cancelled);
        throw error;
      });
      expect(events).toEqual(['item 0', 'item 1', 'item 2', 'item 3', 'consumer', 'producer']);
      expect(scope.cancelledCaught).toBe(true);
      expect(clock.now()).toBe(12);
    }),
  );

  test(
    'cancelled before: neither gets further than its first wait',
    virtualTime(async () => {
      const events: string[] = [];
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        await produce<number, void>(
          async (send) => {
            events.push('producer');
            await send.send(1);
            events.push('never');
          },
          async (items) => {
            events.push('consumer');
            await collect(items);
            events.push('never');
          },
        );
      });
      expect(events.toSorted()).toEqual(['consumer', 'producer']);
    }),
  );

  test(
    'a cancellation within the consumer stays there',
    virtualTime(async () => {
      const seen: number[] = [];
      const result = await produce<number, string>(
        async (send) => {
          for (let n = 0; n < 4; n++) {
            await send.send(n);
            await sleep(10);
          }
        },
        async (items) => {
          await moveOnAfter(15, async () => {
            for await (const n of items) seen.push(n);
          });
          seen.push(-1);
          for await (const n of items) seen.push(n);
          return 'all';
        },
      );
      expect(result).toBe('all');
      expect(seen).toEqual([0, 1, -1, 2, 3]);
    }),
  );

  test('refuses what are no functions, and a size that is none', async () => {
    for (const [args, type, message] of [
      [[null, collect], TypeError, 'produce(): producer must be a function, got null'],
      [[Promise.resolve(), collect], TypeError, /^produce\(\): producer must be a function, got a Promise/],
      [[collect, 5], TypeError, 'produce(): consumer must be a function, got 5'],
      [[collect, collect, null], TypeError, 'produce(): options must be an object, got null'],
      [[collect, collect, { bufferSize: -1 }], RangeError, /options\.bufferSize must be at least 0, got -1/],
      [[collect, collect, { bufferSize: 1.5 }], TypeError, /options\.bufferSize must be a whole number/],
    ] as const) {
      const error = await errorOf(produce(...(args as unknown as Parameters<typeof produce>)));
      expect(error).toBeInstanceOf(type);
      if (typeof message === 'string') expect((error as Error).message).toBe(message);
      else expect((error as Error).message).toMatch(message);
    }
  });

  test('cancelled at every step it has: nothing is lost before the point of leaving', async () => {
    const { waits } = await cancelEverywhere(() => {
      const received: number[] = [];
      let isProducing = false;
      return {
        tasks: [
          () =>
            produce<number, void>(
              async (send) => {
                isProducing = true;
                try {
                  for (const n of [0, 1, 2]) {
                    await send.send(n);
                    await sleep(1);
                  }
                } finally {
                  isProducing = false;
                }
              },
              async (items) => {
                for await (const n of items) {
                  received.push(n);
                  await checkpoint();
                }
              },
            ),
        ],
        check([wasCancelled]) {
          expect(received).toEqual([0, 1, 2].slice(0, received.length));
          if (wasCancelled === false) expect(received).toHaveLength(3);
          expect(isProducing).toBe(false);
        },
      };
    });
    expect(waits).toBeGreaterThan(0);
  });

  test('works in whatever order tasks are woken', async () => {
    for (const seed of SEEDS) {
      await fuzzSchedule(seed, async () => {
        const items = await produce<number, number[]>(
          async (send) => {
            for (let n = 0; n < 10; n++) await send.send(n);
          },
          collect,
          { bufferSize: seed % 3 },
        );
        expect(items).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        const events: string[] = [];
        const first = await merge([counting(events), counting(events, 100)], async (merged) => {
          const taken: number[] = [];
          for await (const n of merged) if (taken.push(n) === 5) return taken;
          return taken;
        });
        expect(first).toHaveLength(5);
        for (const part of [first.filter((n) => n < 100), first.filter((n) => n >= 100)]) {
          expect(part).toEqual(part.toSorted((a, b) => a - b));
        }
        expect(events.filter((event) => event === 'stopped')).toHaveLength(2);
      });
    }
  });
});

describe('merge()', () => {
  test(
    'gives the items of all sources as they come, and ends with the last',
    virtualTime(async (clock) => {
      async function* every(ms: number, count: number): AsyncGenerator<string> {
        for (let n = 1; n <= count; n++) {
          await sleep(ms);
          yield `${ms}:${n} at ${clock.now()}`;
        }
      }
      const items = await merge([every(3, 3), every(4, 2)], collect);
      expect(items).toEqual(['3:1 at 3', '4:1 at 4', '3:2 at 6', '4:2 at 8', '3:3 at 9']);
    }),
  );

  test(
    'of nothing is nothing',
    virtualTime(async () => {
      expect(await merge([], collect)).toEqual([]);
      expect(await merge([(async function* () {})()], collect)).toEqual([]);
    }),
  );

  test(
    'starves none of them',
    virtualTime(async () => {
      const events: string[] = [];
      const counts = await merge([counting(events), counting(events, 1_000)], async (items) => {
        const seen = [0, 0];
        let left = 100;
        for await (const n of items) {
          seen[n < 1_000 ? 0 : 1]!++;
          if (--left === 0) break;
        }
        return seen;
      });
      for (const count of counts) expect(count).toBeGreaterThan(25);
    }),
  );

  test(
    'stops the sources when the body leaves, and awaits their ends',
    virtualTime(async (clock) => {
      const events: string[] = [];
      const result = await merge([counting(events), counting(events)], async (items) => {
        for await (const n of items) return n;
        return -1;
      });
      expect(result).toBe(0);
      expect(events.slice(-4).toSorted()).toEqual(['stopped', 'stopped', 'stopping', 'stopping']);
      expect(clock.now()).toBe(5);
    }),
  );

  test(
    'stops the sources that go on when one fails',
    virtualTime(async () => {
      const events: string[] = [];
      const error = new Error('source');
      const errors = await errorsOf(
        merge([counting(events), failing(error)], async (items) => {
          for await (const _ of items) await sleep(1);
        }),
      );
      expect(errors).toEqual([error]);
      expect(events.slice(-2)).toEqual(['stopping', 'stopped']);
    }),
  );

  test(
    'rejects with what the body throws, and with what a source throws while it stops',
    virtualTime(async () => {
      const [first, second] = [new Error('body'), new Error('source')];
      async function* clumsy(): AsyncGenerator<number> {
        try {
          yield 1;
          yield 2;
        } finally {
          await Promise.reject(second);
        }
      }
      const errors = await errorsOf(
        merge([clumsy()], async (items) => {
          for await (const _ of items) throw first;
        }),
      );
      expect(errors).toEqual([first, second]);
    }),
  );

  test(
    'fails when a source throws after its last item, although the body had all of them',
    virtualTime(async () => {
      const error = new Error('late');
      const seen: number[] = [];
      const errors = await errorsOf(
        merge([failing(error, 1)], async (items) => {
          for await (const n of items) seen.push(n);
        }),
      );
      expect(errors).toEqual([error]);
      expect(seen).toEqual([1]);
    }),
  );

  test(
    'a group of errors that the body throws stays as it is',
    virtualTime(async () => {
      const group = new AggregateError([new Error('one')], 'mine');
      const error = await errorOf(
        merge([(async function* () {})()], () => {
          throw group;
        }),
      );
      expect((error as TaskGroupError).errors).toEqual([group]);
    }),
  );

  test(
    'cancelled from outside: body and sources are awaited',
    virtualTime(async (clock) => {
      const events: string[] = [];
      const scope = moveOnAfter(10);
      await scope.run(() =>
        merge([counting(events)], async (items) => {
          try {
            for await (const n of items) {
              events.push(`item ${n}`);
              await sleep(8);
            }
          } finally {
            events.push('body');
          }
        }),
      );
      expect(scope.cancelledCaught).toBe(true);
      expect(events.slice(-3)).toEqual(['body', 'stopping', 'stopped']);
      expect(clock.now()).toBe(15);
    }),
  );

  test(
    'whose body cancels and leaves at once: sources that were asked for an item are stopped',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const events: string[] = [];
      const scope = new CancelScope();
      await scope.run(() =>
        merge([counting(events)], () => {
          scope.cancel();
        }),
      );
      // They are read ahead, by one item.
      expect(events).toEqual(['yield 0', 'stopping', 'stopped']);
    }),
  );

  test(
    'a source that waits within its own scopes does not cancel the body',
    virtualTime(async () => {
      async function* careful(): AsyncGenerator<string> {
        yield 'first';
        const scope = new CancelScope();
        await scope.run(async () => {
          scope.cancel();
          await checkpoint();
        });
        yield 'second';
      }
      expect(await merge([careful()], collect)).toEqual(['first', 'second']);
    }),
  );

  test('cancelled at every step it has: every source that began has ended, and no item came twice', async () => {
    const { waits } = await cancelEverywhere(() => {
      const received: number[] = [];
      let open = 0;
      async function* source(first: number): AsyncGenerator<number> {
        open++;
        try {
          for (const n of [first, first + 1]) {
            await sleep(1);
            yield n;
          }
        } finally {
          await cleanup(() => sleep(1));
          open--;
        }
      }
      const [send, receive] = createMemoryObjectStream<number>();
      return {
        tasks: [
          () =>
            merge([source(10), source(20)], async (items) => {
              for await (const n of items) {
                received.push(n);
                await checkpoint();
              }
            }),
          async () => {
            using _ = send;
            try {
              await fromAsyncIterable(source(30), send);
            } catch (error) {
              // The one who reads may be cancelled alone.
              if (!(error instanceof BrokenResourceError)) throw error;
            }
          },
          async () => {
            using _ = receive;
            for await (const n of receive) received.push(n);
          },
        ],
        check(cancelled) {
          expect(open).toBe(0);
          expect(received).toEqual([...new Set(received)]);
          for (const first of [10, 20, 30]) {
            const own = received.filter((n) => Math.floor(n / 10) * 10 === first);
            expect(own).toEqual([first, first + 1].slice(0, own.length));
          }
          if (!cancelled.includes(true)) expect(received).toHaveLength(6);
        },
      };
    });
    expect(waits).toBeGreaterThan(10);
  });

  test('refuses what are no sources, and a body that is no function', async () => {
    for (const sources of [null, undefined, 5, {}]) {
      const error = await errorOf(merge(sources as never, collect));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toBe(
        'merge(): sources must be an array (or another iterable) of async iterables',
      );
    }
    const wrong = await errorOf(merge([(async function* () {})(), 5 as never], collect));
    expect(wrong).toBeInstanceOf(TypeError);
    expect((wrong as Error).message).toBe('merge(): sources[1] must be async iterable, got 5');
    expect(await errorOf(merge([], null as never))).toBeInstanceOf(TypeError);
  });
});
