import { expect, test } from 'vitest';
import { Interrupted } from '../../interruption.js';
import { startProgram } from '../../program.fixture.js';

test('the exit code is that of a shell', () => {
  expect(new Interrupted('SIGINT').exitCode).toBe(130);
  expect(new Interrupted('SIGTERM').exitCode).toBe(143);
});

// On Windows, kill() ends a process without asking.
test.skipIf(process.platform === 'win32').each(['SIGINT', 'SIGTERM'] as const)(
  'after a SIGINT that the program takes its time with, %s kills it',
  async (second) => {
    const program = startProgram(import.meta.url, 'interrupt.fixture.ts');
    await program.printed('working');
    program.kill('SIGINT');
    await program.printed('cleaning up');
    program.kill(second);
    expect(await program.ended).toMatchObject({ code: null, signal: second });
  },
  30_000,
);
