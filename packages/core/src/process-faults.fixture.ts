/** Programs to which something happens while their tasks run: `process-faults.fixture.ts NAME` runs one of them. */

import { once } from 'node:events';

import { cleanup, run, sleep, sleepForever, taskGroup } from './index.js';

/** Longer than the test waits. */
const AGES = 3_600_000;

/** Works until it is cancelled, and then takes some time to clean up. It keeps the process alive. */
async function worker(name: string): Promise<void> {
  try {
    await sleep(AGES);
  } finally {
    await cleanup(async () => {
      await sleep(20);
      console.log(`${name} has cleaned up`);
    });
  }
}

/** Runs two workers, and tells how that ended. What happens to the process, happens while they wait. */
async function runWorkers(happens: () => unknown, signal?: AbortSignal): Promise<void> {
  const main = (): Promise<unknown> =>
    taskGroup(async (tg) => {
      tg.startSoon(worker, 'a');
      tg.startSoon(worker, 'b');
      await sleep(1);
      await happens();
      await sleep(AGES);
    });
  await run(main, { signal }).catch(tellEnd);
}

/** Is stopped by SIGTERM, and cleans up. */
async function cleanUpAtSigterm({ signal }: Stop, body: () => unknown): Promise<void> {
  const main = async (): Promise<void> => {
    try {
      terminate();
      await sleep(AGES);
    } finally {
      console.log('cleans up');
      await cleanup(body);
      console.log('has cleaned up');
    }
  };
  await run(main, { signal }).catch(tellEnd);
}

function tellEnd(error: unknown): void {
  console.log(`run() rejected: ${(error as Error).message}`);
}

function terminate(): void {
  process.kill(process.pid, 'SIGTERM');
}

/** What stops a run when the process is told something. */
class Stop {
  readonly #controller = new AbortController();
  readonly signal: AbortSignal = this.#controller.signal;

  readonly askedToStop = (): void => this.#controller.abort(new Error('asked to stop'));
  readonly failed = (error: unknown): void => this.#controller.abort(error);
}

const programs: Readonly<Record<string, () => Promise<void>>> = {
  async SIGTERM() {
    const stop = new Stop();
    process.once('SIGTERM', stop.askedToStop);
    await runWorkers(terminate, stop.signal);
  },
  async 'SIGTERM without a handler'() {
    await runWorkers(terminate);
  },
  async 'SIGTERM twice, with a handler for one'() {
    const stop = new Stop();
    process.once('SIGTERM', stop.askedToStop);
    await cleanUpAtSigterm(stop, terminate);
  },
  async 'SIGTERM twice, with a handler for all'() {
    const stop = new Stop();
    process.on('SIGTERM', stop.askedToStop);
    await cleanUpAtSigterm(stop, async () => {
      const again = once(process, 'SIGTERM');
      terminate();
      await again;
      await sleep(1);
    });
  },
  async 'SIGTERM, and a clean-up that hangs'() {
    const stop = new Stop();
    process.once('SIGTERM', stop.askedToStop);
    await cleanUpAtSigterm(stop, () => cleanup(() => sleepForever(), { grace: 20 }));
  },
  async 'SIGTERM, and a clean-up that awaits a bare promise'() {
    const stop = new Stop();
    process.once('SIGTERM', stop.askedToStop);
    await cleanUpAtSigterm(stop, () => cleanup(() => new Promise(() => {}), { grace: 20 }));
  },
  async 'an uncaught exception'() {
    await runWorkers(() => setTimeout(failing('a callback has thrown'), 1));
  },
  async 'an uncaught exception that stops the run'() {
    const stop = new Stop();
    process.once('uncaughtException', stop.failed);
    await runWorkers(() => setTimeout(failing('a callback has thrown'), 1), stop.signal);
  },
  async 'a callback that throws in a task'() {
    const main = (): Promise<unknown> =>
      taskGroup(
        (tg) => {
          tg.startSoon(worker, 'a');
          setTimeout(() => tg.startSoon(failing('a callback has thrown')), 1);
        },
        { name: 'workers' },
      );
    await run(main).catch(tellEnd);
  },
  async 'an unhandled rejection'() {
    await runWorkers(() => void Promise.reject(new Error('nobody awaits this')));
  },
  async 'an unhandled rejection that stops the run'() {
    const stop = new Stop();
    process.once('unhandledRejection', stop.failed);
    await runWorkers(() => void Promise.reject(new Error('nobody awaits this')), stop.signal);
  },
  async 'process.exit()'() {
    process.once('exit', (code) => console.log(`exits with ${code}`));
    await runWorkers(() => process.exit(3));
  },
};

function failing(message: string): () => never {
  return () => {
    throw new Error(message);
  };
}

const program = programs[process.argv[2] ?? ''];
if (program === undefined) throw new Error(`There is no program ${process.argv[2]}`);
await program();
