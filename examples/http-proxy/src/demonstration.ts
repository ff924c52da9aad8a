/** A client that meets all of the proxy's cases, one after another. */

import { all, race, sleep, withSignal } from '@taskscope/core';
import type { Event } from '@taskscope/sync';
import type { Upstreams } from './upstreams.js';

export interface Stage {
  /** Of the proxy. */
  readonly url: string;
  readonly upstreams: Upstreams;
  /** Ends the proxy when it is set. */
  readonly closing: Event;
  /** Begins a case. */
  readonly title: (text: string) => void;
  readonly tell: (who: string, what: string) => void;
}

export async function demonstrate({ url, upstreams, closing, title, tell }: Stage): Promise<void> {
  const get = async (path: string, init: RequestInit = {}): Promise<void> =>
    withSignal(async (signal) => {
      const response = await fetch(`${url}${path}`, { ...init, signal });
      tell('client', `is answered ${response.status}`);
      try {
        tell('client', `has read: ${(await response.text()).trimEnd()}`);
      } catch (error) {
        if (signal.aborted) throw error;
        tell('client', 'sees the answer break off');
      }
    });

  /** Reads an answer slowly, then leaves. */
  const readALittle = async (path: string): Promise<void> =>
    withSignal(async (signal) => {
      const { body } = await fetch(`${url}${path}`, { signal });
      const reader = body!.getReader();
      let read = 0;
      while (read < 1_000_000) read += (await reader.read()).value!.length;
      await sleep(200);
      const { sent } = upstreams;
      tell('client', `has read ${megabytes(read)}, large has sent ${megabytes(sent)} of 67 MB; leaves`);
      await reader.cancel();
    });

  const isBusy = (): Promise<number> => upstreams.busy.until((count) => count > 0);

  const cases: [string, () => Promise<unknown>][] = [
    ['GET /steady', () => get('/steady')],
    ['GET /hedged: the first is slow, so another one is asked', () => get('/hedged')],
    ['GET /failover: the first is dead', () => get('/failover')],
    ['GET /hanging: 504', () => get('/hanging')],
    ['GET /broken: 502', () => get('/broken')],
    ['GET /stalling: breaks off in the middle', () => get('/stalling')],
    ['POST /steady: a body', () => get('/steady', { method: 'POST', body: 'x'.repeat(1_000_000) })],
    ['GET /sluggish: the client leaves', () => race([() => get('/sluggish'), isBusy])],
    ['GET /large: the client reads slowly, and leaves', () => readALittle('/large')],
  ];
  for (const [text, run] of cases) {
    title(text);
    await run();
    // Until everybody has noticed.
    await upstreams.busy.until((count) => count === 0);
  }

  title('GET /sluggish while the proxy shuts down: is answered');
  await all([
    () => get('/sluggish'),
    async () => {
      await isBusy();
      tell('proxy', 'takes no more connections');
      closing.set();
    },
  ]);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
