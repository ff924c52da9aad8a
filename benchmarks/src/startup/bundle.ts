import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';

import { build } from 'esbuild';

import type { Size } from '../report.js';

const here = fileURLToPath(new URL('.', import.meta.url));

/** A program as one minified file for Node; with its packages, or with imports of them. */
export async function bundleProgram(file: string, packages: 'bundle' | 'external'): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    platform: 'node',
    packages,
    logLevel: 'silent',
  });
  return outputFiles[0]!.contents;
}

/** All that an entry point exports, minified for browsers, without the packages that `external` names. */
export async function bundleEntry(name: string, external: readonly string[]): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: { contents: `export * from '${name}'`, resolveDir: here },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    // What is only imported on Node is no part of it.
    external: [...external, 'node:*'],
    logLevel: 'silent',
  });
  return outputFiles[0]!.contents;
}

export const sizeOf = (code: Uint8Array): Size => ({
  minified: code.length,
  brotli: brotliCompressSync(code).length,
});
