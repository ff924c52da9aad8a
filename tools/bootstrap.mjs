// What `npm start` and `npm test` need before anything else: the dependencies, installed by the pinned pnpm from the
// frozen lock file. Plain JavaScript on Node alone, because nothing is installed yet. Writes to stderr only, so that the
// stdout of the program that follows stays its own.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { cache, pnpm, root } from './exec.mjs';

const stampFile = join(cache, 'install-stamp');

/**
 * Installs the dependencies, unless that was done already for exactly this lock file and these package.json files.
 * Resolves to whether all is well; if it is not, the reason stands on stderr.
 *
 * @returns {Promise<boolean>}
 */
export async function installDependencies() {
  const stamp = installStamp();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return true;

  console.error('Installing dependencies (once, and again when they change) …');
  const install = await pnpm(['install', '--frozen-lockfile', '--reporter=append-only'], {
    stream: installOutput(),
  });
  if (install.ok) {
    mkdirSync(cache, { recursive: true });
    writeFileSync(stampFile, stamp);
    return true;
  }
  console.error(
    `${install.output.trimEnd()}\n\nThe dependencies could not be installed. ${explain(install.output)}`,
  );
  return false;
}

/** Of what pnpm says only the progress is shown; if it fails, all of it is shown in the end. */
function installOutput() {
  let told = false;
  return new Writable({
    decodeStrings: false,
    write(/** @type {string} */ text, _encoding, done) {
      if (!told && /^(\[WARN\] GET .* error|Will retry in) /m.test(text)) {
        told = true;
        process.stderr.write('The npm registry does not answer. Trying again for about a minute …\n');
      }
      for (const [line] of text.matchAll(/^Progress: .*\n/gm)) process.stderr.write(`  ${line}`);
      done();
    },
  });
}

/** A digest of everything that decides what gets installed. */
function installStamp() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'];
  for (const folder of workspaceFolders()) files.push(join(folder, 'package.json'));
  for (const file of files) {
    hash.update(`${file}\n`);
    if (existsSync(join(root, file))) hash.update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}

/**
 * The folders in which a package of the workspace may be, relative to the root.
 *
 * @returns {string[]}
 */
export function workspaceFolders() {
  const nested = ['packages', 'examples'].flatMap((parent) =>
    existsSync(join(root, parent)) ? readdirSync(join(root, parent)).map((name) => join(parent, name)) : [],
  );
  return [...nested.sort(), 'benchmarks', 'conformance', 'docs'];
}

/** @param {string} output */
function explain(output) {
  if (
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|fetch failed|error sending request|dns error|META_FETCH_FAIL|network/i.test(
      output,
    )
  ) {
    return (
      'The npm registry cannot be reached from here.\n' +
      'The first run needs the network: check the connection (and the proxy settings of npm, if there is one),\n' +
      'then run the command again. Later runs work offline.'
    );
  }
  if (/OUTDATED_LOCKFILE|frozen-lockfile/i.test(output)) {
    return (
      'pnpm-lock.yaml does not match the package.json files.\n' +
      'If you changed a dependency, run `pnpm install` and commit the lock file.'
    );
  }
  return 'What pnpm says above is the reason.';
}
