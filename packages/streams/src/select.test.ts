import {
  BrokenResourceError,
  CancelScope,
  checkpoint,
  ClosedResourceError,
  EndOfStream,
  formatTaskTree,
  FutureCancelled,
  InvalidStateError,
  moveOnAfter,
  run,
  sleep,
  sleepForever,
  taskGroup,
} from '@taskscope/core';
import type { Selectable } from '@taskscope/core/lowlevel';
import { Event, Future } from '@taskscope/sync';
import {
  cancelEverywhere,
  expectCheckpoint,
  fuzzSchedule,
  MockClock,
  virtualTime,
  waitAllTasksBlocked,
} from '@taskscope/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';

import { testCancellation } from '../../sync/src/cancellation.fixture.js';
import { errorOf } from '../../core/src/observing.fixture.js';
import {
  createMemoryObjectStream,
  createWatch,
  onTimeout,
  select,
  type MemoryObjectReceiveStream,
  type MemoryObjectSendStream,
  type MemoryObjectStreamStatistics,
} from './index.js';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

type Ends<T> = readonly [MemoryObjectSendStream<T>, MemoryObjectReceiveStream<T>];

/** How many wait on some streams. */
function waiting(
  ...streams: readonly (readonly [{ statistics(): MemoryObjectStreamStatistics }, unknown])[]
): number {
  return streams.reduce((sum, [send]) => {
    const { tasksWaitingSend, tasksWaitingReceive } = send.statistics();
    return sum + tasksWaitingSend + tasksWaitingReceive;
  }, 0);
}

/** For what the tests of a fixture call. */
function expectEqual(actual: unknown, expected: unknown): void {
  expect(actual).toEqual(expected);
}

describe('select()', () => {
  test(
    'receives',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      send.sendNowait('tea');
      expect(await select({ order: receive.onReceive() })).toEqual({ key: 'order', value: 'tea' });
      const selected = select({ order: receive.onReceive() });
      send.sendNowait('milk');
      expect(await selected).toEqual({ key: 'order', value: 'milk' });
    }),
  );

  test(
    'sends',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<string>(1);
      expect(await select({ put: send.onSend('tea') })).toEqual({ key: 'put', value: undefined });
      const selected = select({ put: send.onSend('milk') });
      expect(receive.receiveNowait()).toBe('tea');
      expect(await selected).toEqual({ key: 'put', value: undefined });
      expect(receive.receiveNowait()).toBe('milk');
    }),
  );

  test(
    'waits for an event',
    virtualTime(async () => {
      const event = new Event();
      const selected = select({ stop: event.onSet() });
      event.set();
      expect(await selected).toEqual({ key: 'stop', value: undefined });
      expect(await select({ stop: event.onSet() })).toEqual({ key: 'stop', value: undefined });
    }),
  );

  test(
    'waits for a future, whose error is its own',
    virtualTime(async () => {
      const future = new Future<number>();
      const selected = select({ answer: future.onDone() });
      future.setResult(42);
      expect(await selected).toEqual({ key: 'answer', value: 42 });
      expect(await select({ answer: future.onDone() })).toEqual({ key: 'answer', value: 42 });

      const failing = new Future<number>();
      const failed = select({ answer: failing.onDone(), idle: onTimeout(10) });
      const error = new Error('no answer');
      failing.setError(error);
      expect(await errorOf(failed)).toBe(error);
      expect(await errorOf(select({ answer: failing.onDone() }))).toBe(error);

      const cancelled = new Future<number>();
      cancelled.cancel();
      expect(await errorOf(select({ answer: cancelled.onDone() }))).toBeInstanceOf(FutureCancelled);
    }),
  );

  test(
    'waits for a time, counted from its call',
    virtualTime(async (clock) => {
      const late = onTimeout(10);
      await sleep(100);
      expect(await select({ late, never: onTimeout(Infinity) })).toEqual({ key: 'late', value: undefined });
      expect(clock.now()).toBe(110);
      await select({ late });
      expect(clock.now()).toBe(120);
      for (const ms of [0, -5, -Infinity]) expect((await select({ now: onTimeout(ms) })).key).toBe('now');
      expect(clock.now()).toBe(120);
    }),
  );

  test(
    'waits for a change of a watched value',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(1);
      const selected = select({ level: receiver.onChange() });
      sender.set(2);
      expect(await selected).toEqual({ key: 'level', value: 2 });
      sender.set(3);
      expect(await select({ level: receiver.onChange() })).toEqual({ key: 'level', value: 3 });
    }),
  );

  test('knows the type of each value by its key', () => {
    const [send, receive] = createMemoryObjectStream<string>();
    const future = new Future<number>();
    const selecting = () =>
      select({
        text: receive.onReceive(),
        put: send.onSend('x'),
        answer: future.onDone(),
        idle: onTimeout(1),
      });
    type Result = Awaited<ReturnType<typeof selecting>>;
    expectTypeOf<Extract<Result, { key: 'text' }>['value']>().toEqualTypeOf<string>();
    expectTypeOf<Extract<Result, { key: 'answer' }>['value']>().toEqualTypeOf<number>();
    expectTypeOf<Extract<Result, { key: 'idle' }>['value']>().toEqualTypeOf<void>();
    expectTypeOf<Result['key']>().toEqualTypeOf<'text' | 'put' | 'answer' | 'idle'>();
  });

  test(
    'is a checkpoint, also when a case is ready',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      await expectCheckpoint(() => select({ put: send.onSend(1) }));
      await expectCheckpoint(() => select({ get: receive.onReceive() }));
    }),
  );

  test(
    'is one wait in the task tree, named after its cases',
    virtualTime(async () => {
      const [, receive] = createMemoryObjectStream<number>();
      await taskGroup(async (tg) => {
        tg.createTask(() => select({ order: receive.onReceive(), stop: new Event().onSet() }), {
          name: 'bar',
        });
        await waitAllTasksBlocked();
        expect(formatTaskTree()).toMatch(/"bar".*one of order, stop/);
        tg.cancel();
      });
    }),
  );
});

