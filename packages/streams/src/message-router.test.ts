import {
  BrokenResourceError,
  Cancelled,
  CancelScope,
  checkpoint,
  ClosedResourceError,
  currentTime,
  EndOfStream,
  moveOnAfter,
  sleep,
  taskGroup,
  WouldBlock,
} from '@taskscope/core';
import { cancelEverywhere, fuzzSchedule, virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import fc from 'fast-check';
import { getEventListeners } from 'node:events';
import { describe, expect, expectTypeOf, test } from 'vitest';

import { errorOf, unhandledRejections } from '../../core/src/observing.fixture.js';
import { MessageRouter, type Overflow, type Subscription } from './message-router.js';
import { select } from './select.js';
import { inTurn } from '../../core/src/schedules.fixture.js';

/** Everything that is there now. */
function drain<T>(subscription: Subscription<T>): T[] {
  const items: T[] = [];
  for (let next = subscription.tryReceive(); next.ok; next = subscription.tryReceive())
    items.push(next.value);
  return items;
}

test(
  'a router that is disposed of is closed: its subscriptions end',
  virtualTime(async () => {
    let subscription: Subscription<number>;
    {
      using router = new MessageRouter<number>();
      subscription = router.subscribe();
      router.publishNowait(1);
    }
    expect(drain(subscription)).toEqual([1]);
    expect(subscription.tryReceive()).toEqual({ ok: false, ended: true });
  }),
);

describe('publishing', () => {
  test(
    'reaches every subscription, in order, and says how many it reached',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      const [a, b] = [router.subscribe(), router.subscribe()];
      expect(await router.publish(1)).toBe(2);
      expect(router.publishNowait(2)).toBe(2);
      expect(drain(a)).toEqual([1, 2]);
      expect(drain(b)).toEqual([1, 2]);
    }),
  );

  test(
    'without subscribers reaches nobody, and keeps nothing for those who come later',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      expect(await router.publish(1)).toBe(0);
      expect(drain(router.subscribe())).toEqual([]);
      expect(router.statistics()).toMatchObject({ published: 1, delivered: 0, dropped: 0 });
    }),
  );

  test(
    'hands a message straight to a subscriber that waits, also without any buffer',
    virtualTime(() =>
      taskGroup(async (tg) => {
        const router = new MessageRouter<number>({ bufferSize: 0 });
        const subscription = router.subscribe();
        expect(router.publishNowait(1)).toBe(0);
        const receiving = tg.startSoon(() => subscription.receive());
        await waitAllTasksBlocked();
        expect(subscription.statistics().tasksWaiting).toBe(1);
        expect(router.publishNowait(2)).toBe(1);
        expect(await receiving.result()).toBe(2);
        expect(subscription.dropped).toBe(1);
      }),
    ),
  );

  test(
    'passes only what the filter wants, with its type',
    virtualTime(async () => {
      const router = new MessageRouter<string | number>();
      const isText = (message: string | number): message is string => typeof message === 'string';
      const texts = router.subscribe({ filter: isText });
      expectTypeOf(texts).toEqualTypeOf<Subscription<string>>();
      const big = router.subscribe({ filter: (message) => Number(message) > 10 });
      expectTypeOf(big).toEqualTypeOf<Subscription<string | number>>();
      expect(await router.publish('tea')).toBe(1);
      expect(await router.publish(42)).toBe(1);
      expect(await router.publish(1)).toBe(0);
      expect(drain(texts)).toEqual(['tea']);
      expect(drain(big)).toEqual([42]);
      expect(texts.dropped + big.dropped).toBe(0);
    }),
  );

  test(
    'lets others run: it is a checkpoint',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      const scope = new CancelScope();
      await scope.run(async () => {
        scope.cancel();
        await expect(router.publish(1)).rejects.toThrow(Cancelled);
      });
      expect(router.statistics().published).toBe(0);
    }),
  );
});

