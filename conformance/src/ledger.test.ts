import { describe, expect, test } from 'vitest';
import { checkLedger, key, type Ledger, readLedger } from './ledger.js';

test('every test of AnyIO and Trio is accounted for', () => {
  expect(checkLedger(readLedger()).problems).toEqual([]);
});

describe('the checker', () => {
  const covered = 'core\ttrio\ttest_run.py\ttest_a\tcovered\tsrc/a.test.ts > group > is left';
  const upstream =
    'package\tsystem\tfile\ttest\ncore\ttrio\ttest_run.py\ttest_a\nsync\ttrio\ttest_sync.py\ttest_b\n';
  const source = `
    describe('group', () => { test('is left', () => {}); it.skip('is entered', () => {}); });
    test.each([1, 2])('has $a > %i children', () => {});
  `;

  function check(files: Readonly<Record<string, string>>, rest: Partial<Ledger> = {}) {
    const testFile = (name: string): string | undefined => (name === 'src/a.test.ts' ? source : undefined);
    return checkLedger({
      upstream,
      files: new Map(Object.entries(files)),
      accounted: ['core'],
      testFile,
      ...rest,
    });
  }

  function problems(row: string): readonly string[] {
    return check({ 'a.tsv': row }).problems;
  }

  test('finds nothing wrong with a ledger that is complete', () => {
    const { tests, later, entries, problems } = check({ 'a.tsv': `${covered}\n` });
    expect(problems).toEqual([]);
    expect(tests.map(key)).toEqual(['trio test_run.py test_a']);
    expect(later.map(key)).toEqual(['trio test_sync.py test_b']);
    expect(entries.get('trio test_run.py test_a')?.verdict).toEqual({
      kind: 'covered',
      tests: [{ file: 'src/a.test.ts', title: 'group > is left' }],
    });
  });

  test('reads several references, a header, empty lines and a reason with a colon', () => {
    const header = 'package\tsystem\tfile\ttest\tverdict\tevidence';
    const first = `${covered} ;; src/a.test.ts > has $a > %i children`;
    const second = 'sync\ttrio\ttest_sync.py\ttest_b\tn/a\tthreads: as always: none';
    const { entries, problems } = check({ 'a.tsv': `${header}\n\n${first}\r\n`, 'b.tsv': second });
    expect(problems).toEqual([]);
    expect(entries.get('trio test_run.py test_a')?.verdict).toMatchObject({
      tests: [{}, { title: 'has $a > %i children' }],
    });
    expect(entries.get('trio test_sync.py test_b')?.verdict).toEqual({
      kind: 'n/a',
      category: 'threads',
      reason: 'as always: none',
      tests: [],
    });
  });

  test('takes references after a reason, too, and checks them', () => {
    const row = 'core\ttrio\ttest_run.py\ttest_a\tn/a\tby-design: differs ;; src/a.test.ts > group > is left';
    const { entries, problems } = check({ 'a.tsv': row });
    expect(problems).toEqual([]);
    expect(entries.get('trio test_run.py test_a')?.verdict).toMatchObject({
      reason: 'differs',
      tests: [{ file: 'src/a.test.ts', title: 'group > is left' }],
    });
    expect(check({ 'a.tsv': row.replace('left', 'lost') }).problems).toEqual([
      "a.tsv:1: there is no test 'group > is lost' in src/a.test.ts",
    ]);
  });

  test('a row that is missing', () => {
    expect(problems('')).toEqual(['trio test_run.py test_a is not accounted for (core)']);
    expect(check({ 'a.tsv': covered }, { accounted: ['core', 'sync'] }).problems).toEqual([
      'trio test_sync.py test_b is not accounted for (sync)',
    ]);
  });

  test('two rows for one test, also if they agree', () => {
    expect(check({ 'a.tsv': covered, 'b.tsv': `\n${covered}` }).problems).toEqual([
      'trio test_run.py test_a is accounted for more than once: a.tsv:1 (covered), b.tsv:2 (covered)',
    ]);
  });

  test('a row about a test that does not exist upstream', () => {
    expect(problems(`${covered}\n${covered.replace('test_a', 'test_z')}`)).toEqual([
      'a.tsv:2: there is no upstream test trio test_run.py test_z',
    ]);
  });

  test('a row under the wrong package', () => {
    expect(problems(covered.replace('core', 'testing'))).toEqual([
      'a.tsv:1: trio test_run.py test_a is a test for core, not for testing',
    ]);
  });

  test('a row with too few or too many columns', () => {
    expect(problems(`${covered}\nx\ty\n${covered}\tmore`)).toEqual([
      'a.tsv:2: a row has six columns, this one has 2',
      'a.tsv:3: a row has six columns, this one has 7',
    ]);
  });

  test('a verdict that is none', () => {
    expect(problems(covered.replace('covered', 'maybe'))).toEqual([
      "a.tsv:1: the verdict is 'covered' or 'n/a', not 'maybe'",
    ]);
  });

  test.each([
    ['python', /^a\.tsv:1: there is no category 'python', only asyncio, /],
    ['later: it is merely missing', /^a\.tsv:1: there is no category 'later', only /],
    ['threads', /^a\.tsv:1: no reason is given after 'threads:'$/],
    ['threads: ', /^a\.tsv:1: no reason is given after 'threads:'$/],
  ])('a reason that is none: %s', (reason, problem) => {
    const row = `core\ttrio\ttest_run.py\ttest_a\tn/a\t${reason}`;
    expect(problems(row)).toEqual([expect.stringMatching(problem)]);
  });

  test.each([
    ['src/b.test.ts > group > is left', 'a.tsv:1: there is no test file src/b.test.ts'],
    ['src/a.test.ts > is left', "a.tsv:1: there is no test 'is left' in src/a.test.ts"],
    ['src/a.test.ts > group', "a.tsv:1: there is no test 'group' in src/a.test.ts"],
    [
      'src/a.test.ts > group > is entered',
      "a.tsv:1: the test 'group > is entered' in src/a.test.ts is skipped",
    ],
    ['src/a.ts > group', "a.tsv:1: 'src/a.ts > group' is not of the form FILE.test.ts > DESCRIBE > TITLE"],
    ['', "a.tsv:1: '' is not of the form FILE.test.ts > DESCRIBE > TITLE"],
  ])('a reference that leads nowhere: %s', (reference, problem) => {
    expect(problems(`core\ttrio\ttest_run.py\ttest_a\tcovered\t${reference}`)).toEqual([problem]);
  });
});