describe('exactly one case happens', () => {
  test(
    'when several are ready',
    virtualTime(async () => {
      for (let i = 0; i < 20; i++) {
        const streams = [
          createMemoryObjectStream<number>(2),
          createMemoryObjectStream<number>(2),
          createMemoryObjectStream<number>(2),
        ] as const;
        const [[sendA, receiveA], [sendB, receiveB], [sendC, receiveC]] = streams;
        sendA.sendNowait(1);
        sendB.sendNowait(2);
        const { key, value } = await select({
          a: receiveA.onReceive(),
          b: receiveB.onReceive(),
          c: sendC.onSend(3),
        });
        const used = [receiveA, receiveB, receiveC].map((end) => end.statistics().currentBufferUsed);
        const expected = { a: [[0, 1, 0], 1], b: [[1, 0, 0], 2], c: [[1, 1, 1], undefined] }[key];
        expect([used, value]).toEqual(expected);
        expect(waiting(...streams)).toBe(0);
      }
    }),
  );

  test(
    'when it had to wait, and the others leave no trace',
    virtualTime(async (clock) => {
      const inbox = createMemoryObjectStream<string>();
      const outbox = createMemoryObjectStream<string>();
      const event = new Event();
      const future = new Future<number>();
      const [sender, watcher] = createWatch(0);
      const cases = {
        get: inbox[1].onReceive(),
        put: outbox[0].onSend('out'),
        stop: event.onSet(),
        answer: future.onDone(),
        level: watcher.onChange(),
        idle: onTimeout(1_000),
      };
      const everyoneWaiting = (): number =>
        waiting(inbox, outbox) + event.statistics().tasksWaiting + future.statistics().tasksWaiting;
      const happen: Record<string, readonly [() => void, unknown]> = {
        get: [() => inbox[0].sendNowait('in'), 'in'],
        put: [() => expect(outbox[1].receiveNowait()).toBe('out'), undefined],
        level: [() => sender.set(1), 1],
        answer: [() => future.setResult(42), 42],
      };
      for (const [key, [makeHappen, value]] of Object.entries(happen)) {
        const selected = select(cases);
        expect(everyoneWaiting()).toBe(4);
        makeHappen();
        // In the same call.
        expect(everyoneWaiting()).toBe(0);
        expect(await selected).toEqual({ key, value });
        expect(inbox[0].trySend('nobody')).toBe(false);
        expect(outbox[1].tryReceive()).toEqual({ ok: false, ended: false });
        if (key === 'answer') delete (cases as Partial<typeof cases>).answer;
      }
      expect(clock.now()).toBe(0);
    }),
  );

  test('and no timer is left of a timeout that did not happen', async () => {
    const clock = new MockClock({ autojump: true });
    const running = run(
      async () => {
        const event = new Event();
        const selected = select({ stop: event.onSet(), idle: onTimeout(1_000) });
        event.set();
        expect(await selected).toEqual({ key: 'stop', value: undefined });
        await sleepForever();
      },
      { clock },
    );
    // A timer that was left would have been jumped to before the deadlock is one.
    expect(await errorOf(running)).toBeInstanceOf(InvalidStateError);
    expect(clock.now()).toBe(0);
  });

  test(
    'when two could be made to happen at once',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      const clone = receive.clone();
      const event = new Event();
      const selected = select({ a: receive.onReceive(), b: clone.onReceive(), stop: event.onSet() });
      send.sendNowait(1);
      event.set();
      send.sendNowait(2);
      expect((await selected).value).toBe(1);
      expect(receive.receiveNowait()).toBe(2);
    }),
  );

  test(
    'in the order of those who wait: it queues up like everybody else',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const first = receive.receive();
      const second = select({ get: receive.onReceive() });
      const third = receive.receive();
      for (const n of [1, 2, 3]) send.sendNowait(n);
      expect([await first, (await second).value, await third]).toEqual([1, 2, 3]);
      const sent = [send.send(4), select({ put: send.onSend(5) }), send.send(6)];
      expect(await receive.receiveMany(3)).toEqual([4, 5, 6]);
      await Promise.all(sent);
    }),
  );

  test(
    'although a case says so while it is enlisted',
    virtualTime(async () => {
      const before = new Event();
      const after = new Event();
      let left = 0;
      const hasty: Selectable<string> = {
        attempt: () => undefined,
        enlist(listener) {
          expect(listener.resolve('at once')).toBe(true);
          expect(listener.resolve('again')).toBe(false);
          expect(listener.reject(new Error('too late'))).toBe(false);
          return () => left++;
        },
      };
      for (let i = 0; i < 3; i++) {
        const { key, value } = await select({ before: before.onSet(), hasty, after: after.onSet() });
        expect([key, value]).toEqual(['hasty', 'at once']);
        expect(before.statistics().tasksWaiting + after.statistics().tasksWaiting).toBe(0);
      }
      expect(left).toBe(0);
    }),
  );
});

