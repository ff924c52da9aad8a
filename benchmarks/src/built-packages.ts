import { existsSync, readdirSync, statSync } from 'node:fs';

const packages = new URL('../../packages/', import.meta.url);

/**
 * What is measured is what is published. Returns what is in the way of that, for people; undefined if nothing is.
 *
 * @param resolve - `import.meta.resolve`.
 */
export function problemWithBuild(
  names: readonly string[],
  resolve: (specifier: string) => string,
): string | undefined {
  for (const name of names) {
    const folder = new URL(`${name.replace('@taskscope/', '')}/`, packages);
    const stamp = new URL('dist/build.tsbuildinfo', folder);
    if (!existsSync(stamp)) return `${name} has not been built: npm test -- --only build`;
    if (newestSource(new URL('src/', folder)) > statSync(stamp).mtimeMs) {
      return `${name} has changed since it was built: npm test -- --only build`;
    }
    const entry = resolve(name);
    if (!entry.endsWith('/dist/index.js')) {
      return `${name} leads to ${entry}: benchmarks run without --conditions=@taskscope/source`;
    }
  }
  return undefined;
}

/** When a source that is published was last changed. */
function newestSource(folder: URL): number {
  return Math.max(
    0,
    ...readdirSync(folder, { withFileTypes: true }).map((entry) => {
      if (entry.isDirectory()) return newestSource(new URL(`${entry.name}/`, folder));
      if (!/(?<!\.test|\.fixture)\.ts$/.test(entry.name)) return 0;
      return statSync(new URL(entry.name, folder)).mtimeMs;
    }),
  );
}
