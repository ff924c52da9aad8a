// `pnpm test:runtimes`: the built packages on every runtime that they are for, as a table.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkNode } from '../check-node.mjs';

checkNode();

const { parseArgs } = await import('node:util');
const { root } = await import('../exec.mjs');
const { build } = await import('../steps/build.mjs');
const { createApplication, programs } = await import('./application.mjs');
const { openBrowser } = await import('./browser.mjs');
const { columns, replaceTable, renderTable, renderTerminalTable } = await import('./report.mjs');
const { install, servers } = await import('./runtimes.mjs');
const { runOnServer } = await import('./server.mjs');

/** @typedef {import('./report.mjs').Report} Report */
/** @typedef {import('./application.mjs').Program} Program */
/** @typedef {import('./application.mjs').Mode} Mode */
/** @typedef {import('./suite.js').TestResult} TestResult */

const names = [...servers.map(({ name }) => name), 'chromium'];
const page = join(root, 'docs', 'runtimes.md');

const USAGE = `pnpm test:runtimes [--only NAME[,NAME…]] [--write]

Installs the runtimes from the npm registry, once, and Chromium as \`npm test\` does.

  --only NAME  some runtimes only: ${names.join(', ')}
  --write      write the table into docs/runtimes.md, if everything has passed
  --help       show this`;

const { only, write } = readArguments();
const built = await build.run();
if (built.failed > 0) {
  console.error(built.output);
  process.exit(1);
}

/** @type {Report[]} */
const reports = [];
const application = await createApplication();
try {
  for (const name of only) {
    const report = await testOn(name);
    reports.push(report);
    for (const { name: test, error } of report.failures)
      console.log(`✗ ${report.label}: ${test}\n${error}\n`);
  }
} finally {
  application.close();
}

console.log(renderTerminalTable(reports));
const failed = reports.reduce((sum, report) => sum + report.failures.length, 0);
const passed = reports.reduce((sum, report) => sum + report.passed, 0);
if (write && failed === 0) {
  writeFileSync(page, replaceTable(readFileSync(page, 'utf8'), renderTable(reports)));
  console.log('Written to docs/runtimes.md.');
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/**
 * Everything on one runtime. One that cannot be had is a failure.
 *
 * @param {string} name
 * @returns {Promise<Report>}
 */
async function testOn(name) {
  const server = servers.find((each) => each.name === name);
  /** @type {Report} */
  const report = {
    label: server?.label ?? 'Chromium',
    version: '–',
    passed: 0,
    failures: [],
    counts: new Map(),
    seconds: 0,
  };
  const start = performance.now();
  try {
    if (server === undefined) await testInBrowser(report);
    else await testOnServer(server, report);
  } catch (error) {
    report.failures.push({ name: 'it can be tested', error: /** @type {Error} */ (error).message });
  }
  report.seconds = (performance.now() - start) / 1000;
  console.error(
    `${report.label} ${report.version}: ${report.passed} passed, ${report.failures.length} failed`,
  );
  return report;
}

/**
 * @param {(typeof servers)[number]} server
 * @param {Report} report
 */
async function testOnServer(server, report) {
  const { command, version } = await install(server, (message) => console.error(message));
  report.version = version;
  for (const mode of /** @type {const} */ (['ambient', 'explicit'])) {
    for (const program of programs[mode]) {
      count(report, program, mode, await runOnServer(command, application, program, mode));
    }
  }
}

/** @param {Report} report */
async function testInBrowser(report) {
  const browser = await openBrowser(application.url, (message) => console.error(message));
  report.version = browser.version;
  try {
    for (const program of programs.explicit) count(report, program, 'explicit', await browser.run(program));
  } finally {
    await browser.close();
  }
}

/**
 * @param {Report} report
 * @param {Program} program
 * @param {Mode} mode
 * @param {readonly TestResult[]} results
 */
function count(report, program, mode, results) {
  const failures = results.filter(({ error }) => error !== undefined);
  for (const { name, error } of failures) report.failures.push({ name: `${name} (${mode} mode)`, error });
  const ok = results.length - failures.length;
  report.passed += ok;
  const column = columns.find((each) => each.mode === mode && each.programs.includes(program));
  if (column === undefined) throw new Error(`there is no column for ${program} in ${mode} mode`);
  const before = report.counts.get(column) ?? { passed: 0, failed: 0 };
  report.counts.set(column, { passed: before.passed + ok, failed: before.failed + failures.length });
}

/** What is asked for; a wrong argument ends the program with a message. */
function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) {
      console.log(USAGE);
      process.exit();
    }
    const chosen = values.only?.flatMap((list) => list.split(',')) ?? names;
    const unknown = chosen.filter((name) => !names.includes(name));
    if (unknown.length > 0) throw new Error(`There is no runtime ${unknown.join(', ')}.`);
    if (values.write && chosen.length < names.length) throw new Error('--write takes all runtimes.');
    return { only: chosen, write: values.write };
  } catch (error) {
    console.error(`${/** @type {Error} */ (error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}