describe('no case is starved', () => {
  /** How often each of some cases that are always ready is chosen, by each of some tasks that take turns. */
  async function shares(cases: number, tasks: number, rounds: number): Promise<number[][]> {
    const events = Array.from({ length: cases }, () => {
      const event = new Event();
      event.set();
      return event;
    });
    const counts = Array.from({ length: tasks }, () => Array.from({ length: cases }, () => 0));
    for (let round = 0; round < rounds; round++) {
      for (const own of counts) {
        const { key } = await select(
          Object.fromEntries(events.map((each, i) => [`case ${i}`, each.onSet()])),
        );
        own[Number(key.slice('case '.length))]!++;
      }
    }
    return counts;
  }

  test(
    'when all are always ready',
    virtualTime(async () => {
      for (const cases of [2, 3, 4, 5, 7]) {
        const [counts] = await shares(cases, 1, 200);
        for (const count of counts!) expect(count).toBeGreaterThan(100 / cases);
      }
    }),
  );

  test(
    'when several tasks take turns',
    virtualTime(async () => {
      for (const tasks of [2, 3, 4, 6]) {
        for (const cases of [2, 3, 4]) {
          for (const counts of await shares(cases, tasks, 200)) {
            for (const count of counts) expect(count).toBeGreaterThan(100 / cases);
          }
        }
      }
    }),
  );

  test(
    'when others are always ready: it happens soon',
    virtualTime(async () => {
      const stop = new Event();
      const [send, receive] = createMemoryObjectStream<number>(Infinity);
      for (let n = 0; n < 1_000; n++) send.sendNowait(n);
      stop.set();
      for (let i = 0; i < 20; i++) {
        let calls = 0;
        for (let key = ''; key !== 'stop'; calls++) {
          ({ key } = await select({ item: receive.onReceive(), stop: stop.onSet() }));
        }
        expect(calls).toBeLessThan(5);
      }
    }),
  );
});

