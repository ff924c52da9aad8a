/** One attempt to deliver a webhook, over HTTP. */

import { isCancelled, withSignal } from '@taskscope/core';
import type { Job } from './jobs.js';

export interface DeliveryErrorOptions extends ErrorOptions {
  /** Whether there is no point in trying again. */
  readonly isPermanent?: boolean;
  /** For how many milliseconds the receiver asks to be left alone. */
  readonly retryAfter?: number | undefined;
}

/** A webhook could not be delivered: the fault of the receiver, or of the network. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  readonly isPermanent: boolean;
  readonly retryAfter: number | undefined;

  constructor(message: string, { isPermanent = false, retryAfter, ...options }: DeliveryErrorOptions = {}) {
    super(message, options);
    this.isPermanent = isPermanent;
    this.retryAfter = retryAfter;
  }
}

/**
 * Posts a webhook, and waits for the answer. The receiver may see the same one twice, when its answer is
 * late or lost; by the id it can tell.
 *
 * @throws DeliveryError when it was not accepted.
 */
export async function deliver({ id, event, data }: Job, url: URL): Promise<void> {
  const post = async (signal: AbortSignal): Promise<Response> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'webhook-id': id },
      body: JSON.stringify({ event, data }),
      redirect: 'error',
      signal,
    });
    // What it says besides does not matter. Reading nothing would keep the connection busy.
    await response.body?.cancel();
    return response;
  };

  let response: Response;
  try {
    response = await withSignal(post);
  } catch (error) {
    if (isCancelled(error)) throw error;
    const { cause } = error as Error;
    throw new DeliveryError(cause instanceof Error ? cause.message : String(error), { cause: error });
  }
  if (response.ok) return;
  const { status, statusText } = response;
  throw new DeliveryError(`${status} ${statusText}`, {
    isPermanent: isPermanent(status),
    retryAfter: retryAfter(response.headers.get('retry-after')),
  });
}

/** Whether the same request would be answered in the same way again. */
function isPermanent(status: number): boolean {
  // Too slow, too early, too many: that changes.
  return status < 500 && ![408, 425, 429].includes(status);
}

/** The header is a number of seconds, or a date. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
