/**
 * A copy of the workspace outside of it, whose sources may be changed.
 *
 * @module
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative, sep } from 'node:path';

/** What the traces and the tests are run with. */
const copied = [
  'packages',
  'conformance',
  'package.json',
  'vitest.config.ts',
  'tsconfig.base.json',
  'tsconfig.check.json',
];

const left = new Set(['node_modules', 'dist']);

/**
 * Copies sources, programs and configuration, not what was installed or built: to that it links. Returns the folder,
 * which is the caller's to remove.
 */
export function copyWorkspace(root: string): string {
  const from = realpathSync(root);
  const to = realpathSync(mkdtempSync(join(tmpdir(), 'taskscope-mutants-')));
  try {
    for (const name of copied) {
      cpSync(join(from, name), join(to, name), {
        recursive: true,
        filter: (path) => !left.has(basename(path)),
      });
    }
    const packages = readdirSync(join(to, 'packages')).map((name) => join('packages', name));
    for (const folder of ['.', 'conformance', ...packages]) {
      linkModules(join(from, folder, 'node_modules'), join(to, folder, 'node_modules'), from, to);
    }
  } catch (error) {
    rmSync(to, { recursive: true, force: true });
    throw error;
  }
  return to;
}

/** Links to what the links in a folder lead to. A package of the workspace is that of the copy. */
function linkModules(modules: string, copy: string, from: string, to: string): void {
  if (!existsSync(modules)) return;
  mkdirSync(copy);
  for (const name of readdirSync(modules)) {
    if (name.startsWith('.')) continue;
    if (name.startsWith('@')) {
      linkModules(join(modules, name), join(copy, name), from, to);
      continue;
    }
    const path = relative(from, realpathSync(join(modules, name)));
    const target = join(path.startsWith(`packages${sep}`) ? to : from, path);
    symlinkSync(target, join(copy, name), 'junction');
  }
}
