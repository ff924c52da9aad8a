/** The short form of `pnpm soak`, in processes of its own. It takes real time, since memory and sockets are real. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const main = fileURLToPath(new URL('main.ts', import.meta.url));

function soak(...args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const options = ['--expose-gc', '--conditions=@taskscope/source', '--import', 'tsx'];
    const child = spawn(process.execPath, [...options, main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

// On Windows, SIGTERM ends a process without asking.
const names = process.platform === 'win32' ? [] : ['price-feed'];

test.concurrent.each(['tasks,timeouts,subscriptions', ...names])(
  '%s: nothing is left behind',
  { timeout: 120_000 },
  async (only) => {
    const { code, output } = await soak('--only', only, '--count', '20000', '--seconds', '3');
    expect(output).toMatch(/\nNothing is left behind\.\n$/);
    expect(code).toBe(0);
  },
);

test('a wrong argument', async () => {
  const { code, output } = await soak('--only', 'tea');
  expect(output).toMatch(/^There is no soak tea\.\n\npnpm soak/);
  expect(code).toBe(2);
});
