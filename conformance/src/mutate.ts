/**
 * `pnpm mutants`: breaks taskscope in one place at a time, and checks that the traces or a named test notice.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { type Reference, root } from './ledger.js';
import { mutate, type Mutation, mutations } from './mutations.js';
import { copyWorkspace } from './workspace-copy.js';

const usage = `Usage: pnpm mutants [options]

Breaks a copy of the sources in one place at a time, and checks that the Trio traces or a named test notice.

  --only ID    try this mutation only (may be given more than once)
  --list       show what there is, and try nothing
  --help       show this text`;

/** Real milliseconds for one run of the traces or of a test, which takes a few seconds unless it hangs. */
const patience = 120_000;

class UsageError extends Error {}

async function main(): Promise<number> {
  const { only, list, help } = readArguments();
  const unknown = only.filter((id) => !mutations.some((mutation) => mutation.id === id));
  if (unknown.length > 0) throw new UsageError(`There is no mutation ${unknown.join(', ')}.`);
  const chosen = mutations.filter(({ id }) => only.length === 0 || only.includes(id));
  if (help || list) {
    console.log(help ? usage : chosen.map(describe).join('\n\n'));
    return 0;
  }

  const folder = copyWorkspace(root);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 9 }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  // What is out of date is said at once, not after minutes.
  for (const mutation of chosen) mutate(readFileSync(join(folder, mutation.file), 'utf8'), mutation);
  await expectNothing(folder, chosen);

  const counts = { traces: 0, test: 0, survived: 0 };
  const width = Math.max(...chosen.map(({ id }) => id.length));
  for (const mutation of chosen) {
    const { result, how } = await tryOut(folder, mutation);
    const by = mutation.caughtBy === 'traces' ? 'traces' : 'test';
    const fate = result === 'caught' ? by : 'survived';
    counts[fate]++;
    const word = fate === 'survived' ? 'SURVIVED' : fate;
    console.log(`${mutation.id.padEnd(width)}  ${word.padEnd(8)}  ${how}`);
  }
  const { traces, test, survived } = counts;
  console.log(
    `${chosen.length} mutants: ${traces} caught by the traces, ${test} by named tests, ${survived} survived`,
  );
  return survived > 0 ? 1 : 0;
}

function describe({ id, breaks, file, caughtBy }: Mutation): string {
  const by = caughtBy === 'traces' ? 'the traces' : `${caughtBy.file} > ${caughtBy.title}\n  ${caughtBy.why}`;
  return `${id}: ${breaks}\n  in ${file}\n  caught by ${by}`;
}

interface Outcome {
  /** `broken`: what should have caught it does not even run, which says nothing. */
  readonly result: 'caught' | 'passed' | 'broken';
  /** What caught it, or why nothing did. */
  readonly how: string;
}

/** Changes the copy, has it run, and undoes the change. */
async function tryOut(folder: string, mutation: Mutation): Promise<Outcome> {
  const { file, caughtBy } = mutation;
  const path = join(folder, file);
  const original = readFileSync(path, 'utf8');
  writeFileSync(path, mutate(original, mutation));
  try {
    return caughtBy === 'traces' ? await runTraces(folder) : (await runTests(folder, [caughtBy]))(caughtBy);
  } finally {
    writeFileSync(path, original);
  }
}

/** What catches an unchanged copy would catch anything. */
async function expectNothing(folder: string, chosen: readonly Mutation[]): Promise<void> {
  const tests = chosen.flatMap(({ caughtBy }) => (caughtBy === 'traces' ? [] : [caughtBy]));
  const outcomes: Outcome[] = [];
  if (tests.length < chosen.length) outcomes.push(await runTraces(folder));
  if (tests.length > 0) outcomes.push(...tests.map(await runTests(folder, tests)));
  for (const { result, how } of outcomes) {
    if (result !== 'passed') throw new Error(`The sources fail as they are: ${how}`);
  }
}

