/** The server that the tests of explicit mode ask, until the tests of the file have run. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll } from 'vitest';

/** Answers `/answer`, and nothing else. */
export async function startServer(): Promise<{ url: string }> {
  const server = createServer((request, response) => {
    if (request.url === '/answer') response.end('answer');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
