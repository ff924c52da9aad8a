import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { endToEnd, hasBody, headersForClient, headersForUpstream } from './headers.js';

const message = (headers: IncomingMessage['headers'], remoteAddress?: string): IncomingMessage =>
  ({ headers, httpVersion: '1.1', socket: { remoteAddress } }) as IncomingMessage;

test('what is about one connection is not passed on', () => {
  const headers = {
    accept: '*/*',
    connection: 'keep-alive, X-Secret',
    'keep-alive': 'timeout=5',
    te: 'trailers',
    'transfer-encoding': 'chunked',
    upgrade: 'websocket',
    'x-secret': '1',
    'set-cookie': ['a=1', 'b=2'],
  };
  expect(endToEnd(headers)).toEqual({ accept: '*/*', 'set-cookie': ['a=1', 'b=2'] });
});

test('an upstream learns who asked, and whom', () => {
  const request = message(
    { host: 'example.org', 'x-forwarded-for': '192.0.2.1', via: '1.0 other' },
    '192.0.2.2',
  );
  expect(headersForUpstream(request)).toEqual({
    'x-forwarded-host': 'example.org',
    'x-forwarded-for': '192.0.2.1, 192.0.2.2',
    via: '1.0 other, 1.1 taskscope-example',
  });
});

test('and what it does not need to know, it does not', () => {
  expect(headersForUpstream(message({ expect: '100-continue' }))).toEqual({ via: '1.1 taskscope-example' });
});

test('a body of unknown length stays one', () => {
  const headers = headersForUpstream(message({ 'transfer-encoding': 'chunked' }));
  expect(headers['transfer-encoding']).toBe('chunked');
});

test('the client learns by which way the answer came', () => {
  expect(headersForClient(message({ 'content-type': 'text/plain' }))).toEqual({
    'content-type': 'text/plain',
    via: '1.1 taskscope-example',
  });
});

test.each([
  [{}, false],
  [{ 'content-length': '0' }, false],
  [{ 'content-length': '1' }, true],
  [{ 'transfer-encoding': 'chunked' }, true],
])('%o: a body: %s', (headers, expected) => {
  expect(hasBody(message(headers))).toBe(expected);
});
