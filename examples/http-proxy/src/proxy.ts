/** From a client's request to an upstream's answer. */

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  CancelScope,
  flattenErrors,
  isCancelled,
  moveOnAfter,
  taskGroup,
  TimeoutError,
  withSignal,
} from '@taskscope/core';
import { copyBody } from './copy-body.js';
import { Exchange, upstreamError, UpstreamError, type Upstream } from './exchange.js';
import { hasBody, headersForClient, headersForUpstream } from './headers.js';
import { hedge } from './hedge.js';

export interface ProxyOptions {
  /** The upstreams by the first part of the path. All of those in one list can answer the same requests. */
  readonly routes: ReadonlyMap<string, readonly Upstream[]>;
  /** When the next upstream of a list is asked as well, in milliseconds. */
  readonly hedgeAfter: number;
  /** How long a client may take to make room for the next piece, in milliseconds. */
  readonly patience: number;
  /** Told what happens, for people: of whom (an upstream, or the client), and what. */
  readonly tell?: (who: string, what: string) => void;
}

/** They change nothing, so nobody minds if they are made twice. */
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

export class Proxy {
  readonly #options: ProxyOptions;

  constructor(options: ProxyOptions) {
    this.#options = options;
  }

  /**
   * Answers a request. When the client goes, everything that was done for it is cancelled. Never fails
   * because of one request, since that would end the task group in which all of them are answered.
   */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const scope = new CancelScope({ name: `${request.method} ${request.url}` });
    // When all is done it closes, too; then there is nothing left to cancel.
    const gone = (): void => scope.cancel('the client is gone');
    response.once('close', gone).on('error', () => {});
    try {
      await scope.run(() => this.#answer(request, response));
      if (scope.cancelledCaught) this.#tell('client', 'is gone');
    } finally {
      response.off('close', gone);
      // If it is not complete, the client must not take it for the whole.
      if (!response.writableFinished) response.destroy();
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#forward(request, response);
    } catch (error) {
      // When we are cancelled, that is not about this request.
      if (isCancelled(error)) throw error;
      const { status, why } = refusalFor(error);
      if (status === 500) console.error(`${request.method} ${request.url}:`, error);
      if (!response.headersSent) return this.#refuse(response, status, why);
      // Too late to say so: the client has a part of the answer, and sees it break off.
      this.#tell('proxy', `breaks off: ${why}`);
    }
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const upstreams = this.#options.routes.get(/^\/([^/?]*)/.exec(url)?.[1] ?? '');
    if (upstreams === undefined) return this.#refuse(response, 404, 'there is no such route');

    const exchanges: Exchange[] = [];
    const ask = (upstream: Upstream): Exchange => {
      this.#tell(upstream.name, 'is asked');
      const exchange = new Exchange(upstream, { method, path: url, headers: headersForUpstream(request) });
      exchanges.push(exchange);
      return exchange;
    };
    try {
      if (hasBody(request) || !SAFE_METHODS.includes(method)) {
        const exchange = ask(upstreams[0]!);
        await taskGroup(async (tg) => {
          // A service: if the answer is complete before all was sent, the rest is not needed.
          tg.startService(() => this.#sendBody(request, exchange));
          await this.#passOn(await this.#answerOf(exchange), exchange, response);
        });
        return;
      }
      const [answer, winner] = await hedge(
        upstreams,
        async (upstream) => {
          const exchange = ask(upstream);
          exchange.sendNothing();
          return [await this.#answerOf(exchange), exchange] as const;
        },
        this.#options.hedgeAfter,
      );
      // Another one may have answered in the same moment.
      for (const exchange of exchanges) if (exchange !== winner) exchange.end();
      await this.#passOn(answer, winner, response);
    } finally {
      for (const exchange of exchanges) exchange.end();
    }
  }

  async #answerOf(exchange: Exchange): Promise<IncomingMessage> {
    const { name } = exchange.upstream;
    try {
      const answer = await exchange.answer();
      this.#tell(name, `answers ${answer.statusCode}`);
      return answer;
    } catch (error) {
      this.#tell(name, isCancelled(error) ? 'is cancelled' : 'fails');
      throw error;
    }
  }

  /** The client's body, to the upstream. */
  async #sendBody(request: IncomingMessage, exchange: Exchange): Promise<void> {
    const { name, timeout } = exchange.upstream;
    try {
      await copyBody(
        // A client that is slow is the server's business: see `requestTimeout` of Node.
        { stream: request, name: 'the client', timeout: null },
        { stream: exchange.request, name, timeout },
      );
    } catch (error) {
      if (isCancelled(error) || error instanceof TimeoutError) throw error;
      // An upstream that does not take it may have answered all the same ("too large"). If not, that is
      // what fails.
    } finally {
      exchange.sent.set();
    }
  }

  /** The upstream's answer, to the client. */
  async #passOn(answer: IncomingMessage, { upstream }: Exchange, response: ServerResponse): Promise<void> {
    response.writeHead(answer.statusCode ?? 502, headersForClient(answer));
    try {
      await copyBody(
        { stream: answer, name: upstream.name, timeout: upstream.timeout },
        { stream: response, name: 'the client', timeout: this.#options.patience },
      );
    } catch (error) {
      throw upstreamError(upstream, error);
    }
  }

  /** An answer of our own. */
  async #refuse(response: ServerResponse, status: number, why: string): Promise<void> {
    this.#tell('proxy', `answers ${status}: ${why}`);
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${why}\n`);
    await moveOnAfter(this.#options.patience, () =>
      withSignal((signal) => once(response, 'finish', { signal })),
    );
  }

  #tell(who: string, what: string): void {
    this.#options.tell?.(who, what);
  }
}

interface Refusal {
  readonly status: number;
  readonly why: string;
}

/** What a client is told when something has failed. */
function refusalFor(error: unknown): Refusal {
  const reasons: string[] = [];
  let status = 502;
  for (const each of flattenErrors(error)) {
    if (each instanceof TimeoutError) status = 504;
    else if (!(each instanceof UpstreamError)) return { status: 500, why: 'that went wrong' };
    reasons.push(each.message);
  }
  return { status, why: reasons.join('; ') };
}