describe('a rendezvous between two selections', () => {
  test(
    'passes one item, whoever comes first',
    virtualTime(async () => {
      const stream = createMemoryObjectStream<string>();
      const [send, receive] = stream;
      const other = new Event();
      for (const senderFirst of [true, false]) {
        const sending = () => select({ put: send.onSend('tea'), other: other.onSet() });
        const receiving = () => select({ get: receive.onReceive(), other: other.onSet() });
        const selected = senderFirst ? [sending(), receiving()] : [receiving(), sending()];
        const results = await Promise.all(selected);
        expect(results).toEqual(
          expect.arrayContaining([
            { key: 'put', value: undefined },
            { key: 'get', value: 'tea' },
          ]),
        );
        expect(waiting(stream) + other.statistics().tasksWaiting).toBe(0);
      }
    }),
  );

  test(
    'that could go both ways goes one',
    virtualTime(async () => {
      const there = createMemoryObjectStream<string>();
      const back = createMemoryObjectStream<string>();
      const one = select({ put: there[0].onSend('there'), get: back[1].onReceive() });
      const other = select({ put: back[0].onSend('back'), get: there[1].onReceive() });
      const keys = [await one, await other].map(({ key, value }) => `${key} ${String(value)}`).toSorted();
      expect([
        ['get back', 'put undefined'],
        ['get there', 'put undefined'],
      ]).toContainEqual(keys);
      expect(waiting(there, back)).toBe(0);
    }),
  );

  test(
    'does not take place within one',
    virtualTime(async () => {
      const stream = createMemoryObjectStream<string>();
      const [send, receive] = stream;
      const idle = new Event();
      for (let i = 0; i < 4; i++) {
        const cases = {
          put: send.onSend('tea'),
          get: receive.onReceive(),
          idle: onTimeout(5),
          e: idle.onSet(),
        };
        expect((await select(cases)).key).toBe('idle');
        expect(waiting(stream) + idle.statistics().tasksWaiting).toBe(0);
      }
    }),
  );

  test(
    'on the same stream takes place between two that would both send and receive',
    virtualTime(async () => {
      const stream = createMemoryObjectStream<string>();
      const [send, receive] = stream;
      const either = (name: string) => select({ put: send.onSend(name), get: receive.onReceive() });
      for (let i = 0; i < 4; i++) {
        const [a, b] = await Promise.all([either('a'), either('b')]);
        const [got, put] = a.key === 'get' ? [a, b] : [b, a];
        expect(put).toEqual({ key: 'put', value: undefined });
        expect(got).toEqual({ key: 'get', value: put === a ? 'a' : 'b' });
        expect(waiting(stream)).toBe(0);
      }
    }),
  );

  test(
    'takes place with others, where one would both send and receive',
    virtualTime(async () => {
      const stream = createMemoryObjectStream<string>();
      const [send, receive] = stream;
      const either = () => select({ put: send.onSend('tea'), get: receive.onReceive() });
      const ways: readonly (() => Promise<unknown>)[] = [
        () => receive.receive(),
        () => Promise.resolve(receive.receiveNowait()),
        () => receive.receiveMany(2).then(([item]) => item),
        () => select({ get: receive.onReceive() }).then(({ value }) => value),
      ];
      for (const way of ways) {
        const selected = either();
        expect(await way()).toBe('tea');
        expect((await selected).key).toBe('put');
        expect(waiting(stream)).toBe(0);
      }
      const waysToSend: readonly (() => Promise<unknown>)[] = [
        () => send.send('milk'),
        () => Promise.resolve(send.sendNowait('milk')),
        async () => (await send.reserve()).send('milk'),
      ];
      for (const way of waysToSend) {
        const selected = either();
        await way();
        expect(await selected).toEqual({ key: 'get', value: 'milk' });
        expect(waiting(stream)).toBe(0);
      }
    }),
  );

  test(
    'is not faked while somebody has a permit',
    virtualTime(async () => {
      const stream = createMemoryObjectStream<string>();
      const [send, receive] = stream;
      const scope = new CancelScope();
      const leaving = scope.run(() => receive.receive());
      const permit = await send.reserve();
      scope.cancel();
      await leaving;
      const selected = select({ put: send.onSend('tea'), get: receive.onReceive() });
      const later = receive.receive();
      permit[Symbol.dispose]();
      // The place that was kept is that of who comes later.
      expect(await later).toBe('tea');
      expect(await selected).toEqual({ key: 'put', value: undefined });
      expect(waiting(stream)).toBe(0);
    }),
  );

  test(
    'receives from one who waits to send behind it, when the place of a permit is free again',
    virtualTime(async () => {
      const stream = createMemoryObjectStream<string>();
      const [send, receive] = stream;
      const selected = select({ put: send.onSend('tea'), get: receive.onReceive() });
      const permit = await send.reserve();
      const sending = send.send('milk');
      expect(waiting(stream)).toBe(3);
      permit[Symbol.dispose]();
      expect(await selected).toEqual({ key: 'get', value: 'milk' });
      await sending;
      expect(waiting(stream)).toBe(0);
    }),
  );
});

