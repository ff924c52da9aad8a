/** One exchange, with a real connection. */

import { moveOnAfter, sleep, TimeoutError } from '@taskscope/core';
import { expect, onTestFinished, test } from 'vitest';
import { Exchange, UpstreamError } from './exchange.js';
import { Upstreams } from './upstreams.js';

const head = { method: 'GET', path: '/', headers: {} };

async function begin(name: string, timeout = 60_000): Promise<[Exchange, Upstreams]> {
  const upstreams = await Upstreams.start();
  const exchange = new Exchange(upstreams.get(name, timeout), head);
  onTestFinished(() => {
    exchange.end();
    upstreams[Symbol.dispose]();
  });
  exchange.sendNothing();
  return [exchange, upstreams];
}

test('an answer', async () => {
  const [exchange] = await begin('steady');
  expect((await exchange.answer()).statusCode).toBe(200);
});

test('an upstream that cannot be reached', async () => {
  const [exchange] = await begin('gone');
  await expect(exchange.answer()).rejects.toThrow(UpstreamError);
});

test('after a timeout nothing is left', async () => {
  const [exchange, upstreams] = await begin('hanging', 100);
  await expect(exchange.answer()).rejects.toThrow(TimeoutError);
  expect(exchange.request.destroyed).toBe(true);
  await upstreams.busy.until((count) => count === 0);
});

test('nor after a cancellation', async () => {
  const [exchange, upstreams] = await begin('hanging');
  const scope = moveOnAfter(20);
  await scope.run(() => exchange.answer());
  expect(scope.cancelledCaught).toBe(true);
  expect(exchange.request.destroyed).toBe(true);
  await upstreams.busy.until((count) => count === 0);
});

test('what goes wrong after the head of the answer is for those who read the rest', async () => {
  const [exchange] = await begin('stalling');
  const answer = await exchange.answer();
  const failed = new Promise((resolve) => answer.on('error', resolve));
  exchange.request.destroy(new Error('enough'));
  expect(await failed).toMatchObject({ code: 'ECONNRESET' });
  // An error in a listener would have been heard of by now.
  await sleep(0);
});
