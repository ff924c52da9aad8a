import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { root } from '../exec.mjs';
import { publicPackages } from '../projects.mjs';

const budgetFile = fileURLToPath(new URL('../size-budget.json', import.meta.url));

/**
 * What each entry point adds to a web page: bundled for browsers, minified, compressed by brotli, without its
 * dependencies unless its budget says `"withDependencies": true`. The bundle must not reach a `node:` import, unless its budget says `"platform": "node"`. The
 * README gives the figure in whole kB, rounded up.
 */
export const size = {
  name: 'size',
  about: 'size of each entry point against tools/size-budget.json',
  needs: ['build'],
  run: async () => {
    // Imported here because it is not there yet when this module is loaded for a first install.
    const { build } = await import('esbuild');
    /** @type {Record<string, { bytes: number, platform?: 'browser' | 'node', withDependencies?: boolean }>} */
    const budgets = JSON.parse(readFileSync(budgetFile, 'utf8'));
    const readme = readFileSync(`${root}/README.md`, 'utf8');
    const rows = [];
    const problems = [];
    for (const { manifest, folder, entries } of publicPackages()) {
      const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
      for (const entry of entries) {
        const budget = budgets[entry];
        if (budget === undefined) {
          problems.push(`${entry} has no budget in tools/size-budget.json`);
          continue;
        }
        const { outputFiles } = await build({
          stdin: { contents: `export * from '${entry}'`, resolveDir: dirname(dirname(folder)) },
          absWorkingDir: root,
          bundle: true,
          minify: true,
          write: false,
          format: 'esm',
          target: 'es2022',
          platform: budget.platform ?? 'browser',
          external: budget.withDependencies === true ? [] : dependencies,
          logLevel: 'silent',
        });
        const code = outputFiles[0]?.contents ?? new Uint8Array();
        const bytes = brotliCompressSync(code).length;
        rows.push([entry, `${code.length}`, `${bytes}`, `${budget.bytes}`]);
        if (bytes > budget.bytes)
          problems.push(`${entry} has ${bytes} bytes, more than its budget of ${budget.bytes}`);
        const label = budget.withDependencies === true ? `\`${entry}\`, with all of these` : `\`${entry}\``;
        const figure = `| ${label} | ${Math.ceil(bytes / 1000)} kB |`;
        if (!readme.includes(figure)) problems.push(`README.md should say "${figure}" in its table of sizes`);
      }
    }
    return {
      passed: problems.length === 0 ? 1 : 0,
      failed: problems.length === 0 ? 0 : 1,
      output: [...table(['entry point', 'minified', 'brotli', 'budget'], rows), ...problems].join('\n'),
    };
  },
};

/**
 * @param {string[]} head
 * @param {string[][]} rows
 */
function table(head, rows) {
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? title).length)),
  );
  return [head, ...rows].map(
    (row) =>
      `    ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`,
  );
}