describe('a full subscription', () => {
  test(
    'drops the newest by default, and delays nobody',
    virtualTime(async () => {
      const drops: [number, string][] = [];
      const router = new MessageRouter<number>({
        bufferSize: 2,
        onDrop: (message, subscription) => drops.push([message, subscription.name]),
      });
      const slow = router.subscribe({ name: 'slow' });
      const fast = router.subscribe({ name: 'fast', bufferSize: 10 });
      for (const n of [1, 2, 3, 4]) await router.publish(n);
      expect(currentTime()).toBe(0);
      expect(drain(slow)).toEqual([1, 2]);
      expect(drain(fast)).toEqual([1, 2, 3, 4]);
      expect(drops).toEqual([
        [3, 'slow'],
        [4, 'slow'],
      ]);
      expect(slow.dropped).toBe(2);
      expect(router.statistics()).toMatchObject({ published: 4, delivered: 6, dropped: 2 });
    }),
  );

  test(
    'drops the oldest where it is asked to; the new message counts as delivered',
    virtualTime(async () => {
      const drops: number[] = [];
      const router = new MessageRouter<number>({ onDrop: (message) => drops.push(message) });
      const latest = router.subscribe({ overflow: 'drop-oldest', bufferSize: 2 });
      for (const n of [1, 2, 3, 4]) expect(await router.publish(n)).toBe(1);
      expect(drops).toEqual([1, 2]);
      expect(latest.statistics()).toMatchObject({
        delivered: 4,
        dropped: 2,
        currentBufferUsed: 2,
        peakBufferUsed: 2,
      });
      expect(drain(latest)).toEqual([3, 4]);
    }),
  );

  test(
    'with nothing to drop but the message itself drops that',
    virtualTime(async () => {
      const router = new MessageRouter<number>({ bufferSize: 0, overflow: 'drop-oldest' });
      const subscription = router.subscribe();
      expect(await router.publish(1)).toBe(0);
      expect(subscription.statistics()).toMatchObject({ delivered: 0, dropped: 1 });
    }),
  );

  test(
    'is disconnected where it is asked to: it gets what it has, then the error, and the others go on',
    virtualTime(async () => {
      const router = new MessageRouter<number>({ overflow: 'disconnect', bufferSize: 1 });
      const slow = router.subscribe({ name: 'slow' });
      const other = router.subscribe({ bufferSize: 5 });
      await router.publish(1);
      expect(await router.publish(2)).toBe(1);
      expect(router.statistics().subscribers).toBe(1);
      expect(await slow.receive()).toBe(1);
      await expect(slow.receive()).rejects.toThrow(BrokenResourceError);
      await expect(slow.receive()).rejects.toThrow('"slow" was disconnected');
      expect(() => slow.receiveNowait()).toThrow(BrokenResourceError);
      await expect(slow[Symbol.asyncIterator]().next()).rejects.toThrow(BrokenResourceError);
      await expect(select({ slow: slow.onReceive() })).rejects.toThrow(BrokenResourceError);
      expect(slow.dropped).toBe(1);
      expect(drain(other)).toEqual([1, 2]);
      slow.close();
      await expect(slow.receive()).rejects.toThrow(ClosedResourceError);
      await expect(slow.receive()).rejects.toThrow('Subscription.receive(): "slow" is closed');
    }),
  );

  test(
    'makes the publisher wait where it is asked to, after everybody else has been served',
    virtualTime(() =>
      taskGroup(async (tg) => {
        const router = new MessageRouter<number>({ bufferSize: 1 });
        const slow = router.subscribe({ overflow: 'block' });
        const other = router.subscribe({ bufferSize: 5 });
        await router.publish(1);
        const publishing = tg.startSoon(() => router.publish(2));
        await waitAllTasksBlocked();
        expect(publishing.status).toBe('pending');
        expect(drain(other)).toEqual([1, 2]);
        expect(await slow.receive()).toBe(1);
        expect(await publishing.result()).toBe(2);
        expect(await slow.receive()).toBe(2);
      }),
    ),
  );

  test(
    'gets the messages of publishers that wait in the order in which they published',
    virtualTime(() =>
      taskGroup(async (tg) => {
        const router = new MessageRouter<number>({ bufferSize: 0, overflow: 'block' });
        const [a, b] = [router.subscribe(), router.subscribe()];
        await inTurn(3, (i) => tg.startSoon(() => router.publish(i + 1)));
        // One of them at a time, so that publishers that waited one after another would get out of order.
        expect([await b.receive(), await b.receive(), await b.receive()]).toEqual([1, 2, 3]);
        expect([await a.receive(), await a.receive(), await a.receive()]).toEqual([1, 2, 3]);
      }),
    ),
  );

  test(
    'is skipped by publishNowait() and counted, also where it would block',
    virtualTime(() => {
      const drops: number[] = [];
      const router = new MessageRouter<number>({
        bufferSize: 1,
        overflow: 'block',
        onDrop: (message) => drops.push(message),
      });
      const subscription = router.subscribe();
      expect(router.publishNowait(1)).toBe(1);
      expect(router.publishNowait(2)).toBe(0);
      expect(drops).toEqual([2]);
      expect(subscription.dropped).toBe(1);
    }),
  );
});

