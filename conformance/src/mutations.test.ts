import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transform } from 'esbuild';
import { expect, test } from 'vitest';
import { root, wrongReference } from './ledger.js';
import { testTitles } from './ledger-titles.js';
import { mutate, type Mutation, mutations } from './mutations.js';

const tests = mutations.flatMap(({ caughtBy }) => (caughtBy === 'traces' ? [] : [caughtBy]));

test('every mutation changes a program into another one', async () => {
  for (const mutation of mutations) {
    const changed = mutate(readFileSync(join(root, mutation.file), 'utf8'), mutation);
    expect(mutation.instead).not.toBe(mutation.text);
    // What cannot be parsed would be caught by anything.
    await transform(changed, { loader: 'ts', sourcefile: mutation.id });
  }
});

test('there are enough of them, each under a name of its own', () => {
  expect(mutations.length).toBeGreaterThanOrEqual(40);
  expect(new Set(mutations.map(({ id }) => id)).size).toBe(mutations.length);
});

test('every named test exists', () => {
  const files = [...new Set(tests.map(({ file }) => file))].filter((file) => existsSync(join(root, file)));
  const titles = testTitles(new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')])));
  const problems = tests.map(({ file, title }) => wrongReference(titles.get(file), file, title));
  expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
});

test.each([
  ['0 times', 'let a = 1;'],
  ['2 times', 'let a = 0, b = 0;'],
])('a text that is there %s is refused', (times, source) => {
  const mutation: Mutation = {
    id: 'some',
    breaks: 'Something.',
    file: 'some.ts',
    text: '= 0',
    instead: '= 1',
    caughtBy: 'traces',
  };
  expect(() => mutate(source, mutation)).toThrow(`some is ${times} in some.ts`);
  expect(mutate('let a = 0;', mutation)).toBe('let a = 1;');
});
