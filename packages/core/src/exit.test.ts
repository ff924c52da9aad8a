/** How a process ends that uses the package: real programs in processes of their own. */

import { describe, expect, test } from 'vitest';

import { ended } from './program.fixture.js';

const fixture = new URL('exit.fixture.ts', import.meta.url);

// Starting a process takes its time on a busy machine.
describe.concurrent('a process', { timeout: 60_000 }, () => {
  const quiet = { code: 0, signal: null, stderr: '' };

  test.for([
    ['exits by itself when all scopes are left', 'scopes that were left', 'left\n'],
    ['is kept alive by a pending sleep', 'a pending sleep', 'slept\n'],
    ['is kept alive by the deadline of an open scope', 'a scope with a deadline', 'timed out\n'],
    ['is not kept alive by waits without a time', 'waits without a time', 'parked: 1\n'],
    ['is not kept alive by a deadline that was taken back', 'a deadline that was taken back', 'taken back\n'],
    [
      'knows no unhandled rejection of a wait that was cancelled',
      'a floating wait that was cancelled',
      'cancelled\n',
    ],
    [
      'knows no unhandled rejection of a wait that was adopted and cancelled',
      'a floating wait that was adopted and cancelled',
      'cancelled\n',
    ],
    [
      'knows no unhandled rejection of handles that nobody awaits',
      'handles that nobody awaits',
      'the group told\n',
    ],
    ['knows no unhandled rejection of a start that was cancelled', 'a start that was cancelled', 'over\n'],
  ] as const)('%s', async ([, program, stdout]) => {
    expect(await ended(fixture, program)).toEqual({ ...quiet, stdout });
  });

  test('is told of a deadlock before it exits, and can draw it', async () => {
    const { code, stdout } = await ended(fixture, 'a deadlock');
    expect(code).toBe(13);
    expect(stdout).toMatch(/run "main" \(task \d+\), waits for sleepForever/);
  });

  test('ends with an error that nobody awaits, so these tests can fail', async () => {
    const { code, stderr } = await ended(fixture, 'an error that nobody awaits');
    expect(code).toBe(1);
    expect(stderr).toContain('a real one');
  });

  test('ends with the error of a wait that began after its scope was left, in a strict run', async () => {
    const { code, stderr } = await ended(
      fixture,
      'a wait that began after its scope was left, in a strict run',
    );
    expect(code).toBe(1);
    expect(stderr).toContain(
      'ScopeExitedError: checkpoint() began in the scope "inner", which has been left',
    );
  });

  test('ends with the error of a wait that escaped from a strict run and that nobody awaits', async () => {
    const { code, stderr } = await ended(fixture, 'a wait that escaped, in a strict run');
    expect(code).toBe(1);
    expect(stderr).toContain('ScopeExitedError: sleepForever began in the scope "main", which has been left');
  });
});
