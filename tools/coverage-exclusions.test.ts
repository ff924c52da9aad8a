import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { root } from './exec.mjs';

/** What tells coverage to look away, in any of the forms that it understands. */
const HINT = /(?:v8|c8|istanbul|node:coverage)\s+ignore\b/;
/** Of the statement that follows and no more, with the reason. */
const WITH_REASON = /^\/\* v8 ignore (?:next|if|else) -- \S.{10,} \*\/$/;

function unexplained(source: string): string[] {
  return source
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => HINT.test(line) && !WITH_REASON.test(line));
}

test('whatever coverage leaves out has a comment of its own, which says why', () => {
  const sources = ['core', 'sync', 'streams'].flatMap((name) => {
    const folder = join(root, 'packages', name, 'src');
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => /(?<!\.test|\.fixture)\.ts$/.test(file))
      .map((file) => readFileSync(join(folder, file), 'utf8'));
  });
  expect(sources.length).toBeGreaterThan(50);
  expect(sources.flatMap(unexplained)).toEqual([]);
});

test('a comment without a reason, or for more than what follows, is found', () => {
  expect(unexplained('/* v8 ignore next -- nobody ever rejects it */\nreject();')).toEqual([]);
  for (const comment of [
    '/* v8 ignore next */',
    '/* v8 ignore next -- */',
    '/* v8 ignore next -- TODO */',
    '// v8 ignore next -- nobody ever rejects it',
    '/* v8 ignore file -- nobody ever rejects it */',
    '/* v8 ignore start -- nobody ever rejects it */',
    '/* istanbul ignore next -- nobody ever rejects it */',
    '/* c8 ignore next -- nobody ever rejects it */',
    'reject(); /* v8 ignore next -- nobody ever rejects it */',
  ]) {
    expect(unexplained(`a();\n  ${comment}\nb();`)).toEqual([comment]);
  }
});
