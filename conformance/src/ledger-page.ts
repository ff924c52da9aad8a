/**
 * `pnpm conformance:page`: writes docs/conformance.md, the page about what is checked against AnyIO and Trio, from the
 * ledger and ../differences.md.
 *
 * @module
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  categories,
  checkLedger,
  type CheckedLedger,
  key,
  readLedger,
  root,
  type UpstreamTest,
} from './ledger.js';
import { type Mutation, mutations } from './mutations.js';

/** Where the page is. */
export const pageFile: string = join(root, 'docs/conformance.md');

/** What the page is made from. */
export interface PageData {
  readonly ledger: CheckedLedger;
  /** The section on differences, in Markdown. */
  readonly differences: string;
  /** How many recorded programs there are. */
  readonly programs: number;
  readonly mutations: readonly Mutation[];
}

/** What the page of this repository is made from. */
export function readPageData(): PageData {
  const folder = join(root, 'conformance/programs');
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  const lines = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  return {
    ledger: checkLedger(readLedger()),
    differences: readFileSync(join(root, 'conformance/differences.md'), 'utf8'),
    programs: lines.filter((line) => line !== '').length,
    mutations,
  };
}

const systems = new Map([
  ['anyio', { name: 'AnyIO', sources: 'https://github.com/agronholm/anyio/blob/master' }],
  ['trio', { name: 'Trio', sources: 'https://github.com/python-trio/trio/blob/main' }],
]);

/** The text of the page. */
export function renderPage({ ledger, differences, programs, mutations: mistakes }: PageData): string {
  const files = byFile(ledger.tests);
  const byTraces = mistakes.filter(({ caughtBy }) => caughtBy === 'traces').length;
  return `<!-- Written by \`pnpm conformance:page\` from conformance/ledger, conformance/differences.md and conformance/src/mutations.ts: edit those. -->

# Conformance

taskscope has the model of [Trio](https://trio.readthedocs.io) and the interface of [AnyIO](https://anyio.readthedocs.io). Two things
show that it means the same by it, and a third that they would notice if it did not.

**Traces.** ${number(programs)} small programs made of tasks, groups, scopes, errors, locks and channels were run under Trio 0.34,
which wrote down what each task did and at which instant. \`pnpm conformance\` runs the same programs on taskscope, in virtual time,
and compares the traces event by event; so does \`npm test\`. A program is in the collection only if its trace does not depend on
the order in which Trio runs tasks that are ready, so each difference in a trace is a difference in meaning.
All of them give the same trace.

**Tests.** AnyIO (4.15 in development) and Trio (0.34) have ${number(ledger.tests.length + ledger.later.length)} tests for the parts
that are ported. A ledger names for each of them the tests of ours that check the same behaviour, written afresh from the behaviour,
or says why it cannot apply. \`npm test\` fails when an entry is missing, and when one names a test of ours that does not exist or
is skipped. That a feature is missing does not count as a reason.${testsLater(ledger.later)}

**Whether it would be noticed.** \`pnpm mutants\` makes ${number(mistakes.length)} mistakes in a copy of the sources, one at a time: a shield that is
ignored, a waiter that is not removed, a hand-over that is skipped. It fails when one of them goes unnoticed. ${number(byTraces)} are
noticed by the traces; the others, of which no trace shows anything, each by a test that is named beside the mistake, in
[mutations.ts](../conformance/src/mutations.ts).

## The tests in figures

${table(
  ['System', 'File', 'Tests', 'Covered', 'Do not apply'],
  [
    ...files.map(([file, tests]) => [
      file.system,
      `[\`${file.path}\`](#${anchor(file)})`,
      ...counts(ledger, tests),
    ]),
    ...[...new Set(files.map(([{ system }]) => system))].map((system) => [
      system,
      'all',
      ...counts(
        ledger,
        files.flatMap(([file, tests]) => (file.system === system ? tests : [])),
      ),
    ]),
    ['', 'all', ...counts(ledger, ledger.tests)],
  ],
)}

