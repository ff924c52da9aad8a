/** The service with real clients, in this process. */

import { get, type IncomingMessage } from 'node:http';
import { FutureCancelled, run, taskGroup, withSignal } from '@taskscope/core';
import type { MemoryObjectStreamStatistics, MessageRouterStatistics } from '@taskscope/streams';
import { Event, Future } from '@taskscope/sync';
import { cancelEverywhere } from '@taskscope/testing';
import { describe, expect, test, vi } from 'vitest';
import { ask, ignore, listen } from './client.fixture.js';
import { PriceFeed } from './feed.js';
import { CannotListenError, serve, type Handler } from '../../http-server.js';
import { PriceService, type ServiceOptions } from './service.js';

vi.setConfig({ testTimeout: 60_000 });
const eventually = { timeout: 30_000, interval: 10 };

interface Running {
  readonly url: string;
  readonly feed: PriceFeed;
  readonly service: PriceService;
}

interface Statistics {
  readonly uptimeMs: number;
  readonly clients: { connected: number; ever: number; tooSlow: number };
  readonly router: MessageRouterStatistics;
  readonly streams: readonly (MemoryObjectStreamStatistics & { name: string })[];
}

/** Serves while `body` runs, and then says goodbye. */
function serving(
  body: (running: Running) => Promise<void>,
  options: Partial<ServiceOptions> = {},
): () => Promise<void> {
  const address = { host: '127.0.0.1', port: 0 };
  return async () => {
    const feed = new PriceFeed();
    const service = new PriceService(feed, { page: '<title>Prices</title>', ...options });
    await run(
      () =>
        taskGroup(async (tg) => {
          const port = await tg.start(
            serve,
            (request, response) => service.handle(request, response),
            address,
            service.closing,
          );
          await body({ url: `http://127.0.0.1:${port}`, feed, service });
          service.closing.set();
        }),
      { escapes: 'error' },
    );
  };
}

async function stats(url: string): Promise<Statistics> {
  return JSON.parse((await ask(`${url}/stats`)).body) as Statistics;
}

test(
  'a client sees the latest prices, and then every price in order',
  serving(async ({ url, feed }) => {
    await feed.publish({ symbol: 'TEA', price: 1 });
    await feed.publish({ symbol: 'RICE', price: 2 });
    const client = await listen(`${url}/prices`);
    expect(await client.next('hello')).toEqual({ heartbeat: 15_000 });
    for (let price = 3; price <= 40; price++) {
      await feed.publish({ symbol: price % 2 === 0 ? 'RICE' : 'TEA', price });
    }
    for (let price = 1; price <= 40; price++) {
      const symbol = price % 2 === 0 ? 'RICE' : 'TEA';
      expect(await client.next('price')).toEqual({ symbol, price, sequence: price });
    }
  }),
);

test(
  'or those of the symbols that it asks for',
  serving(async ({ url, feed }) => {
    for (const symbol of ['TEA', 'RICE', 'SUGAR']) await feed.publish({ symbol, price: 1 });
    const client = await listen(`${url}/prices?symbols=TEA,SUGAR`);
    await client.next('hello');
    for (const symbol of ['SUGAR', 'RICE', 'TEA']) await feed.publish({ symbol, price: 2 });
    const seen: unknown[] = [];
    while (seen.length < 4) seen.push(await client.next('price'));
    expect(seen).toEqual([
      { symbol: 'TEA', price: 1, sequence: 1 },
      { symbol: 'SUGAR', price: 1, sequence: 3 },
      { symbol: 'SUGAR', price: 2, sequence: 4 },
      { symbol: 'TEA', price: 2, sequence: 6 },
    ]);
  }),
);

// A price with a name this long fills the buffers of the operating system quickly.
const longName = 'X'.repeat(20_000);

test(
  'a client that does not read misses prices, and the others do not notice',
  serving(
    async ({ url, feed }) => {
      const fast = await listen(`${url}/prices`);
      const slow = await ignore(`${url}/prices`);
      await expect.poll(async () => (await stats(url)).clients.connected, eventually).toBe(2);

      // The fast one is given time to keep up: how quick this machine is shall not matter.
      let published = 0;
      for (;;) {
        for (let i = 0; i < 20; i++) await feed.publish({ symbol: longName, price: ++published });
        for (let i = 20; i > 0; i--) {
          expect(await fast.next('price')).toMatchObject({ sequence: published - i + 1 });
        }
        const [one, two] = (await stats(url)).router.perSubscriber;
        if (two!.dropped > 100) {
          expect(one).toMatchObject({ name: 'client 1', delivered: published, dropped: 0 });
          expect(two).toMatchObject({ name: 'client 2', currentBufferUsed: 100, peakBufferUsed: 100 });
          break;
        }
      }
      const { streams, clients } = await stats(url);
      expect(streams[1]).toMatchObject({ name: 'client 2', currentBufferUsed: 16, tasksWaitingSend: 1 });
      expect(clients).toEqual({ connected: 2, ever: 2, tooSlow: 0 });
      slow.destroy();
    },
    { patience: 600_000 },
  ),
);

