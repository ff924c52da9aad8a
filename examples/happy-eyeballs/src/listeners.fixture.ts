/** Servers on loopback addresses for the tests, closed when the test has finished. */

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { networkInterfaces, platform } from 'node:os';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import type { Address } from './addresses.js';

/** A second address of this machine besides 127.0.0.1; undefined when there is none. */
export const second: Address | undefined = secondAddress();

export const first: Address = { address: '127.0.0.1', family: 4 };

function secondAddress(): Address | undefined {
  const all = Object.values(networkInterfaces()).flat();
  if (all.some((each) => each?.address === '::1')) return { address: '::1', family: 6 };
  // Linux answers on all of 127.0.0.0/8.
  return platform() === 'linux' ? { address: '127.0.0.2', family: 4 } : undefined;
}

/** A server that accepts connections, and ends when the client ends. */
export async function listen(host: string, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(port, host);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** A port of `host` on which nobody listens. */
export async function closedPort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

// Listens, and then sleeps with its eyes open: nobody accepts what is in the queue of the operating system.
const MUTE_SERVER = `
  const { workerData, parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.once('error', (error) => { throw error; });
  server.listen({ ...workerData.listen, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(workerData.wakeUp), 0, 0);
  });
`;

/**
 * A server that never answers: it does not accept, and the queue of connections to be accepted is full, so
 * that the operating system does not answer either. Undefined where the operating system answers all the
 * same.
 */
export async function listenMutely(host: string, port = 0): Promise<{ port: number } | undefined> {
  const wakeUp = new SharedArrayBuffer(4);
  const worker = new Worker(MUTE_SERVER, { eval: true, workerData: { listen: { host, port }, wakeUp } });
  onTestFinished(async () => {
    Atomics.store(new Int32Array(wakeUp), 0, 1);
    Atomics.notify(new Int32Array(wakeUp), 0);
    await worker.terminate();
  });
  const [bound] = (await once(worker, 'message')) as [number];

  for (let i = 0; i < 20; i++) {
    const socket = connect(bound, host).on('error', () => {});
    onTestFinished(() => void socket.destroy());
    const timeUp = AbortSignal.timeout(500);
    try {
      await once(socket, 'connect', { signal: timeUp });
    } catch {
      // Refused is an answer, too.
      return timeUp.aborted ? { port: bound } : undefined;
    }
  }
  return undefined;
}