describe('a selection that is decided while it begins to wait', () => {
  test(
    'leaves no trace: its second receiver lets in who sends to the first',
    virtualTime(async () => {
      const stream = createMemoryObjectStream<string>();
      const [send, receive] = stream;
      const reserving = send.reserve();
      const sending = send.send('tea');
      const clone = receive.clone();
      const { value } = await select({ a: receive.onReceive(), b: clone.onReceive() });
      expect(value).toBe('tea');
      await sending;
      expect(waiting(stream)).toBe(0);
      // What is sent now is for those who come, and not for a case that did not happen.
      (await reserving).send('milk');
      expect(receive.tryReceive()).toEqual({ ok: true, value: 'milk' });
    }),
  );

  test(
    'leaves no trace when a case cannot be waited for',
    virtualTime(async () => {
      const stream = createMemoryObjectStream<number>(1);
      const error = new Error('no waiting here');
      const refusing: Selectable<never> = {
        attempt: () => undefined,
        enlist() {
          throw error;
        },
      };
      for (let i = 0; i < 8; i++) {
        expect(await errorOf(select({ get: stream[1].onReceive(), refusing }))).toBe(error);
        expect(waiting(stream)).toBe(0);
      }
    }),
  );
});

describe('a case whose stream is closed or has ended', () => {
  test(
    'fails the selection at once',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const broken = createMemoryObjectStream<number>();
      broken[1].close();
      send.close();
      const event = new Event();
      for (const [cases, type] of [
        [{ get: receive.onReceive(), stop: event.onSet() }, EndOfStream],
        [{ put: send.onSend(1), stop: event.onSet() }, ClosedResourceError],
        [{ put: broken[0].onSend(1), stop: event.onSet() }, BrokenResourceError],
        [{ get: broken[1].onReceive(), stop: event.onSet() }, ClosedResourceError],
      ] as const) {
        expect(await errorOf(select(cases))).toBeInstanceOf(type);
        expect(event.statistics().tasksWaiting).toBe(0);
      }
    }),
  );

  test(
    'fails the selection that waits, and the others leave no trace',
    virtualTime(async () => {
      for (const [close, type] of [
        [([send]: Ends<number>) => send.close(), EndOfStream],
        [([, receive]: Ends<number>) => receive.close(), ClosedResourceError],
      ] as const) {
        const stream = createMemoryObjectStream<number>();
        const event = new Event();
        const selected = select({ get: stream[1].onReceive(), stop: event.onSet() });
        close(stream);
        expect(event.statistics().tasksWaiting).toBe(0);
        expect(await errorOf(selected)).toBeInstanceOf(type);
      }
      for (const [close, type] of [
        [([send]: Ends<number>) => send.close(), ClosedResourceError],
        [([, receive]: Ends<number>) => receive.close(), BrokenResourceError],
      ] as const) {
        const stream = createMemoryObjectStream<number>();
        const event = new Event();
        const selected = select({ put: stream[0].onSend(1), stop: event.onSet() });
        close(stream);
        expect(event.statistics().tasksWaiting).toBe(0);
        expect(await errorOf(selected)).toBeInstanceOf(type);
      }
    }),
  );

  test(
    'does not keep others from being ended, who wait on the same end',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const clone = receive.clone();
      const sends = [
        select({ a: send.onSend(1), b: send.onSend(2) }),
        select({ a: send.onSend(3), b: send.clone().onSend(4) }),
        send.send(5),
      ];
      send.close();
      for (const each of sends) expect(await errorOf(each)).toBeInstanceOf(ClosedResourceError);
      const receives = [
        select({ a: receive.onReceive(), b: clone.onReceive(), c: receive.onReceive() }),
        receive.receive(),
        clone.receive(),
      ];
      receive.close();
      for (const each of receives.slice(0, 2))
        expect(await errorOf(each)).toBeInstanceOf(ClosedResourceError);
      expect(clone.statistics().tasksWaitingReceive).toBe(1);
      clone.close();
      expect(await errorOf(receives[2]!)).toBeInstanceOf(ClosedResourceError);
    }),
  );

  test(
    'gives what is in the buffer first',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(1);
      send.sendNowait(1);
      send.close();
      expect(await select({ get: receive.onReceive() })).toEqual({ key: 'get', value: 1 });
      expect(await errorOf(select({ get: receive.onReceive() }))).toBeInstanceOf(EndOfStream);
    }),
  );
});

