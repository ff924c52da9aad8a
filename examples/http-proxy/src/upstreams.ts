/**
 * The upstreams of the demonstration, in plain Node.js: they belong to the world outside. They listen on
 * 127.0.0.1, and each has a character of its own.
 */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createWatch, type WatchReceiver } from '@taskscope/streams';
import type { Upstream } from './exchange.js';

export const PIECE = 64 * 1024;
/** How much `large` has to send. */
export const LARGE = 1_024 * PIECE;

type Character = (request: IncomingMessage, response: ServerResponse, upstreams: Upstreams) => void;

const CHARACTERS: Readonly<Record<string, Character>> = {
  /** Answers soon, and says how much it was sent. */
  steady(request, response) {
    let received = 0;
    request.on('data', (piece: Buffer) => (received += piece.length));
    request.on('end', () => {
      const text = request.method === 'GET' ? 'hello from steady\n' : `steady received ${received} bytes\n`;
      setTimeout(() => response.end(text), 20);
    });
  },
  /** Answers late. */
  sluggish(_request, response) {
    setTimeout(() => response.end('hello from sluggish\n'), 300);
  },
  /** Does not answer. */
  hanging() {},
  /** Hangs up. */
  broken(request) {
    request.socket.destroy();
  },
  /** Begins an answer, and does not end it. */
  stalling(_request, response) {
    response.writeHead(200, { 'content-length': '1000' }).write('this is the beginning of');
  },
  /** Sends much, as quickly as it is taken. */
  large(_request, response, upstreams) {
    let left = LARGE;
    const send = (): void => {
      while (left > 0 && !response.destroyed) {
        left -= PIECE;
        upstreams.sent += PIECE;
        if (!response.write(Buffer.alloc(PIECE))) return void response.once('drain', send);
      }
      response.end();
    };
    send();
  },
};

export class Upstreams implements Disposable {
  /** How many bytes `large` has sent. */
  sent = 0;
  readonly #servers = new Map<string, Server>();
  readonly #urls = new Map<string, URL>();
  readonly #busy = createWatch(0);
  readonly #tell: (who: string, what: string) => void;

  /** @param tell - Told when an upstream sees that a request was cancelled. */
  static async start(tell: (who: string, what: string) => void = () => {}): Promise<Upstreams> {
    const upstreams = new Upstreams(tell);
    for (const [name, character] of Object.entries(CHARACTERS)) await upstreams.#listen(name, character);
    // Nobody listens there, and nobody will: a port that was given back may be given to somebody else.
    upstreams.#urls.set('gone', new URL('http://127.0.0.1:1'));
    return upstreams;
  }

  private constructor(tell: (who: string, what: string) => void) {
    this.#tell = tell;
  }

  /** How many requests they have at the moment. */
  get busy(): WatchReceiver<number> {
    return this.#busy[1];
  }

  get(name: string, timeout: number): Upstream {
    return { name, timeout, url: this.#urls.get(name)! };
  }

  /** Cuts off whoever is connected. */
  [Symbol.dispose](): void {
    for (const server of this.#servers.values()) {
      server.close();
      server.closeAllConnections();
    }
  }

  async #listen(name: string, character: Character): Promise<void> {
    const [busy] = this.#busy;
    const server = createServer((request, response) => {
      busy.set(busy.value + 1);
      response.on('close', () => {
        // The broken one has hung up by itself.
        if (!response.writableFinished && name !== 'broken') this.#tell(name, 'sees that it was cancelled');
        busy.set(busy.value - 1);
      });
      character(request, response, this);
    });
    this.#servers.set(name, server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#urls.set(name, new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  }
}
