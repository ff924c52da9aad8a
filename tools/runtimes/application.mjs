// An application that uses the built packages: a folder with the packages in node_modules, as an installation would put
// them there, and the programs, bundled for servers and for browsers.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../exec.mjs';
import { publicPackages } from '../projects.mjs';

/** @typedef {'smoke' | 'explicit-mode' | 'traces' | 'context-probes'} Program one of those in `programs` */
/** @typedef {'ambient' | 'explicit'} Mode */

/** @type {Readonly<Record<Mode, readonly Program[]>>} */
export const programs = {
  ambient: ['smoke', 'traces', 'context-probes'],
  explicit: ['smoke', 'explicit-mode', 'traces'],
};

/** What a program is made of that is not built, relative to the root. Anything else of the packages must be from `dist`. */
const SOURCES = /^(tools\/runtimes\/|conformance\/src\/|packages\/\w+\/src\/[\w-]+\.fixture\.ts$)/;

/**
 * @typedef {object} Application
 * @property {string} folder
 * @property {string} url its server, on the loopback interface
 * @property {() => void} close
 */

/** @returns {Promise<Application>} */
export async function createApplication() {
  const folder = mkdtempSync(join(tmpdir(), 'taskscope-runtimes-'));
  for (const { name, folder: source, manifest } of publicPackages()) {
    const target = join(folder, 'node_modules', name);
    mkdirSync(target, { recursive: true });
    const { publishConfig, ...rest } = manifest;
    writeFileSync(join(target, 'package.json'), JSON.stringify({ ...rest, ...publishConfig }));
    cpSync(join(source, 'dist'), join(target, 'dist'), { recursive: true });
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }');
  cpSync(fileURLToPath(new URL('host.mjs', import.meta.url)), join(folder, 'host.mjs'));
  for (const mode of /** @type {const} */ (['ambient', 'explicit'])) {
    for (const program of programs[mode]) await bundle(folder, program, mode);
  }
  const server = await serve(folder);
  return {
    folder,
    url: server.url,
    close() {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The file of a program in an application.
 *
 * @param {Program} program
 * @param {Mode} mode
 */
export function fileOf(program, mode) {
  return `${program}.${mode}.js`;
}

/**
 * For servers, the packages are resolved by the runtime, as are those of any program; for browsers all of it goes into one file.
 * There, a `node:` import that can be reached fails this.
 *
 * @param {string} folder
 * @param {Program} program
 * @param {Mode} mode
 */
async function bundle(folder, program, mode) {
  // Imported here because it is not there yet when this module is loaded for a first install.
  const { build } = await import('esbuild');
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [`tools/runtimes/programs/${program}.ts`],
    outfile: join(folder, fileOf(program, mode)),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    metafile: true,
    logLevel: 'silent',
    ...(mode === 'ambient'
      ? { platform: 'node', external: ['@taskscope/*', 'taskscope'] }
      : { platform: 'browser' }),
  });
  const isBuilt =
    mode === 'ambient' ? () => false : (/** @type {string} */ input) => /^packages\/\w+\/dist\//.test(input);
  const others = Object.keys(metafile.inputs).filter((input) => !SOURCES.test(input) && !isBuilt(input));
  if (others.length > 0)
    throw new Error(`${program} has more in it than what is built: ${others.join(', ')}`);
  const outside = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  if (mode === 'explicit' && outside.length > 0) throw new Error(`${program} imports ${outside.join(', ')}`);
}

/**
 * What the programs ask for, and for a browser the programs themselves.
 *
 * @param {string} folder
 * @returns {Promise<{ url: string, close(): void }>}
 */
function serve(folder) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://localhost');
    switch (pathname) {
      case '/':
        response.setHeader('content-type', 'text/html').end(PAGE);
        break;
      case '/answer':
        response.end('answer');
        break;
      case '/never':
        break;
      case '/traces':
        response.setHeader('content-type', 'text/plain').end(traces());
        break;
      default: {
        const program = programs.explicit.find((name) => pathname === `/${fileOf(name, 'explicit')}`);
        if (program === undefined) response.writeHead(404).end();
        else
          response
            .setHeader('content-type', 'text/javascript')
            .end(readFileSync(join(folder, pathname.slice(1))));
      }
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

function traces() {
  const folder = join(root, 'conformance', 'programs');
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  return files.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}

/** What host.mjs is for servers. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>taskscope in a browser</title>
<script type="module">
  const unhandled = [];
  const note = (error) => unhandled.push({ name: 'no unhandled rejection', error: String(error) });
  addEventListener('unhandledrejection', (event) => note(event.reason?.stack ?? event.reason));
  addEventListener('error', (event) => note(event.message));
  const { runTests } = await import('/' + new URL(location.href).searchParams.get('program'));
  const results = await runTests({ ambient: false, url: location.origin });
  await new Promise((resolve) => setTimeout(resolve, 50));
  globalThis.results = [...results, ...unhandled];
</script>
`;
