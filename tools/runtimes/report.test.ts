import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { columns, renderTable, renderTerminalTable, replaceTable, type Report } from './report.mjs';
import { servers } from './runtimes.mjs';

const page = readFileSync(new URL('../../docs/runtimes.md', import.meta.url), 'utf8').replaceAll(
  '\r\n',
  '\n',
);

const report: Report = {
  label: 'Tea',
  version: '1.2.3',
  passed: 1_234,
  failures: [],
  counts: new Map([
    [columns[0]!, { passed: 1_234, failed: 0 }],
    [columns[1]!, { passed: 1, failed: 2 }],
  ]),
  seconds: 1.25,
};

test('a row tells what passed, what failed, and what was not run', () => {
  expect(renderTable([report]).split('\n')[2]).toBe('| Tea | 1.2.3 | 1,234 | 1 of 3 | – | – | – |');
  expect(renderTerminalTable([report])).toMatch(/\nTea {6}1\.2\.3 {4}1,234  1 of 3 .* 1\.3 s$/);
});

test('the page takes another table, and keeps the rest', () => {
  const changed = replaceTable(page, renderTable([report]));
  expect(changed).toContain('| Tea |');
  expect(changed).not.toContain('| Deno |');
  expect(replaceTable(changed, renderTable([]))).toBe(replaceTable(page, renderTable([])));
  expect(() => replaceTable('# No marks', '')).toThrow('docs/runtimes.md must have');
});

test('the page shows every runtime, and no failure', () => {
  for (const label of [...servers.map((server) => server.label), 'Chromium']) {
    expect(page).toMatch(new RegExp(`^\\| ${label} \\| [\\d.]+ \\|( [\\d,–]+ \\|){${columns.length}}$`, 'm'));
  }
});
