/** The latest prices, and who wants to hear of new ones. */

import { MessageRouter, type MessageRouterStatistics, type Subscription } from '@taskscope/streams';

export interface Price {
  readonly symbol: string;
  readonly price: number;
  /** Counts the prices that were published, so that a client can see what it has missed. */
  readonly sequence: number;
}

/** A subscriber that is more than this behind misses prices: the oldest, since the newest matter most. */
const BUFFERED_PRICES = 100;

export class PriceFeed {
  readonly #router = new MessageRouter<Price>({ bufferSize: BUFFERED_PRICES, overflow: 'drop-oldest' });
  readonly #latest = new Map<string, Price>();
  #sequence = 0;

  /** Tells everybody, and waits for nobody. */
  async publish({ symbol, price }: { readonly symbol: string; readonly price: number }): Promise<void> {
    const message: Price = { symbol, price, sequence: ++this.#sequence };
    this.#latest.set(symbol, message);
    await this.#router.publish(message);
  }

  /**
   * The prices of some symbols, or of all. What is published from now on comes to the subscription, and
   * nothing from before: that is in `latest()`, if it is asked in the same moment.
   */
  subscribe(name: string, symbols?: ReadonlySet<string>): Subscription<Price> {
    return this.#router.subscribe({ name, filter: ({ symbol }) => symbols?.has(symbol) ?? true });
  }

  latest(symbols?: ReadonlySet<string>): Price[] {
    return [...this.#latest.values()].filter(({ symbol }) => symbols?.has(symbol) ?? true);
  }

  statistics(): MessageRouterStatistics {
    return this.#router.statistics();
  }
}
