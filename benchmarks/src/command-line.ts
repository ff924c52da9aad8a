import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs, type ParseArgsConfig } from 'node:util';

import { problemWithBuild } from './built-packages.js';
import { taskscope } from './peers/taskscope.js';
import { toJson } from './report.js';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>['values'];

/** Reads the options of a command with `read`, which throws if they make no sense; then, and for `--help`, shows the usage. */
export function readOptions<O extends Options, T>(
  usage: string,
  options: O,
  read: (values: Values<O>) => T,
): T {
  try {
    if (process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) {
      console.log(usage);
      process.exit();
    }
    return read(parseArgs({ options }).values);
  } catch (error) {
    return end(`${(error as Error).message}\n\n${usage}`, 2);
  }
}

/** Those of that name, in their usual order; all if no name is given. */
export function choose<T extends { readonly name: string }>(
  all: readonly T[],
  only: readonly string[] | undefined,
): readonly T[] {
  const names = only?.flatMap((list) => list.split(','));
  if (names === undefined) return all;
  for (const name of names) {
    if (!all.some((each) => each.name === name)) throw new Error(`There is no "${name}".`);
  }
  return all.filter(({ name }) => names.includes(name));
}

/** A whole number from 1 on, or `otherwise` if none is given. */
export function count(option: string, given: string | undefined, otherwise: number): number {
  const value = given === undefined ? otherwise : Number(given);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} must be a whole number from 1 on`);
  return value;
}

/** Ends the process if what would be measured is not what is published. */
export function requireBuild(others: readonly string[] = []): void {
  const problem = problemWithBuild([...taskscope.packages, ...others], (specifier) =>
    import.meta.resolve(specifier),
  );
  if (problem !== undefined) end(problem);
}

export function writeReport(file: string | undefined, report: unknown): void {
  if (file !== undefined) writeFileSync(file, toJson(report));
}

/** Ends the process with a message. */
export function end(message: string, code = 1): never {
  console.error(message);
  process.exit(code);
}
