/**
 * The ledger: for each test of AnyIO and Trio our tests that check the same behaviour, or the reason why there are none.
 * ../ledger/README.md describes its files.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type TestTitle, testTitles } from './ledger-titles.js';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** The packages of ours whose upstream tests have to be accounted for. A new package is added with its ledger. */
export const accountedPackages = ['core', 'testing', 'sync', 'streams'] as const;

/** Why an upstream test has no counterpart, and what that means. */
export const categories: ReadonlyMap<string, string> = new Map([
  ['asyncio', 'about asyncio, which AnyIO can run on: its native tasks, their cancel counters, its hooks'],
  [
    'python-language',
    'about something that only Python has: coroutine objects, `__context__`, pickling, `with` blocks',
  ],
  ['garbage-collection', "about CPython's reference counts and cycles"],
  ['threads', 'about threads of one process that share memory'],
  ['keyboard-interrupt', 'about KeyboardInterrupt, which Python raises in the middle of any code'],
  ['deprecated-api', 'about an interface that is deprecated there, and was not ported'],
  ['by-design', 'about a behaviour that is different here on purpose (see the differences below)'],
  ['not-in-scope', 'about a part of the library that is not ported'],
]);

/** A row of upstream-tests.tsv. `package` is the package of ours that the test concerns. */
export interface UpstreamTest {
  readonly package: string;
  readonly system: string;
  readonly file: string;
  readonly test: string;
}

/** One of our tests: the file relative to the root, and the title as in {@link TestTitle}. */
export interface Reference {
  readonly file: string;
  readonly title: string;
}

/** `tests` of what is not applicable show what happens here instead. */
export type Verdict =
  | { readonly kind: 'covered'; readonly tests: readonly Reference[] }
  | {
      readonly kind: 'n/a';
      readonly category: string;
      readonly reason: string;
      readonly tests: readonly Reference[];
    };

/** A row of the ledger. */
export interface Entry extends UpstreamTest {
  /** File and line. */
  readonly where: string;
  /** Undefined if what stands there is wrong. */
  readonly verdict: Verdict | undefined;
}

/** The files of the ledger and what they speak of, as text. */
export interface Ledger {
  /** upstream-tests.tsv. */
  readonly upstream: string;
  /** The files below ledger/, by name. */
  readonly files: ReadonlyMap<string, string>;
  /** The packages whose rows have to be there. */
  readonly accounted: readonly string[];
  /** The text of a test file; undefined if there is no such file. */
  readonly testFile: (name: string) => string | undefined;
}

