import { expect, test } from 'vitest';
import { testTitles } from './ledger-titles.js';

function titles(source: string): readonly string[] {
  const tests = testTitles(new Map([['some/folder/a.test.ts', source]])).get('some/folder/a.test.ts');
  return tests!.map(({ title, skipped }) => (skipped ? `(${title})` : title));
}

test('tests and their describes', () => {
  const source = `
    import { describe, it, test } from 'vitest';
    test('alone', () => {});
    describe('outer', () => {
      describe("in'ner", () => { it("deep", async () => { await nothing('here'); }); });
      test.concurrent(\`beside\`, () => {});
    });
  `;
  expect(titles(source)).toEqual(['alone', "outer > in'ner > deep", 'outer > beside']);
});

test('tables and templates keep their raw titles', () => {
  const source = `
    test.each([['a', 1]])('%s is %i', () => {});
    describe.for(['x'])('table $0', () => { test.for([{ b: 'c' }])('has $b', () => {}); });
    test.each\`a | b\n\${1} | \${2}\`('$a is not $b', () => {});
    for (const name of names) test(\`\${name} is \${more(\`nested\`)}\`, () => {});
  `;
  expect(titles(source)).toEqual([
    '%s is %i',
    'table $0 > has $b',
    '$a is not $b',
    '${name} is ${more(`nested`)}',
  ]);
});

test('functions and classes as titles, and conditions', () => {
  const source = `
    describe(Lock, () => { test(acquire, () => {}); });
    test.skipIf(process.platform === 'win32')('on some', () => {});
  `;
  expect(titles(source)).toEqual(['Lock > acquire', 'on some']);
});

test('what is skipped or still to be done', () => {
  const source = `
    test.skip('a', () => {});
    test.todo('b');
    describe.skip('c', () => { test('d', () => {}); });
    describe('e', () => { it.skip.each([1])('f %i', () => {}); test('g', () => {}); });
  `;
  expect(titles(source)).toEqual(['(a)', '(b)', '(c > d)', '(e > f %i)', 'e > g']);
});

test('calls that define nothing, and comments', () => {
  const source = `
    // test('in a comment', () => {});
    const text = "test('in a string', () => {})";
    /x/.test('pattern'); toString('x'); other.test('y'); expect(1);
    test; test();
  `;
  expect(titles(source)).toEqual([]);
});

test('a function that defines tests', () => {
  const source = `
    function common(make) { test('of both', () => {}); }
    describe('one', () => { common(a); });
  `;
  expect(titles(source)).toEqual(['of both']);
});

test('several files at once, and none', () => {
  const files = new Map([
    ['a.test.ts', "test('x', () => {})"],
    ['b.test.ts', "test('y', (() => {"],
  ]);
  expect([...testTitles(files).values()]).toEqual([
    [{ title: 'x', skipped: false }],
    [{ title: 'y', skipped: false }],
  ]);
  expect(testTitles(new Map())).toEqual(new Map());
});
