import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** There is no build to compare with. The message is for people. */
export class NoBuild extends Error {
  override name = 'NoBuild';
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
}

/**
 * Puts built packages into a folder, beside a copy of these very benchmarks that resolves to them. So both builds are
 * measured by the same code and from like places, and whoever builds meanwhile does not disturb.
 *
 * @param packages - The folder with the built packages.
 * @param target - A folder that does not exist yet.
 */
export function stage(packages: string, target: string): void {
  for (const name of packageNames(packages)) {
    const source = join(packages, name);
    cpSync(join(source, 'dist'), join(target, 'packages', name, 'dist'), { recursive: true });
    cpSync(join(source, 'package.json'), join(target, 'packages', name, 'package.json'));
    linkSiblings(join(target, 'packages'), name);
  }
  const benchmarks = join(root, 'benchmarks');
  for (const name of ['src', 'package.json']) {
    cpSync(join(benchmarks, name), join(target, 'benchmarks', name), { recursive: true });
  }
  const modules = join(benchmarks, 'node_modules');
  for (const name of readdirSync(modules)) {
    if (name.startsWith('.') || name === '@taskscope') continue;
    link(join(modules, name), join(target, 'benchmarks/node_modules', name));
  }
  for (const name of packageNames(packages)) {
    link(join(target, 'packages', name), join(target, 'benchmarks/node_modules/@taskscope', name));
  }
}

/** The folder with the packages of the build that is meant, which is made if it is a git revision: below `temporary`. */
export function findBuild(base: string, temporary: string): string {
  const folder = join(resolve(base), 'packages');
  if (existsSync(folder)) {
    for (const name of packageNames(folder)) {
      if (!existsSync(join(folder, name, 'dist/index.js')))
        throw new NoBuild(`${join(folder, name)} is not built`);
    }
    return folder;
  }
  return buildRevision(base, join(temporary, 'sources'));
}

/** Builds the packages of a git revision with the compiler of this one. */
function buildRevision(revision: string, target: string): string {
  const commit = findCommit(revision);
  if (commit === undefined)
    throw new NoBuild(`"${revision}" is neither a git revision nor a folder with packages`);
  const archive = `${target}.tar`;
  mkdirSync(target, { recursive: true });
  git('archive', '--format=tar', '-o', archive, commit, 'packages', 'tsconfig.base.json');
  execFileSync('tar', ['-xf', archive, '-C', target]);

  const packages = join(target, 'packages');
  for (const name of packageNames(packages)) linkSiblings(packages, name);
  link(join(root, 'node_modules/@types/node'), join(target, 'node_modules/@types/node'));
  const compiler = join(root, 'node_modules/typescript');
  const { bin } = readManifest(compiler);
  const projects = packageNames(packages).map((name) => join('packages', name, 'tsconfig.build.json'));
  try {
    execFileSync('node', [join(compiler, bin!['tsc']!), '-b', ...projects], {
      cwd: target,
      stdio: ['ignore', process.stderr, 'inherit'],
    });
  } catch (error) {
    throw new NoBuild(`${revision} cannot be built`, { cause: error });
  }
  return packages;
}

function findCommit(revision: string): string | undefined {
  try {
    return git('rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`).trim();
  } catch {
    return undefined;
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

const packageNames = (folder: string): string[] =>
  readdirSync(folder).filter(
    (name) => statSync(join(folder, name)).isDirectory() && existsSync(join(folder, name, 'package.json')),
  );

/** Lets a package find those of the same workspace that it depends on. */
function linkSiblings(packages: string, name: string): void {
  for (const dependency of Object.keys(readManifest(join(packages, name)).dependencies ?? {})) {
    if (!dependency.startsWith('@taskscope/')) continue;
    const sibling = dependency.slice('@taskscope/'.length);
    link(join(packages, sibling), join(packages, name, 'node_modules/@taskscope', sibling));
  }
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

function link(folder: string, from: string): void {
  mkdirSync(join(from, '..'), { recursive: true });
  symlinkSync(folder, from, 'junction');
}
