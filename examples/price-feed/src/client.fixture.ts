/** Clients of the service, as they come over the network. */

import { get, request, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Asks for something that ends. */
export function ask(url: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(url, { method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    })
      .on('error', reject)
      .end();
  });
}

export interface ServerSentEvent {
  readonly name: string;
  readonly data: Record<string, unknown>;
}

/** A client that reads as quickly as it can. */
export interface Listener {
  readonly events: AsyncIterator<ServerSentEvent, undefined>;
  /** The next event of that name; those before it are skipped. */
  next(name: string): Promise<ServerSentEvent['data']>;
  /** Goes, without a word. */
  vanish(): void;
}

export async function listen(url: string): Promise<Listener> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent: false }, resolve).on('error', reject);
  });
  onTestFinished(() => void response.destroy());
  const events = parseEvents(response);
  return {
    events,
    async next(name) {
      for (;;) {
        const { value } = await events.next();
        if (value === undefined) throw new Error(`the stream ended without ${name}`);
        if (value.name === name) return value.data;
      }
    },
    vanish: () => void response.destroy(),
  };
}

async function* parseEvents(response: IncomingMessage): AsyncGenerator<ServerSentEvent, undefined> {
  let name = '';
  for await (const line of createInterface({ input: response })) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) yield { name, data: JSON.parse(line.slice(6)) };
  }
  return undefined;
}

/** A client that asks for something, and does not read the answer. */
export async function ignore(url: string): Promise<Socket> {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve, reject) => socket.on('connect', resolve).on('error', reject));
  socket.pause();
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  return socket;
}
