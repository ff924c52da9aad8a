/** Clients of the price feed, of the kinds that a service meets: they read, stall, and vanish. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { moveOnAfter, sleep, withSignal } from '@taskscope/core';
import { Event } from '@taskscope/sync';

/** Longer than any service takes that does its work, however busy the machine. */
const PATIENCE = 60_000;

export const kinds = ['reads', 'stalls', 'stalls for a while', 'vanishes', 'resets'] as const;
export type Kind = (typeof kinds)[number];

/** What has become of the clients. */
export class Census {
  readonly clients: Map<Kind, number> = new Map();
  prices = 0;
  /** What no client should ever see. */
  readonly complaints: string[] = [];
}

/** Connects, behaves according to its kind, and leaves, or goes on until it is cancelled. */
export async function visit(url: URL, kind: Kind, census: Census): Promise<void> {
  census.clients.set(kind, (census.clients.get(kind) ?? 0) + 1);
  const client = new Client(url, census);
  try {
    switch (kind) {
      case 'reads':
        if (!(await client.isGreeted()))
          census.complaints.push(`a client was not greeted within ${PATIENCE} ms`);
        await client.stay(random(0, 5_000));
        break;
      case 'stalls':
        await client.stay(random(0, 1_000));
        client.stall();
        // The service cuts it off some time after the buffers on the way are full. It does not notice: it does not read.
        await client.stay(random(60_000, 150_000));
        break;
      case 'stalls for a while':
        client.stall();
        await client.stay(random(500, 3_000));
        client.goOn();
        await client.stay(1_000);
        break;
      case 'vanishes':
        await client.stay(random(0, 500));
        break;
      case 'resets':
        await client.stay(random(0, 500));
        client.reset();
        break;
    }
  } finally {
    client.vanish();
  }
}

/** Stays to the end, and resolves to whether the goodbye was heard. */
export async function stayToTheEnd(url: URL, census: Census): Promise<boolean> {
  const client = new Client(url, census);
  try {
    await client.stay(600_000);
    return client.hasGoodbye;
  } finally {
    client.vanish();
  }
}

function random(from: number, to: number): number {
  return from + Math.random() * (to - from);
}

class Client {
  readonly #socket: Socket;
  readonly #census: Census;
  /** The last price of each symbol. */
  readonly #sequences = new Map<string, number>();
  #rest = '';
  readonly #greeting = new Event();
  hasGoodbye = false;

  constructor({ hostname, port, pathname }: URL, census: Census) {
    this.#census = census;
    this.#socket = connect(Number(port), hostname);
    this.#socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
    this.#socket.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      // Who was cut off is told so by the system.
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') census.complaints.push(String(error));
    });
  }

  /** Waits for the first event. */
  async isGreeted(): Promise<boolean> {
    await moveOnAfter(PATIENCE, () => this.#greeting.wait());
    return this.#greeting.isSet;
  }

  /** Stays so long, or until the server ends it. Resolves to whether it was the server. */
  async stay(ms: number): Promise<boolean> {
    const socket = this.#socket;
    if (socket.closed) return true;
    const ended = moveOnAfter(ms, () => withSignal((signal) => once(socket, 'close', { signal })));
    return (await ended) !== undefined;
  }

  stall(): void {
    this.#socket.pause();
  }

  goOn(): void {
    this.#socket.resume();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  vanish(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    const events = `${this.#rest}${text}`.split('\n\n');
    this.#rest = events.pop()!;
    for (const event of events) this.#understand(event);
  }

  #understand(event: string): void {
    // The chunks of the transfer coding stand between the lines.
    const [, name, json] = /event: (\w+)\ndata: (.*)/.exec(event) ?? [];
    if (name === 'hello') this.#greeting.set();
    if (name === 'bye') this.hasGoodbye = true;
    if (name !== 'price') return;
    this.#census.prices++;
    const { symbol, sequence } = JSON.parse(json!) as { symbol: string; sequence: number };
    const last = this.#sequences.get(symbol) ?? 0;
    if (sequence <= last)
      this.#census.complaints.push(`${symbol}: price ${sequence} came after price ${last}`);
    this.#sequences.set(symbol, sequence);
  }
}

/** One client after another, until it is cancelled. */
export async function keepVisiting(url: URL, kind: Kind, census: Census): Promise<never> {
  for (;;) {
    await visit(url, kind, census);
    await sleep(random(0, 100));
  }
}
