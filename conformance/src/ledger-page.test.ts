import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checkLedger } from './ledger.js';
import { pageFile, readPageData, renderPage } from './ledger-page.js';
import type { Mutation } from './mutations.js';

test('docs/conformance.md is up to date', () => {
  const page = existsSync(pageFile) ? readFileSync(pageFile, 'utf8').replaceAll('\r\n', '\n') : '';
  expect(page, 'run `pnpm conformance:page`').toBe(renderPage(readPageData()));
});

const upstream = `
core\ttrio\tsrc/trio/_core/_tests/test_run.py\ttest_a
core\ttrio\tsrc/trio/_core/_tests/test_run.py\ttest_b
core\tanyio\ttests/test_taskgroups.py\tTest_C.test_c
core\tanyio\ttests/test_taskgroups.py\ttest_d
sync\tanyio\ttests/test_synchronization.py\ttest_e`;
const ledger = checkLedger({
  upstream,
  files: new Map([
    [
      'a.tsv',
      `core\ttrio\tsrc/trio/_core/_tests/test_run.py\ttest_a\tcovered\tsrc/a.test.ts > one > a|b ;; src/a.test.ts > <T> is _not_ \`any_*\`
core\ttrio\tsrc/trio/_core/_tests/test_run.py\ttest_b\tn/a\tthreads: there are none ;; src/a.test.ts > one > a|b
core\tanyio\ttests/test_taskgroups.py\tTest_C.test_c\tn/a\tthreads: none | at all`,
    ],
  ]),
  accounted: ['core'],
  testFile: () => "describe('one', () => { test('a|b') }); test('<T> is _not_ `any_*`');",
});
const mutation: Mutation = {
  id: 'some',
  breaks: 'Something.',
  file: 'some.ts',
  text: '0',
  instead: '1',
  caughtBy: 'traces',
};
const page = renderPage({
  ledger,
  differences: '## Differences\n\nNone.\n',
  programs: 1500,
  mutations: [
    mutation,
    { ...mutation, caughtBy: { file: 'src/a.test.ts', title: 'one > a|b', why: 'It is none.' } },
  ],
});

test('the page says what is checked', () => {
  expect(ledger.problems).toEqual(['anyio tests/test_taskgroups.py test_d is not accounted for (core)']);
  expect(page).toContain('1,500 small programs');
  expect(page).toContain('have 5 tests for the parts');
  expect(page).toContain('The 1 tests for `sync` are not accounted for yet');
  expect(page).toContain('makes 2 mistakes in a copy');
  expect(page).toContain('It fails when one of them goes unnoticed. 1 are');
  expect(page).toContain('## Differences\n\nNone.\n\n## Every test');
  const complete = { tests: ledger.tests, later: [], entries: ledger.entries, problems: [] };
  const done = renderPage({ ledger: complete, differences: '', programs: 20, mutations: [] });
  expect(done).not.toContain('not accounted for yet');
});

test('the page counts by file, by system and by reason', () => {
  expect(page).toContain(
    '| Trio | [`src/trio/_core/_tests/test_run.py`](#trio-srctrio_core_teststest_runpy) | 2 | 1 | 1 |\n' +
      '| AnyIO | [`tests/test_taskgroups.py`](#anyio-teststest_taskgroupspy) | 2 | 0 | 1 |\n' +
      '| Trio | all | 2 | 1 | 1 |\n' +
      '| AnyIO | all | 2 | 0 | 1 |\n' +
      '|  | all | 4 | 1 | 2 |\n',
  );
  expect(page).toMatch(/\| threads \| about threads .* \| 2 \|\n\n/);
  expect(page).not.toContain('| garbage-collection |');
});

test('the page lists every test with what accounts for it', () => {
  expect(page).toContain('### Trio `src/trio/_core/_tests/test_run.py`');
  expect(page).toContain(
    '| `test_a` | [a.test.ts](../src/a.test.ts): one › a\\|b<br>[a.test.ts](../src/a.test.ts): \\<T> is \\_not\\_ `any_*` |',
  );
  expect(page).toContain(
    '| `test_b` | *threads:* there are none<br>[a.test.ts](../src/a.test.ts): one › a\\|b |',
  );
  expect(page).toContain('| `Test_C.test_c` | *threads:* none \\| at all |');
  expect(page).toContain('| `test_d` | not accounted for |');
});
