import { expect, test } from 'vitest';
import { Candidates } from './candidates.js';
import type { FoundFile } from './walk.js';

function file(path: string, size: number, identity?: string): FoundFile {
  return { path, size, identity };
}

const notYet = { isHardLink: false, worthReading: [] };

test('a file is worth reading once there is another of its size', () => {
  const candidates = new Candidates();
  const [a, b, c] = [file('a', 10), file('b', 10), file('c', 10)];
  expect(candidates.add(a)).toEqual(notYet);
  expect(candidates.add(file('other', 11))).toEqual(notYet);
  expect(candidates.add(b)).toEqual({ isHardLink: false, worthReading: [a, b] });
  expect(candidates.add(c)).toEqual({ isHardLink: false, worthReading: [c] });
});

test('empty files are not', () => {
  const candidates = new Candidates();
  expect(candidates.add(file('a', 0))).toEqual(notYet);
  expect(candidates.add(file('b', 0))).toEqual(notYet);
});

test('neither are further names of the same file', () => {
  const candidates = new Candidates();
  expect(candidates.add(file('a', 5, '1:1'))).toEqual(notYet);
  expect(candidates.add(file('b', 5, '1:1'))).toEqual({ isHardLink: true, worthReading: [] });
  expect(candidates.add(file('c', 5, '1:2')).worthReading).toHaveLength(2);
});
