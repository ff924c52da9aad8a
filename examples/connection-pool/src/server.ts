/**
 * A toy database for the demonstration, in plain Node.js: it belongs to the world outside. It takes its
 * time, to accept a connection and for each answer, and does not notice when a client has lost interest.
 */

import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export interface Delays {
  /** How long it takes to accept a connection, in milliseconds. */
  readonly accept: number;
  /** How long an answer takes. */
  readonly answer: number;
}

export interface ToyDatabase extends Disposable {
  readonly port: number;
  /** How many clients are connected. */
  readonly connections: number;
}

/** Disposing of it cuts off whoever is connected. */
export async function startDatabase(delays: Delays): Promise<ToyDatabase> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    converse(socket, ++accepted, delays);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size;
    },
    [Symbol.dispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function converse(socket: Socket, number: number, delays: Delays): void {
  const say = (line: string): void => {
    if (socket.writable) socket.write(`${line}\n`);
  };
  socket.on('error', () => {}); // A client that goes without a word.
  setTimeout(say, delays.accept, `ready ${number}`);
  createInterface({ input: socket })
    .on('error', () => {})
    .on('line', (line) => {
      if (line === 'bye') socket.end();
      else setTimeout(say, delays.answer, `${line} (connection ${number})`);
    });
}
