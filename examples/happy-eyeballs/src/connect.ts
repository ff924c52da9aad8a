/** Connecting by Happy Eyeballs, version 2 (RFC 8305). */

import { lookup as lookupHost } from 'node:dns/promises';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { abandonOnCancel, detached, failAfter, withSignal } from '@taskscope/core';
import { interleave, type Address } from './addresses.js';
import { staggered } from './staggered.js';

export interface ConnectOptions {
  /**
   * How long a connection attempt has before the next one begins, in milliseconds. Default: 250, as the RFC
   * recommends.
   */
  attemptDelay?: number;
  /** How long everything may take, in milliseconds. Default: null, for ever. */
  timeout?: number | null;
  /** Finds the addresses of a host, the preferred ones first. Default: what the operating system says. */
  lookup?: (host: string) => Promise<readonly Address[]>;
  /** Connects to one address. Default: `openSocket`. */
  attempt?: (address: Address, port: number) => Promise<Socket>;
}

/**
 * Connects to the address of a host that answers first.
 *
 * @throws AggregateError when no address accepts the connection, with the error of each; TimeoutError when
 * it takes too long; what `lookup` throws.
 */
export function connect(host: string, port: number, options: ConnectOptions = {}): Promise<Socket> {
  const { attemptDelay = 250, timeout = null, lookup = lookupAll, attempt = openSocket } = options;

  async function connectInTime(): Promise<Socket> {
    // A lookup cannot be cancelled. What it finds when nobody waits any more is dropped.
    const addresses = interleave(await abandonOnCancel(lookup(host)));
    const socket = await staggered(addresses, (address) => attempt(address, port), {
      delay: attemptDelay,
      discard: (late) => late.destroy(),
    });
    socket.off('error', ignore);
    return socket;
  }

  return failAfter(timeout, connectInTime, { reason: `connecting to ${host}, port ${port},` });
}

/** Connects to one address. A socket that does not connect, or is not waited for any more, is destroyed. */
export async function openSocket({ address, family }: Address, port: number): Promise<Socket> {
  // The socket will outlive the task that opens it. What its owner does in its events must not belong to
  // that task.
  const socket = detached(() => connectSocket({ host: address, port, family }));
  try {
    await withSignal((signal) => once(socket, 'connect', { signal }));
  } catch (error) {
    socket.destroy();
    throw error;
  }
  // Until connect() hands it on nobody listens, and an 'error' event that nobody listens to ends the process.
  return socket.on('error', ignore);
}

async function lookupAll(host: string): Promise<Address[]> {
  // The addresses of both families come together, and in the order of RFC 6724. So the RFC's Resolution
  // Delay does not arise.
  const found = await lookupHost(host, { all: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

function ignore(): void {}
