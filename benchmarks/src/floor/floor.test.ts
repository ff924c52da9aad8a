import { expect, test } from 'vitest';

import { BareChannel } from './bare-channel.js';
import { BareSemaphore } from './bare-semaphore.js';
import { Fifo } from './fifo.js';

test('a queue keeps its order when it grows', () => {
  const queue = new Fifo<number>();
  for (let i = 0; i < 10; i++) queue.push(i);
  for (let i = 0; i < 5; i++) expect(queue.shift()).toBe(i);
  for (let i = 10; i < 100; i++) queue.push(i);
  expect(queue.size).toBe(95);
  for (let i = 5; i < 100; i++) expect(queue.shift()).toBe(i);
  expect(queue.shift()).toBeUndefined();
});

test('a sender waits until there is room, and its item comes last', async () => {
  const channel = new BareChannel<string>(1);
  expect(channel.trySend('a')).toBe(true);
  expect(channel.trySend('b')).toBe(false);
  const sending = channel.send('b');
  expect(await channel.receive()).toBe('a');
  await sending;
  channel.close();
  expect(await channel.receive()).toBe('b');
  expect(await channel.receive()).toBeUndefined();
});

test('without a buffer, an item goes to who waits for it', async () => {
  const channel = new BareChannel<string>(0);
  expect(channel.trySend('a')).toBe(false);
  const received = [channel.receive(), channel.next(), channel.next()];
  await channel.send('a');
  await channel.send('b');
  channel.close();
  expect(await Promise.all(received)).toEqual([
    'a',
    { done: false, value: 'b' },
    { done: true, value: undefined },
  ]);
});

test('a permit goes to who has waited longest', async () => {
  const semaphore = new BareSemaphore(1);
  const order: string[] = [];
  await semaphore.acquire();
  const waiting = ['a', 'b'].map(async (name) => {
    await semaphore.acquire();
    order.push(name);
    semaphore.release();
  });
  expect(order).toEqual([]);
  semaphore.release();
  await Promise.all(waiting);
  expect(order).toEqual(['a', 'b']);
});
