/** The program as its users see it. */

import { expect, test } from 'vitest';
import { startProgram } from '../../program.fixture.js';

test('tells what happens, and ends', async () => {
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts').ended;
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^( *\d+ ms {2}.*\n)+$/);
  const lines = stdout
    .replaceAll(/^ *\d+ ms +/gm, '')
    .trimEnd()
    .split('\n');
  const said = (who: string): string[] => lines.filter((line) => line.startsWith(who));

  expect(said('Ada')).toEqual([
    'Ada    wants a connection',
    'Ada    is cancelled while waiting for a connection',
  ]);
  for (const who of ['Ben', 'Cleo', 'Eve', 'Gina']) {
    expect(said(who)).toHaveLength(3);
    expect(said(who)[2]).toMatch(/is answered: hello \w+ \(connection \d\)$/);
  }
  expect(said('Dan')[1]).toBe('Dan    is cancelled while waiting for a connection');
  expect(said('Finn')[2]).toBe('Finn   is cancelled while waiting for an answer');
  expect(lines).toContain('POOL: 2 of 2: 0 leased, 0 idle, 2 opening');
  expect(lines.at(-2)).toBe('POOL: 0 of 2: 0 leased, 0 idle, 0 opening');
  expect(lines.at(-1)).toBe('the pool is closed, and 0 connections are open');
  expect(code).toBe(0);
}, 60_000);
