/** One attempt, over real HTTP. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { CancelScope, moveOnAfter } from '@taskscope/core';
import { expect, onTestFinished, test } from 'vitest';
import { deliver, DeliveryError } from './deliver.js';

const job = { id: 'evt_1', endpoint: 'orders', event: 'order.created', data: { order: 1 }, attempts: 0 };

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<URL> {
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`);
}

async function failure(url: URL): Promise<unknown> {
  return deliver(job, url).then(
    () => undefined,
    (error: unknown) => error,
  );
}

test('posts the event', async () => {
  let received: unknown;
  const url = await listen(async (request, response) => {
    const { method, headers } = request;
    received = [method, request.url, headers['webhook-id'], headers['content-type'], await text(request)];
    response.end('thank you');
  });
  await deliver(job, url);
  const body = '{"event":"order.created","data":{"order":1}}';
  expect(received).toEqual(['POST', '/webhooks', 'evt_1', 'application/json', body]);
});

test.each([
  [400, true],
  [404, true],
  [408, false],
  [410, true],
  [425, false],
  [429, false],
  [500, false],
  [503, false],
])('status %i; permanent: %s', async (status, isPermanent) => {
  const url = await listen((_, response) => response.writeHead(status).end());
  const error = await failure(url);
  expect(error).toBeInstanceOf(DeliveryError);
  expect(error).toMatchObject({ isPermanent, retryAfter: undefined });
  expect((error as Error).message).toContain(`${status} `);
});

test.each([
  ['3', 3_000],
  ['0', 0],
  ['Wed, 21 Oct 2015 07:28:00 GMT', 0],
  ['later', undefined],
])('Retry-After: %s', async (header, retryAfter) => {
  const url = await listen((_, response) => response.writeHead(503, { 'retry-after': header }).end());
  expect(await failure(url)).toMatchObject({ retryAfter });
});

test('Retry-After with a date to come', async () => {
  const date = new Date(Date.now() + 60_000).toUTCString();
  const url = await listen((_, response) => response.writeHead(429, { 'retry-after': date }).end());
  const { retryAfter } = (await failure(url)) as DeliveryError;
  expect(retryAfter).toBeGreaterThan(10_000);
  expect(retryAfter).toBeLessThanOrEqual(60_000);
});

test('nobody listens, or hangs up', async () => {
  const url = await listen((request) => request.destroy());
  const error = await failure(url);
  expect(error).toBeInstanceOf(DeliveryError);
  expect(error).toMatchObject({ isPermanent: false, cause: expect.any(Error) });
});

test('no redirection is followed', async () => {
  const url = await listen((_, response) => response.writeHead(302, { location: '/elsewhere' }).end());
  expect(await failure(url)).toBeInstanceOf(DeliveryError);
});

test('cancelled while the receiver does not answer: it sees the request go', async () => {
  let gone: Promise<unknown> | undefined;
  const scope = new CancelScope();
  const url = await listen((request) => {
    gone = once(request.socket, 'close');
    scope.cancel();
  });
  await scope.run(() => deliver(job, url));
  expect(scope.cancelledCaught).toBe(true);
  await gone;
});

test('cancelled before: no request is made', async () => {
  let requests = 0;
  const url = await listen(() => requests++);
  const scope = moveOnAfter(0);
  await scope.run(() => deliver(job, url));
  expect(scope.cancelledCaught).toBe(true);
  expect(requests).toBe(0);
});
