import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { exec, node, npm, pnpm, root, tool } from '../exec.mjs';
import { publicPackages } from '../projects.mjs';

/** What may be in a tarball: the sources are there for the declaration maps. */
const PUBLISHED = /^(package\.json|README\.md|LICENSE|src\/.*\.ts|dist\/.*(\.d\.ts|\.js)(\.map)?)$/;

/** @typedef {import('../projects.mjs').Package} Package */
/** @typedef {{ ok: boolean, output: string }} Check */

/**
 * Checks what would be published: packs each package, looks at the tarball, installs all tarballs in an empty folder and
 * uses every entry point from there.
 */
export const packages = {
  name: 'packages',
  about: 'what is published: contents, publint, are-the-types-wrong, imports and types from the tarballs',
  needs: ['build'],
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'taskscope-packages-'));
    try {
      const all = publicPackages();
      const tarballs = [];
      for (const item of all) tarballs.push(await pack(item, folder));
      const checks = [];
      for (const [index, item] of all.entries()) {
        const tarball = /** @type {string} */ (tarballs[index]);
        checks.push(
          titled(`${item.name}: contents of the tarball`, await contents(item, tarball)),
          titled(`${item.name}: publint`, await tool('publint', [tarball, '--strict'])),
          titled(`${item.name}: attw`, await attw(tarball)),
        );
      }
      const consumer = await install(all, tarballs, folder);
      checks.push(titled('installing the tarballs', consumer));
      if (consumer.ok) {
        for (const entry of all.flatMap((item) => item.entries)) {
          checks.push(titled(`import of ${entry}`, await importUnderNode(entry, consumer.folder)));
        }
        checks.push(
          titled(
            'types for a Node program',
            await typeCheck(all, consumer.folder, ['ES2023', 'ESNext.Disposable'], ['node']),
          ),
          titled(
            'types for a browser program',
            await typeCheck(all, consumer.folder, ['ES2023', 'ESNext.Disposable', 'DOM'], []),
          ),
        );
      }
      const failed = checks.filter(({ ok }) => !ok);
      return {
        passed: failed.length === 0 ? 1 : 0,
        failed: failed.length === 0 ? 0 : 1,
        note: `${all.length} packages, ${checks.length} checks`,
        output: failed.map(({ title, output }) => `✗ ${title}\n${output}`).join('\n'),
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/**
 * @param {string} title
 * @param {Check} check
 */
function titled(title, { ok, output }) {
  return { title, ok, output };
}

/**
 * @param {Package} item
 * @param {string} folder
 */
async function pack(item, folder) {
  const destination = join(folder, basename(item.folder));
  mkdirSync(destination);
  const { ok, output } = await pnpm(['pack', '--pack-destination', destination], { cwd: item.folder });
  const tarball = readdirSync(destination).find((file) => file.endsWith('.tgz'));
  if (!ok || tarball === undefined) throw new Error(`pnpm pack of ${item.name} failed:\n${output}`);
  return join(destination, tarball);
}

/**
 * The tarball holds what a user needs, the sources for go-to-definition among it, and nothing else.
 *
 * @param {Package} item
 * @param {string} tarball
 * @returns {Promise<Check>}
 */
async function contents(item, tarball) {
  const listing = await exec('tar', ['-tzf', basename(tarball)], { cwd: resolve(tarball, '..') });
  if (!listing.ok) return listing;
  const files = new Set(
    listing.output
      .split(/\r?\n/)
      .filter(Boolean)
      .map((file) => file.replace(/^package\//, '')),
  );
  const problems = [
    'package.json',
    'README.md',
    'LICENSE',
    'src/index.ts',
    'dist/index.js',
    'dist/index.d.ts',
  ]
    .filter((file) => !files.has(file))
    .map((file) => `${file} is missing`);
  for (const file of files) {
    if (!PUBLISHED.test(file) || /\.(test|fixture)\./.test(file)) {
      problems.push(`${file} should not be published`);
    }
    const built = /^dist\/(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(file);
    if (built !== null && !files.has(`src/${built[1]}.ts`)) {
      problems.push(`${file} has no source: remove dist and build again`);
    }
  }
  const unpacked = await exec('tar', ['-xzf', basename(tarball), '-O', 'package/package.json'], {
    cwd: resolve(tarball, '..'),
  });
  for (const text of ['workspace:', 'catalog:', '@taskscope/source']) {
    if (unpacked.output.includes(text)) problems.push(`the published package.json still has "${text}"`);
  }
  if (item.manifest.sideEffects !== false) problems.push('"sideEffects" is not false');
  return { ok: problems.length === 0, output: problems.join('\n') };
}

/**
 * @param {string} tarball
 * @returns {Promise<Check>}
 */
function attw(tarball) {
  return tool('@arethetypeswrong/cli', [tarball, '--profile', 'esm-only', '--no-emoji', '--no-color'], {
    bin: 'attw',
  });
}

/**
 * @param {readonly Package[]} all
 * @param {readonly string[]} tarballs
 * @param {string} parent
 */
async function install(all, tarballs, parent) {
  const folder = join(parent, 'consumer');
  mkdirSync(folder);
  const specs = tarballs.map((tarball) => `file:../${relative(parent, tarball).replaceAll('\\', '/')}`);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      private: true,
      type: 'module',
      dependencies: Object.fromEntries(all.map(({ name }, index) => [name, specs[index]])),
    }),
  );
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const result = await npm(['install', '--prefix', folder, ...flags], { cwd: folder });
  // Optional peers and the typings of Node come from the workspace.
  const borrowed = new Set([
    '@types/node',
    ...all.flatMap(({ manifest }) => Object.keys(manifest.peerDependencies ?? {})),
  ]);
  for (const name of borrowed) {
    if (all.some((item) => item.name === name)) continue;
    const link = join(folder, 'node_modules', name);
    mkdirSync(resolve(link, '..'), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link, 'junction');
  }
  return { ...result, folder };
}

/**
 * @param {string} entry
 * @param {string} folder
 * @returns {Promise<Check>}
 */
function importUnderNode(entry, folder) {
  const program = `const names = Object.keys(await import('${entry}')); if (names.length === 0) throw new Error('it exports nothing')`;
  return node(['--input-type=module', '--eval', program], { cwd: folder });
}

/**
 * @param {readonly Package[]} all
 * @param {string} folder
 * @param {readonly string[]} lib
 * @param {readonly string[]} types
 * @returns {Promise<Check>}
 */
function typeCheck(all, folder, lib, types) {
  // The typings of an optional peer are not ours to check.
  const entries = all.flatMap(({ entries: names, manifest }) =>
    names.filter(
      (entry) => !Object.keys(manifest.peerDependencies ?? {}).some((peer) => entry.endsWith(`/${peer}`)),
    ),
  );
  writeFileSync(
    join(folder, 'all.ts'),
    entries.map((entry, index) => `export * as e${index} from '${entry}';\n`).join(''),
  );
  const compilerOptions = {
    module: 'NodeNext',
    target: 'ES2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    lib,
    types,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['all.ts'] }));
  return tool('typescript', ['-p', folder], { bin: 'tsc' });
}
