import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { Findings } from './findings.js';
import { jsonReport, textReport } from './report.js';

const root = resolve('/data');
const summary = { root, complete: true, elapsed: 1234.5 };
const wide = { top: 2, columns: undefined };

function findings(): Findings {
  const result = new Findings();
  const add = (path: string, size: number, sha256: string): void => {
    const file = { path: resolve(root, path), size, identity: undefined };
    result.addFile(file);
    result.addHash(file, sha256);
  };
  for (const path of ['a', 'b']) add(path, 2_000_000, '0123');
  for (const path of ['c', 'd', 'e', 'f', 'g']) add(path, 12_345, '4567');
  for (const path of ['h', 'i', 'j']) add(path, 10, '89ab');
  result.addFile({ path: resolve(root, 'k'), size: 10, identity: '1' });
  result.addFile({ path: resolve(root, 'l'), size: 10, identity: '1' }, { isHardLink: true });
  result.addUnreadable(resolve(root, 'm'), new Error('EACCES: permission denied, open'));
  return result;
}

test('the table', () => {
  expect(textReport(findings(), summary, wide)).toBe(`\
Duplicates below ${root}

 wasted  copies     size  files
 2.0 MB       2   2.0 MB  a
                          b
49.4 kB       5  12.3 kB  c
                          d
                          e
                          and 2 more
   20 B  in 1 more set (see --top and --json)

12 files with 4.1 MB; 10 of them with 4.1 MB had to be read. 1.2 s.
7 duplicates in 3 sets: 2.0 MB wasted.
1 hard link to files that were counted: nothing wasted.
1 could not be read:
  m: permission denied
`);
});

test('four files are shown, rather than three and one more', () => {
  const result = new Findings();
  for (const path of ['a', 'b', 'c', 'd']) {
    result.addHash({ path: resolve(root, path), size: 1, identity: undefined }, 'x');
  }
  expect(textReport(result, summary, wide)).toContain('  d\n');
});

test('nothing found', () => {
  expect(textReport(new Findings(), summary, wide)).toBe(`\
Duplicates below ${root}

0 files with 0 B; 0 of them with 0 B had to be read. 1.2 s.
No duplicates.
`);
});

test('says when it is incomplete', () => {
  const text = textReport(findings(), { ...summary, complete: false }, wide);
  expect(text.split('\n')[2]).toBe('INCOMPLETE: interrupted, so this is only what was found so far.');
});

test('lists only a few of many unreadable files', () => {
  const result = new Findings();
  for (let i = 10; i < 20; i++) result.addUnreadable(resolve(root, `${i}`), new Error('ELOOP: loop, open'));
  expect(textReport(result, summary, wide)).toMatch(
    /10 could not be read:\n {2}10: loop\n(.*\n){4} {2}and 5 more\n$/,
  );
});

test('file names cannot draw on the terminal, and are shortened to fit on it', () => {
  const result = new Findings();
  const long = `${'very/'.repeat(50)}long`;
  for (const path of ['bad\u001B[2J\nname', long]) {
    result.addHash({ path: resolve(root, path), size: 1, identity: undefined }, 'x');
  }
  const lines = textReport(result, summary, { top: 10, columns: 60 }).split('\n');
  expect(lines[3]).toBe('   1 B       2   1 B  bad\uFFFD[2J\uFFFDname');
  expect(lines[4]).toMatch(/^ {22}…\S+very.long$/);
  expect(lines[4]).toHaveLength(60);
});

test('JSON', () => {
  expect(JSON.parse(jsonReport(findings(), summary))).toEqual({
    root,
    complete: true,
    elapsedMs: 1235,
    files: 12,
    bytes: 4_061_765,
    hardLinks: 1,
    hashedFiles: 10,
    hashedBytes: 4_061_755,
    duplicates: 7,
    wastedBytes: 2_049_400,
    sets: [
      { sha256: '0123', size: 2_000_000, wasted: 2_000_000, paths: ['a', 'b'] },
      { sha256: '4567', size: 12_345, wasted: 49_380, paths: ['c', 'd', 'e', 'f', 'g'] },
      { sha256: '89ab', size: 10, wasted: 20, paths: ['h', 'i', 'j'] },
    ],
    unreadable: [{ path: 'm', reason: 'permission denied' }],
  });
});
