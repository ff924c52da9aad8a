/** Which headers a proxy passes on. */

import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/** They are about one connection, not about the message (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** The headers that are meant for the other end. */
export function endToEnd(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  // A message may name more of them.
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const dropped = new Set([...HOP_BY_HOP, ...named]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name)));
}

/** What an upstream is sent. */
export function headersForUpstream({ headers, socket, httpVersion }: IncomingMessage): OutgoingHttpHeaders {
  const { host, expect: _, ...rest } = endToEnd(headers);
  const forwardedFor = [headers['x-forwarded-for'], socket.remoteAddress].filter(
    (each) => each !== undefined,
  );
  return {
    ...rest,
    ...(host === undefined ? {} : { 'x-forwarded-host': host }),
    ...(forwardedFor.length === 0 ? {} : { 'x-forwarded-for': forwardedFor.join(', ') }),
    via: via(headers.via, httpVersion),
    // Its length is not known either, if ours is not.
    ...(headers['transfer-encoding'] === undefined ? {} : { 'transfer-encoding': 'chunked' }),
  };
}

/** What the client is sent. */
export function headersForClient({ headers, httpVersion }: IncomingMessage): OutgoingHttpHeaders {
  return { ...endToEnd(headers), via: via(headers.via, httpVersion) };
}

function via(sofar: string | undefined, httpVersion: string): string {
  const own = `${httpVersion} taskscope-example`;
  return sofar === undefined ? own : `${sofar}, ${own}`;
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
