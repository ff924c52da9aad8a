/** A request to an upstream, and the answer to it. */

import {
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import { detached, failAfter, isCancelled, TimeoutError } from '@taskscope/core';
import { select } from '@taskscope/streams';
import { Event, Future } from '@taskscope/sync';

export interface Upstream {
  readonly name: string;
  readonly url: URL;
  /** How long it may take to begin its answer, and from one piece of it to the next, in milliseconds. */
  readonly timeout: number;
}

export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
}

/** An upstream cannot be reached, or breaks off. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';

  constructor({ name }: Upstream, cause: unknown) {
    super(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** What has gone wrong with an upstream, unless it is a cancellation or a timeout. */
export function upstreamError(upstream: Upstream, error: unknown): unknown {
  return isCancelled(error) || error instanceof TimeoutError ? error : new UpstreamError(upstream, error);
}

export class Exchange {
  readonly upstream: Upstream;
  /** Where the body of the request is sent. */
  readonly request: ClientRequest;
  /** Set it when that has been done. */
  readonly sent = new Event();
  readonly #answer = new Future<IncomingMessage>();

  constructor(upstream: Upstream, { method, path, headers }: RequestHead) {
    this.upstream = upstream;
    // The exchange goes on when the task that began it is over: another one reads the answer. So its events
    // must not belong to that task.
    this.request = detached(() => httpRequest(upstream.url, { method, path, headers, agent: false }));
    this.request.once('response', (answer) => this.#answer.setResult(answer));
    this.request.on('error', (error) => {
      if (this.#answer.status === 'pending') this.#answer.setError(error);
    });
  }

  /** Sends a request that has no body. */
  sendNothing(): void {
    this.request.end();
    this.sent.set();
  }

  /**
   * Waits for the head of the answer; its body is still to be read. The upstream's time begins when it has
   * been sent the request: until then it may be the client who is slow. When this is cancelled or fails,
   * nothing is left of the exchange.
   *
   * @throws UpstreamError; TimeoutError.
   */
  async answer(): Promise<IncomingMessage> {
    const { upstream } = this;
    try {
      // It may have an answer before it has seen everything.
      await select({ answer: this.#answer.onDone(), sent: this.sent.onSet() });
      return await failAfter(upstream.timeout, () => this.#answer.result(), { reason: upstream.name });
    } catch (error) {
      this.end();
      throw upstreamError(upstream, error);
    }
  }

  /** Whatever is still going on is broken off. Does nothing when all is done. */
  end(): void {
    this.request.destroy();
  }
}