describe('cancelling', () => {
  test(
    'a publisher that waits: those who have the message have it, those for whom it waited do not',
    virtualTime(async () => {
      const router = new MessageRouter<number>({ bufferSize: 1 });
      const slow = router.subscribe({ overflow: 'block' });
      const other = router.subscribe({ bufferSize: 5 });
      await router.publish(1);
      expect(await moveOnAfter(5, () => router.publish(2))).toBe(undefined);
      expect(drain(other)).toEqual([1, 2]);
      expect(drain(slow)).toEqual([1]);
      expect(router.statistics()).toMatchObject({ delivered: 3, dropped: 0 });
    }),
  );

  test(
    'a publisher in the step in which there is room: the message is delivered',
    virtualTime(() =>
      taskGroup(async (tg) => {
        const router = new MessageRouter<number>({ bufferSize: 1, overflow: 'block' });
        const slow = router.subscribe();
        await router.publish(1);
        const scope = new CancelScope();
        let got: number | undefined;
        tg.startSoon(() =>
          scope.run(async () => {
            got = await router.publish(2);
          }),
        );
        await waitAllTasksBlocked();
        expect(slow.receiveNowait()).toBe(1);
        scope.cancel();
        await waitAllTasksBlocked();
        expect(got).toBe(1);
        expect(drain(slow)).toEqual([2]);
      }),
    ),
  );

  test(
    'a publisher by a foreign signal, of which no listener is left',
    virtualTime(async () => {
      const router = new MessageRouter<number>({ bufferSize: 0, overflow: 'block' });
      router.subscribe();
      router.subscribe();
      const controller = new AbortController();
      const publishing = router.publish(1, { signal: controller.signal });
      expect(getEventListeners(controller.signal, 'abort').length).toBe(1);
      const reason = new Error('enough');
      controller.abort(reason);
      await expect(publishing).rejects.toBe(reason);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
      await expect(router.publish(2, { signal: controller.signal })).rejects.toBe(reason);
    }),
  );

  test('of a publish that waits, when nobody looks at it: nothing is heard of it', async () => {
    const router = new MessageRouter<number>({ bufferSize: 0, overflow: 'block' });
    router.subscribe();
    const unhandled = await unhandledRejections(async () => {
      const controller = new AbortController();
      void router.publish(1, { signal: controller.signal });
      controller.abort(new Error('stop'));
      await new CancelScope().run((scope) => {
        void router.publish(2);
        scope.cancel();
      });
    });
    expect(unhandled).toEqual([]);
  });

  test(
    'a subscriber loses no message: before, during, and right after',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      const subscription = router.subscribe();
      await router.publish(1);
      const before = new CancelScope();
      before.cancel();
      await before.run(() => subscription.receive());
      expect(drain(subscription)).toEqual([1]);
      expect(await moveOnAfter(1, () => subscription.receive())).toBe(undefined);
      expect(subscription.statistics().tasksWaiting).toBe(0);
      await router.publish(2);
      const after = new CancelScope();
      const received = after.run(async () => {
        const message = await subscription.receive();
        await checkpoint();
        return message;
      });
      after.cancel();
      expect(await received).toBe(undefined);
      expect(drain(subscription)).toEqual([]);
    }),
  );

  test(
    'a subscriber that is cancelled or crashes harms nobody',
    virtualTime(async () => {
      const router = new MessageRouter<number>({ bufferSize: 0, overflow: 'block' });
      const kept = router.subscribe({ bufferSize: 10 });
      await taskGroup(async (tg) => {
        for (const fails of [true, false]) {
          const task = tg.startSoon(async () => {
            using subscription = router.subscribe();
            for await (const message of subscription)
              if (fails) throw new RangeError(`crashed at ${message}`);
          });
          if (!fails) setImmediate(() => task.cancel());
        }
        await waitAllTasksBlocked();
        await router.publish(1);
        await sleep(1);
      }).catch(() => {});
      expect(router.statistics().subscribers).toBe(1);
      expect(await router.publish(2)).toBe(1);
      expect(drain(kept)).toEqual([1, 2]);
    }),
  );
});

