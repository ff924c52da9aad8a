// `pnpm release` publishes the packages whose version is not on npm yet. It asks for provenance, which only CI can give: see
// .github/workflows/release.yml. `pnpm release --dry-run` shows on any machine what the next release would be: in a copy of
// the repository it takes the versions from the changesets, checks what is packed, and lists it.

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installDependencies } from './bootstrap.mjs';
import { checkNode } from './check-node.mjs';
import { node, pnpm } from './exec.mjs';
import { copyRepository, pendingChangesets, takeVersions } from './next-versions.mjs';

checkNode();

const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean' } } });
const run = values['dry-run'] === true ? rehearse : release;
process.exitCode = (await installDependencies()) && (await run()) ? 0 : 1;

/** Publishes. Resolves to whether all is well. */
async function release() {
  const pending = pendingChangesets();
  if (pending.length > 0) {
    console.error(
      `There are changes that no version has yet: ${pending.join(', ')}.\n` +
        'Run `pnpm changeset version` and commit what it does; `pnpm release --dry-run` shows it.',
    );
    return false;
  }
  const checks = await node(['tools/test.mjs'], { stream: process.stdout });
  if (!checks.ok) return false;
  // pnpm does not read publishConfig.provenance. Where there can be none it refuses to publish.
  const env = { pnpm_config_provenance: 'true' };
  const publishing = await pnpm(['exec', 'changeset', 'publish'], { env, stream: process.stdout });
  return publishing.ok;
}

/** Shows what would be published. Resolves to whether all is well. */
async function rehearse() {
  const copy = realpathSync(mkdtempSync(join(tmpdir(), 'taskscope-release-')));
  try {
    copyRepository(copy);
    const packages = await takeVersions(copy);
    const checks = await node(['tools/test.mjs', '--only', 'packages'], {
      cwd: copy,
      stream: process.stdout,
    });
    if (!checks.ok) return false;
    for (const { name, folder, version, changes } of packages) {
      const packed = await pnpm(['pack', '--json', '--pack-destination', copy], { cwd: folder });
      if (!packed.ok) throw new Error(`pnpm pack of ${name} failed:\n${packed.output}`);
      const { size, files } = JSON.parse(packed.output);
      console.log(`\n${name} ${version}, ${Math.ceil(size / 1000)} kB`);
      console.log(`  ${contents(files).join(', ')}\n\n${changes.replaceAll(/^(?=.)/gm, '  | ')}`);
    }
    return true;
  } finally {
    rmSync(copy, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * The files of a package, those in folders counted.
 *
 * @param {readonly { path: string }[]} files
 */
function contents(files) {
  const folders = ['dist', 'src'].map((folder) => ({
    folder,
    count: files.filter(({ path }) => path.startsWith(`${folder}/`)).length,
  }));
  return [
    ...files.filter(({ path }) => !path.includes('/')).map(({ path }) => path),
    ...folders.map(({ folder, count }) => `${folder}/ (${count} files)`),
  ];
}