for (const [name, key] of [
  ['select() with a receive', 'get'],
  ['select() with a send', 'put'],
] as const) {
  testCancellation(name, () => {
    const [send, receive] = createMemoryObjectStream<number>(1);
    const other = createMemoryObjectStream<number>();
    const event = new Event();
    let items = 0;
    const sent: number[] = [];
    const received: number[] = [];
    if (key === 'put') {
      send.sendNowait(0);
      sent.push(0);
    }
    return {
      begin: (options) =>
        select(
          {
            [key]: key === 'get' ? receive.onReceive() : send.onSend(++items),
            otherGet: other[1].onReceive(),
            stop: event.onSet(),
            idle: onTimeout(1_000),
          },
          options,
        ),
      satisfy() {
        if (key === 'get') {
          send.sendNowait(++items);
          sent.push(items);
        } else {
          const next = receive.tryReceive();
          if (next.ok) received.push(next.value);
        }
      },
      end(got) {
        expectEqual(waiting(other) + event.statistics().tasksWaiting, 0);
        if (got !== undefined) {
          const { key: happened, value } = got as { key: string; value: number | undefined };
          expectEqual(happened, key);
          if (key === 'get') received.push(value!);
          else sent.push(items);
        }
        for (let next = receive.tryReceive(); next.ok; next = receive.tryReceive()) received.push(next.value);
        // What was sent was received or is still there, and nothing else is.
        expectEqual(received, sent);
      },
      waiting: () =>
        Math.max(waiting([send, receive], other) - waiting(other), event.statistics().tasksWaiting),
      out: () => receive.statistics().currentBufferUsed,
    };
  });
}

