/** `pnpm bench:startup`: what it takes to load taskscope, in time and in bytes. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { readOptions, requireBuild, writeReport } from '../command-line.js';
import { environmentOf } from '../environment.js';
import { launchPlain } from '../launch.js';
import { observe, type ProgramReport, type Spread, type StartupReport } from '../report.js';
import { median, quantile } from '../statistics.js';
import { alignColumns, formatNumber, renderEnvironment, renderLoad } from '../table.js';
import { bundleEntry, bundleProgram, sizeOf } from './bundle.js';

const USAGE = `pnpm bench:startup [--quick] [--json FILE]

  --quick        fewer turns, for a first impression
  --json FILE    writes what was measured to a file as well
  --help         shows this`;

/** What the programs compute: the sum of the numbers below 100. */
const RESULT = '4950';

const PACKAGES = [
  '@taskscope/core',
  '@taskscope/sync',
  '@taskscope/streams',
  'taskscope',
  'effection',
  'effect',
];
const ENTRIES: readonly { name: string; specifier: string; external: readonly string[] }[] = [
  { name: '@taskscope/core', specifier: '@taskscope/core', external: [] },
  { name: '@taskscope/sync, beside core', specifier: '@taskscope/sync', external: ['@taskscope/core'] },
  {
    name: '@taskscope/streams, beside core and sync',
    specifier: '@taskscope/streams',
    external: ['@taskscope/core', '@taskscope/sync'],
  },
  { name: 'taskscope, with all of these', specifier: 'taskscope', external: [] },
  { name: 'effection', specifier: 'effection', external: [] },
  { name: 'effect', specifier: 'effect', external: [] },
];
const PROGRAMS: readonly { name: string; file: string }[] = [
  { name: 'taskscope', file: 'programs/taskscope.ts' },
  { name: 'native promises', file: 'programs/native.ts' },
  { name: 'effection', file: 'programs/effection.ts' },
  { name: 'effect', file: 'programs/effect.ts' },
];

const { quick, json } = readOptions(
  USAGE,
  { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
  (values) => ({ quick: values.quick, json: values.json }),
);
requireBuild(['taskscope']);
const runner = new URL('runner.mjs', import.meta.url);
const environment = environmentOf(PACKAGES);
console.log(renderEnvironment(environment));
const circumstances = observe(environment, quick);

// Where the programs find the packages, and git finds nothing.
const built = fileURLToPath(new URL('../../dist', import.meta.url));
mkdirSync(built, { recursive: true });
const folder = mkdtempSync(join(built, 'startup-'));
try {
  const report = await measureStartup(folder, quick ? 5 : 25);
  console.log(render(report));
  console.log(renderLoad(report));
  writeReport(json, report);
} finally {
  rmSync(folder, { recursive: true });
}

async function measureStartup(target: string, turns: number): Promise<StartupReport> {
  const programs = await Promise.all(
    PROGRAMS.map(async ({ name, file }, index) => {
      const write = (kind: string, code: Uint8Array): string => {
        const output = join(target, `${index}-${kind}.mjs`);
        writeFileSync(output, code);
        return pathToFileURL(output).href;
      };
      const bundle = await bundleProgram(file, 'bundle');
      return {
        name,
        size: sizeOf(bundle),
        installed: write('installed', await bundleProgram(file, 'external')),
        bundled: write('bundled', bundle),
      };
    }),
  );
  const nothing = join(target, 'nothing.mjs');
  writeFileSync(nothing, '');
  const runs: [string, ...string[]][] = [
    [pathToFileURL(nothing).href],
    ...PACKAGES.map((name): [string] => [name]),
    ...programs.flatMap(({ installed, bundled }): [string, string][] => [
      [installed, RESULT],
      [bundled, RESULT],
    ]),
  ];
  const spreads = await time(runs, turns);
  const spreadOf = (specifier: string): Omit<Spread, 'name'> => spreads.get(specifier)!;
  const sizes = await Promise.all(
    ENTRIES.map(async ({ name, specifier, external }) => ({
      name,
      size: sizeOf(await bundleEntry(specifier, external)),
    })),
  );
  return {
    ...circumstances(),
    imports: [
      { name: 'an empty module', ...spreadOf(pathToFileURL(nothing).href) },
      ...PACKAGES.map((name) => ({ name, ...spreadOf(name) })),
    ],
    programs: programs.map(({ name, size, installed, bundled }): ProgramReport => ({
      name,
      size,
      installed: spreadOf(installed),
      bundled: spreadOf(bundled),
    })),
    sizes,
  };
}

/** Runs each in turn, in a new process each time, and once before so that the files are in the memory of the system. */
async function time(
  runs: readonly [string, ...string[]][],
  turns: number,
): Promise<Map<string, Omit<Spread, 'name'>>> {
  const samples = new Map(runs.map(([specifier]): [string, number[]] => [specifier, []]));
  for (let turn = 0; turn <= turns; turn++) {
    for (const run of runs) {
      const milliseconds = Number(await launchPlain(runner, run));
      if (turn > 0) samples.get(run[0])!.push(milliseconds);
    }
  }
  return new Map(
    [...samples].map(([specifier, numbers]) => [
      specifier,
      { median: median(numbers), p25: quantile(numbers, 0.25), p75: quantile(numbers, 0.75) },
    ]),
  );
}

/** For people. */
function render({ imports, programs, sizes }: StartupReport): string {
  const time = ({ median: middle, p25, p75 }: Omit<Spread, 'name'>): string[] => [
    formatNumber(middle),
    `${formatNumber(p25)} – ${formatNumber(p75)}`,
  ];
  return [
    ...alignColumns([
      ['importing', 'ms', 'p25 – p75'],
      ...imports.map(({ name, ...spread }) => [`  ${name}`, ...time(spread)]),
    ]),
    '',
    ...alignColumns([
      ['a program', 'installed, ms', 'p25 – p75', 'bundled, ms', 'p25 – p75', 'minified, bytes', 'brotli'],
      ...programs.map(({ name, size, installed, bundled }) => [
        `  ${name}`,
        ...time(installed),
        ...time(bundled),
        formatNumber(size.minified),
        formatNumber(size.brotli),
      ]),
    ]),
    '',
    ...alignColumns([
      ['all of an entry point', 'minified, bytes', 'brotli'],
      ...sizes.map(({ name, size }) => [`  ${name}`, formatNumber(size.minified), formatNumber(size.brotli)]),
    ]),
    '',
  ].join('\n');
}
