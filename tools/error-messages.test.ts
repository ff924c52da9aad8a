import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  differences,
  errorClasses,
  listedMessages,
  madeMessages,
  page,
  sources,
  withoutLink,
  type Message,
} from './error-messages.js';
import { root } from './exec.mjs';

const errors = readFileSync(join(root, 'packages/core/src/errors.ts'), 'utf8');
const markdown = readFileSync(join(root, page), 'utf8');

describe('the page of error messages', () => {
  test('lists every message, each with its cause and its cure, and none that is not made', () => {
    const made = madeMessages(sources());
    expect(made.length).toBeGreaterThan(100);
    expect(differences(made, listedMessages(markdown))).toEqual([]);
  });

  test('has a section for each error class, to which its doc comment leads', () => {
    const sections = [...markdown.matchAll(/^## (\S+)$/gm)].map(([, name]) => name);
    expect(sections).toEqual(expect.arrayContaining(errorClasses(errors)));
    expect(withoutLink(errors)).toEqual([]);
  });
});

describe('what is read from sources', () => {
  const classes = 'export class TimeoutError extends Error {}\n';

  function texts(source: string): string[] {
    return madeMessages(
      new Map([
        ['errors.ts', classes],
        ['a.ts', source],
      ]),
    ).map(({ heading, text }) => `${heading}: ${text}`);
  }

  test('plain text, templates and sums, with names for what is filled in', () => {
    expect(
      texts(`
        function f(where: string, scope: { name: string }, list: string[]): never {
          if (list.length > 2) throw new RangeError(\`\${where}: \${list.length} are too many \` + 'for ' + \`"\${scope.name}"\`);
          if (list.length > 1) throw new TimeoutError(\`\${describe(list[0])} is (\${list.join()})\`);
          throw new TypeError('no');
        }
      `),
    ).toEqual([
      'RangeError: <where>: <list> are too many for "<name>"',
      'TimeoutError: <…> is (<join>)',
      'TypeError: no',
    ]);
  });

  test('constants, but neither variables nor parameters of the same name', () => {
    expect(
      texts(`
        const where = 'g()';
        function f(where: string): never { throw new Error(\`\${where}: in f\`); }
        function g(): never { throw new Error(\`\${where}: in g\`); }
        function h(): never { const where = 'h()'; throw new Error(\`\${where}: in h\`); }
        let name = 'i'; const i = () => { throw new Error(\`\${name}: in i\`); };
      `),
    ).toEqual(['Error: <where>: in f', 'Error: g(): in g', 'Error: h(): in h', 'Error: <name>: in i']);
  });

  test('each of several alternatives, and what may be absent', () => {
    expect(
      texts(`
        function f(n: number): never {
          const what = n > 1 ? 'many' : 'one';
          throw new Error(\`\${what} of \${n === 0 ? '' : 'the '}\${cure(n)}\`);
        }
        function cure(n: number): string {
          if (n === 1) return 'things';
          return n === 2 ? '' : \`. Use \${n}\`;
        }
      `),
    ).toEqual([
      'Error: many of [the ]things',
      'Error: many of [the ][. Use <n>]',
      'Error: one of [the ]things',
      'Error: one of [the ][. Use <n>]',
    ]);
  });

  test('what those make that are given a message, but not what another error says', () => {
    expect(
      texts(`
        function assertionError(message: string): Error { return new Error(message); }
        function f(error: Error): never {
          platform.warn(\`beware of \${error}\`);
          platform.warn(error.message);
          throw assertionError('it is not so');
        }
      `),
    ).toEqual(['Warnings: beware of <error>', 'AssertionError: it is not so']);
  });

  test('a message that cannot be read is refused', () => {
    expect(() => texts('function f(message: string) { return new TimeoutError(message); }')).toThrow(
      'a.ts: the message of a TimeoutError cannot be read',
    );
  });
});

describe('what is read from the page', () => {
  test('messages below their headings, however they are wrapped and fenced', () => {
    const text =
      '# Errors\n\n## Error\n\nWhy.\n\n- `a\n  <b>` Cause: c.\n  Cure: d.\n- plain\n\n### Others\n\nCause: c. Cure: d.\n\n- ``a `b` c``\n';
    expect(listedMessages(text)).toEqual([
      { heading: 'Error', text: 'a <b>', where: `${page}:7` },
      { heading: 'Error', text: 'a `b` c', where: `${page}:16` },
    ]);
  });

  test.each(['- `a`\n', '- `a` Cause: b.\n', '### C\n\nCause: c. Cure: d.\n\n## E\n\n- `a`\n'])(
    'an entry without its cause and its cure is refused: %j',
    (text) => {
      expect(() => listedMessages(`## Error\n\n${text}`)).toThrow(/:\d+: no "Cause:" or no "Cure:"/);
    },
  );
});

test('the comparison tells what is missing on either side, and what is listed twice', () => {
  const message = (heading: string, text: string): Message => ({ heading, text, where: 'here' });
  expect(
    differences(
      [message('Error', 'a <b>'), message('Error', 'c')],
      [message('Error', 'a <other>'), message('TypeError', 'c'), message('Error', 'a <b>')],
    ),
  ).toEqual([
    'here: Error: "c" is not listed',
    'here: TypeError: "c" is no message',
    'here: Error: "a <b>" is listed twice',
  ]);
});

test('an error class whose doc comment leads elsewhere is noticed', () => {
  const see = (name: string): string =>
    ` * @see [${name} in the list of errors](https://github.com/taskscope/taskscope/blob/main/${page}#${name.toLowerCase()})\n`;
  const comment = (line: string, name: string): string =>
    `/**\n${line} */\nexport class ${name} extends Error {}\n`;
  const source = comment(see('A'), 'A') + comment(see('A'), 'B') + comment(' * None.\n', 'C');
  expect(withoutLink(source)).toEqual(['B', 'C']);
});
