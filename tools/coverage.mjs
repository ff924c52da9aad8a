// `pnpm coverage`: which lines and branches of core, sync and streams no test runs through. There may be none.

import { parseArgs } from 'node:util';
import { tool } from './exec.mjs';

const PACKAGES = ['core', 'sync', 'streams'];
const USAGE = `pnpm coverage [--only PACKAGE[,PACKAGE…]] [-- ARGUMENTS OF VITEST]

  --only PACKAGE   only this package, by its own tests: ${PACKAGES.join(', ')}

  With -- --coverage.reporter=html there is a report to click through in coverage/index.html.`;

const { packages, rest } = readArguments();
const { ok } = await tool(
  'vitest',
  [
    'run',
    ...packages.map((name) => `packages/${name}/src/`),
    '--coverage',
    ...packages.map((name) => `--coverage.include=packages/${name}/src/**/*.ts`),
    ...rest,
  ],
  { stream: process.stdout },
);
if (ok) console.log(`Tests run through every line and branch of ${packages.join(', ')}.`);
process.exitCode = ok ? 0 : 1;

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: true,
    });
    if (values.help === true) {
      console.log(USAGE);
      process.exit();
    }
    const chosen = values.only?.flatMap((names) => names.split(',')) ?? PACKAGES;
    for (const name of chosen) {
      if (!PACKAGES.includes(name)) throw new Error(`--only takes ${PACKAGES.join(', ')}, got "${name}"`);
    }
    return { packages: chosen, rest: positionals };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return process.exit(2);
  }
}
