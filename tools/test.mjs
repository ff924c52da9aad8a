// `npm test`: everything that must hold, step by step. `npm test -- --only lint,vitest` runs some steps only.
// The last line of the output is `N passed, N failed`.

import { checkNode } from './check-node.mjs';

checkNode();

const { parseArgs } = await import('node:util');
const { installDependencies } = await import('./bootstrap.mjs');
const { steps } = await import('./steps/index.mjs');

/** @typedef {{ passed: number, failed: number, output?: string | undefined, note?: string | undefined }} Result */
/**
 * @typedef {object} Step
 * @property {string} name what to give to `--only`
 * @property {string} about what the progress line says
 * @property {readonly string[]} [needs] the steps that must have run before it
 * @property {boolean} [streams] it shows its own output while it runs
 * @property {() => Promise<Result> | Result} run
 */

const { values } = readArguments();
if (values.help === true) {
  console.log(`npm test [-- --only NAME[,NAME…]]\n\nThe steps:`);
  for (const { name, about } of steps) console.log(`  ${name.padEnd(12)} ${about}`);
  process.exit();
}
const chosen = choose(values.only?.flatMap((names) => names.split(',')) ?? []);

let passed = 0;
let failed = 0;
const failures = [];

const install = { name: 'install', about: 'dependencies', run: runInstall };
const plan = [install, ...chosen];
const began = performance.now();
for (const [index, step] of plan.entries()) {
  const result = await show(step, `[${index + 1}/${plan.length}]`);
  passed += result.passed;
  failed += result.failed;
  if (result.failed > 0) failures.push(step.name);
  if (step === install && result.failed > 0) break;
}
console.log(`\nTook ${seconds(began)}.${failures.length > 0 ? ` Failed: ${failures.join(', ')}.` : ''}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** What is asked for; a wrong argument ends the program with a message. */
function readArguments() {
  try {
    return parseArgs({
      options: { only: { type: 'string', multiple: true }, help: { type: 'boolean', short: 'h' } },
    });
  } catch (error) {
    console.error(
      `${error instanceof Error ? error.message : String(error)}\nnpm test -- --help tells what there is.`,
    );
    process.exit(2);
  }
}

/**
 * Runs one step, with its progress line.
 *
 * @param {Step} step
 * @param {string} position
 * @returns {Promise<Result>}
 */
async function show(step, position) {
  const start = performance.now();
  const title = `${position} ${step.name}: ${step.about}`;
  const oneLine = process.stdout.isTTY && step.streams !== true && step !== install;
  process.stdout.write(oneLine ? `${title} …` : `${title}\n`);
  /** @type {Result} */
  let result;
  try {
    result = await step.run();
  } catch (error) {
    result = { passed: 0, failed: 1, output: error instanceof Error ? (error.stack ?? '') : String(error) };
  }
  const mark = result.failed === 0 ? '✓' : '✗';
  if (oneLine) process.stdout.write(`\r\u001B[K`);
  const line = oneLine ? `${mark} ${title}` : `  ${mark}`;
  console.log(`${line} ${result.note === undefined ? '' : `– ${result.note} `}(${seconds(start)})`);
  if (result.output) console.log(result.output.trimEnd());
  return result;
}

/** @returns {Promise<Result>} */
async function runInstall() {
  return (await installDependencies()) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/**
 * The steps of that name and what they need, in their usual order; all steps if no name is given.
 *
 * @param {readonly string[]} names
 * @returns {Step[]}
 */
function choose(names) {
  if (names.length === 0) return steps;
  const wanted = new Set(names);
  for (const step of [...steps].reverse()) {
    if (wanted.has(step.name)) for (const name of step.needs ?? []) wanted.add(name);
  }
  for (const name of wanted) {
    if (name === 'install' || steps.some((step) => step.name === name)) continue;
    console.error(`There is no step "${name}". The steps: ${steps.map((step) => step.name).join(', ')}`);
    process.exit(1);
  }
  return steps.filter((step) => wanted.has(step.name));
}

/** @param {number} start */
function seconds(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
