/** The package as browsers get it: bundled with the `browser` condition, here run by Node. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';

import type * as Fixture from './explicit-mode.fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'taskscope-explicit-streams-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('in explicit mode', async () => {
  const file = join(folder, 'explicit-mode.fixture.mjs');
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL('explicit-mode.fixture.ts', import.meta.url))],
    bundle: true,
    outfile: file,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['browser', '@taskscope/source'],
    metafile: true,
    logLevel: 'silent',
  });
  const { tests } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as typeof Fixture;

  test('a bundle imports nothing', () => {
    const imports = Object.values(metafile.outputs).flatMap((output) =>
      output.imports.map(({ path }) => path),
    );
    expect(imports).toEqual([]);
  });

  test.each(Object.entries(tests))('%s', (_name, run) => run());
});
