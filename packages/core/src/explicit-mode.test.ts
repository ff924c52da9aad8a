/** The package as browsers get it: bundled with the `browser` condition, here run by Node. The browser itself is a step of `npm test`. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, describe, expect, test, vi } from 'vitest';

import { startServer } from './answering.fixture.js';
import type * as Fixture from './explicit-mode.fixture.js';
import { platform } from './platform/browser.js';

const folder = mkdtempSync(join(tmpdir(), 'taskscope-explicit-'));
const { url } = await startServer();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Bundles for browsers. There, a `node:` import that is reachable cannot be resolved, and fails the build. */
async function bundle(entry: string): Promise<{ file: string; inputs: string[]; imports: string[] }> {
  const file = join(folder, `${entry}.mjs`);
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL(`${entry}.ts`, import.meta.url))],
    bundle: true,
    outfile: file,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['browser', '@taskscope/source'],
    metafile: true,
    logLevel: 'silent',
  });
  const outputs = Object.values(metafile.outputs);
  return {
    file,
    inputs: Object.keys(metafile.inputs),
    imports: outputs.flatMap((output) => output.imports.map((each) => each.path)),
  };
}

describe('a bundle for browsers', () => {
  test.each(['index', 'lowlevel'])(
    'of %s imports nothing, and has the platform of browsers in it',
    async (entry) => {
      const { inputs, imports } = await bundle(entry);
      expect(imports).toEqual([]);
      expect(inputs.filter((input) => input.includes('/platform/'))).toEqual([
        expect.stringMatching(/platform\/browser\.ts$/),
      ]);
    },
  );
});

describe('the platform of browsers', () => {
  test('keeps nothing in its storage, and calls functions with their arguments', () => {
    const storage = platform.createStorage<string>();
    const add = (a: number, b: number, c = 0): unknown[] => [storage.getStore(), a + b + c];
    expect(storage.run('value', add, 1, 2)).toEqual([undefined, 3]);
    expect(storage.runLast('value', add, 3, 4, 5)).toEqual([undefined, 12]);
  });

  test('goes on in a later turn, in order, and after timers that are due', async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      platform.nextTurn(() => order.push('first'));
      platform.nextTurn(() => {
        order.push('second');
        resolve();
      });
      void Promise.resolve().then(() => order.push('microtask'));
      order.push('now');
    });
    expect(order).toEqual(['now', 'microtask', 'first', 'second']);
  });

  test('keeps no port open', async () => {
    await new Promise<void>((resolve) => platform.nextTurn(resolve));
    await nextTurn();
    await nextTurn();
    expect(process.getActiveResourcesInfo().filter((name) => name === 'MessagePort')).toEqual([]);
  });

  test('has no context to leave, and warns on the console', () => {
    expect(platform.withoutContext(() => 'result')).toBe('result');
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    platform.warn('watch out');
    expect(warn.mock.calls).toEqual([['TaskscopeWarning: watch out']]);
    warn.mockRestore();
  });
});

describe('in explicit mode', async () => {
  const { file } = await bundle('explicit-mode.fixture');
  const { tests } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as typeof Fixture;
  test.each(Object.entries(tests))('%s', (_name, run) => run({ url }));
});
