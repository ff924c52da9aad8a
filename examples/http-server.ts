/** From HTTP requests to tasks. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { taskGroup, withSignal, type TaskStatus } from '@taskscope/core';
import type { Event } from '@taskscope/sync';

export interface Address {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

/** There is no listening on an address. */
export class CannotListenError extends Error {
  override readonly name = 'CannotListenError';

  constructor({ host, port }: Address, cause: unknown) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? 'something else listens there' : message;
    super(`cannot listen on ${host}, port ${port}: ${why}`, { cause });
  }
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Listens, and calls `handle` in a task of its own for each request. Begin it with `tg.start()`, which then
 * resolves to the port. When `closing` is set it takes no more connections, and ends with the last request;
 * when it is cancelled, so are the requests. In either case no connection is left.
 *
 * @throws CannotListenError
 */
export async function serve(
  status: TaskStatus<number>,
  handle: Handler,
  address: Address,
  closing: Event,
): Promise<void> {
  const server = createServer();
  try {
    await listen();
    await taskGroup(
      async (requests) => {
        // Node calls this in the async context in which the server was made, for as long as it lives. What
        // was begun there would belong to no request and to no one. So nothing is done here but to begin a
        // task of the group.
        server.on('request', (request, response) => {
          // Who is answered now shall not come back on the same connection.
          if (closing.isSet) response.setHeader('connection', 'close');
          requests.startSoon(handle, request, response);
        });
        status.started((server.address() as AddressInfo).port);
        await closing.wait();
        server.close();
      },
      { name: 'requests' },
    );
  } finally {
    server.close();
    server.closeAllConnections();
  }

  async function listen(): Promise<void> {
    server.listen(address.port, address.host);
    try {
      await withSignal((signal) => once(server, 'listening', { signal }));
    } catch (error) {
      throw isSystemError(error) ? new CannotListenError(address, error) : error;
    }
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
