// Where things are in the workspace.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceFolders } from './bootstrap.mjs';
import { root } from './exec.mjs';

/**
 * The TypeScript projects with a config file of that name, relative to the root.
 *
 * @param {string} config
 */
export function projects(config) {
  return [...workspaceFolders(), 'tools']
    .map((folder) => join(folder, config))
    .filter((file) => existsSync(join(root, file)));
}

/**
 * @typedef {object} Package a package that is published
 * @property {string} name
 * @property {string} folder absolute
 * @property {any} manifest its package.json
 * @property {string[]} entries what can be imported from it, e.g. `@taskscope/core/lowlevel`
 */

/**
 * The packages that are published.
 *
 * @returns {Package[]}
 */
export function publicPackages() {
  return readdirSync(join(root, 'packages'))
    .sort()
    .map((name) => join(root, 'packages', name))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }))
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ folder, manifest }) => ({
      name: manifest.name,
      folder,
      manifest,
      entries: Object.keys(manifest.exports)
        .filter((path) => path !== './package.json')
        .map((path) => manifest.name + path.slice(1)),
    }));
}
