import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from '../chromium.mjs';
import { root } from '../exec.mjs';

/** Written for every platform; vitest runs it under Node. */
const program = 'packages/core/src/explicit-mode.fixture.ts';

const page = `<!doctype html>
<meta charset="utf-8">
<title>taskscope in a browser</title>
<script type="module">
  const unhandled = [];
  addEventListener('unhandledrejection', (event) => unhandled.push(String(event.reason?.stack ?? event.reason)));
  addEventListener('error', (event) => unhandled.push(String(event.message)));
  const { runTests } = await import('/program.js');
  const results = await runTests({ url: location.origin });
  await new Promise((resolve) => setTimeout(resolve, 50));
  results.push(...unhandled.map((error) => ({ name: 'no unhandled rejection', error })));
  globalThis.results = results;
</script>
`;

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** @typedef {{ name: string, error?: string | undefined }} TestResult */

/** The package as it is published, in a page: without AsyncLocalStorage, so in explicit mode. */
export const browser = {
  name: 'browser',
  about: 'the built package in a page of headless Chromium',
  needs: ['build'],
  run: async () => {
    let executablePath;
    try {
      executablePath = await chromium((message) => console.log(`  ${message}`));
    } catch (error) {
      return { passed: 0, failed: 1, output: /** @type {Error} */ (error).message };
    }
    const server = await serve(await bundle());
    try {
      const { version, results } = await runIn(executablePath, server.url);
      const failed = results.filter(({ error }) => error !== undefined);
      return {
        passed: results.length - failed.length,
        failed: failed.length,
        note: `Chromium ${version}`,
        output: failed.map(({ name, error }) => `✗ ${name}\n${error}`).join('\n'),
      };
    } finally {
      server.close();
    }
  },
};

/** Bundles the program as an application would be, on what is built. A `node:` import that can be reached fails this. */
async function bundle() {
  // Imported here because it is not there yet when this module is loaded for a first install.
  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [program],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    metafile: true,
    logLevel: 'silent',
  });
  const inputs = Object.keys(metafile.inputs);
  const others = inputs.filter((input) => input !== program && !input.startsWith('packages/core/dist/'));
  if (others.length > 0)
    throw new Error(`the bundle has more in it than what is built: ${others.join(', ')}`);
  const outside = Object.values(metafile.outputs).flatMap((output) => output.imports);
  if (outside.length > 0) throw new Error(`the bundle imports ${outside.map(({ path }) => path).join(', ')}`);
  return outputFiles[0]?.text ?? '';
}

/**
 * @param {string} code
 * @returns {Promise<{ url: string, close(): void }>}
 */
function serve(code) {
  const server = createServer((request, response) => {
    switch (request.url) {
      case '/':
        response.setHeader('content-type', 'text/html').end(page);
        break;
      case '/program.js':
        response.setHeader('content-type', 'text/javascript').end(code);
        break;
      case '/answer':
        response.end('answer');
        break;
      case '/never':
        break;
      default:
        response.writeHead(404).end();
    }
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      resolve({
        url: `http://127.0.0.1:${port}`,
        close() {
          server.closeAllConnections();
          server.close();
        },
      });
    });
  });
}

/**
 * @param {string} executablePath
 * @param {string} url
 * @returns {Promise<{ version: string, results: TestResult[] }>}
 */
async function runIn(executablePath, url) {
  const { chromium: driver } = await import('playwright-core');
  const profile = mkdtempSync(join(tmpdir(), 'taskscope-chromium-'));
  try {
    const context = await driver.launchPersistentContext(profile, {
      executablePath,
      headless: true,
      args: ARGS,
    });
    try {
      const tab = context.pages()[0] ?? (await context.newPage());
      /** @type {Promise<never>} */
      const crashed = new Promise((_resolve, reject) => {
        tab.on('crash', () => reject(new Error('the page crashed')));
        tab.on('pageerror', reject);
      });
      crashed.catch(() => {});
      await tab.goto(url);
      const done = tab.waitForFunction('globalThis.results', undefined, { timeout: 120_000 });
      const results = await Promise.race([done.then((handle) => handle.jsonValue()), crashed]);
      return {
        version: context.browser()?.version() ?? '',
        results: /** @type {TestResult[]} */ (results),
      };
    } finally {
      await context.close();
    }
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
