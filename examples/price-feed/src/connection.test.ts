/** One client, in virtual time: the response is a stream that takes only what the test lets it take. */

import { Writable } from 'node:stream';
import { currentTime, flattenErrors, sleep, taskGroup, TimeoutError } from '@taskscope/core';
import { Event } from '@taskscope/sync';
import { cancelEverywhere, virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { expect, test } from 'vitest';
import { Connection } from './connection.js';
import { PriceFeed } from './feed.js';

const timing = { heartbeat: 1_000, patience: 3_000 };

/** A client at the other end of a connection that has room for very little. */
class Client extends Writable {
  /** What has come, with its time. */
  readonly events: [time: number, event: string][] = [];
  #isReading = true;
  #more: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1, decodeStrings: false });
  }

  override _write(text: string, _encoding: unknown, done: () => void): void {
    const [, name, data] = /^event: (\w+)\ndata: (.*)\n\n$/.exec(text) ?? ['', 'malformed', text];
    this.events.push([currentTime(), `${name} ${data}`]);
    if (this.#isReading) done();
    else this.#more = done;
  }

  pause(): void {
    this.#isReading = false;
  }

  resume(): void {
    this.#isReading = true;
    this.#more?.();
  }
}

interface Setup {
  readonly client: Client;
  readonly feed: PriceFeed;
  readonly closing: Event;
  readonly connection: Connection;
  readonly hello: [number, string];
}

function setup(): Setup {
  const client = new Client();
  const feed = new PriceFeed();
  const closing = new Event();
  const connection = new Connection(client, feed.subscribe('client'), closing, timing);
  return { client, feed, closing, connection, hello: [0, 'hello {"heartbeat":1000}'] };
}

const tea = (price: number): string => `price {"symbol":"TEA","price":${price},"sequence":${price}}`;

test(
  'greets, tells the latest prices and those that come, and says goodbye',
  virtualTime(async () => {
    const { client, feed, closing, connection, hello } = setup();
    await taskGroup(async (tg) => {
      tg.startSoon(() => connection.run([{ symbol: 'RICE', price: 7, sequence: 0 }]));
      await sleep(10);
      await feed.publish({ symbol: 'TEA', price: 1 });
      await sleep(10);
      await feed.publish({ symbol: 'TEA', price: 2 });
      await sleep(10);
      closing.set();
    });
    expect(client.events).toEqual([
      hello,
      [0, 'price {"symbol":"RICE","price":7,"sequence":0}'],
      [10, tea(1)],
      [20, tea(2)],
      [30, 'bye {}'],
    ]);
    expect(client.writableFinished).toBe(true);
    expect(feed.statistics().subscribers).toBe(0);
  }),
);

test(
  'a heartbeat after each second of silence',
  virtualTime(async () => {
    const { client, feed, closing, connection, hello } = setup();
    await taskGroup(async (tg) => {
      tg.startSoon(() => connection.run([]));
      await sleep(2_500);
      await feed.publish({ symbol: 'TEA', price: 1 });
      await sleep(1_200);
      closing.set();
    });
    expect(client.events).toEqual([
      hello,
      [1_000, 'heartbeat {}'],
      [2_000, 'heartbeat {}'],
      [2_500, tea(1)],
      [3_500, 'heartbeat {}'],
      [3_700, 'bye {}'],
    ]);
  }),
);

test(
  'a client that stops reading misses prices, and is told how many',
  virtualTime(async () => {
    const { client, feed, closing, connection, hello } = setup();
    await taskGroup(async (tg) => {
      tg.startSoon(() => connection.run([]));
      await sleep(10);
      client.pause();
      for (let price = 1; price <= 150; price++) {
        await feed.publish({ symbol: 'TEA', price });
        await sleep(1);
      }
      // One is on its way, 16 are in the stream, and one waits to get there; 100 in the subscription.
      expect(connection.statistics()).toMatchObject({ currentBufferUsed: 16, tasksWaitingSend: 1 });
      expect(feed.statistics()).toMatchObject({ published: 150, dropped: 32 });
      client.resume();
      await waitAllTasksBlocked();
      closing.set();
    });

    const events = client.events.map(([, event]) => event);
    const beforeTheGap = Array.from({ length: 18 }, (_, i) => tea(1 + i));
    const afterTheGap = Array.from({ length: 100 }, (_, i) => tea(51 + i));
    expect(events).toEqual([hello[1], ...beforeTheGap, 'dropped {"dropped":32}', ...afterTheGap, 'bye {}']);
  }),
);

test(
  'a client that has not read for too long is cut off',
  virtualTime(async () => {
    const { client, feed, connection } = setup();
    const error: unknown = await taskGroup(async (tg) => {
      tg.startSoon(() => connection.run([]));
      await sleep(10);
      client.pause();
      await feed.publish({ symbol: 'TEA', price: 1 });
    }).catch((thrown: unknown) => thrown);
    expect(flattenErrors(error)).toEqual([expect.any(TimeoutError)]);
    expect(currentTime()).toBe(3_010);
    expect(client.destroyed).toBe(true);
    expect(feed.statistics().subscribers).toBe(0);
  }),
);

test(
  'so is one that does not read the goodbye',
  virtualTime(async () => {
    const { client, closing, connection } = setup();
    client.pause();
    closing.set();
    await expect(connection.run([])).rejects.toThrow('the client timed out after 3000 ms');
    expect(client.destroyed).toBe(true);
  }),
);

test(
  'when the client goes, the group ends',
  virtualTime(async () => {
    const { client, feed, connection } = setup();
    await taskGroup(async (tg) => {
      tg.startSoon(() => connection.run([]));
      await sleep(10);
      client.destroy();
    });
    expect(currentTime()).toBe(10);
    expect(feed.statistics().subscribers).toBe(0);
    expect(client.listenerCount('close')).toBe(0);
  }),
);

test(
  'when it is cancelled, the response is destroyed',
  virtualTime(async () => {
    const { client, feed, connection } = setup();
    await taskGroup(async (tg) => {
      tg.startSoon(() => connection.run([]));
      await sleep(10);
      tg.cancel();
    });
    expect(client.destroyed).toBe(true);
    expect(feed.statistics().subscribers).toBe(0);
  }),
);

test('cancelled at every wait: the client is served to the end or let go, and nothing is left of it', async () => {
  const { waits } = await cancelEverywhere(() => {
    const { client, feed, closing, connection } = setup();
    return {
      tasks: [
        () => connection.run([{ symbol: 'RICE', price: 7, sequence: 0 }]),
        async () => {
          try {
            for (const price of [1, 2, 3]) {
              await sleep(500);
              if (price === 2) client.pause();
              await feed.publish({ symbol: 'TEA', price });
            }
            await sleep(1_500);
          } finally {
            client.resume();
            closing.set();
          }
        },
      ],
      check([wasCancelled]) {
        expect(feed.statistics().subscribers).toBe(0);
        expect(client.destroyed).toBe(true);
        if (wasCancelled === false) {
          expect(client.writableFinished).toBe(true);
          expect(client.events.at(-1)?.[1]).toBe('bye {}');
        }
        for (const event of ['close', 'drain', 'finish']) expect(client.listenerCount(event)).toBe(0);
      },
    };
  });
  expect(waits).toBeGreaterThan(10);
});
