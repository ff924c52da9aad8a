/** The program as its users see it. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { closedPort, first, listen } from './listeners.fixture.js';

vi.setConfig({ testTimeout: 60_000 });

const example = fileURLToPath(new URL('..', import.meta.url));

function runMain(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const node = ['--conditions=@taskscope/source', '--import', 'tsx', 'src/main.ts'];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [...node, ...args], { cwd: example }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

test('says who won, and when', async () => {
  const { port } = await listen(first.address);
  const { code, stdout, stderr } = await runMain(first.address, `${port}`);
  expect(stdout.replaceAll(/^ *\d+/gm, '5')).toBe(
    ['trying', 'connected', 'has won'].map((what) => `5 ms  127.0.0.1        ${what}\n`).join(''),
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('says why nobody won', async () => {
  const port = await closedPort(first.address);
  const { code, stdout, stderr } = await runMain(first.address, `${port}`);
  expect(stdout).toContain('failed: connect ECONNREFUSED');
  expect(stderr).toBe(`No connection to 127.0.0.1, port ${port}: connect ECONNREFUSED 127.0.0.1:${port}\n`);
  expect(code).toBe(1);
});

test.each([[['localhost']], [['localhost', 'http']], [['localhost', '80', '--timeout', '-1']]])(
  'bad arguments: %s',
  async (args) => {
    const { code, stdout, stderr } = await runMain(...args);
    expect(stderr).toMatch(/^error: /);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  },
);