const hung: Outcome = { result: 'caught', how: `still running after ${patience / 1000} s` };

/** The hand-written programs come first, since they say which point of the model is broken. */
const traceArguments = [
  '--conditions=@taskscope/source',
  '--import',
  'tsx',
  'conformance/src/main.ts',
  '--bail',
  'conformance/programs/handwritten.jsonl',
  'conformance/programs',
];

async function runTraces(folder: string): Promise<Outcome> {
  const { output, isOver } = await runNode(folder, traceArguments);
  if (!isOver) return hung;
  const [, program] = /^FAILED (.+)$/m.exec(output) ?? [];
  if (program !== undefined) return { result: 'caught', how: program };
  if (/^\d+ passed, 0 failed$/m.test(output)) return { result: 'passed', how: 'no trace has changed' };
  return { result: 'broken', how: `the traces could not be run:\n${output}` };
}

/** The part of vitest's report that matters. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
    }[];
  }[];
}

/** Runs these tests alone, and tells what became of each. */
async function runTests(folder: string, tests: readonly Reference[]): Promise<(test: Reference) => Outcome> {
  const reportFile = join(folder, 'report.json');
  rmSync(reportFile, { force: true });
  const { output, isOver } = await runNode(folder, [
    'node_modules/vitest/vitest.mjs',
    'run',
    ...new Set(tests.map(({ file }) => file)),
    // There the titles around a test are before it without the signs between them.
    `--testNamePattern=^(${tests.map(({ title }) => pattern(title.replaceAll(' > ', ' '))).join('|')})$`,
    '--reporter=json',
    `--outputFile=${reportFile}`,
  ]);
  if (!isOver) return () => hung;
  const { testResults } = existsSync(reportFile)
    ? (JSON.parse(readFileSync(reportFile, 'utf8')) as Report)
    : { testResults: [] };
  return ({ file, title }) => {
    const result = testResults.find(({ name }) => relative(folder, name).split(sep).join('/') === file);
    const wanted = new RegExp(`^${pattern(title)}$`);
    const found = result?.assertionResults.filter(({ ancestorTitles, title: own }) =>
      wanted.test([...ancestorTitles, own].join(' > ')),
    );
    const name = `${basename(file)}: ${title.split(' > ').at(-1)}`;
    if (found?.some(({ status }) => status === 'failed')) return { result: 'caught', how: name };
    if (found?.some(({ status }) => status === 'passed')) return { result: 'passed', how: `${name}: passed` };
    return { result: 'broken', how: `${name}: could not be run\n${result?.message || output}` };
  };
}

/** What matches the title of a test as it stands in its file, where the values of a table have placeholders. */
function pattern(title: string): string {
  const parts = title.split(/%\w|\$\{.*?\}|\$[\w.]+/);
  return parts.map((part) => part.replaceAll(/[^\w ]/g, String.raw`\$&`)).join('.*');
}

interface Ended {
  readonly output: string;
  /** Whether it ended by itself. */
  readonly isOver: boolean;
}

function runNode(cwd: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // A worker that hangs does not end with vitest: the whole group has to be ended.
    const ownGroup = process.platform !== 'win32';
    const env = { ...process.env, FORCE_COLOR: '0' };
    const child = spawn(process.execPath, args, { cwd, env, detached: ownGroup });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    let isOver = true;
    const end = (): void => {
      try {
        if (ownGroup) process.kill(-child.pid!, 'SIGKILL');
        else child.kill('SIGKILL');
      } catch {
        // It has just ended by itself.
      }
    };
    const timer = setTimeout(() => {
      isOver = false;
      end();
    }, patience);
    process.prependOnceListener('exit', end);
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      process.off('exit', end);
      resolve({ output, isOver });
    });
  });
}

function readArguments(): {
  readonly only: readonly string[];
  readonly list: boolean;
  readonly help: boolean;
} {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: [] },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
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
