import { setImmediate } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { Channel } from './channel.js';
import { current } from './context.js';
import { Lock } from './lock.js';
import { CANCELLED, run } from './scope.js';
import { sleep } from './sleep.js';
import { taskGroup, type Group } from './task-group.js';
import { failAfter, moveOnAfter, TIMED_OUT } from './timeouts.js';

const HOUR = 3_600_000;

/** A task that can be cancelled alone, and says how it ended. */
async function cancellable(
  work: () => Promise<unknown>,
): Promise<{ cancel: () => void; end: Promise<string> }> {
  let group!: Group;
  let outcome = 'pending';
  const end = taskGroup((its) => {
    group = its;
    its.spawn(async () => {
      try {
        await work();
        outcome = 'done';
      } catch (error) {
        outcome = error === CANCELLED ? 'cancelled' : 'failed';
        throw error;
      }
    }, undefined);
  }).then(() => outcome);
  await setImmediate();
  return { cancel: () => group.cancel(), end };
}

test('what a cancelled sender has is not received, and nothing else is lost', () =>
  run(async () => {
    for (const capacity of [0, 1]) {
      const channel = new Channel<string>(capacity);
      if (capacity === 1) await channel.send('buffered');
      const senders = [];
      for (const item of ['a', 'b', 'c', 'd']) senders.push(await cancellable(() => channel.send(item)));
      for (const index of [1, 0]) {
        senders[index]!.cancel();
        expect(await senders[index]!.end).toBe('cancelled');
      }
      if (capacity === 1) expect(await channel.receive()).toBe('buffered');
      expect(await channel.receive()).toBe('c');
      expect(await channel.receive()).toBe('d');
      expect(await senders[3]!.end).toBe('done');
    }
  }));

test('a cancelled receiver takes nothing', () =>
  run(async () => {
    const channel = new Channel<string>(0);
    const received: string[] = [];
    const receivers = [];
    for (let i = 0; i < 3; i++) {
      receivers.push(await cancellable(async () => received.push(await channel.receive())));
    }
    receivers[0]!.cancel();
    receivers[2]!.cancel();
    await channel.send('a');
    expect(await receivers[1]!.end).toBe('done');
    expect(received).toEqual(['a']);
    const next = channel.receive();
    await channel.send('b');
    expect(await next).toBe('b');
  }));

test('an unbounded channel never makes a sender wait', () =>
  run(async () => {
    const channel = new Channel<number>(Infinity);
    for (let i = 0; i < 100; i++) await channel.send(i);
    for (let i = 0; i < 100; i++) expect(await channel.receive()).toBe(i);
  }));

test('a lock goes to who has waited longest and was not cancelled, and is given back once', () =>
  run(async () => {
    const lock = new Lock();
    const first = await lock.acquire();
    expect(lock.owner).toBe(current().task);
    const order: string[] = [];
    const waiters = [];
    for (const name of ['a', 'b', 'c']) {
      waiters.push(
        await cancellable(async () => {
          const holding = await lock.acquire();
          expect(lock.owner).toBe(current().task);
          expect(holding.owner).toBe(current().task);
          order.push(name);
          await setImmediate();
          holding.release();
        }),
      );
    }
    waiters[0]!.cancel();
    first.release();
    first.release();
    expect(await Promise.all(waiters.map(({ end }) => end))).toEqual(['cancelled', 'done', 'done']);
    expect(order).toEqual(['b', 'c']);
    expect(lock.owner).toBeUndefined();
  }));

test('sleeps end in the order of their times, whoever is cancelled', () =>
  run(async () => {
    const order: number[] = [];
    const cancelled = await cancellable(() => sleep(5));
    await taskGroup((group) => {
      for (const ms of [30, 10, 20, 1]) {
        group.spawn(async () => {
          await sleep(ms);
          order.push(ms);
        }, undefined);
      }
      cancelled.cancel();
    });
    expect(await cancelled.end).toBe('cancelled');
    expect(order).toEqual([1, 10, 20, 30]);
  }));

