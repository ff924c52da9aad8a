/** What becomes of tasks when something happens to their process: each test names a fault and its outcome. */

import { describe, expect, test } from 'vitest';

import { ended } from './program.fixture.js';

const fixture = new URL('process-faults.fixture.ts', import.meta.url);

const cleanedUp = 'a has cleaned up\nb has cleaned up\n';
const afterCleanUp = 'cleans up\nhas cleaned up\nrun() rejected: asked to stop\n';

// Starting a process takes its time on a busy machine.
const options = { concurrent: true, timeout: 60_000 };

// On Windows, SIGTERM ends a process without asking.
describe.skipIf(process.platform === 'win32')('SIGTERM', options, () => {
  test.for([
    [
      'with a handler that aborts the signal of run(): everyone cleans up, then it rejects with the reason',
      'SIGTERM',
      { code: 0, signal: null, stdout: `${cleanedUp}run() rejected: asked to stop\n` },
    ],
    [
      'without a handler: the process is gone at once, as without the package; nobody cleans up',
      'SIGTERM without a handler',
      { code: null, signal: 'SIGTERM', stdout: '' },
    ],
    [
      'twice, with a handler for the first: the second ends the process in the middle of the clean-up',
      'SIGTERM twice, with a handler for one',
      { code: null, signal: 'SIGTERM', stdout: 'cleans up\n' },
    ],
    [
      'twice, with a handler for both: the second changes nothing, and the clean-up is not disturbed',
      'SIGTERM twice, with a handler for all',
      { code: 0, signal: null, stdout: afterCleanUp },
    ],
    [
      'while a clean-up hangs: it is given up after its grace',
      'SIGTERM, and a clean-up that hangs',
      { code: 0, signal: null, stdout: afterCleanUp },
    ],
    [
      'while a clean-up awaits a bare promise that nothing will settle: Node ends the process with code 13',
      'SIGTERM, and a clean-up that awaits a bare promise',
      { code: 13, signal: null, stdout: 'cleans up\n' },
    ],
  ] as const)('%s', async ([, program, expected]) => {
    expect(await ended(fixture, program)).toMatchObject(expected);
  });
});

describe('an error that no task is there to throw', options, () => {
  test.for([
    [
      'from a callback: Node ends the process with it, and nobody cleans up',
      'an uncaught exception',
      'a callback has thrown',
    ],
    ['in a promise that nobody awaits: the same', 'an unhandled rejection', 'nobody awaits this'],
  ] as const)('%s', async ([, program, message]) => {
    const { code, stdout, stderr } = await ended(fixture, program);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`Error: ${message}`);
  });

  test.for([
    [
      'from a callback, with a handler that aborts the signal of run(): everyone cleans up, then it rejects with that error',
      'an uncaught exception that stops the run',
      `${cleanedUp}run() rejected: a callback has thrown\n`,
    ],
    [
      'in a promise that nobody awaits, with such a handler: the same',
      'an unhandled rejection that stops the run',
      `${cleanedUp}run() rejected: nobody awaits this\n`,
    ],
    [
      'from a callback that only begins a task: it is an error of the group like any other',
      'a callback that throws in a task',
      'a has cleaned up\nrun() rejected: 1 error in task group "workers": a callback has thrown\n',
    ],
  ] as const)('%s', async ([, program, stdout]) => {
    expect(await ended(fixture, program)).toEqual({ code: 0, signal: null, stdout, stderr: '' });
  });
});

test('process.exit() in a task: the process is gone at once, and nobody cleans up', options, async () => {
  expect(await ended(fixture, 'process.exit()')).toEqual({
    code: 3,
    signal: null,
    stdout: 'exits with 3\n',
    stderr: '',
  });
});