Why tests do not apply:

${table(['Reason', 'The test is', 'Tests'], reasons(ledger))}

${differences.trim()}

## Every test

${files.map(([file, tests]) => section(file, tests, ledger)).join('\n\n')}
`;
}

function testsLater(later: readonly UpstreamTest[]): string {
  if (later.length === 0) return '';
  const packages = [...new Set(later.map((test) => `\`${test.package}\``))].join(' and ');
  return `
The ${number(later.length)} tests for ${packages} are not accounted for yet, and not counted below.`;
}

function number(value: number): string {
  return value.toLocaleString('en');
}

function counts(ledger: CheckedLedger, tests: readonly UpstreamTest[]): string[] {
  const kinds = tests.map((test) => ledger.entries.get(key(test))?.verdict?.kind);
  const count = (kind: string): string => number(kinds.filter((each) => each === kind).length);
  return [number(tests.length), count('covered'), count('n/a')];
}

function reasons(ledger: CheckedLedger): string[][] {
  const given = ledger.tests.flatMap((test) => {
    const verdict = ledger.entries.get(key(test))?.verdict;
    return verdict?.kind === 'n/a' ? [verdict.category] : [];
  });
  const counted = [...categories].map(([category, meaning]) => ({
    category,
    meaning,
    count: given.filter((each) => each === category).length,
  }));
  return counted
    .filter(({ count }) => count > 0)
    .map(({ category, meaning, count }) => [category, meaning, number(count)]);
}

/** An upstream file. */
interface File {
  readonly system: string;
  readonly path: string;
  readonly url: string;
  /** The package of ours that it concerns. */
  readonly package: string;
}

function byFile(tests: readonly UpstreamTest[]): [File, UpstreamTest[]][] {
  const files = new Map<string, [File, UpstreamTest[]]>();
  for (const test of tests) {
    const { name, sources } = systems.get(test.system) ?? { name: test.system, sources: '' };
    const file = { system: name, path: test.file, url: `${sources}/${test.file}`, package: test.package };
    const [, others] = files.get(file.url) ?? [file, []];
    files.set(file.url, [file, [...others, test]]);
  }
  return [...files.values()];
}

function section(file: File, tests: readonly UpstreamTest[], ledger: CheckedLedger): string {
  const rows = tests.map((test) => [`\`${test.test}\``, account(ledger, test)]);
  return [
    `### ${file.system} \`${file.path}\``,
    `[The file](${file.url}). It concerns \`${file.package}\`.`,
    table(['Test', 'Our tests, or why it does not apply'], rows),
  ].join('\n\n');
}

/** The fragment that GitHub gives the heading of the file. */
function anchor({ system, path }: File): string {
  return `${system} ${path}`
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}

function account(ledger: CheckedLedger, test: UpstreamTest): string {
  const verdict = ledger.entries.get(key(test))?.verdict;
  if (verdict === undefined) return 'not accounted for';
  const parts = verdict.tests.map(({ file, title }) => {
    const name = file.slice(file.lastIndexOf('/') + 1);
    return `[${name}](../${file}): ${plain(title.replaceAll(' > ', ' › '))}`;
  });
  if (verdict.kind === 'n/a') parts.unshift(`*${verdict.category}:* ${verdict.reason}`);
  return parts.join('<br>');
}

/** Text in which nothing outside of code is markup. */
function plain(text: string): string {
  return text.replaceAll(/`[^`]*`|[\\*_<[\]]/g, (match) => (match.startsWith('`') ? match : `\\${match}`));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const data = readPageData();
  mkdirSync(dirname(pageFile), { recursive: true });
  writeFileSync(pageFile, renderPage(data));
  for (const problem of data.ledger.problems) console.error(problem);
  console.log(`docs/conformance.md written, ${data.ledger.problems.length} problems`);
  process.exitCode = data.ledger.problems.length > 0 ? 1 : 0;
}