describe('coming and going during a publish', () => {
  test(
    'who comes while a message is published gets the next one, not this one',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      const late: Subscription<number>[] = [];
      router.subscribe({
        filter: () => {
          late.push(router.subscribe());
          return true;
        },
      });
      expect(await router.publish(1)).toBe(1);
      expect(drain(late[0]!)).toEqual([]);
      await router.publish(2);
      expect(drain(late[0]!)).toEqual([2]);
    }),
  );

  test(
    'who goes while a message is published does not get it',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      const subscriptions: Subscription<number>[] = [];
      const closeAll = (): boolean => {
        for (const subscription of subscriptions) subscription.close();
        return true;
      };
      subscriptions.push(router.subscribe({ filter: closeAll }), router.subscribe());
      expect(await router.publish(1)).toBe(0);
      expect(router.statistics()).toMatchObject({ subscribers: 0, delivered: 0, dropped: 0 });
    }),
  );

  test(
    'a publisher that waits for a subscription that is closed goes on without it',
    virtualTime(() =>
      taskGroup(async (tg) => {
        const router = new MessageRouter<number>({ bufferSize: 0, overflow: 'block' });
        const [gone, stays] = [router.subscribe(), router.subscribe()];
        const publishing = tg.startSoon(() => router.publish(1));
        await waitAllTasksBlocked();
        gone.close();
        expect(await stays.receive()).toBe(1);
        expect(await publishing.result()).toBe(1);
      }),
    ),
  );

  test(
    'a filter that closes the router ends the publishing there',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      const first = router.subscribe();
      router.subscribe({
        filter: () => {
          router.close();
          return true;
        },
      });
      const last = router.subscribe();
      expect(await router.publish(1)).toBe(1);
      expect(drain(first)).toEqual([1]);
      expect(drain(last)).toEqual([]);
    }),
  );
});

