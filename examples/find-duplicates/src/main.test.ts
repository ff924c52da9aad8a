/** The program as its users see it. */

import { chmodSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { startProgram } from '../../program.fixture.js';
import { temporaryFolder } from './temporary-folder.fixture.js';

vi.setConfig({ testTimeout: 60_000 });

const isWindows = process.platform === 'win32';

test('in a pipe: a table on stdout, nothing on stderr', async () => {
  const root = temporaryFolder({ a: 'contents', 'b/c': 'contents', d: 'CONTENTS' });
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', root).ended;
  expect(stderr).toBe('');
  expect(stdout.replace(/\d+\.\d s/, '0.1 s')).toBe(`\
Duplicates below ${root}

wasted  copies  size  files
   8 B       2   8 B  a
                      ${join('b', 'c')}

3 files with 24 B; 3 of them with 24 B had to be read. 0.1 s.
1 duplicate in 1 set: 8 B wasted.
`);
  expect(code).toBe(0);
});

test('--json', async () => {
  const root = temporaryFolder({ a: 'contents', b: 'contents' });
  const { code, stdout, stderr } = await startProgram(
    import.meta.url,
    'main.ts',
    '--json',
    root,
    '--limit',
    '1',
  ).ended;
  expect(JSON.parse(stdout)).toMatchObject({
    root,
    complete: true,
    files: 2,
    duplicates: 1,
    sets: [{ size: 8, wasted: 8, paths: ['a', 'b'] }],
    unreadable: [],
  });
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('without arguments: the node_modules of this repository', async () => {
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', '--json').ended;
  const report = JSON.parse(stdout) as { root: string; complete: boolean; files: number };
  expect(report).toMatchObject({ root: expect.stringMatching(/node_modules$/), complete: true });
  expect(report.files).toBeGreaterThan(1000);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('shows the progress on stderr when asked to, and removes it', async () => {
  const { code, stderr, stdout } = await startProgram(
    import.meta.url,
    'main.ts',
    '--progress',
    temporaryFolder(),
  ).ended;
  expect(stderr).toContain('0 files found');
  expect(stderr.endsWith('\r\u001B[K')).toBe(true);
  expect(stdout).not.toContain('\u001B');
  expect(code).toBe(0);
});

test('--help', async () => {
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', '--help').ended;
  expect(stdout).toMatch(/^Usage: find-duplicates \[options\] \[path\]/);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test.each([
  [['--limit', '0'], "argument '0' is invalid. Give a whole number, 1 or more."],
  [['--limit', '1001'], "argument '1001' is invalid. 1000 is the most."],
  [['--file-timeout', 'soon'], "argument 'soon' is invalid"],
  [['--frobnicate'], "unknown option '--frobnicate'"],
  [['no/such/folder'], 'there is no such folder'],
  [['package.json'], 'it is not a folder'],
  [['.', '.'], 'too many arguments'],
])('bad arguments: %s', async (args, message) => {
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', ...args).ended;
  expect(stderr).toMatch(/^error: /);
  expect(stderr).toContain(message);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

// A file name that is no UTF-8 cannot be opened by its name as a string, not even by root.
test.runIf(process.platform === 'linux')('unreadable files are reported, and survived', async () => {
  const root = temporaryFolder({ a: 'contents', b: 'contents', forbidden: 'contents' });
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), 'contents');
  chmodSync(join(root, 'forbidden'), 0);
  // Root may read it all the same.
  const forbidden = process.getuid?.() === 0 ? [] : ['  forbidden: permission denied'];
  const unreadable = [...forbidden, '  \uFFFD: no such file or directory'];

  const { code, stdout } = await startProgram(import.meta.url, 'main.ts', root).ended;
  expect(stdout).toContain(`\n${unreadable.length} could not be read:\n${unreadable.join('\n')}\n`);
  expect(stdout).toMatch(/ 8 B {2}a\n +b\n/);
  expect(code).toBe(0);
});

describe.skipIf(isWindows)('files that take for ever', () => {
  /** Two files of a size that nobody can read in a minute. They take no space on the disk. */
  function folderWithEndlessFiles(): string {
    const root = temporaryFolder({ a: 'contents', b: 'contents', endless1: '', endless2: '' });
    for (const name of ['endless1', 'endless2']) truncateSync(join(root, name), 2 ** 38);
    return root;
  }

  test('are given up after --file-timeout', async () => {
    const root = folderWithEndlessFiles();
    const { code, stdout } = await startProgram(
      import.meta.url,
      'main.ts',
      root,
      '--file-timeout',
      '1000',
      '--json',
    ).ended;
    expect(JSON.parse(stdout)).toMatchObject({
      complete: true,
      sets: [{ paths: ['a', 'b'] }],
      unreadable: ['endless1', 'endless2'].map((path) => ({
        path,
        reason: 'reading timed out after 1000 ms',
      })),
    });
    expect(code).toBe(0);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s prints what was found so far, and exits with %i', async (signal, exitCode) => {
    const program = startProgram(import.meta.url, 'main.ts', folderWithEndlessFiles(), '--progress');
    await program.printed('1 duplicate');
    const began = performance.now();
    program.kill(signal);
    const { code, stdout, stderr } = await program.ended;
    // Within a second on a machine that has nothing else to do.
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(stdout).toMatch(/INCOMPLETE: [^]* 8 B {2}a\n +b\n/);
    expect(stdout).not.toContain('could not be read');
    expect(stderr.endsWith('\r\u001B[K')).toBe(true);
    expect(code).toBe(exitCode);
  });

  test('and with --json, which then says that it is incomplete', async () => {
    const program = startProgram(
      import.meta.url,
      'main.ts',
      folderWithEndlessFiles(),
      '--progress',
      '--json',
    );
    await program.printed('1 duplicate');
    program.kill('SIGINT');
    const { code, stdout } = await program.ended;
    expect(JSON.parse(stdout)).toMatchObject({
      complete: false,
      sets: [{ paths: ['a', 'b'] }],
      unreadable: [],
    });
    expect(code).toBe(130);
  });
});
