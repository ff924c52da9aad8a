/** The program as its users see it. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { parseJobs } from './jobs.js';
import { startProgram, type Outcome } from '../../program.fixture.js';

vi.setConfig({ testTimeout: 60_000 });

function delivered({ stdout }: Outcome): number {
  return Number(/^(\d+) delivered/m.exec(stdout)![1]);
}

function givenUp({ stdout }: Outcome): string[] {
  return [...stdout.matchAll(/^ {2}(evt_\d+ to \w+), at attempt/gm)].map(([, job]) => job!).toSorted();
}

const HOPELESS = ['evt_009 to partner', 'evt_014 to legacy', 'evt_025 to partner', 'evt_030 to legacy'];

// Attempts have more time than by default, for machines that are busy with other things.
const args = ['--timeout', '2000'];

test('delivers what can be delivered, and says what cannot', async () => {
  const outcome = await startProgram(import.meta.url, 'main.ts', ...args).ended;
  expect(outcome).toMatchObject({ code: 0, stderr: '' });
  expect(delivered(outcome)).toBe(44);
  expect(givenUp(outcome)).toEqual(HOPELESS);
  const { stdout } = outcome;
  expect(stdout).toMatch(/billing +attempt 1: 503 Service Unavailable; again in 1000 ms/);
  expect(stdout).toMatch(/crm +attempt 1: the attempt timed out after 2000 ms; again in \d+ ms/);
  expect(stdout).toMatch(/legacy +attempt 1: 410 Gone; given up/);
  expect(stdout).toMatch(/partner +attempt 4: connect ECONNREFUSED \S+; given up/);
  expect(stdout).toMatch(/^orders +\d+ +23$/m);
});

// On Windows, kill() ends a process without asking.
const signals =
  process.platform === 'win32'
    ? []
    : ([
        ['SIGINT', 130],
        ['SIGTERM', 143],
      ] as const);

test.each(signals)(
  '%s in the middle: the rest is written down, and delivered next time',
  async (signal, code) => {
    const folder = mkdtempSync(join(tmpdir(), 'worker-pool-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const left = join(folder, 'left.jsonl');

    const program = startProgram(import.meta.url, 'main.ts', ...args, '--left', left);
    await program.printed('attempt 1');
    program.kill(signal);
    const first = await program.ended;
    expect(first).toMatchObject({ code, signal: null, stderr: '' });
    const rest = parseJobs(readFileSync(left, 'utf8'));
    expect(first.stdout).toContain(`INTERRUPTED: ${rest.length} are left.`);
    // None is lost, and none is there twice.
    expect(delivered(first) + givenUp(first).length + rest.length).toBe(48);
    expect(rest.length).toBeGreaterThan(0);

    const both = ['--jobs', left, '--left', left];
    const second = await startProgram(import.meta.url, 'main.ts', ...args, ...both).ended;
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(delivered(first) + delivered(second)).toBe(44);
    expect([...givenUp(first), ...givenUp(second)].toSorted()).toEqual(HOPELESS);
    expect(readFileSync(left, 'utf8')).toBe('');
  },
);

test('--help', async () => {
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', '--help').ended;
  expect(stdout).toMatch(/^Usage: worker-pool \[options\]/);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('bad arguments', async () => {
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', '--workers', 'many').ended;
  expect(stderr).toMatch(/^error: .*argument 'many' is invalid/);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});