describe('errors of callbacks', () => {
  test(
    'a filter that throws is the error of the publisher, after everybody else has been served',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      const broken = new RangeError('broken filter');
      router.subscribe({
        filter: () => {
          throw broken;
        },
      });
      const other = router.subscribe();
      await expect(router.publish(1)).rejects.toBe(broken);
      expect(() => router.publishNowait(2)).toThrow(broken);
      expect(drain(other)).toEqual([1, 2]);
    }),
  );

  test(
    'several come as one AggregateError',
    virtualTime(async () => {
      const router = new MessageRouter<number>({
        bufferSize: 0,
        onDrop: (message, subscription) => {
          throw new Error(`${subscription.name} lost ${message}`);
        },
      });
      router.subscribe({ name: 'a' });
      router.subscribe({ name: 'b', overflow: 'disconnect' });
      router.subscribe({ name: 'c', overflow: 'block' });
      const error = await router
        .publish(1, { signal: AbortSignal.abort(new Error('not begun')) })
        .catch(String);
      expect(error).toBe('Error: not begun');
      let thrown: unknown;
      try {
        router.publishNowait(1);
      } catch (caught) {
        thrown = caught;
      }
      expect((thrown as AggregateError).errors.map(String)).toEqual([
        'Error: a lost 1',
        'Error: b lost 1',
        'Error: c lost 1',
      ]);
      expect(router.statistics()).toMatchObject({ subscribers: 2, dropped: 3 });
    }),
  );

  test(
    'what onDrop throws for the oldest message does not hide that the newest was delivered',
    virtualTime(async () => {
      const router = new MessageRouter<number>({
        bufferSize: 1,
        overflow: 'drop-oldest',
        onDrop: (message) => {
          throw new Error(`lost ${message}`);
        },
      });
      const subscription = router.subscribe();
      router.publishNowait(1);
      expect(() => router.publishNowait(2)).toThrow('lost 1');
      expect(drain(subscription)).toEqual([2]);
      expect(subscription.statistics()).toMatchObject({ delivered: 2, dropped: 1 });
      expect(router.statistics()).toMatchObject({ delivered: 2, dropped: 1 });
    }),
  );

  test(
    'a filter that throws while others make the publisher wait: it waits first',
    virtualTime(() =>
      taskGroup(async (tg) => {
        const router = new MessageRouter<number>({ bufferSize: 0, overflow: 'block' });
        router.subscribe({
          filter: () => {
            throw new RangeError('broken filter');
          },
        });
        const slow = router.subscribe();
        const publishing = tg.startSoon(() => router.publish(1).catch(String));
        await waitAllTasksBlocked();
        expect(publishing.status).toBe('pending');
        expect(await slow.receive()).toBe(1);
        expect(await publishing.result()).toBe('RangeError: broken filter');
      }),
    ),
  );
});

describe('closing', () => {
  test(
    'the router lets buffers drain, and ends every iteration',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      const subscription = router.subscribe();
      await router.publish(1);
      await router.publish(2);
      router.close();
      router.close();
      const seen: number[] = [];
      for await (const message of subscription) seen.push(message);
      expect(seen).toEqual([1, 2]);
      await expect(subscription.receive()).rejects.toThrow(EndOfStream);
      await expect(router.publish(3)).rejects.toThrow(ClosedResourceError);
      expect(() => router.publishNowait(3)).toThrow(ClosedResourceError);
      expect(() => router.subscribe()).toThrow(ClosedResourceError);
    }),
  );

  test(
    'the router wakes subscribers that wait, and ends publishers that wait',
    virtualTime(() =>
      taskGroup(async (tg) => {
        const router = new MessageRouter<number>({ bufferSize: 0 });
        const iterating = tg.startSoon(async () => {
          const seen: number[] = [];
          for await (const message of router.subscribe()) seen.push(message);
          return seen;
        });
        const receiving = tg.startSoon(() =>
          router
            .subscribe()
            .receive()
            .catch((error: unknown) => error),
        );
        router.subscribe({ overflow: 'block' });
        await waitAllTasksBlocked();
        const publishing = tg.startSoon(() => router.publish(7).catch((error: unknown) => error));
        await waitAllTasksBlocked();
        expect(await receiving.result()).toBe(7);
        router.close();
        expect(await iterating.result()).toEqual([7]);
        expect(await publishing.result()).toBeInstanceOf(ClosedResourceError);
      }),
    ),
  );

  test(
    'the router ends those who wait with EndOfStream',
    virtualTime(() =>
      taskGroup(async (tg) => {
        const router = new MessageRouter<number>();
        const subscription = router.subscribe();
        const receiving = tg.startSoon(() => subscription.receive().catch((error: unknown) => error));
        await waitAllTasksBlocked();
        router.close();
        expect(await receiving.result()).toBeInstanceOf(EndOfStream);
      }),
    ),
  );

  test(
    'a publisher that waits is told that it is the router that was closed',
    virtualTime(async () => {
      const router = new MessageRouter<number>({ bufferSize: 0, overflow: 'block' });
      router.subscribe();
      const publishing = router.publish(1);
      router.close();
      expect(await errorOf(publishing)).toMatchObject({
        name: 'ClosedResourceError',
        message: 'MessageRouter.publish(): the router is closed',
      });
    }),
  );

  test(
    'a subscription unsubscribes, drops its buffer, and refuses to be used',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      {
        using subscription = router.subscribe();
        await using another = router.subscribe();
        await router.publish(1);
        expect(router.statistics().subscribers).toBe(2);
        expect(subscription.name).not.toBe(another.name);
      }
      expect(router.statistics()).toMatchObject({ subscribers: 0, delivered: 2 });
      const closed = router.subscribe();
      await closed.aclose();
      closed.close();
      expect(() => closed.tryReceive()).toThrow(ClosedResourceError);
      expect(await router.publish(2)).toBe(0);
    }),
  );
});

