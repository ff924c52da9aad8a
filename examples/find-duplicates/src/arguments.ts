/** The command line. */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';

export interface Arguments {
  readonly root: string;
  /** How many files are hashed at the same time. */
  readonly limit: number;
  /** Milliseconds. */
  readonly fileTimeout: number;
  /** How many sets of duplicates the table shows. */
  readonly top: number;
  readonly json: boolean;
  /** Undefined: if there is a terminal to show it on. */
  readonly progress: boolean | undefined;
}

const NODE_MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/**
 * @throws CommanderError when there is nothing to run: help was asked for (its exitCode is 0), or an
 * argument is wrong. Then everything has been said on the terminal already.
 */
export function parseArguments(argv: readonly string[]): Arguments {
  const command = new Command('find-duplicates')
    .description('Finds files with the same contents below a folder, and the space that they waste.')
    .argument('[path]', 'the folder to look through (default: the node_modules of this repository)')
    .option('-l, --limit <count>', 'how many files are read at the same time', limit, 8)
    .option('-t, --file-timeout <ms>', 'give up on a file that takes longer than this to read', count, 30_000)
    .option('-n, --top <count>', 'how many sets of duplicates the table shows', count, 10)
    .option('--json', 'print everything that was found as JSON', false)
    .option('--progress', 'show the progress on stderr (default: if that is a terminal)')
    .option('--no-progress', 'never show the progress')
    .addHelpText(
      'after',
      '\nCtrl-C stops, and prints what was found so far; a second Ctrl-C stops without a word.',
    )
    .showHelpAfterError('(--help shows what is possible)')
    .exitOverride();
  command.parse(argv, { from: 'user' });

  const [path = NODE_MODULES] = command.args;
  const root = resolve(path);
  const problem = whyNoFolder(root);
  if (problem !== undefined) command.error(`error: cannot look through ${root}: ${problem}`);
  return { root, ...command.opts<Omit<Arguments, 'root'>>() };
}

/** Each takes a task, and memory to read into. */
const HIGHEST_LIMIT = 1_000;

function limit(text: string): number {
  const value = count(text);
  if (value > HIGHEST_LIMIT) throw new InvalidArgumentError(`${HIGHEST_LIMIT} is the most.`);
  return value;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('Give a whole number, 1 or more.');
  }
  return value;
}

function whyNoFolder(path: string): string | undefined {
  try {
    return statSync(path).isDirectory() ? undefined : 'it is not a folder';
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'there is no such folder' : message;
  }
}
