/** Delivers webhooks. See README.md for what to look at. */

import { writeFileSync } from 'node:fs';
import { currentTime, rethrowSingle, run } from '@taskscope/core';
import { CommanderError } from 'commander';
import { parseArguments, type Arguments } from './arguments.js';
import { deliver, DeliveryError } from './deliver.js';
import { Interrupted, interruption } from '../../interruption.js';
import { formatJobs, type Job } from './jobs.js';
import { WorkerPool } from './pool.js';
import { startReceivers } from './receivers.js';
import { report } from './report.js';

/** Resolves to the exit code. */
async function main({ jobs, left: file, ...options }: Arguments): Promise<number> {
  const signal = interruption();
  using receivers = await startReceivers();
  const began = currentTime();

  const attempt = async (job: Job): Promise<void> => {
    const url = receivers.urls.get(job.endpoint);
    if (url === undefined) throw new DeliveryError('there is no such endpoint', { isPermanent: true });
    await deliver(job, url);
  };
  const onFailure = ({ id, endpoint, attempts }: Job, error: Error, delay: number | undefined): void => {
    const next = delay === undefined ? 'given up' : `again in ${delay.toFixed(0)} ms`;
    const time = (currentTime() - began).toFixed(0).padStart(5);
    console.log(`${time} ms  ${id}  ${endpoint.padEnd(7)}  attempt ${attempts}: ${error.message}; ${next}`);
  };
  const pool = new WorkerPool(attempt, { ...options, backoff: { base: 100, most: 5_000 }, onFailure });

  const source = jobs.values();
  let interrupted: Interrupted | undefined;
  try {
    await run(() => pool.run(source), { name: 'worker-pool', signal });
  } catch (error) {
    if (!(error instanceof Interrupted)) rethrowSingle(error);
    interrupted = error;
  }

  // By now no task is running any more. What was never taken is still in the source.
  const left = [...pool.givenBack, ...source];
  const { delivered, deadLetters } = pool;
  process.stdout.write(report({ delivered, deadLetters, left }, receivers.statistics()));
  if (file !== undefined) {
    // In any case: what an earlier run has written is not left any more.
    writeFileSync(file, formatJobs(left));
    if (left.length > 0) console.log(`They are in ${file}: --jobs ${file} goes on with them.`);
  }
  return interrupted?.exitCode ?? 0;
}

try {
  process.exitCode = await main(parseArguments(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
