import { spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** How a module is run in a process of its own. */
export interface LaunchOptions {
  /** What it may use of the heap, if that is more than usual. */
  readonly megabytes?: number;
  readonly cwd?: string;
}

/**
 * Runs a module, written in TypeScript, in a process of its own on the runtime that this process runs on. Resolves to
 * what it has written to its standard output.
 */
export async function launch(
  module: URL,
  args: readonly string[],
  { megabytes, cwd }: LaunchOptions = {},
): Promise<string> {
  return await start([...forTypeScript(megabytes), fileURLToPath(module), ...args], 'pipe', cwd);
}

/** The same, with its output shown. */
export async function launchVisibly(module: URL, args: readonly string[]): Promise<void> {
  await start([...forTypeScript(), fileURLToPath(module), ...args], 'inherit');
}

/** The same for a module in JavaScript, with nothing that runs before it. */
export async function launchPlain(module: URL, args: readonly string[]): Promise<string> {
  const how = 'Deno' in globalThis ? ['run', '--allow-all'] : [];
  return await start([...how, fileURLToPath(module), ...args], 'pipe');
}

function start(args: readonly string[], stdout: 'pipe' | 'inherit', cwd?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', stdout, 'inherit'] });
    const chunks: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString('utf8'));
      else reject(new Error(`${args.join(' ')} ended with ${signal ?? code}`));
    });
  });
}

function forTypeScript(megabytes?: number): string[] {
  const heap = megabytes === undefined ? [] : [`--max-old-space-size=${megabytes}`];
  if ('Bun' in globalThis) return [];
  if ('Deno' in globalThis) {
    return ['run', '--allow-all', '--sloppy-imports', `--v8-flags=${['--expose-gc', ...heap].join(',')}`];
  }
  return ['--expose-gc', ...heap, '--import', import.meta.resolve('tsx')];
}
