// What the changesets make of the versions, tried in a copy.

import { cpSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { root, tool } from './exec.mjs';
import { publicPackages } from './projects.mjs';

/** What is installed, built or git's own. */
const LEFT = new Set(['node_modules', 'dist', '.git', '.doc-examples', 'coverage']);

/**
 * Copies what one has after a clone.
 *
 * @param {string} to an empty folder
 */
export function copyRepository(to) {
  cpSync(root, to, { recursive: true, filter: (path) => !LEFT.has(basename(path)) });
}

/**
 * The changes that no version has yet.
 *
 * @returns {string[]} files in .changeset
 */
export function pendingChangesets() {
  const files = readdirSync(join(root, '.changeset'));
  return files.filter((file) => file.endsWith('.md') && file !== 'README.md');
}

/**
 * Sets the versions in a copy of the repository and writes its changelogs, as the next release will.
 *
 * @param {string} copy
 */
export async function takeVersions(copy) {
  const { ok, output } = await tool('@changesets/cli', ['version'], { bin: 'changeset', cwd: copy });
  if (!ok) throw new Error(`changeset version failed:\n${output}`);
  return publicPackages().map(({ name, folder }) => {
    const inCopy = join(copy, relative(root, folder));
    const { version } = JSON.parse(readFileSync(join(inCopy, 'package.json'), 'utf8'));
    return { name, folder: inCopy, version, changes: changesOf(join(inCopy, 'CHANGELOG.md'), version) };
  });
}

/**
 * What a changelog says about a version, without its heading.
 *
 * @param {string} file
 * @param {string} version
 */
function changesOf(file, version) {
  if (!existsSync(file)) return '';
  const sections = readFileSync(file, 'utf8').split(/^## /m);
  const section = sections.find((text) => text.startsWith(`${version}\n`));
  return section?.slice(version.length).trim() ?? '';
}
