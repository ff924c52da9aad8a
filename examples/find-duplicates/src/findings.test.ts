import { TimeoutError } from '@taskscope/core';
import { expect, test } from 'vitest';
import { FileChangedError } from './file-errors.js';
import { Findings } from './findings.js';
import type { FoundFile } from './walk.js';

function file(path: string, size: number, identity?: string): FoundFile {
  return { path, size, identity };
}

test('counts files, and hard links, whose bytes do not count', () => {
  const findings = new Findings();
  findings.add({ kind: 'file', file: file('a', 5, '1:1'), isHardLink: false, candidates: 0 });
  findings.add({ kind: 'file', file: file('b', 5, '1:1'), isHardLink: true, candidates: 0 });
  findings.add({ kind: 'file', file: file('c', 5, '1:2'), isHardLink: false, candidates: 2 });
  expect(findings).toMatchObject({ files: 3, bytes: 10, hardLinks: 1, candidates: 2, hashed: 0 });
});

test('the progress is a snapshot', () => {
  const findings = new Findings();
  const before = findings.progress();
  findings.add({ kind: 'file', file: file('a', 5), isHardLink: false, candidates: 2 });
  findings.add({ kind: 'hash', file: file('a', 5), sha256: 'same' });
  findings.add({ kind: 'hash', file: file('b', 5), sha256: 'same' });
  findings.add({ kind: 'unreadable', path: 'c', error: new FileChangedError() });
  const nothing = { files: 0, candidates: 0, hashed: 0, duplicates: 0, wasted: 0, unreadableCount: 0 };
  expect(before).toEqual(nothing);
  expect(findings.progress()).toEqual({
    files: 1,
    candidates: 2,
    hashed: 2,
    duplicates: 1,
    wasted: 5,
    unreadableCount: 1,
  });
});

test('sets: the most wasteful first, then by path', () => {
  const findings = new Findings();
  for (const [path, size, sha256] of [
    ['z/small', 1, 'small'],
    ['b', 10, 'first'],
    ['unique', 10, 'unique'],
    ['d', 10, 'second'],
    ['a', 10, 'first'],
    ['c', 10, 'second'],
    ['y/small', 1, 'small'],
    ['x/small', 1, 'small'],
  ] as const) {
    findings.addHash(file(path, size), sha256);
  }
  expect(findings.sets()).toEqual([
    { sha256: 'first', size: 10, wasted: 10, paths: ['a', 'b'] },
    { sha256: 'second', size: 10, wasted: 10, paths: ['c', 'd'] },
    { sha256: 'small', size: 1, wasted: 2, paths: ['x/small', 'y/small', 'z/small'] },
  ]);
  expect(findings).toMatchObject({ hashed: 8, hashedBytes: 53, duplicates: 4, wasted: 22 });
});

test('what could not be read, with the reason in a few words', () => {
  const findings = new Findings();
  const systemError = Object.assign(new Error("EACCES: permission denied, open '/c'"), { syscall: 'open' });
  findings.addUnreadable('/c', systemError);
  findings.addUnreadable('/b', new TimeoutError('reading timed out after 2000 ms'));
  findings.addUnreadable('/a', new FileChangedError());
  expect(findings.unreadableCount).toBe(3);
  expect(findings.unreadable()).toEqual([
    { path: '/a', reason: 'it changed while it was read' },
    { path: '/b', reason: 'reading timed out after 2000 ms' },
    { path: '/c', reason: 'permission denied' },
  ]);
});
