/**
 * The receivers of the demonstration, in plain Node.js: they belong to the world outside. They listen on
 * 127.0.0.1, and each has a weakness of its own.
 */

import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceiverStatistics {
  readonly name: string;
  readonly requests: number;
  /** How many different webhooks it has accepted. */
  readonly accepted: number;
}

export interface Receivers extends Disposable {
  /** Where each of them listens. */
  readonly urls: ReadonlyMap<string, URL>;
  statistics(): ReceiverStatistics[];
}

/** Answers the nth request with the same webhook (from 1), which is the mth webhook that is new (from 1). */
type Behaviour = (response: ServerResponse, nth: number, mth: number) => void;

const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  /** As it should be. */
  orders: (response) => answer(response, 204, 20),
  /** Overloaded: every other webhook has to come again. */
  billing: (response, nth, mth) => {
    if (nth > 1 || mth % 2 === 0) return answer(response, 204, 40);
    response.setHeader('retry-after', '1');
    answer(response, 503, 10);
  },
  /** Slow, and to every third webhook it does not answer at first. */
  crm: (response, nth, mth) => {
    if (nth > 1 || mth % 3 !== 0) answer(response, 200, 120);
  },
  /** Not in use any more. */
  legacy: (response) => answer(response, 410, 10),
};

function answer(response: ServerResponse, status: number, delay: number): void {
  setTimeout(() => response.writeHead(status).end(), delay);
}

/** Starts them all. Disposing of them cuts off whoever is connected. */
export async function startReceivers(): Promise<Receivers> {
  const receivers: Receiver[] = [];
  const urls = new Map<string, URL>();
  for (const [name, behaviour] of Object.entries(BEHAVIOURS)) {
    const receiver = new Receiver(name, behaviour);
    receivers.push(receiver);
    urls.set(name, await receiver.listen());
  }
  // Nobody listens there any more.
  const gone = new Receiver('partner', () => {});
  urls.set('partner', await gone.listen());
  gone.close();

  return {
    urls,
    statistics: () => receivers.map((receiver) => receiver.statistics()),
    [Symbol.dispose]: () => {
      for (const receiver of receivers) receiver.close();
    },
  };
}

class Receiver {
  readonly #name: string;
  readonly #server: Server;
  /** How often each webhook has come. */
  readonly #requests = new Map<string, number>();
  readonly #accepted = new Set<string>();
  #count = 0;

  constructor(name: string, behaviour: Behaviour) {
    this.#name = name;
    this.#server = createServer((request, response) => {
      const id = String(request.headers['webhook-id']);
      const nth = (this.#requests.get(id) ?? 0) + 1;
      this.#requests.set(id, nth);
      this.#count++;
      response.on('finish', () => {
        if (response.statusCode < 300) this.#accepted.add(id);
      });
      request.resume();
      behaviour(response, nth, this.#requests.size);
    });
  }

  async listen(): Promise<URL> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/webhooks`);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  statistics(): ReceiverStatistics {
    return { name: this.#name, requests: this.#count, accepted: this.#accepted.size };
  }
}
