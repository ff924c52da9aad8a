/**
 * One client that listens to prices: a task group of two tasks.
 *
 *     subscription ──▶ composer ──▶ stream ──▶ transmitter ──▶ socket
 *
 * When the client does not read, the socket does not take any more, so the transmitter waits; the stream is
 * full, so the composer waits; nobody empties the subscription, and the router begins to drop prices. That
 * is where it ends: the router waits for nobody, so the other clients do not notice.
 */

import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { failAfter, taskGroup, withSignal } from '@taskscope/core';
import {
  createMemoryObjectStream,
  onTimeout,
  select,
  type MemoryObjectStreamStatistics,
  type Subscription,
} from '@taskscope/streams';
import type { Event } from '@taskscope/sync';
import type { Price } from './feed.js';
import { formatEvent } from './server-sent-events.js';

export interface Timing {
  /** After so many milliseconds of silence, the client is told that we are still there. */
  readonly heartbeat: number;
  /** How many milliseconds a client may take to make room for more. */
  readonly patience: number;
}

const BUFFERED_EVENTS = 16;

export class Connection {
  readonly #response: Writable;
  readonly #prices: Subscription<Price>;
  readonly #closing: Event;
  readonly #timing: Timing;
  readonly #events = createMemoryObjectStream<string>(BUFFERED_EVENTS);

  /** It closes the subscription, and ends or destroys the response. */
  constructor(response: Writable, prices: Subscription<Price>, closing: Event, timing: Timing) {
    this.#response = response;
    this.#prices = prices;
    this.#closing = closing;
    this.#timing = timing;
  }

  /**
   * Serves the client until it goes, or `closing` is set.
   *
   * @throws TimeoutError, in a group, when the client is too slow.
   */
  async run(latest: readonly Price[]): Promise<void> {
    using _ = this.#prices;
    const response = this.#response;
    try {
      await taskGroup(async (tg) => {
        const gone = (): void => tg.cancel('the client is gone');
        response.once('close', gone);
        try {
          const transmission = tg.startSoon(() => this.#transmit());
          tg.startSoon(() => this.#compose(latest));
          await transmission.wait();
        } finally {
          // From here on, the group may be gone before the client is.
          response.off('close', gone);
        }
      });
    } finally {
      if (!response.writableFinished) response.destroy();
    }
  }

  /** Says what the client is to hear, until the service closes. */
  async #compose(latest: readonly Price[]): Promise<void> {
    const { heartbeat } = this.#timing;
    const prices = this.#prices;
    using events = this.#events[0];
    await events.send(formatEvent('hello', { heartbeat }));
    for (const price of latest) await events.send(formatEvent('price', price));

    let dropped = 0;
    for (;;) {
      const next = await select({
        price: prices.onReceive(),
        silence: onTimeout(heartbeat),
        closing: this.#closing.onSet(),
      });
      if (prices.dropped > dropped) {
        dropped = prices.dropped;
        await events.send(formatEvent('dropped', { dropped }));
      }
      if (next.key === 'closing') {
        await events.send(formatEvent('bye', {}));
        return;
      }
      await events.send(
        next.key === 'price' ? formatEvent('price', next.value) : formatEvent('heartbeat', {}),
      );
    }
  }

  /** Sends what the composer says, as quickly as the client takes it. */
  async #transmit(): Promise<void> {
    const response = this.#response;
    for await (const event of this.#events[1]) {
      if (!response.write(event)) await this.#inTime('drain');
    }
    response.end();
    await this.#inTime('finish');
  }

  /** Waits for an event of the response. The client has to do something for it. */
  async #inTime(event: 'drain' | 'finish'): Promise<void> {
    await failAfter(
      this.#timing.patience,
      () => withSignal((signal) => once(this.#response, event, { signal })),
      { reason: 'the client' },
    );
  }

  statistics(): MemoryObjectStreamStatistics {
    return this.#events[0].statistics();
  }
}