describe('a subscription is a receive stream', () => {
  test(
    'with all the ways of receiving',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      const subscription = router.subscribe();
      for (const n of [1, 2, 3, 4, 5]) router.publishNowait(n);
      expect(subscription.receiveNowait()).toBe(1);
      expect(await subscription.receiveMany(2)).toEqual([2, 3]);
      expect(await select({ message: subscription.onReceive() })).toEqual({ key: 'message', value: 4 });
      for await (const message of subscription.values()) {
        expect(message).toBe(5);
        break;
      }
      expect(subscription.tryReceive()).toEqual({ ok: false, ended: false });
      expect(() => subscription.receiveNowait()).toThrow(WouldBlock);
    }),
  );
});

describe('bad input', () => {
  test('is refused by name', async () => {
    const router = new MessageRouter<number>();
    const bad = (value: unknown): never => value as never;
    expect(() => new MessageRouter({ bufferSize: -1 })).toThrow(
      /RangeError|new MessageRouter\(\): options\.bufferSize must be at least 0, got -1/,
    );
    expect(() => new MessageRouter({ bufferSize: 1.5 })).toThrow(TypeError);
    expect(() => new MessageRouter({ overflow: bad('shrug') })).toThrow(
      'new MessageRouter(): options.overflow must be one of "drop-newest", "drop-oldest", "block", "disconnect", got "shrug"',
    );
    expect(() => new MessageRouter({ onDrop: bad(1) })).toThrow('options.onDrop must be a function, got 1');
    expect(() => new MessageRouter(bad(null))).toThrow(TypeError);
    expect(() => router.subscribe({ filter: bad('x') })).toThrow(
      'options.filter must be a function, got "x"',
    );
    expect(() => router.subscribe({ name: bad(1) })).toThrow('options.name must be a string, got 1');
    expect(() => router.subscribe({ bufferSize: NaN })).toThrow(RangeError);
    expect(() => router.subscribe({ overflow: bad(0) })).toThrow(TypeError);
    await expect(router.publish(1, bad({ signal: 1 }))).rejects.toThrow(TypeError);
    expect(router.statistics()).toEqual({
      subscribers: 0,
      published: 0,
      delivered: 0,
      dropped: 0,
      perSubscriber: [],
    });
  });
});

describe('against a model', () => {
  type Step =
    | { readonly do: 'subscribe'; readonly bufferSize: number; readonly overflow: Overflow }
    | { readonly do: 'publish' }
    | { readonly do: 'receive' | 'close'; readonly which: number };

  const steps = fc.array(
    fc.oneof(
      fc.record<Step & { do: 'subscribe' }>({
        do: fc.constant('subscribe'),
        bufferSize: fc.integer({ min: 0, max: 3 }),
        overflow: fc.constantFrom('drop-newest', 'drop-oldest', 'block', 'disconnect'),
      }),
      fc.record<Step & { do: 'publish' }>({ do: fc.constant('publish') }),
      fc.record<Step & { do: 'receive' | 'close' }>({
        do: fc.constantFrom('receive', 'close'),
        which: fc.nat(5),
      }),
    ),
    { maxLength: 40 },
  );

  test('every subscription holds what its policy says', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const router = new MessageRouter<number>();
        const all: {
          readonly real: Subscription<number>;
          readonly size: number;
          readonly overflow: Overflow;
          buffer: number[];
          delivered: number;
          dropped: number;
          state: 'open' | 'disconnected' | 'closed';
        }[] = [];
        let published = 0;
        for (const step of list) {
          if (step.do === 'subscribe') {
            all.push({
              real: router.subscribe(step),
              size: step.bufferSize,
              overflow: step.overflow,
              buffer: [],
              delivered: 0,
              dropped: 0,
              state: 'open',
            });
          } else if (step.do === 'publish') {
            const message = ++published;
            let expected = 0;
            for (const each of all) {
              if (each.state !== 'open') continue;
              const isFull = each.buffer.length === each.size;
              if (isFull && each.overflow === 'drop-oldest' && each.size > 0) {
                each.buffer.shift();
                each.dropped++;
              } else if (isFull) {
                each.dropped++;
                if (each.overflow === 'disconnect') each.state = 'disconnected';
                continue;
              }
              each.buffer.push(message);
              each.delivered++;
              expected++;
            }
            expect(router.publishNowait(message)).toBe(expected);
          } else {
            const each = all[step.which];
            if (each === undefined || each.state === 'closed') continue;
            if (step.do === 'close') {
              each.real.close();
              each.state = 'closed';
              continue;
            }
            const [value] = each.buffer.splice(0, 1);
            expect(each.real.tryReceive()).toEqual(
              value === undefined ? { ok: false, ended: each.state !== 'open' } : { ok: true, value },
            );
          }
        }
        for (const { real, delivered, dropped, buffer, state } of all) {
          expect(real.statistics()).toMatchObject({ delivered, dropped });
          if (state !== 'closed') expect(real.statistics().currentBufferUsed).toBe(buffer.length);
        }
      }),
    );
  });
});

