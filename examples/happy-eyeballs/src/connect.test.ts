/** Real sockets, on loopback addresses only. */

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { checkpoint, isCancelled, moveOnAfter, run, TimeoutError } from '@taskscope/core';
import { virtualTime } from '@taskscope/testing';
import { afterEach, expect, test } from 'vitest';
import type { Address } from './addresses.js';
import { connect, openSocket, type ConnectOptions } from './connect.js';
import { closedPort, first, listen, listenMutely, second } from './listeners.fixture.js';

const never = new Promise<never>(() => {});

/** The sockets of all attempts of a test: each must be destroyed in the end. */
let sockets: { readonly to: string; readonly socket: Promise<Socket> }[] = [];

function addresses(...found: (Address | undefined)[]): ConnectOptions {
  return {
    lookup: async () => found.filter((address) => address !== undefined),
    attempt: (address, port) => {
      const socket = openSocket(address, port);
      sockets.push({ to: address.address, socket });
      return socket;
    },
  };
}

function openConnections(): number {
  return process.getActiveResourcesInfo().filter((type) => type === 'TCPSocketWrap').length;
}

afterEach(() => {
  sockets = [];
});

test('connects', async () => {
  const { port } = await listen(first.address);
  const socket = await connect('localhost', port, addresses(first));
  expect(socket).toMatchObject({ remoteAddress: first.address, remotePort: port, connecting: false });
  expect(socket.listenerCount('error')).toBe(0);
  socket.end('hello');
  await once(socket, 'close');
});

test('looks up names by itself', async () => {
  const { port } = await listen(first.address);
  const socket = await connect(first.address, port);
  expect(socket.remoteAddress).toBe(first.address);
  socket.destroy();
});

test.skipIf(second === undefined)('goes on to the next address when one refuses', async () => {
  const { port } = await listen(first.address);
  const began = performance.now();
  const socket = await connect('host', port, { ...addresses(second, first), attemptDelay: 60_000 });
  expect(performance.now() - began).toBeLessThan(30_000);
  expect(socket.remoteAddress).toBe(first.address);
  expect(sockets.map(({ to }) => to)).toEqual([second!.address, first.address]);
  socket.destroy();
});

test('all refuse', async () => {
  const port = await closedPort(first.address);
  const error: unknown = await connect('host', port, addresses(first, first)).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(AggregateError);
  expect(error).toMatchObject({ errors: [{ code: 'ECONNREFUSED' }, { code: 'ECONNREFUSED' }] });
});

test('no addresses, or none found', async () => {
  await expect(connect('host', 1, addresses())).rejects.toMatchObject({ name: 'AggregateError', errors: [] });
  const lookup = (): Promise<never> => Promise.reject(new Error('unknown host'));
  await expect(connect('host', 1, { lookup })).rejects.toThrow('unknown host');
});

test.skipIf(second === undefined)(
  'one address never answers: the other one wins after the delay',
  async ({ skip }) => {
    const { port } = await listen(first.address);
    if ((await listenMutely(second!.address, port)) === undefined)
      skip('the system answers for a full queue');
    const before = openConnections();

    const began = performance.now();
    const socket = await connect('host', port, { ...addresses(second, first), attemptDelay: 100 });
    // Timers may be a little early on the clock of performance.now().
    expect(performance.now() - began).toBeGreaterThan(95);
    expect(socket.remoteAddress).toBe(first.address);
    expect(sockets.map(({ to }) => to)).toEqual([second!.address, first.address]);
    await expect(sockets[0]!.socket).rejects.toSatisfy(isCancelled);
    await expect.poll(openConnections).toBe(before + 2); // ours, and the server's end of it

    socket.destroy();
    await expect.poll(openConnections).toBe(before);
  },
);

test('nobody answers: TimeoutError, and no socket stays open', async ({ skip }) => {
  const mute = await listenMutely(first.address);
  if (mute === undefined) return skip('the system answers for a full queue');
  const before = openConnections();
  const connecting = connect('host', mute.port, {
    ...addresses(first, first),
    attemptDelay: 20,
    timeout: 200,
  });
  await expect(connecting).rejects.toThrow(TimeoutError);
  await expect(connecting).rejects.toThrow(`connecting to host, port ${mute.port}, timed out after 200 ms`);
  expect(sockets).toHaveLength(2);
  await expect.poll(openConnections).toBe(before);
});

test('cancelled while it connects', async ({ skip }) => {
  const mute = await listenMutely(first.address);
  if (mute === undefined) return skip('the system answers for a full queue');
  const before = openConnections();
  const scope = moveOnAfter(50);
  await scope.run(() => connect('host', mute.port, addresses(first)));
  expect(scope.cancelledCaught).toBe(true);
  await expect.poll(openConnections).toBe(before);
});

test(
  'a lookup that takes for ever',
  virtualTime(async () => {
    await expect(connect('host', 1, { lookup: () => never, timeout: 5_000 })).rejects.toThrow(TimeoutError);
  }),
);

test('the socket outlives the scope that it was opened in', async () => {
  const { server, port } = await listen(first.address);
  server.on('connection', (socket) => socket.write('hello'));
  await run(
    async () => {
      const socket = await connect('host', port, addresses(first));
      // With `escapes: 'error'` a wait in the scope of the attempt, which was left, would fail.
      const outcome = await new Promise((resolve) => {
        socket.once('data', () => void checkpoint().then(() => resolve('fine'), resolve));
      });
      expect(outcome).toBe('fine');
      socket.destroy();
    },
    { escapes: 'error' },
  );
});
