// Runs a TypeScript program of this repository from its sources, as if it had been started in our place: same terminal,
// same signals, same exit code.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './exec.mjs';

/** Ctrl-C reaches us twice when npm stands between: from the terminal, and passed on by npm. */
const SAME_SIGNAL_MS = 200;

/**
 * @param {string} file relative to the root
 * @param {readonly string[]} args
 */
export async function runProgram(file, args) {
  const path = join(root, file);
  if (!existsSync(path)) {
    console.error(`${file} does not exist, so there is nothing to run.`);
    process.exitCode = 1;
    return;
  }

  // A terminal sends Ctrl-C to the program by itself. Without one, signals come to us alone or to our whole process
  // group, we cannot tell which; so the program gets a group of its own, and we pass each signal on exactly once.
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const ownGroup = !onTerminal && process.platform !== 'win32';

  const node = ['--conditions=@taskscope/source', '--import', import.meta.resolve('tsx')];
  // npm runs us at the root, but a relative path among the arguments is meant from where the user is.
  const cwd = process.env['INIT_CWD'] ?? process.cwd();
  const child = spawn(process.execPath, [...node, path, ...args], {
    stdio: 'inherit',
    cwd,
    detached: ownGroup,
  });

  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  let last = { signal: '', time: 0 };
  /** @param {NodeJS.Signals} signal */
  const passOn = (signal) => {
    const repeated = signal === last.signal && Date.now() - last.time < SAME_SIGNAL_MS;
    last = { signal, time: Date.now() };
    if (repeated || (signal === 'SIGINT' && !ownGroup)) return;
    child.kill(signal);
  };
  for (const signal of signals) process.on(signal, passOn);

  const [code, signal] = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...how) => resolve(how));
  });
  for (const name of signals) process.off(name, passOn);
  if (signal !== null) process.kill(process.pid, signal);
  else process.exitCode = code;
}
