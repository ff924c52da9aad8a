/** What clients ask for, and what they get. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { catchErrors, currentTime, isCancelled, TimeoutError } from '@taskscope/core';
import { Event } from '@taskscope/sync';
import { Connection, type Timing } from './connection.js';
import type { PriceFeed } from './feed.js';

export interface ServiceOptions extends Partial<Timing> {
  /** What is shown at `/`. */
  readonly page: string;
}

const METHODS = ['GET', 'HEAD'];

// Everything that the page needs is in it.
const PAGE_POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'";

export class PriceService {
  /** Set it to say goodbye to all clients. */
  readonly closing = new Event();
  readonly #feed: PriceFeed;
  readonly #page: string;
  readonly #timing: Timing;
  readonly #began = currentTime();
  readonly #connections = new Map<string, Connection>();
  #clients = 0;
  #tooSlow = 0;

  constructor(feed: PriceFeed, { page, heartbeat = 15_000, patience = 30_000 }: ServiceOptions) {
    this.#feed = feed;
    this.#page = page;
    this.#timing = { heartbeat, patience };
  }

  /**
   * Answers a request. Never fails because of one, since that would end the task group in which all
   * requests are answered.
   */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(request, response);
    } catch (error) {
      // When we are cancelled, that is not about this request.
      if (isCancelled(error)) throw error;
      console.error(`${request.method} ${request.url}:`, error);
      if (response.headersSent) response.destroy();
      else refuse(response, 500, 'That went wrong.');
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = parseUrl(request.url ?? '');
    if (url === undefined) return refuse(response, 400, 'That is no address.');
    if (!['/', '/prices', '/stats'].includes(url.pathname)) {
      return refuse(response, 404, 'There are /, /prices and /stats.');
    }
    if (!METHODS.includes(request.method ?? '')) {
      response.setHeader('allow', METHODS.join(', '));
      return refuse(response, 405, 'This can only be read.');
    }
    switch (url.pathname) {
      case '/':
        response.setHeader('content-security-policy', PAGE_POLICY);
        return answer(response, 200, 'text/html', this.#page);
      case '/stats':
        return answer(response, 200, 'application/json', `${JSON.stringify(this.statistics(), null, 2)}\n`);
      default:
        return this.#servePrices(request, response, url.searchParams.get('symbols'));
    }
  }

  async #servePrices(request: IncomingMessage, response: ServerResponse, list: string | null): Promise<void> {
    const symbols = list === null ? undefined : new Set(list.split(','));
    const latest = this.#feed.latest(symbols);
    if (symbols !== undefined && latest.length < symbols.size) {
      return refuse(response, 400, this.#whyNot(symbols));
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    if (request.method === 'HEAD') return void response.end();

    const name = `client ${++this.#clients}`;
    const prices = this.#feed.subscribe(name, symbols);
    const connection = new Connection(response, prices, this.closing, this.#timing);
    this.#connections.set(name, connection);
    try {
      await catchErrors(() => connection.run(latest), [TimeoutError, () => this.#tooSlow++]);
    } finally {
      this.#connections.delete(name);
    }
  }

  /** Says which of the symbols have no price, and which others have one. */
  #whyNot(symbols: ReadonlySet<string>): string {
    const known = new Set(this.#feed.latest().map(({ symbol }) => symbol));
    const unknown = [...symbols].filter((symbol) => !known.has(symbol));
    const offer = known.size === 0 ? 'none at all' : `prices of ${[...known].sort().join(', ')}`;
    return `There are no prices of ${unknown.join(', ')}. So far there are ${offer}.`;
  }

  statistics(): object {
    return {
      uptimeMs: Math.round(currentTime() - this.#began),
      clients: { connected: this.#connections.size, ever: this.#clients, tooSlow: this.#tooSlow },
      router: this.#feed.statistics(),
      streams: [...this.#connections].map(([name, connection]) => ({ name, ...connection.statistics() })),
    };
  }
}

function parseUrl(url: string): URL | undefined {
  const base = 'http://localhost';
  return URL.canParse(url, base) ? new URL(url, base) : undefined;
}

function refuse(response: ServerResponse, status: number, why: string): void {
  answer(response, status, 'text/plain', `${why}\n`);
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}
