// Starting other programs, for the bootstrap and the test steps.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** Where the tools keep what they remember between runs. */
export const cache = join(root, 'node_modules', '.taskscope');

/**
 * Runs a program to its end and collects its output; never rejects.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, stream?: NodeJS.WritableStream | undefined, shell?: boolean }} [options]
 *   `stream`: where to copy the output while the program runs
 * @returns {Promise<{ ok: boolean, code: number, output: string }>}
 */
export function exec(command, args, { cwd = root, env, stream, shell = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...colour(stream), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell,
    });
    let output = '';
    for (const source of [child.stdout, child.stderr]) {
      source.setEncoding('utf8');
      source.on('data', (/** @type {string} */ text) => {
        output += text;
        stream?.write(text);
      });
    }
    child.on('error', (error) => resolve({ ok: false, code: 1, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) => {
      if (signal !== null) output += `${command} was ended by ${signal}\n`;
      resolve({ ok: code === 0, code: code ?? 1, output });
    });
  });
}

/**
 * Programs do not see the terminal through our pipe.
 *
 * @param {NodeJS.WritableStream | undefined} stream
 */
function colour(stream) {
  return stream !== undefined && 'isTTY' in stream && stream.isTTY && !process.env['NO_COLOR']
    ? { FORCE_COLOR: '1' }
    : {};
}

/**
 * Runs a JavaScript program on this very Node.
 *
 * @param {readonly string[]} args
 * @param {Parameters<typeof exec>[2]} [options]
 */
export function node(args, options) {
  return exec(process.execPath, args, options);
}

/**
 * Runs a tool from the workspace's devDependencies, without a package manager in between.
 *
 * @param {string} packageName
 * @param {readonly string[]} args
 * @param {Parameters<typeof exec>[2] & { bin?: string, from?: string }} [options] `bin`: which of the package's programs, if
 *   it has several; `from`: the folder of the workspace whose dependency it is
 */
export function tool(packageName, args, { bin, from = '', ...options } = {}) {
  const folder = join(root, from, 'node_modules', packageName);
  const { bin: bins } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = typeof bins === 'string' ? bins : bins[bin ?? basename(packageName)];
  return node([join(folder, file), ...args], options);
}

/**
 * Runs npm: the one that started us if there is one, else the one that came with this Node.
 *
 * @param {readonly string[]} args
 * @param {Parameters<typeof exec>[2]} [options]
 */
export function npm(args, options) {
  const bin = dirname(process.execPath);
  const candidates = [
    process.env['npm_execpath'],
    join(bin, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(bin, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ];
  const cli = candidates.find(
    (file) => file !== undefined && basename(file) === 'npm-cli.js' && existsSync(file),
  );
  if (cli !== undefined) return node([cli, ...args], options);
  return exec('npm', args, { ...options, shell: process.platform === 'win32' });
}

/**
 * Runs the pnpm that package.json pins. npm keeps it in its cache, so only the first time needs the network.
 *
 * @param {readonly string[]} args
 * @param {Parameters<typeof exec>[2]} [options]
 */
export function pnpm(args, options) {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // One more try, soon, is enough: by default npm says nothing for over a minute where there is no network.
  const patience = ['--fetch-retries=1', '--fetch-retry-mintimeout=2000', '--fetch-retry-maxtimeout=2000'];
  const npmArgs = ['exec', '--yes', '--loglevel=error', ...patience, `--package=${packageManager}`];
  return npm([...npmArgs, '--', 'pnpm', ...args], options);
}
