/**
 * `pnpm conformance [FILE-OR-FOLDER…]`: runs the programs that Trio's traces come from, and prints each difference.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inspect, parseArgs } from 'node:util';
import { diffTraces } from './diff.js';
import { interpret } from './interpreter.js';
import type { Program } from './language.js';

const usage = `Usage: pnpm conformance [FILE-OR-FOLDER...] [options]

Runs programs that were recorded under Trio, and compares the traces. Without a file or folder: those in
conformance/programs.

  --only ID    run this program only (may be given more than once)
  --bail       stop at the first program that fails
  --seeds N    run each program under N wake-up orders as well: its trace may not change
  --help       show this text`;

const defaultFolder = fileURLToPath(new URL('../programs', import.meta.url));
const patience = 5_000; // real milliseconds for one program, which takes a few

class UsageError extends Error {}

async function main(): Promise<number> {
  const { paths, only, bail, seeds, help } = readArguments();
  if (help) {
    console.log(usage);
    return 0;
  }
  const programs = paths.flatMap(findFiles).flatMap(readPrograms);
  if (programs.length === 0) throw new UsageError(`There is no program in ${paths.join(', ')}.`);
  const unknown = only.filter((id) => !programs.some((program) => program.id === id));
  if (unknown.length > 0) throw new UsageError(`There is no program ${unknown.join(', ')}.`);

  const counts = { passed: 0, failed: 0 };
  for (const program of programs) {
    if (only.length > 0 && !only.includes(program.id)) continue;
    if (await passes(program, seeds)) counts.passed++;
    else counts.failed++;
    if (bail && counts.failed > 0) break;
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed > 0 ? 1 : 0;
}

/** Runs a program in the usual wake-up order and in those of the seeds, and prints the first differences. */
async function passes(program: Program, seeds: number): Promise<boolean> {
  for (let seed = 0; seed <= seeds; seed++) {
    const differences = await compare(program, seed === 0 ? undefined : seed);
    if (differences.length === 0) continue;
    console.log(`FAILED ${program.id}${seed === 0 ? '' : `, in wake-up order ${seed}`}`);
    if (program.about !== undefined) console.log(`  ${program.about}`);
    for (const line of differences) console.log(`  ${line}`);
    console.log();
    return false;
  }
  return true;
}

/** Errors that nobody handled. Each is a failure of the program that was running. */
const unhandled: string[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(`unhandled rejection: ${inspect(reason)}`));
process.on('uncaughtException', (error) => unhandled.push(`uncaught error: ${inspect(error)}`));

async function compare(program: Program, seed: number | undefined): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const outOfPatience = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`still running after ${patience / 1000} s of real time`)),
      patience,
    );
  });
  const differences: string[] = [];
  try {
    differences.push(
      ...diffTraces(program.expected, await Promise.race([interpret(program, seed), outOfPatience])),
    );
  } catch (error) {
    differences.push(...String(error).split('\n')); // a deadlock, with the tree of tasks
  } finally {
    clearTimeout(timer);
  }
  await setImmediate(); // by now every rejection without a handler is known
  return [...differences, ...unhandled.splice(0)];
}

function findFiles(path: string): string[] {
  if (!existsSync(path)) throw new UsageError(`There is no file or folder ${path}.`);
  if (!statSync(path).isDirectory()) return [path];
  const files = readdirSync(path).filter((name) => name.endsWith('.jsonl'));
  return files.toSorted().map((name) => join(path, name));
}

function readPrograms(file: string): Program[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as Program);
}

interface Arguments {
  readonly paths: readonly string[];
  readonly only: readonly string[];
  readonly bail: boolean;
  readonly seeds: number;
  readonly help: boolean;
}

function readArguments(): Arguments {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true, default: [] },
        bail: { type: 'boolean', default: false },
        seeds: { type: 'string', default: '0' },
        help: { type: 'boolean', default: false },
      },
    });
    if (!/^\d+$/.test(values.seeds)) throw new Error(`--seeds takes a number, not '${values.seeds}'.`);
    const paths = positionals.length > 0 ? positionals : [defaultFolder];
    return { ...values, paths, seeds: Number(values.seeds) };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n\n${usage}` : error);
  process.exitCode = 2;
}
// A program that never ends must not keep the process. The timer by itself does not: it fires only if something else does.
setTimeout(() => process.exit(), 1_000).unref();
