/** The command line. */

import { Command, InvalidArgumentError } from 'commander';
import type { Pace } from './experiment.js';

export interface Arguments extends Pace {
  /** The size of the bounded buffer. */
  readonly buffer: number;
}

/**
 * @throws CommanderError when there is nothing to run: help was asked for (its exitCode is 0), or an
 * argument is wrong. Then everything has been said on the terminal already.
 */
export function parseArguments(argv: readonly string[]): Arguments {
  const command = new Command('backpressure')
    .description('Shows what a buffer between a fast producer and a slow consumer does.')
    .option('-p, --produce-every <ms>', 'how long it takes to make an item', wholeNumber, 20)
    .option('-c, --consume-every <ms>', 'how long it takes to use one', wholeNumber, 80)
    .option('-b, --buffer <items>', 'the size of the bounded buffer', wholeNumber, 10)
    .option('-n, --items <count>', 'how many items there are', wholeNumber, 40)
    .showHelpAfterError('(--help shows what is possible)')
    .exitOverride();
  command.parse(argv, { from: 'user' });
  return command.opts<Arguments>();
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('Give a whole number.');
  }
  return value;
}
