import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from './exec.mjs';
import {
  checkPage,
  page,
  readExports,
  readNames,
  type Exports,
  type UpstreamName,
} from './upstream-names.js';

test('every public name of AnyIO and Trio has its row, and every name of ours exists', () => {
  const names = readNames();
  expect(names.length).toBeGreaterThan(600);
  expect(checkPage(readFileSync(join(root, page), 'utf8'), names, readExports())).toEqual([]);
});

describe('the checker', () => {
  const exported: Exports = new Map([
    [
      'core',
      new Map([
        ['Scope', new Set(['cancelCalled'])],
        ['run', new Set<string>()],
      ]),
    ],
  ]);
  const names: UpstreamName[] = [
    { system: 'anyio', name: 'run', kind: 'function' },
    { system: 'trio', name: 'lowlevel.Scope', kind: 'class' },
    { system: 'trio', name: 'lowlevel.Scope.cancel_called', kind: 'member' },
    { system: 'trio', name: 'lowlevel.Scope.old_name', kind: 'member' },
  ];
  const good = [
    '| AnyIO | Trio | Here | Package |',
    '| --- | --- | --- | --- |',
    '| `run` | | `run`; not `needed` | core |',
    '| | `lowlevel.Scope` | `Scope` | core |',
    '',
    '| There | Here |',
    '| --- | --- |',
    '| `lowlevel.Scope.old_name` | none |',
  ];

  function problems(...changes: readonly (readonly [line: number, text: string])[]): string[] {
    const lines = [...good];
    for (const [line, text] of changes) lines[line - 1] = text;
    return checkPage(lines.join('\n'), names, exported);
  }

  test('finds nothing wrong with a page that is complete', () => {
    expect(problems()).toEqual([]);
    expect(problems([3, '| `run` | | none: because | |'])).toEqual([]);
  });

  test('finds names that are missing, unknown, or there twice', () => {
    expect(problems([3, ''])).toEqual(['run of anyio has no row']);
    expect(problems([3, '| `run`, `walk` | | `run` | core |'])).toEqual(['there is no anyio walk']);
    expect(problems([4, '| `run` | `lowlevel.Scope` | `Scope` | core |'])).toEqual([
      '4: run of anyio stands here a second time',
    ]);
  });

  test('finds names of ours that are not exported', () => {
    expect(problems([3, '| `run` | | `walk` | core |'])).toEqual(['3: core does not export walk']);
    expect(problems([3, '| `run` | | `run` | cor |'])).toEqual(['3: there is no package cor']);
    expect(() => problems([3, '| `run` | | | core |'])).toThrow('3: neither a name nor a reason');
  });

  test('finds members without a counterpart, and exceptions that are none', () => {
    expect(problems([8, ''])).toEqual([
      'lowlevel.Scope.old_name of trio has no counterpart, and no exception',
    ]);
    expect(problems([8, '| `old_name`, `cancel_called`, `other` | none |'])).toEqual([
      'lowlevel.Scope.cancel_called of trio is no exception',
      'the exception other is no member',
    ]);
  });
});
