// `pnpm fuzz`: the tests of core, sync and streams under shuffled schedules, with new seeds for as long as
// asked. A failure ends it, and says how to repeat it.

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { cache, root, tool } from './exec.mjs';

const USAGE = `pnpm fuzz [--seconds N] [--seed N] [--only PATH]

  --seconds N   go on with new seeds for about so long (default: 60)
  --seed N      begin with this seed; without --seconds, try only this one
  --only PATH   only the test files whose paths contain this`;

const report = join(cache, `fuzz-${process.pid}.json`);
process.on('exit', () => rmSync(report, { force: true }));

const { seconds, firstSeed, paths } = readArguments();
const until = performance.now() + seconds * 1000;
let seed = firstSeed;
// To start takes some seconds, so a round tries several seeds, and the next one more.
let count = seconds === 0 ? 1 : 4;
do {
  const began = performance.now();
  const tests = await tryRound(seed, count);
  const took = performance.now() - began;
  console.log(`seeds ${seed} to ${seed + count - 1}: ${tests} tests passed (${(took / 1000).toFixed(1)} s)`);
  seed += count;
  const left = until - performance.now();
  count = Math.max(1, Math.min(2 * count, Math.floor((count * left) / took)));
} while (performance.now() < until);

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string' },
        seed: { type: 'string' },
        only: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) {
      console.log(USAGE);
      process.exit();
    }
    const seedGiven = wholeNumber('--seed', values.seed);
    return {
      seconds: wholeNumber('--seconds', values.seconds) ?? (seedGiven === undefined ? 60 : 0),
      firstSeed: seedGiven ?? Math.floor(Math.random() * 1e9),
      paths: values.only ?? testsWithSchedule(),
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return process.exit(2);
  }
}

/**
 * @param {string} option
 * @param {string | undefined} value
 */
function wholeNumber(option, value) {
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value)) throw new Error(`${option} takes a whole number, got "${value}"`);
  return Number(value);
}

/** The test files in which there may be something to shuffle. */
function testsWithSchedule() {
  return ['core', 'sync', 'streams'].flatMap((name) => {
    const folder = join(root, 'packages', name, 'src');
    return readdirSync(folder)
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => join(folder, file))
      .filter((file) => readFileSync(file, 'utf8').includes("'@taskscope/testing'"))
      .map((file) => relative(root, file));
  });
}

/**
 * Runs the tests under so many seeds. Ends the program when one fails.
 *
 * @param {number} first
 * @param {number} runs
 * @returns {Promise<number>} how many tests passed
 */
async function tryRound(first, runs) {
  rmSync(report, { force: true });
  const { ok, output } = await tool(
    'vitest',
    ['run', ...paths, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, '--silent'],
    { env: { TASKSCOPE_FUZZ_SEED: `${first}`, TASKSCOPE_FUZZ_RUNS: `${runs}` } },
  );
  if (ok) return JSON.parse(readFileSync(report, 'utf8')).numPassedTests;
  const failures = failedTests();
  for (const { fullName, failureMessages } of failures) {
    console.error(`✗ ${fullName}\n${failureMessages.join('\n')}\n`);
  }
  // An error that belongs to no test is only in what vitest says.
  if (failures.length === 0) console.error(output);
  console.error(`Failed at one of the seeds ${first} to ${first + runs - 1}.`);
  return process.exit(1);
}

/** @returns {{ fullName: string, status: string, failureMessages: string[] }[]} */
function failedTests() {
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
    return testResults
      .flatMap((/** @type {any} */ file) => file.assertionResults)
      .filter((/** @type {any} */ test) => test.status === 'failed');
  } catch {
    // It did not come so far.
    return [];
  }
}
