/** The command line. */

import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { parseJobs, type Job } from './jobs.js';

export interface Arguments {
  readonly jobs: readonly Job[];
  /** Where to write the jobs that were not done. */
  readonly left: string | undefined;
  readonly workers: number;
  readonly perEndpoint: number;
  readonly queueSize: number;
  readonly attempts: number;
  readonly timeout: number;
}

const WEBHOOKS = fileURLToPath(new URL('../data/webhooks.jsonl', import.meta.url));

/**
 * @throws CommanderError when there is nothing to run: help was asked for (its exitCode is 0), or an
 * argument is wrong. Then everything has been said on the terminal already.
 */
export function parseArguments(argv: readonly string[]): Arguments {
  const command = new Command('worker-pool')
    .description(
      'Delivers webhooks from a file to receivers of its own on 127.0.0.1, not all of which are well.',
    )
    .option('-j, --jobs <file>', 'the webhooks, as JSON lines (default: data/webhooks.jsonl of this example)')
    .option('-l, --left <file>', 'where to write those that are left, when it is interrupted')
    .option('-w, --workers <count>', 'how many are in hand at the same time', count, 8)
    .option('-p, --per-endpoint <count>', 'how many attempts there are at a time at one receiver', count, 2)
    .option('-q, --queue-size <count>', 'how many are read ahead', count, 10)
    .option('-a, --attempts <count>', 'how many attempts there are for each', count, 4)
    .option('-t, --timeout <ms>', 'how long an attempt may take', count, 500)
    .addHelpText(
      'after',
      '\nCtrl-C or SIGTERM ends it: attempts under way are finished, and nothing is begun. A second one kills it.',
    )
    .showHelpAfterError('(--help shows what is possible)')
    .exitOverride();
  command.parse(argv, { from: 'user' });

  const {
    jobs: file = WEBHOOKS,
    left,
    ...options
  } = command.opts<Omit<Arguments, 'jobs'> & { jobs?: string }>();
  let jobs: readonly Job[];
  try {
    jobs = parseJobs(readFileSync(file, 'utf8'));
  } catch (error) {
    return command.error(`error: cannot read jobs from ${file}: ${(error as Error).message}`);
  }
  // Not when it is too late.
  const problem = left === undefined ? undefined : whyNotWritable(left);
  if (problem !== undefined) return command.error(`error: cannot write to ${left}: ${problem}`);
  return { jobs, left, ...options };
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('Give a whole number, 1 or more.');
  }
  return value;
}

function whyNotWritable(file: string): string | undefined {
  try {
    closeSync(openSync(file, 'a'));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