test(
  'and is cut off after a while',
  serving(
    async ({ url, feed, service }) => {
      const socket = await ignore(`${url}/prices`);
      const tooSlow = (): number => (service.statistics() as Statistics).clients.tooSlow;
      await expect.poll(() => (service.statistics() as Statistics).clients.connected).toBe(1);
      for (let price = 1; tooSlow() === 0; price++) {
        await feed.publish({ symbol: longName, price });
        if (price % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect(service.statistics()).toMatchObject({
        clients: { connected: 0, ever: 1, tooSlow: 1 },
        router: { subscribers: 0 },
        streams: [],
      });
      // What is left to read ends in the middle.
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.on('error', () => {}).resume();
      await closed;
    },
    { patience: 50 },
  ),
);

test(
  'when a client vanishes, nothing of it is left',
  serving(async ({ url, feed }) => {
    const clients = [await listen(`${url}/prices`), await listen(`${url}/prices`)];
    for (const client of clients) await client.next('hello');
    expect(await stats(url)).toMatchObject({ clients: { connected: 2 }, router: { subscribers: 2 } });
    clients[0]!.vanish();
    await expect
      .poll(() => stats(url), eventually)
      .toMatchObject({
        clients: { connected: 1, ever: 2 },
        router: { subscribers: 1, perSubscriber: [{ name: 'client 2' }] },
        streams: [{ name: 'client 2' }],
      });
    await feed.publish({ symbol: 'TEA', price: 1 });
    expect(await clients[1]!.next('price')).toMatchObject({ symbol: 'TEA' });
    clients[1]!.vanish();
    await expect
      .poll(() => stats(url), eventually)
      .toMatchObject({
        clients: { connected: 0, ever: 2 },
        router: { subscribers: 0 },
        streams: [],
      });
  }),
);

test(
  'heartbeats, when there are no prices',
  serving(
    async ({ url }) => {
      const client = await listen(`${url}/prices`);
      expect(await client.next('hello')).toEqual({ heartbeat: 20 });
      expect(await client.next('heartbeat')).toEqual({});
      expect(await client.next('heartbeat')).toEqual({});
    },
    { heartbeat: 20 },
  ),
);

test(
  'statistics',
  serving(async ({ url, feed }) => {
    const client = await listen(`${url}/prices`);
    await client.next('hello');
    await feed.publish({ symbol: 'TEA', price: 1 });
    await client.next('price');
    const { status, headers, body } = await ask(`${url}/stats`);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    });
    expect(JSON.parse(body)).toEqual({
      uptimeMs: expect.any(Number),
      clients: { connected: 1, ever: 1, tooSlow: 0 },
      router: {
        subscribers: 1,
        published: 1,
        delivered: 1,
        dropped: 0,
        perSubscriber: [
          {
            name: 'client 1',
            delivered: 1,
            dropped: 0,
            currentBufferUsed: 0,
            peakBufferUsed: expect.any(Number),
            maxBufferSize: 100,
            tasksWaiting: 1,
          },
        ],
      },
      streams: [
        {
          name: 'client 1',
          currentBufferUsed: 0,
          peakBufferUsed: expect.any(Number),
          maxBufferSize: 16,
          openSendStreams: 1,
          openReceiveStreams: 1,
          tasksWaitingSend: 0,
          tasksWaitingReceive: 1,
        },
      ],
    });
  }),
);

