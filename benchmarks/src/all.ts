/** `pnpm bench:all`: measures everything on this runtime, keeps the results, and writes docs/benchmarks.md. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { readOptions, requireBuild } from './command-line.js';
import { launchVisibly } from './launch.js';
import { resultsFile } from './page/files.js';
import {
  toJson,
  type BenchReport,
  type GrowthReport,
  type PlatformReport,
  type Results,
  type StartupReport,
} from './report.js';

const USAGE = `pnpm bench:all [--quick]

  --quick  short turns, for a first impression
  --help   shows this`;

const quick = readOptions(USAGE, { quick: { type: 'boolean', default: false } }, (values) => values.quick);
requireBuild(['taskscope']);

const temporary = mkdtempSync(join(tmpdir(), 'taskscope-bench-'));
try {
  const results: Results = {
    bench: await measure<BenchReport>('main.ts'),
    growth: await measure<GrowthReport>('growth/main.ts'),
    startup: await measure<StartupReport>('startup/main.ts'),
    platform: await measure<PlatformReport>('platform/main.ts'),
  };
  const file = resultsFile(results.bench.environment.runtime);
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, toJson(results));
  console.log(`\n${fileURLToPath(file)} written`);
  await launchVisibly(new URL('page/main.ts', import.meta.url), []);
} finally {
  rmSync(temporary, { recursive: true });
}

/** Each in a process of its own, as if started by itself. */
async function measure<T>(module: string): Promise<T> {
  const json = join(temporary, 'report.json');
  await launchVisibly(new URL(module, import.meta.url), ['--json', json, ...(quick ? ['--quick'] : [])]);
  return JSON.parse(readFileSync(json, 'utf8')) as T;
}
