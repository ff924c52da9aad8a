/**
 * What happens when what the streams, and the primitives below them, call back throws while everything is being cancelled:
 * each test names a fault and its outcome. The other faults are in packages/core/src/faults.test.ts.
 */

import { CancelScope, moveOnAfter, sleepForever, taskGroup } from '@taskscope/core';
import { CapacityLimiter, Condition, Lock, Semaphore } from '@taskscope/sync';
import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { errorsOf, throwing } from '../../core/src/failing.fixture.js';
import { errorOf } from '../../core/src/observing.fixture.js';
import { fromAsyncIterable } from './from-async-iterable.js';
import { createMemoryObjectStream } from './memory-object-stream.js';
import { MessageRouter } from './message-router.js';

const broken = new RangeError('broken');

describe('while cancelling', () => {
  test(
    'an onUndelivered that throws: the stream is closed, every item has been told of, and the group fails with the errors',
    virtualTime(async () => {
      const told: number[] = [];
      const [send, receive] = createMemoryObjectStream<number>(3, {
        onUndelivered(n) {
          told.push(n);
          throw new Error(`lost ${n}`);
        },
      });
      for (const n of [1, 2, 3]) send.sendNowait(n);
      const scope = new CancelScope();
      const failed = await errorOf(
        scope.run(() =>
          taskGroup((tg) => {
            tg.startSoon(() => sleepForever().finally(() => receive.close()));
            tg.startSoon(() => scope.cancel());
          }),
        ),
      );
      const [lost] = (failed as AggregateError).errors as AggregateError[];
      expect(lost?.errors.map(String)).toEqual(['Error: lost 1', 'Error: lost 2', 'Error: lost 3']);
      expect(told).toEqual([1, 2, 3]);
      expect(send.statistics()).toMatchObject({ currentBufferUsed: 0, openReceiveStreams: 0 });
    }),
  );

  test(
    'a filter that throws while its publisher waits and is cancelled: the error is what the publisher gets',
    virtualTime(async () => {
      const router = new MessageRouter<number>({ bufferSize: 0, overflow: 'block' });
      using _broken = router.subscribe({ filter: throwing(broken) });
      using _full = router.subscribe();
      const scope = new CancelScope();
      const publishing = errorOf(scope.run(() => router.publish(1)));
      await waitAllTasksBlocked();
      scope.cancel();
      expect(await publishing).toBe(broken);

      const controller = new AbortController();
      const aborted = errorOf(router.publish(2, { signal: controller.signal }));
      controller.abort();
      expect(await aborted).toBe(broken);
    }),
  );

  test(
    'an onDrop that throws while its publisher waits and the router is closed: the error is what the publisher gets',
    virtualTime(async () => {
      const router = new MessageRouter<number>({ bufferSize: 0, onDrop: throwing(broken) });
      router.subscribe({ overflow: 'drop-newest' });
      router.subscribe({ overflow: 'block' });
      const publishing = errorOf(router.publish(1));
      await waitAllTasksBlocked();
      router.close();
      expect(await publishing).toBe(broken);
    }),
  );

  test(
    'a filter that cancels its publisher and throws: everybody else is served, and the error is what the publisher gets',
    virtualTime(async () => {
      const router = new MessageRouter<number>();
      const scope = new CancelScope();
      router.subscribe({
        filter() {
          scope.cancel();
          throw broken;
        },
      });
      const other = router.subscribe();
      expect(await errorOf(scope.run(() => router.publish(1)))).toBe(broken);
      expect(other.receiveNowait()).toBe(1);
    }),
  );

  test(
    'a source whose return() throws: the group of who reads it fails with the error',
    virtualTime(async () => {
      const source: AsyncIterable<number> = {
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.resolve({ done: false, value: 1 }),
          return: () => Promise.reject(broken),
        }),
      };
      const [send] = createMemoryObjectStream<number>();
      const errors = await errorsOf(
        moveOnAfter(1, () => taskGroup((tg) => void tg.startSoon(() => fromAsyncIterable(source, send)))),
      );
      expect(errors).toEqual([broken]);
    }),
  );

  test.each<[string, () => { run(fn: () => Promise<never>): Promise<never>; acquireNowait(): unknown }]>([
    ['Lock', () => new Lock()],
    ['Semaphore', () => new Semaphore(1)],
    ['CapacityLimiter', () => new CapacityLimiter(1)],
    ['Condition', () => new Condition()],
  ])(
    'the holder of a %s that throws: it is free again, and the group fails with the error',
    async (_, make) => {
      const test = virtualTime(async () => {
        const primitive = make();
        const errors = await errorsOf(
          moveOnAfter(1, () =>
            taskGroup((tg) => {
              for (let i = 0; i < 3; i++) {
                tg.startSoon(() => primitive.run(() => sleepForever().catch(throwing(broken))));
              }
            }),
          ),
        );
        expect(errors).toEqual([broken]);
        primitive.acquireNowait();
      });
      await test();
    },
  );

  test(
    'a predicate that throws: the condition is free again, and the others go on waiting',
    virtualTime(async () => {
      const condition = new Condition();
      const ended: string[] = [];
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          let isFirst = true;
          const predicate = (): boolean => (isFirst ? (isFirst = false) : throwing(broken)());
          ended.push(String(await errorOf(condition.run(() => condition.waitFor(predicate)))));
        });
        await waitAllTasksBlocked();
        tg.startSoon(() => condition.run(() => condition.wait()).then(() => ended.push('the other')));
        await waitAllTasksBlocked();
        await condition.run(() => condition.notify());
        await waitAllTasksBlocked();
        expect(ended).toEqual(['RangeError: broken']);
        await condition.run(() => condition.notify());
      });
      expect(ended).toEqual(['RangeError: broken', 'the other']);
      expect(condition.locked).toBe(false);
    }),
  );
});
