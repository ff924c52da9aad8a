/** The command line. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { parseTicks, type Tick } from './ticks.js';

export interface Arguments {
  readonly port: number;
  readonly host: string;
  readonly speed: number;
  /** How long clients have to go when the service ends, in milliseconds. */
  readonly grace: number;
  readonly ticks: readonly Tick[];
}

const TICKS = fileURLToPath(new URL('../data/ticks.csv', import.meta.url));

/**
 * @throws CommanderError when there is nothing to run: help was asked for (its exitCode is 0), or an
 * argument is wrong. Then everything has been said on the terminal already.
 */
export function parseArguments(argv: readonly string[]): Arguments {
  const command = new Command('price-feed')
    .description('Serves a page with live prices, which are replayed from a file.')
    .option('-p, --port <number>', 'where to listen; 0 for any port that is free', port, 8080)
    .option('--host <address>', 'on which address', '127.0.0.1')
    .option('-s, --speed <factor>', 'how quickly to replay: 2 is twice as quickly as it was', speed, 1)
    .option('-f, --file <path>', 'a CSV file of ticks (default: data/ticks.csv of this example)')
    .option('-g, --grace <ms>', 'how long clients have to go when the service ends', milliseconds, 5_000)
    .addHelpText('after', '\nCtrl-C or SIGTERM ends it: clients are told, and have some time to go.')
    .showHelpAfterError('(--help shows what is possible)')
    .exitOverride();
  command.parse(argv, { from: 'user' });

  const { file = TICKS, ...options } = command.opts<Omit<Arguments, 'ticks'> & { file?: string }>();
  let ticks: readonly Tick[];
  try {
    ticks = parseTicks(readFileSync(file, 'utf8'));
  } catch (error) {
    return command.error(`error: cannot replay ${file}: ${(error as Error).message}`);
  }
  return { ...options, ticks };
}

function port(text: string): number {
  const value = milliseconds(text);
  if (value > 65_535) throw new InvalidArgumentError('65535 is the highest.');
  return value;
}

function milliseconds(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('Give a whole number.');
  }
  return value;
}

function speed(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('Give a number above 0.');
  return value;
}