/** What a ledger says, and everything that is wrong with it, one readable line each. */
export interface CheckedLedger {
  /** The upstream tests that have to be accounted for, in the order of upstream-tests.tsv. */
  readonly tests: readonly UpstreamTest[];
  /** The upstream tests of packages that are not accounted for yet. */
  readonly later: readonly UpstreamTest[];
  /** What the ledger says about a test, by {@link key}. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly problems: readonly string[];
}

/** What identifies an upstream test. */
export function key({ system, file, test }: UpstreamTest): string {
  return `${system} ${file} ${test}`;
}

/** The ledger of this repository. */
export function readLedger(): Ledger {
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const names = readdirSync(join(root, 'conformance/ledger')).filter((name) => name.endsWith('.tsv'));
  return {
    upstream: read('conformance/upstream-tests.tsv'),
    files: new Map(names.toSorted().map((name) => [name, read(`conformance/ledger/${name}`)])),
    accounted: accountedPackages,
    testFile: (name) => (existsSync(join(root, name)) ? read(name) : undefined),
  };
}

export function checkLedger(ledger: Ledger): CheckedLedger {
  const problems: string[] = [];
  const upstream = new Map(parseUpstream(ledger.upstream).map((test) => [key(test), test]));
  const places = new Map<string, string[]>();
  const entries = new Map<string, Entry>();
  for (const [name, text] of ledger.files) {
    for (const [line, columns] of rows(text)) {
      const where = `${name}:${line}`;
      const entry = parseEntry(where, columns, upstream, (problem) => {
        problems.push(`${where}: ${problem}`);
        return undefined;
      });
      if (entry === undefined) continue;
      const others = places.get(key(entry)) ?? [];
      places.set(key(entry), [...others, `${where} (${entry.verdict?.kind ?? 'no verdict'})`]);
      entries.set(key(entry), entry);
    }
  }
  problems.push(...wrongReferences([...entries.values()], ledger.testFile));
  for (const [test, where] of places) {
    if (where.length > 1) problems.push(`${test} is accounted for more than once: ${where.join(', ')}`);
  }

  const isAccounted = (test: UpstreamTest): boolean => ledger.accounted.includes(test.package);
  const tests = [...upstream.values()].filter(isAccounted);
  const later = [...upstream.values()].filter((test) => !isAccounted(test));
  for (const test of tests) {
    if (!entries.has(key(test))) problems.push(`${key(test)} is not accounted for (${test.package})`);
  }
  return { tests, later, entries, problems };
}

/** The rows of tab-separated values with their lines, without the names of the columns and without empty lines. */
function* rows(text: string): Generator<[line: number, columns: string[]]> {
  const lines = text.split('\n').entries();
  for (const [index, line] of lines) {
    const columns = line.split('\t').map((column) => column.trim());
    if (line.trim() !== '' && columns[0] !== 'package') yield [index + 1, columns];
  }
}

function parseUpstream(text: string): UpstreamTest[] {
  return [...rows(text)].map(([line, columns]) => {
    const [ours = '', system = '', file = '', test = ''] = columns;
    if (columns.length !== 4) throw new Error(`upstream-tests.tsv:${line}: a row has four columns`);
    return { package: ours, system, file, test };
  });
}

/** Notes what is wrong in a row, which then has no meaning. */
type Report = (problem: string) => undefined;

/** A row of the ledger, if it is about a test that there is; without a verdict, if that is not understood. */
function parseEntry(
  where: string,
  columns: readonly string[],
  upstream: ReadonlyMap<string, UpstreamTest>,
  report: Report,
): Entry | undefined {
  const [ours = '', system = '', file = '', test = '', kind = '', evidence = ''] = columns;
  if (columns.length !== 6) return report(`a row has six columns, this one has ${columns.length}`);
  const row = { package: ours, system, file, test };
  const known = upstream.get(key(row));
  if (known === undefined) return report(`there is no upstream test ${key(row)}`);
  if (known.package !== ours) report(`${key(row)} is a test for ${known.package}, not for ${ours}`);
  return { ...row, where, verdict: parseVerdict(kind, evidence, report) };
}

function parseVerdict(kind: string, evidence: string, report: Report): Verdict | undefined {
  const parts = evidence.split(';;').map((part) => part.trim());
  switch (kind) {
    case 'covered':
      return { kind, tests: parseReferences(parts, report) };
    case 'n/a': {
      const [because = '', ...references] = parts;
      const [category = '', ...rest] = because.split(':');
      const reason = rest.join(':').trim();
      if (!categories.has(category)) {
        return report(`there is no category '${category}', only ${[...categories.keys()].join(', ')}`);
      }
      if (reason === '') return report(`no reason is given after '${category}:'`);
      return { kind, category, reason, tests: parseReferences(references, report) };
    }
    default:
      return report(`the verdict is 'covered' or 'n/a', not '${kind}'`);
  }
}

function parseReferences(parts: readonly string[], report: Report): Reference[] {
  return parts.map((part) => parseReference(part, report)).filter((test) => test !== undefined);
}

function parseReference(text: string, report: Report): Reference | undefined {
  const [, file, title] = /^(\S+\.test\.ts) > (.+)$/.exec(text) ?? [];
  if (file === undefined || title === undefined) {
    return report(`'${text}' is not of the form FILE.test.ts > DESCRIBE > TITLE`);
  }
  return { file, title };
}

function wrongReferences(entries: readonly Entry[], testFile: Ledger['testFile']): string[] {
  const references = entries.flatMap(({ where, verdict }) =>
    (verdict?.tests ?? []).map((test) => ({ where, ...test })),
  );
  const sources = new Map<string, string>();
  for (const { file } of references) {
    const text = testFile(file);
    if (text !== undefined) sources.set(file, text);
  }
  const titles = testTitles(sources);
  return references.flatMap(({ where, file, title }) => {
    const problem = wrongReference(titles.get(file), file, title);
    return problem === undefined ? [] : [`${where}: ${problem}`];
  });
}

/** What is wrong with a reference to one of the tests of a file; `tests` is undefined if there is no such file. */
export function wrongReference(
  tests: readonly TestTitle[] | undefined,
  file: string,
  title: string,
): string | undefined {
  if (tests === undefined) return `there is no test file ${file}`;
  const found = tests.filter((test) => test.title === title);
  if (found.length === 0) return `there is no test '${title}' in ${file}`;
  return found.every(({ skipped }) => skipped) ? `the test '${title}' in ${file} is skipped` : undefined;
}