testCancellation('select() with an event', () => {
  let event = new Event();
  const stream = createMemoryObjectStream<number>();
  return {
    begin: (options) => select({ stop: event.onSet(), put: stream[0].onSend(1) }, options),
    satisfy() {
      event.set();
      event = new Event();
    },
    end: () => expectEqual(stream[1].tryReceive().ok, false),
    waiting: () => Math.max(event.statistics().tasksWaiting, waiting(stream)),
    out: () => 0,
  };
});

describe('select(), cancelled', () => {
  test(
    'before: nothing happens, although cases are ready',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>(2);
      send.sendNowait(1);
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        const selected = select({ get: receive.onReceive(), put: send.onSend(2), now: onTimeout(0) });
        expect(await errorOf(selected)).toMatchObject({ name: 'Cancelled' });
      });
      expect(receive.statistics()).toMatchObject({ currentBufferUsed: 1, peakBufferUsed: 1 });
    }),
  );

  test(
    'at the same instant as its timeout: one of the two, and nothing is lost',
    virtualTime(async () => {
      const [send, receive] = createMemoryObjectStream<number>();
      const selected = await moveOnAfter(5, () => select({ get: receive.onReceive(), idle: onTimeout(5) }));
      expect([undefined, 'idle']).toContain(selected?.key);
      expect(send.trySend(1)).toBe(false);
    }),
  );

  test('at every step of a workload: nothing is lost or doubled', async () => {
    const { waits } = await cancelEverywhere(() => {
      const [sendA, receiveA] = createMemoryObjectStream<number>();
      const [sendB, receiveB] = createMemoryObjectStream<number>(1);
      const sent: number[] = [];
      const received: number[] = [];
      const producer = (first: number) => async (): Promise<void> => {
        for (const n of [first, first + 1]) {
          const { key } = await select({ a: sendA.onSend(n), b: sendB.onSend(n), idle: onTimeout(50) });
          if (key !== 'idle') sent.push(n);
          await sleep(1);
        }
      };
      const consumer = async (): Promise<void> => {
        for (;;) {
          const { key, value } = await select({
            a: receiveA.onReceive(),
            b: receiveB.onReceive(),
            idle: onTimeout(100),
          });
          if (key === 'idle') return;
          received.push(value);
          await checkpoint();
        }
      };
      return {
        tasks: [producer(10), consumer, producer(20), consumer],
        check() {
          const left = receiveB.tryReceive();
          if (left.ok) received.push(left.value);
          expect(received.toSorted((a, b) => a - b)).toEqual(sent.toSorted((a, b) => a - b));
          expect(waiting([sendA, receiveA], [sendB, receiveB])).toBe(0);
          expect([receiveA.tryReceive().ok, receiveB.tryReceive().ok]).toEqual([false, false]);
        },
      };
    });
    expect(waits).toBeGreaterThan(5);
  });
});

