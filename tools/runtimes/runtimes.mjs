// The runtimes on which the packages are tested. Those for servers come from the npm registry, on demand, into a folder that
// git does not see; nothing else uses them.

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, exec, npm } from '../exec.mjs';

/**
 * @typedef {object} Runtime
 * @property {string} name what to give to `--only`
 * @property {string} label
 * @property {string} [spec] the npm package to install; without it, the runtime is a browser
 * @property {(modules: string) => string} executable where the package has put it, below that `node_modules`
 * @property {readonly string[]} options what a program needs
 */

const suffix = process.platform === 'win32' ? '.exe' : '';

/** @param {number} major */
function node(major) {
  return {
    name: `node${major}`,
    label: `Node ${major}`,
    spec: `node@${major}`,
    executable: (/** @type {string} */ modules) => join(modules, 'node', 'bin', `node${suffix}`),
    options: ['--expose-gc'],
  };
}

/** @type {readonly (Runtime & { spec: string })[]} */
export const servers = [
  node(20),
  node(22),
  node(24),
  node(26),
  {
    name: 'bun',
    label: 'Bun',
    spec: 'bun@1',
    executable: (modules) => join(modules, 'bun', 'bin', 'bun.exe'), // called so on every system
    options: ['--expose-gc'],
  },
  {
    name: 'deno',
    label: 'Deno',
    spec: 'deno@2',
    executable: (modules) => join(modules, 'deno', `deno${suffix}`),
    options: ['run', '--allow-all', '--node-modules-dir=manual', '--v8-flags=--expose-gc'],
  },
];

/**
 * Installs a runtime, unless it is there.
 *
 * @param {Runtime & { spec: string }} runtime
 * @param {(message: string) => void} progress
 * @returns {Promise<{ command: readonly string[], version: string }>}
 * @throws {Error} when it cannot be had on this machine.
 */
export async function install({ name, label, spec, executable, options }, progress) {
  const folder = join(cache, 'runtimes', name);
  const file = executable(join(folder, 'node_modules'));
  if (!existsSync(file)) {
    progress(`Installing ${spec} …`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    // Their install scripts put the executable in its place.
    const { ok, output } = await npm(['install', '--no-audit', '--no-fund', '--ignore-scripts=false', spec], {
      cwd: folder,
    });
    if (!ok || !existsSync(file)) {
      throw new Error(
        `npm cannot install ${label} here (${process.platform} ${process.arch}):\n${output.trim()}`,
      );
    }
  }
  const { ok, output } = await exec(file, ['--version']);
  const version = /\d+\.\d+\.\d+/.exec(output)?.[0];
  if (!ok || version === undefined) throw new Error(`${label} does not start here:\n${output.trim()}`);
  return { command: [file, ...options], version };
}
