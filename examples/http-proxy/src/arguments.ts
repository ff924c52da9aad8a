/** The command line. */

import { Command, InvalidArgumentError } from 'commander';

export interface Arguments {
  /** Where to serve until it is interrupted. Undefined: to show all cases, and end. */
  readonly serve: number | undefined;
  readonly hedgeAfter: number;
  readonly timeout: number;
  readonly patience: number;
  readonly grace: number;
}

/**
 * @throws CommanderError when there is nothing to run: help was asked for (its exitCode is 0), or an
 * argument is wrong. Then everything has been said on the terminal already.
 */
export function parseArguments(argv: readonly string[]): Arguments {
  const command = new Command('http-proxy')
    .description('Runs a proxy and upstreams for it on 127.0.0.1, and shows what becomes of some requests.')
    .option('-s, --serve <port>', 'show nothing, but serve until it is interrupted; 0 for any port', port)
    .option('-e, --hedge-after <ms>', 'when another upstream is asked as well', milliseconds, 100)
    .option('-t, --timeout <ms>', 'how long an upstream may take', milliseconds, 500)
    .option('-p, --patience <ms>', 'how long a client may take to read', milliseconds, 5_000)
    .option('-g, --grace <ms>', 'how long requests may go on when it ends', milliseconds, 2_000)
    .addHelpText('after', '\nCtrl-C or SIGTERM ends it: requests have some time to be answered.')
    .showHelpAfterError('(--help shows what is possible)')
    .exitOverride();
  command.parse(argv, { from: 'user' });
  return { serve: undefined, ...command.opts<Omit<Arguments, 'serve'>>() };
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
