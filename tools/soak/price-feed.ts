/** The example price-feed, as a process of its own, and clients that come, read, stall and vanish for some minutes. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { currentTime, moveOnAfter, sleep, taskGroup, withSignal } from '@taskscope/core';
import { Census, keepVisiting, kinds, stayToTheEnd, visit } from './clients.js';
import { judge, type Memory } from './memory.js';

export interface PriceFeedReport {
  readonly seconds: number;
  readonly census: Census;
  readonly memory: Memory;
  /** The highest use of the heap while clients were there. */
  readonly peak: number;
  readonly published: number;
  /** How many clients that had stalled the service has cut off. */
  readonly tooSlow: number;
  /** What the service says of itself when all clients are gone, and again in the end. */
  readonly resources: { readonly before: readonly string[]; readonly after: readonly string[] };
  readonly shutdownMs: number;
  readonly problems: readonly string[];
}

const CLIENTS_OF_A_KIND = 5; // at the same time
const GRACE = 3_000;
const SPEED = 100; // some 1,660 prices a second, so that the buffers of those who stall are full in time

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = [
  'examples/price-feed/src/main.ts',
  '--port',
  '0',
  '--speed',
  `${SPEED}`,
  '--grace',
  `${GRACE}`,
];

interface Statistics {
  readonly clients: { readonly connected: number; readonly tooSlow: number };
  readonly router: { readonly subscribers: number; readonly published: number };
}

interface Observation {
  readonly heap: number;
  readonly resources: readonly string[];
}

export async function soakPriceFeed(seconds: number): Promise<PriceFeedReport> {
  const service = new Service();
  try {
    return await soak(service, seconds);
  } finally {
    service.kill();
  }
}

async function soak(service: Service, seconds: number): Promise<PriceFeedReport> {
  const census = new Census();
  const problems: string[] = [];
  const url = await service.url();

  // What is made once is made in the first part.
  await crowd(url, census, Math.min(20_000, seconds * 200));
  const before = await quiet(service, url);
  let peak = 0;
  await taskGroup(async (tg) => {
    tg.startService(async () => {
      for (;;) {
        await sleep(2_000);
        peak = Math.max(peak, (await service.observe()).heap);
      }
    });
    tg.startSoon(crowd, url, census, seconds * 1_000);
  });
  const after = await quiet(service, url);
  peak = Math.max(peak, after.heaps[0]!);
  const memory = judge([...before.heaps, ...after.heaps]);
  if (!memory.isFlat) problems.push(`the heap has grown by ${memory.growth} bytes`);
  if (after.resources.join() !== before.resources.join()) {
    problems.push(`before: ${before.resources.join()}; after: ${after.resources.join()}`);
  }
  const { router, clients } = await statistics(url);
  if (router.subscribers > 0) problems.push(`${router.subscribers} subscriptions without a client`);

  // In the end, those who listen hear the goodbye, and those who do not keep nobody waiting.
  let shutdownMs = NaN;
  await taskGroup(async (tg) => {
    const listening = Array.from({ length: 5 }, () => tg.startSoon(stayToTheEnd, url, census));
    for (let i = 0; i < 5; i++) tg.startSoon(visit, url, 'stalls', census);
    await sleep(seconds * 100);
    const began = currentTime();
    problems.push(...(await service.stop()));
    shutdownMs = currentTime() - began;
    for (const client of listening) {
      if (!(await client.result())) problems.push('a client that listened did not hear the goodbye');
    }
    tg.cancel();
  });
  problems.push(...census.complaints);
  return {
    seconds,
    census,
    memory,
    peak,
    published: router.published,
    tooSlow: clients.tooSlow,
    resources: { before: before.resources, after: after.resources },
    shutdownMs,
    problems,
  };
}

/** Clients of all kinds, for so long. */
async function crowd(url: URL, census: Census, ms: number): Promise<void> {
  await moveOnAfter(ms, () =>
    taskGroup((tg) => {
      for (const kind of kinds) {
        for (let i = 0; i < CLIENTS_OF_A_KIND; i++) tg.startSoon(keepVisiting, url, kind, census);
      }
    }),
  );
}

/** What is in use when the service has noticed that all clients are gone. */
async function quiet(service: Service, url: URL): Promise<{ heaps: number[]; resources: readonly string[] }> {
  while ((await statistics(url)).clients.connected > 0) await sleep(50);
  await sleep(500);
  const heaps: number[] = [];
  let last = await service.observe();
  for (let i = 0; i < 3; i++) {
    await sleep(50);
    last = await service.observe();
    heaps.push(last.heap);
  }
  // The replay waits for the next price, or has just done so.
  const resources = last.resources.map((name) => (name === 'Immediate' ? 'Timeout' : name));
  return { heaps, resources: resources.toSorted() };
}

async function statistics(url: URL): Promise<Statistics> {
  const request = withSignal((signal) =>
    fetch(new URL('/stats', url), { signal, headers: { connection: 'close' } }),
  );
  return (await (await request).json()) as Statistics;
}

/** The process. */
class Service {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  #stdout = '';
  #stderr = '';

  constructor() {
    const observer = new URL('observer.mjs', import.meta.url).href;
    const options = [
      '--expose-gc',
      '--conditions=@taskscope/source',
      '--import',
      'tsx',
      '--import',
      observer,
    ];
    this.#process = spawn(process.execPath, [...options, ...program], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#process.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#ended = once(this.#process, 'close');
  }

  async url(): Promise<URL> {
    for (;;) {
      const [, url] = /(http:\S+)\. Ctrl-C/.exec(this.#stdout) ?? [];
      if (url !== undefined) return new URL('/prices', url);
      if (this.#process.exitCode !== null) throw new Error(`it did not start: ${this.#stderr}`);
      await sleep(20);
    }
  }

  async observe(): Promise<Observation> {
    this.#process.send('look');
    const [observation] = await withSignal((signal) => once(this.#process, 'message', { signal }));
    return observation as Observation;
  }

  /** Asks it to end, and resolves to what was wrong with how it did. */
  async stop(): Promise<string[]> {
    this.#process.kill('SIGTERM');
    const ended = await moveOnAfter(GRACE + 30_000, () => withSignal(() => this.#ended));
    if (ended === undefined) return ['it did not end'];
    const [code, signal] = ended as [code: number | null, signal: string | null];
    const problems: string[] = [];
    if (code !== 0) problems.push(`it ended with ${signal ?? `code ${code}`}`);
    if (this.#stderr !== '') problems.push(`it has complained: ${this.#stderr}`);
    if (!/Saying goodbye\.\n(Everybody is gone|Some clients were cut off)\.\n$/.test(this.#stdout)) {
      problems.push(`its last words: ${this.#stdout}`);
    }
    return problems;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
