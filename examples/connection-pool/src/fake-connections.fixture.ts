/** Connections that are opened and closed in virtual time, and know whether all is well with them. */

import { sleep } from '@taskscope/core';
import type { PoolOptions } from './pool.js';

export interface FakeConnection {
  readonly number: number;
  isUsable: boolean;
}

export const OPENING = 10;
export const CLOSING = 5;

/** The other end, which sees what a pool does. */
export class FakeServer {
  /** What happened, in order. */
  readonly events: string[] = [];
  /** The errors with which the next openings fail. Undefined for one that succeeds. */
  readonly failures: (Error | undefined)[] = [];
  readonly #open = new Set<FakeConnection>();
  #opened = 0;
  #pending = 0;
  #peak = 0;

  options(more: Partial<PoolOptions<FakeConnection>> = {}): PoolOptions<FakeConnection> {
    return {
      maxSize: 2,
      open: async ({ signal }) => {
        const failure = this.failures.shift();
        this.#pending++;
        this.#peak = Math.max(this.#peak, this.connections);
        try {
          await sleep(OPENING, { signal });
          if (failure !== undefined) throw failure;
        } finally {
          this.#pending--;
        }
        const connection = { number: ++this.#opened, isUsable: true };
        this.#open.add(connection);
        this.events.push(`opened ${connection.number}`);
        return connection;
      },
      close: async (connection, { signal }) => {
        if (!this.#open.has(connection)) throw new Error(`${connection.number} is closed for a second time`);
        await sleep(CLOSING, { signal });
        this.#open.delete(connection);
        this.events.push(`closed ${connection.number}`);
      },
      isUsable: (connection) => connection.isUsable,
      ...more,
    };
  }

  /** How many connections there are, those that are being opened included. */
  get connections(): number {
    return this.#open.size + this.#pending;
  }

  /** How many there were at most. */
  get peak(): number {
    return this.#peak;
  }
}