describe('requests', () => {
  test(
    'the page',
    serving(async ({ url }) => {
      const { status, headers, body } = await ask(url);
      expect(status).toBe(200);
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      expect(headers['content-security-policy']).toContain("default-src 'none'");
      expect(body).toBe('<title>Prices</title>');
    }),
  );

  test(
    'that ask for the head alone',
    serving(async ({ url }) => {
      for (const path of ['/', '/stats', '/prices']) {
        expect(await ask(url + path, 'HEAD')).toMatchObject({ status: 200, body: '' });
      }
      expect(await stats(url)).toMatchObject({ clients: { ever: 0 } });
    }),
  );

  test(
    'that are wrong',
    serving(async ({ url }) => {
      expect(await ask(`${url}/nothing`)).toMatchObject({ status: 404 });
      expect(await ask(`${url}//`)).toMatchObject({ status: 400 });
      for (const path of ['/', '/stats', '/prices']) {
        const { status, headers } = await ask(url + path, 'POST');
        expect(status).toBe(405);
        expect(headers['allow']).toBe('GET, HEAD');
      }
      expect(await ask(url)).toMatchObject({ status: 200 });
    }),
  );

  test(
    'for symbols that have no price are told which have one',
    serving(async ({ url, feed }) => {
      const answer = async (): Promise<string> => {
        const { status, body } = await ask(`${url}/prices?symbols=TEA,COAL,GOLD`);
        expect(status).toBe(400);
        return body;
      };
      expect(await answer()).toBe('There are no prices of TEA, COAL, GOLD. So far there are none at all.\n');
      for (const symbol of ['TEA', 'RICE']) await feed.publish({ symbol, price: 1 });
      expect(await answer()).toBe(
        'There are no prices of COAL, GOLD. So far there are prices of RICE, TEA.\n',
      );
    }),
  );

  test(
    'that go wrong do not end the service',
    serving(async ({ url, feed }) => {
      const complaint = vi.spyOn(console, 'error').mockImplementation(() => {});
      const subscribe = vi.spyOn(feed, 'latest').mockImplementation(() => {
        throw new Error('a bug');
      });
      expect(await ask(`${url}/prices`)).toMatchObject({ status: 500, body: 'That went wrong.\n' });
      expect(complaint).toHaveBeenCalledWith('GET /prices:', new Error('a bug'));
      complaint.mockRestore();
      subscribe.mockRestore();
      expect(await ask(url)).toMatchObject({ status: 200 });
    }),
  );
});

test('when the service closes, clients are told', async () => {
  let goodbye: Promise<unknown> | undefined;
  await serving(async ({ url }) => {
    const client = await listen(`${url}/prices`);
    await client.next('hello');
    goodbye = client.next('bye').then(async () => (await client.events.next()).done);
  })();
  expect(await goodbye).toBe(true);
});

test(
  'a port that is in use',
  serving(async ({ url }) => {
    const port = Number(new URL(url).port);
    const address = { host: '127.0.0.1', port };
    const starting = taskGroup((tg) => tg.start(serve, async () => {}, address, new Event()));
    await expect(starting).rejects.toMatchObject({ errors: [expect.any(CannotListenError)] });
  }),
);

// Real time: what is waited for is the network.
test('cancelled at every wait, the service or its client: no connection and no subscription is left', async () => {
  const { waits } = await cancelEverywhere(
    () => {
      const feed = new PriceFeed();
      const service = new PriceService(feed, { page: '' });
      const port = new Future<number>();
      const isRead = new Event();
      return {
        tasks: [
          async () => {
            try {
              await taskGroup(async (tg) => {
                const handle: Handler = (request, response) => service.handle(request, response);
                port.setResult(
                  await tg.start(serve, handle, { host: '127.0.0.1', port: 0 }, service.closing),
                );
                await feed.publish({ symbol: 'TEA', price: 1 });
                await isRead.wait();
                service.closing.set();
              });
            } finally {
              port.cancel();
            }
          },
          async () => {
            try {
              await withSignal((signal) => readPrices(port, signal));
            } finally {
              isRead.set();
            }
          },
        ],
        check() {
          const { connected } = (service.statistics() as Statistics).clients;
          expect([feed.statistics().subscribers, connected]).toEqual([0, 0]);
        },
      };
    },
    { realTime: true, timeout: 30_000 },
  );
  expect(waits).toBeGreaterThan(10);
});

/** A client that goes when it has read something, or when nobody is there. */
async function readPrices(port: Future<number>, signal: AbortSignal): Promise<void> {
  try {
    const url = `http://127.0.0.1:${await port.result()}/prices`;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { agent: false, signal }, resolve).on('error', reject);
    });
    for await (const _ of response) break;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (!(error instanceof FutureCancelled) && !isConnectionError(error)) throw error;
  }
}

function isConnectionError(error: unknown): boolean {
  return ['ECONNREFUSED', 'ECONNRESET'].includes((error as NodeJS.ErrnoException).code ?? '');
}