test('under any schedule, blocking subscribers get everything in order', async () => {
  for (let seed = 0; seed < 12; seed++) {
    await fuzzSchedule(seed, async () => {
      const router = new MessageRouter<number>({ bufferSize: 2, overflow: 'block' });
      const seen: number[][] = [[], [], []];
      await taskGroup((tg) => {
        for (const list of seen) {
          const subscription = router.subscribe();
          tg.startSoon(async () => {
            for await (const message of subscription) list.push(message);
          });
        }
        tg.startSoon(async () => {
          for (let n = 0; n < 20; n++) await router.publish(n);
          router.close();
        });
      });
      const everything = Array.from({ length: 20 }, (_, n) => n);
      expect(seen).toEqual([everything, everything, everything]);
    });
  }
});

test.each<Overflow>(['block', 'drop-newest', 'drop-oldest', 'disconnect'])(
  'cancelled at every step, with "%s": what was published is with everybody who stayed, in order, and counted',
  async (overflow) => {
    const { waits } = await cancelEverywhere(() => {
      const router = new MessageRouter<number>({ bufferSize: 1, overflow });
      const published: number[] = [];
      const seen: number[][] = [[], []];
      const subscriptions = seen.map(() => router.subscribe());
      const subscriber = (index: number) => async (): Promise<void> => {
        using subscription = subscriptions[index]!;
        try {
          for await (const message of subscription) {
            seen[index]!.push(message);
            await sleep(1);
          }
        } catch (error) {
          // Who does not keep up.
          if (overflow !== 'disconnect' || !(error instanceof BrokenResourceError)) throw error;
        }
      };
      return {
        tasks: [
          subscriber(0),
          subscriber(1),
          async () => {
            try {
              for (const message of [1, 2, 3, 4]) {
                published.push(message);
                await router.publish(message);
              }
            } finally {
              router.close();
            }
          },
        ],
        check(cancelled) {
          for (const [index, list] of seen.entries()) {
            const inOrder = published.filter((message) => list.includes(message));
            expect(list).toEqual(inOrder);
            // Who stayed, and makes the publisher wait, missed nothing but what was still being published.
            const least = cancelled[2] === true ? published.slice(0, -1) : published;
            if (overflow === 'block' && cancelled[index] !== true)
              expect(list).toEqual(expect.arrayContaining(least));
          }
          const { subscribers, delivered, dropped } = router.statistics();
          expect(subscribers).toBe(0);
          if (overflow === 'block') expect(dropped).toBe(0);
          expect(delivered).toBeGreaterThanOrEqual(seen.flat().length);
          for (const subscription of subscriptions) expect(subscription.statistics().tasksWaiting).toBe(0);
        },
      };
    });
    expect(waits).toBeGreaterThan(5);
  },
);
