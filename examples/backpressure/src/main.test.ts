/** The program as its users see it. */

import { expect, test, vi } from 'vitest';
import { startProgram } from '../../program.fixture.js';

vi.setConfig({ testTimeout: 60_000 });

test('in a pipe: lines, and a table', async () => {
  const options = '--items 8 --produce-every 1 --consume-every 5 --buffer 3'.split(' ');
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', ...options).ended;
  expect(stderr).toBe('');
  expect(stdout).not.toContain('\u001B');
  const [lines, rows] = stdout.split('\n\n');
  expect(lines!.split('\n')[0]).toMatch(/^0\.\d\d s {2}rendezvous .* bounded .* unbounded /);
  expect(lines!.split('\n').at(-1)).toMatch(
    /rendezvous 0 of 0 \(done\) {2}bounded .* \(done\) {2}unbounded 0/,
  );
  // How much of the unbounded buffer is used depends on how quick this machine is.
  expect(rows!.split('\n').map((row) => row.trim().split(/\s+/).slice(0, 3))).toEqual([
    ['buffer', 'peak', 'used'],
    ['rendezvous', '0', '0'],
    ['bounded', '3', expect.stringMatching(/^[0-3]$/)],
    ['unbounded', '∞', expect.stringMatching(/^[0-8]$/)],
    [''],
  ]);
  expect(code).toBe(0);
});

test('bad arguments', async () => {
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', '--items', '1.5').ended;
  expect(stderr).toMatch(/^error: .*argument '1\.5' is invalid\. Give a whole number\./);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});