test('of many that are cancelled, those that are left strike, and in order', () =>
  run(async () => {
    const order: number[] = [];
    await taskGroup(async (group) => {
      const others = await cancellable(() =>
        taskGroup((many) => {
          for (let i = 0; i < 1000; i++) many.spawn(sleep, HOUR + (i % 7));
        }),
      );
      for (const ms of [8, 2, 4, 2]) {
        group.spawn(async () => {
          await sleep(ms);
          order.push(ms);
        }, undefined);
      }
      await setImmediate();
      others.cancel();
      expect(await others.end).toBe('cancelled');
      // More than there is room for without sweeping.
      for (let i = 0; i < 1000; i++) await moveOnAfter(HOUR - i, async () => {});
    });
    expect(order).toEqual([2, 2, 4, 8]);
  }));

test('the first error of a task cancels the others, and the group rejects with it', () =>
  run(async () => {
    const problem = new Error('a problem');
    const ended: string[] = [];
    const group = taskGroup(async (its) => {
      its.spawn(async () => {
        try {
          await sleep(HOUR);
        } finally {
          ended.push('sleeper');
        }
      }, undefined);
      its.spawn(async () => {
        await setImmediate();
        throw problem;
      }, undefined);
      await sleep(HOUR).finally(() => ended.push('body'));
    });
    await expect(group).rejects.toBe(problem);
    expect(ended.toSorted()).toEqual(['body', 'sleeper']);
  }));

test('a body that throws cancels its tasks, and they are waited for', () =>
  run(async () => {
    let hasEnded = false;
    const group = taskGroup((its) => {
      its.spawn(async () => {
        await sleep(HOUR).finally(() => {
          hasEnded = true;
        });
      }, undefined);
      throw new Error('a problem');
    });
    await expect(group).rejects.toThrow('a problem');
    expect(hasEnded).toBe(true);
  }));

test('timeouts strike', () =>
  run(async () => {
    expect(await moveOnAfter(1, () => sleep(HOUR))).toBeUndefined();
    await expect(failAfter(1, () => sleep(HOUR))).rejects.toBe(TIMED_OUT);
    expect(await moveOnAfter(HOUR, async () => 1)).toBe(1);
    expect(await failAfter(HOUR, async () => 2)).toBe(2);
    const problem = new Error('a problem');
    const throwing = async (): Promise<never> => {
      throw problem;
    };
    await expect(moveOnAfter(HOUR, throwing)).rejects.toBe(problem);
    await expect(failAfter(HOUR, throwing)).rejects.toBe(problem);
  }));

test('a cancellation passes through the scopes inside of the one that was cancelled', () =>
  run(async () => {
    let hasPassed = true;
    const outer = await moveOnAfter(1, async () => {
      await failAfter(HOUR, () => taskGroup((group) => group.spawn(sleep, HOUR)));
      hasPassed = false;
    });
    expect(outer).toBeUndefined();
    expect(hasPassed).toBe(true);
  }));

test('a cancelled scope refuses every wait, and so does what is opened in it', () =>
  run(async () => {
    const channel = new Channel<number>(Infinity);
    const lock = new Lock();
    await taskGroup(async (group) => {
      group.cancel();
      const waits = [
        () => channel.send(1),
        () => channel.receive(),
        () => lock.acquire(),
        () => sleep(0),
        () => failAfter(HOUR, () => sleep(0)),
      ];
      for (const wait of waits) await expect(wait()).rejects.toBe(CANCELLED);
    });
    expect(lock.owner).toBeUndefined();
  }));

test('who opens a scope is in its own again', () =>
  run(async () => {
    const own = current();
    const scopes = [own];
    const timed = moveOnAfter(HOUR, async () => {
      scopes.push(current());
      await setImmediate();
      scopes.push(current());
    });
    expect(current()).toBe(own);
    await timed;
    expect(current()).toBe(own);
    await taskGroup((group) => {
      const inGroup = current();
      group.spawn(async () => {
        expect(current()).not.toBe(inGroup);
      }, undefined);
    });
    expect(current()).toBe(own);
    expect(scopes[1]).not.toBe(own);
    expect(scopes[2]).toBe(scopes[1]);
  }));
