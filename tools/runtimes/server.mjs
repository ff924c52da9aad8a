// The programs of an application on a runtime for servers.

import { spawn } from 'node:child_process';
import { fileOf } from './application.mjs';

/** @typedef {import('./suite.js').TestResult} TestResult */
/** @typedef {import('./application.mjs').Application} Application */
/** @typedef {import('./application.mjs').Program} Program */
/** @typedef {import('./application.mjs').Mode} Mode */

const PATIENCE = 120_000; // for one program, which takes seconds

/**
 * @param {readonly string[]} command what starts a program: the executable, and its options
 * @param {Application} application
 * @param {Program} program
 * @param {Mode} mode
 * @returns {Promise<TestResult[]>}
 */
export async function runOnServer(command, application, program, mode) {
  const [executable = '', ...options] = command;
  const args = [...options, 'host.mjs', `./${fileOf(program, mode)}`, mode, application.url];
  const child = spawn(executable, args, {
    cwd: application.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PATIENCE,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  for (const stream of /** @type {const} */ (['stdout', 'stderr'])) {
    child[stream].setEncoding('utf8').on('data', (/** @type {string} */ text) => (output[stream] += text));
  }
  const { code, signal } = await /** @type {Promise<{ code: number | null, signal: string | null }>} */ (
    new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (exitCode, exitSignal) => resolve({ code: exitCode, signal: exitSignal }));
    })
  );
  /** @type {TestResult[]} */
  const results = parse(output.stdout);
  if (code === 0 && results.length > 0) return results;
  const how = signal === null ? `code ${code}` : `${signal} after ${PATIENCE / 1000} s`;
  return [
    ...results,
    { name: `${program} ends by itself`, error: `ended with ${how}\n${output.stdout}${output.stderr}` },
  ];
}

/** @param {string} stdout */
function parse(stdout) {
  try {
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  } catch {
    return [];
  }
}
