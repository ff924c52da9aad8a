/** The proxy with real connections, in this process. */

import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { text } from 'node:stream/consumers';
import { run, taskGroup } from '@taskscope/core';
import { Event } from '@taskscope/sync';
import { expect, test, vi } from 'vitest';
import { Proxy, type ProxyOptions } from './proxy.js';
import { serve } from '../../http-server.js';
import { LARGE, Upstreams } from './upstreams.js';

vi.setConfig({ testTimeout: 30_000 });
const eventually = { timeout: 20_000, interval: 5 };
/** Longer than any test takes. */
const NEVER = 600_000;

interface Setting {
  readonly port: number;
  readonly upstreams: Upstreams;
  readonly closing: Event;
  /** What the proxy has told: whom about, and what. */
  readonly told: string[];
  /** What the upstreams saw cancelled. */
  readonly cancelled: string[];
  readonly tasks: { cancel(): void };
}

interface SettingOptions extends Partial<Omit<ProxyOptions, 'routes'>> {
  readonly routes: Readonly<Record<string, readonly string[]>>;
  readonly timeout?: number;
}

/**
 * A test with a proxy, which closes afterwards. Nothing may outlive its scope, and no request an upstream.
 */
function withProxy(
  { routes, timeout = NEVER, ...options }: SettingOptions,
  body: (setting: Setting) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const [told, cancelled]: string[][] = [[], []];
    using upstreams = await Upstreams.start((who) => cancelled!.push(who));
    const proxy = new Proxy({
      hedgeAfter: NEVER,
      patience: NEVER,
      tell: (who, what) => told!.push(`${who} ${what}`),
      ...options,
      routes: new Map(
        Object.entries(routes).map(([route, names]) => [
          route,
          names.map((name) => upstreams.get(name, timeout)),
        ]),
      ),
    });
    const closing = new Event();
    await run(
      () =>
        taskGroup(async (tasks) => {
          const port = await tasks.start(
            serve,
            (request, response) => proxy.handle(request, response),
            { host: '127.0.0.1', port: 0 },
            closing,
          );
          await body({ port, upstreams, closing, told: told!, cancelled: cancelled!, tasks });
          closing.set();
        }),
      { escapes: 'error' },
    );
    await expect.poll(() => upstreams.busy.value, eventually).toBe(0);
  };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function send(
  port: number,
  path: string,
  options: RequestOptions = {},
  body?: string,
): Promise<IncomingMessage> {
  const request = httpRequest({ port, path, host: '127.0.0.1', agent: false, ...options }).end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

async function ask(...args: Parameters<typeof send>): Promise<Answer> {
  const response = await send(...args);
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

test(
  'passes on requests and answers',
  withProxy({ routes: { steady: ['steady'] } }, async ({ port, told }) => {
    const { status, headers, body } = await ask(port, '/steady/some/path?query');
    expect([status, body, headers.via]).toEqual([200, 'hello from steady\n', '1.1 taskscope-example']);
    expect(told).toEqual(['steady is asked', 'steady answers 200']);
  }),
);

test(
  'and bodies',
  withProxy({ routes: { steady: ['steady'] } }, async ({ port }) => {
    const body = 'x'.repeat(1_000_000);
    const chunked = { method: 'PUT', headers: { 'transfer-encoding': 'chunked' } };
    const counted = { method: 'POST', headers: { 'content-length': body.length } };
    expect((await ask(port, '/steady', chunked, body)).body).toBe('steady received 1000000 bytes\n');
    expect((await ask(port, '/steady', counted, body)).body).toBe('steady received 1000000 bytes\n');
    expect((await ask(port, '/steady', { method: 'DELETE' })).body).toBe('steady received 0 bytes\n');
    expect((await ask(port, '/steady', { method: 'HEAD' })).body).toBe('');
  }),
);

test(
  'no such route',
  withProxy({ routes: {} }, async ({ port }) => {
    for (const path of ['/elsewhere', '/', '*']) {
      expect(await ask(port, path)).toMatchObject({ status: 404, body: 'there is no such route\n' });
    }
  }),
);

test(
  'another one is asked when the first takes long, which is then cancelled',
  withProxy(
    { routes: { hedged: ['hanging', 'steady'] }, hedgeAfter: 20 },
    async ({ port, told, cancelled }) => {
      expect((await ask(port, '/hedged')).body).toBe('hello from steady\n');
      const expected = ['hanging is asked', 'steady is asked', 'steady answers 200', 'hanging is cancelled'];
      expect(told).toEqual(expected);
      await expect.poll(() => cancelled, eventually).toEqual(['hanging']);
    },
  ),
);

test(
  'also when both are asked at once',
  withProxy(
    { routes: { hedged: ['stalling', 'stalling'] }, hedgeAfter: 0 },
    async ({ port, upstreams, cancelled }) => {
      const response = await send(port, '/hedged');
      await upstreams.busy.until((count) => count === 1);
      expect(cancelled).toEqual(['stalling']);
      response.destroy();
    },
  ),
);

test(
  'or has failed',
  withProxy({ routes: { failover: ['gone', 'broken', 'steady'] } }, async ({ port }) => {
    expect((await ask(port, '/failover')).body).toBe('hello from steady\n');
  }),
);

test(
  'but not for what changes something, or has a body',
  withProxy({ routes: { failover: ['gone', 'steady'] } }, async ({ port, told }) => {
    const message = /^gone: connect ECONNREFUSED/;
    expect(await ask(port, '/failover', { method: 'POST' }, 'x')).toMatchObject({
      status: 502,
      body: expect.stringMatching(message),
    });
    expect(await ask(port, '/failover', { method: 'DELETE' })).toMatchObject({ status: 502 });
    const withBody = { headers: { 'content-length': 1 } };
    expect(await ask(port, '/failover', withBody, 'x')).toMatchObject({ status: 502 });
    expect(told).not.toContain('steady is asked');
  }),
);

test(
  'all are broken: 502, and why',
  withProxy({ routes: { broken: ['gone', 'broken'] } }, async ({ port }) => {
    const { status, body } = await ask(port, '/broken');
    expect(status).toBe(502);
    expect(body).toMatch(/^gone: connect ECONNREFUSED \S+; broken: socket hang up\n$/);
  }),
);

test(
  'nobody answers in time: 504',
  withProxy({ routes: { hanging: ['gone', 'hanging'] }, timeout: 50 }, async ({ port, cancelled }) => {
    const { status, body } = await ask(port, '/hanging');
    expect(status).toBe(504);
    expect(body).toMatch(/; hanging timed out after 50 ms\n$/);
    const post = await ask(port, '/hanging', { method: 'POST' }, 'x');
    expect(post.status).toBe(502);
    await expect.poll(() => cancelled, eventually).toEqual(['hanging']);
  }),
);

test(
  'the same for a request with a body',
  withProxy({ routes: { hanging: ['hanging'] }, timeout: 50 }, async ({ port }) => {
    const { status, body } = await ask(port, '/hanging', { method: 'POST' }, 'x');
    expect([status, body]).toEqual([504, 'hanging timed out after 50 ms\n']);
  }),
);

test(
  'a client that is slow to send its request is not the fault of the upstream',
  withProxy({ routes: { steady: ['steady'] }, timeout: 1_000 }, async ({ port }) => {
    const request = httpRequest({ port, path: '/steady', method: 'POST', agent: false, host: '127.0.0.1' });
    request.write('x');
    // Real time, since the upstream's does run in it: longer than it has.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    request.end('x');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(await text(response)).toBe('steady received 2 bytes\n');
  }),
);

test(
  'an upstream that stops in the middle: the client does not take it for the whole',
  withProxy({ routes: { stalling: ['stalling'] }, timeout: 1_000 }, async ({ port, told }) => {
    const response = await send(port, '/stalling');
    expect(response.statusCode).toBe(200);
    await expect(text(response)).rejects.toThrow('aborted');
    expect(response.complete).toBe(false);
    expect(told.at(-1)).toBe('proxy breaks off: stalling timed out after 1000 ms');
  }),
);

test(
  'an upstream that breaks off in the middle',
  withProxy({ routes: { stalling: ['stalling'] } }, async ({ port, upstreams, told }) => {
    const response = await send(port, '/stalling');
    upstreams[Symbol.dispose]();
    await expect(text(response)).rejects.toThrow('aborted');
    expect(told.at(-1)).toMatch(/^proxy breaks off: stalling: /);
  }),
);

test(
  'a client that goes before there is an answer: the upstream is told',
  withProxy({ routes: { hanging: ['hanging'] } }, async ({ port, upstreams, told, cancelled }) => {
    for (const [method, body] of [['GET'], ['POST', 'x']]) {
      const request = httpRequest({ port, path: '/hanging', method, agent: false, host: '127.0.0.1' }).end(
        body,
      );
      request.on('error', () => {});
      await upstreams.busy.until((count) => count > 0);
      request.destroy();
      await upstreams.busy.until((count) => count === 0);
    }
    expect(cancelled).toEqual(['hanging', 'hanging']);
    await expect.poll(() => told.filter((each) => each === 'client is gone').length, eventually).toBe(2);
  }),
);

test(
  'a client that goes while another one is being asked: both are told',
  withProxy(
    { routes: { hedged: ['hanging', 'hanging'] }, hedgeAfter: 0 },
    async ({ port, upstreams, cancelled }) => {
      const request = httpRequest({ port, path: '/hedged', agent: false, host: '127.0.0.1' }).end();
      request.on('error', () => {});
      await upstreams.busy.until((count) => count === 2);
      request.destroy();
      await upstreams.busy.until((count) => count === 0);
      expect(cancelled).toEqual(['hanging', 'hanging']);
    },
  ),
);

test(
  'a client that does not read holds the upstream up; when it goes, the upstream is told',
  withProxy({ routes: { large: ['large'] } }, async ({ port, upstreams, cancelled }) => {
    const response = await send(port, '/large');
    response.pause();
    // Until nothing moves: what is between them is full.
    let before = -1;
    await expect
      .poll(
        () => {
          const [last, now] = [before, upstreams.sent];
          before = now;
          return now > 0 && now === last;
        },
        { timeout: 20_000, interval: 200 },
      )
      .toBe(true);
    expect(upstreams.sent).toBeLessThan(LARGE);
    response.destroy();
    await upstreams.busy.until((count) => count === 0);
    expect(cancelled).toEqual(['large']);
  }),
);

test(
  'and is cut off after a while',
  withProxy({ routes: { large: ['large'] }, patience: 100 }, async ({ port, upstreams, told }) => {
    const response = await send(port, '/large');
    response.pause();
    await upstreams.busy.until((count) => count === 0);
    expect(told.at(-1)).toBe('proxy breaks off: the client timed out after 100 ms');
    response.destroy();
  }),
);

test(
  'all of a large answer',
  withProxy({ routes: { large: ['large'] } }, async ({ port }) => {
    let length = 0;
    for await (const piece of await send(port, '/large')) length += (piece as Buffer).length;
    expect(length).toBe(LARGE);
  }),
);

test(
  'closing: requests are answered, and connections are not taken any more',
  withProxy({ routes: { sluggish: ['sluggish'] } }, async ({ port, upstreams, closing }) => {
    const answer = ask(port, '/sluggish');
    await upstreams.busy.until((count) => count > 0);
    closing.set();
    expect((await answer).body).toBe('hello from sluggish\n');
    await expect(ask(port, '/sluggish')).rejects.toThrow('ECONNREFUSED');
  }),
);

test(
  'cancelled: so are the requests',
  withProxy({ routes: { hanging: ['hanging'] } }, async ({ port, upstreams, tasks, cancelled }) => {
    const answer = ask(port, '/hanging').catch((error: unknown) => error);
    await upstreams.busy.until((count) => count > 0);
    tasks.cancel();
    expect(await answer).toMatchObject({ code: 'ECONNRESET' });
    await expect.poll(() => cancelled, eventually).toEqual(['hanging']);
  }),
);

test('a mistake in the proxy is a 500, and ends no other request', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => {});
  const tell = (_who: string, what: string): void => {
    if (what === 'is asked') throw new RangeError('a mistake');
  };
  await withProxy({ routes: { steady: ['steady'] }, tell }, async ({ port }) => {
    for (let i = 0; i < 2; i++) {
      expect(await ask(port, '/steady')).toMatchObject({ status: 500, body: 'that went wrong\n' });
    }
  })();
  expect(said).toHaveBeenCalledTimes(2);
  said.mockRestore();
});
