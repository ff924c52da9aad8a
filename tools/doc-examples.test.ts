import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { examplesIn, writeExamples } from './doc-examples.js';

describe('the examples of the documentation run', () => {
  // Those that cannot be run are type-checked all the same, with the others.
  for (const { source, line, file } of writeExamples().filter(({ noRun }) => noRun === undefined)) {
    test(`${source}:${line}`, async () => {
      const rejections: unknown[] = [];
      const note = (reason: unknown): void => void rejections.push(reason);
      process.on('unhandledRejection', note);
      try {
        await import(/* @vite-ignore */ pathToFileURL(file).href);
        await nextTurn();
        await nextTurn();
      } finally {
        process.off('unhandledRejection', note);
      }
      expect(rejections, 'unhandled rejections').toEqual([]);
    });
  }
});

describe('extraction', () => {
  test('finds the ts blocks of Markdown', () => {
    const text =
      'a\n```ts\nconst a = 1;\n```\n```sh\nls\n```\n- item\n  ```ts no-run: needs a server\n  listen();\n  ```\n';
    expect(examplesIn('x.md', text)).toEqual([
      { source: 'x.md', line: 3, code: 'const a = 1;', noRun: undefined },
      { source: 'x.md', line: 10, code: 'listen();', noRun: 'needs a server' },
    ]);
  });

  test('finds the ts blocks of doc comments, but not of other comments', () => {
    const text =
      '/** One. */\n/**\n * @example\n * ```ts\n * f();\n *\n *   g();\n * ```\n */\n/* ```ts\nno();\n``` */\n';
    expect(examplesIn('x.ts', text)).toEqual([
      { source: 'x.ts', line: 5, code: 'f();\n\n  g();', noRun: undefined },
    ]);
  });

  test('refuses a block that is not to be run without a reason', () => {
    expect(() => examplesIn('x.md', '```ts no-run\nf();\n```')).toThrow(
      'x.md:1: "ts no-run" is not understood',
    );
  });

  test('refuses a block without an end', () => {
    expect(() => examplesIn('x.md', '\n```ts\nf();\n')).toThrow('x.md:2: a code block is never closed');
  });
});