test('selections that compete lose and double nothing, in whatever order they are woken', async () => {
  for (const seed of SEEDS) {
    await fuzzSchedule(seed, async () => {
      const streams = [
        createMemoryObjectStream<number>(0),
        createMemoryObjectStream<number>(1),
        createMemoryObjectStream<number>(2),
      ] as const;
      const sent: number[] = [];
      const received: number[] = [];
      await taskGroup(async (tg) => {
        for (let i = 0; i < 4; i++) {
          tg.startSoon(async () => {
            for (let n = 100 * i; n < 100 * i + 10; n++) {
              // Some give up now and then.
              const done = await moveOnAfter(n % 4 === i ? 0.5 : 500, () =>
                select({
                  a: streams[0][0].onSend(n),
                  b: streams[1][0].onSend(n),
                  c: streams[2][0].onSend(n),
                }),
              );
              if (done !== undefined) sent.push(n);
            }
          });
        }
        for (let i = 0; i < 3; i++) {
          tg.startSoon(async () => {
            for (;;) {
              const done = await moveOnAfter(i === 0 ? 2 : 2_000, () =>
                select({
                  a: streams[0][1].onReceive(),
                  b: streams[1][1].onReceive(),
                  c: streams[2][1].onReceive(),
                  end: onTimeout(1_000),
                }),
              );
              if (done?.key === 'end') return;
              if (done === undefined) {
                if (sent.length === received.length) return;
              } else received.push(done.value);
              if (i > 0) await sleep(1);
            }
          });
        }
      });
      for (const [, receive] of streams) {
        for (let next = receive.tryReceive(); next.ok; next = receive.tryReceive()) received.push(next.value);
      }
      expect(sent.length).toBeGreaterThan(20);
      expect(received.toSorted((a, b) => a - b)).toEqual(sent.toSorted((a, b) => a - b));
      expect(waiting(...streams)).toBe(0);
    });
  }
});

describe('bad input', () => {
  test('no cases, or what are none, are refused, and nothing begins', async () => {
    const event = new Event();
    for (const cases of [null, undefined, 42, 'a']) {
      const error = await errorOf(select(cases as never));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/^select\(\): cases must be an object of cases by name, got /);
    }
    const empty = await errorOf(select({}));
    expect(empty).toBeInstanceOf(RangeError);
    expect((empty as Error).message).toBe('select(): cases must not be empty: nothing could ever happen');
    const [, receive] = createMemoryObjectStream<number>();
    const rule =
      'select(): the case "wrong" must be what onReceive(), onSend(), onChange(), onSet(), onDone() or onTimeout() returns, got ';
    for (const [each, rest] of [
      [receive, 'an object. Use its onReceive()'],
      [event, 'an object. Use its onSet()'],
      [() => receive.onReceive(), 'a function. Call it: its result is the case'],
      [
        Promise.resolve(1),
        'a Promise. What has begun cannot be undone: use onReceive() instead of receive(), onSet() instead of wait(), and so on',
      ],
      [null, 'null'],
      [undefined, 'undefined'],
      [5, '5'],
      [{}, 'an object'],
    ]) {
      const error = await errorOf(select({ stop: event.onSet(), wrong: each as never }));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toBe(`${rule}${rest as string}`);
    }
    expect(event.statistics().tasksWaiting).toBe(0);
  });

  test('a timeout that is none is refused in the call', () => {
    for (const ms of ['1', null, undefined]) expect(() => onTimeout(ms as never)).toThrow(TypeError);
    expect(() => onTimeout(NaN)).toThrow(RangeError);
    expect(() => onTimeout(NaN)).toThrow('onTimeout(): ms must be a number of milliseconds, got NaN');
  });
});

test('a deadlock of selections is one', async () => {
  const [send, receive] = createMemoryObjectStream<number>();
  const deadlock = virtualTime(() =>
    taskGroup((tg) => {
      tg.startSoon(() => select({ get: receive.onReceive() }));
      tg.startSoon(() => select({ get: receive.onReceive(), never: new Event().onSet() }));
    }),
  );
  const error = await errorOf(deadlock());
  expect(error).toBeInstanceOf(InvalidStateError);
  expect(String(error)).toContain('one of get, never');
  expect(waiting([send, receive])).toBe(0);
});
