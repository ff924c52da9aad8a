/**
 * The public names of AnyIO and Trio, and what docs/coming-from/anyio-and-trio.md says of them: every name has one row
 * there, every name of ours exists in the package that is given, and every member has its name here, in camel case, or an
 * entry of its own.
 *
 * conformance/upstream-names.tsv has the names, taken from AnyIO 4.15 (in development) and Trio 0.34: what their modules
 * export, and for the classes that are ported their public members, those of their bases included.
 */
import { readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { API, SymbolFlags } from 'typescript/unstable/sync';
import { root } from './exec.mjs';
import { publicPackages } from './projects.mjs';

/** The page, relative to the root. */
export const page = 'docs/coming-from/anyio-and-trio.md';

const systems = ['anyio', 'trio'] as const;

/** A public name of AnyIO or Trio. */
export interface UpstreamName {
  readonly system: string;
  /** With its module, without that of the system. */
  readonly name: string;
  /** `member` for what belongs to a class. */
  readonly kind: string;
}

/** What the page says of some names. */
interface Row {
  readonly line: number;
  /** By system. */
  readonly there: ReadonlyMap<string, readonly string[]>;
  /** Empty if there is a reason instead. */
  readonly here: readonly string[];
  readonly packageName: string;
}

/** The names in the data. */
export function readNames(): UpstreamName[] {
  const [header, ...lines] = readFileSync(join(root, 'conformance/upstream-names.tsv'), 'utf8')
    .trimEnd()
    .split('\n');
  if (header !== 'system\tname\tkind') throw new Error('upstream-names.tsv has another header');
  return lines.map((line) => {
    const [system = '', name = '', kind = ''] = line.split('\t');
    return { system, name, kind };
  });
}

/** What our entry points export: by package, without the scope, by name the names of its properties, if it is a type. */
export type Exports = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;

/** Reads the exports from the sources. */
export function readExports(): Exports {
  const entries = publicPackages().flatMap(({ name, folder, manifest, entries: paths }) =>
    paths.map((entry): [string, string] => [
      entry.replace('@taskscope/', ''),
      join(folder, manifest.exports[`.${entry.slice(name.length)}`]['@taskscope/source']),
    ]),
  );
  const config = join(root, '.upstream-names/tsconfig.json').split(sep).join('/');
  const content = JSON.stringify({
    extends: '../tsconfig.check.json',
    files: entries.map(([, file]) => file),
  });
  const api = new API({
    cwd: root,
    fs: {
      readFile: (path) => (path === config ? content : undefined),
      fileExists: (path) => (path === config ? true : undefined),
    },
  });
  try {
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
    return new Map(
      entries.map(([entry, path]) => {
        const file = project?.program.getSourceFile(path);
        const module = file && project?.checker.getSymbolAtLocation(file);
        if (project === undefined || module === undefined)
          throw new Error(`${path} cannot be read as a module`);
        const { checker } = project;
        const exported = checker.getExportsOfModule(module).map((each): [string, Set<string>] => {
          const symbol = (each.flags & SymbolFlags.Alias) === 0 ? each : checker.getAliasedSymbol(each);
          const isType = (symbol.flags & (SymbolFlags.Class | SymbolFlags.Interface)) !== 0;
          const properties = isType
            ? checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
            : [];
          return [each.name, new Set(properties.map(({ name }) => name))];
        });
        return [entry, new Map(exported)];
      }),
    );
  } finally {
    api.close();
  }
}

/** What is wrong with the page. */
export function checkPage(markdown: string, names: readonly UpstreamName[], exported: Exports): string[] {
  const problems: string[] = [];
  const { rows, exceptions } = readPage(markdown);
  const rowOf = new Map<string, Row>();
  for (const row of rows) {
    const types = exported.get(row.packageName);
    if (row.here.length > 0 && types === undefined)
      problems.push(`${row.line}: there is no package ${row.packageName}`);
    for (const name of row.here) {
      if (types?.has(name) === false)
        problems.push(`${row.line}: ${row.packageName} does not export ${name}`);
    }
    for (const [system, there] of row.there) {
      for (const name of there) {
        if (rowOf.has(`${system} ${name}`))
          problems.push(`${row.line}: ${name} of ${system} stands here a second time`);
        rowOf.set(`${system} ${name}`, row);
      }
    }
  }

  const unused = new Set(exceptions);
  const unknown = new Set(rowOf.keys());
  for (const { system, name, kind } of names) {
    if (kind !== 'member') {
      if (!unknown.delete(`${system} ${name}`)) problems.push(`${name} of ${system} has no row`);
      continue;
    }
    const [, owner = '', member = ''] = /^(.*)\.(\w+)$/.exec(name) ?? [];
    const row = rowOf.get(`${system} ${owner}`);
    const isHere = row?.here.some((type) => exported.get(row.packageName)?.get(type)?.has(camelCase(member)));
    const exception = [name, member].find((each) => exceptions.has(each));
    if (exception !== undefined) unused.delete(exception);
    if (isHere !== true && exception === undefined)
      problems.push(`${name} of ${system} has no counterpart, and no exception`);
    if (isHere === true && exception !== undefined) problems.push(`${name} of ${system} is no exception`);
  }
  return [
    ...problems,
    ...[...unknown].map((name) => `there is no ${name}`),
    ...[...unused].map((name) => `the exception ${name} is no member`),
  ];
}

function camelCase(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function readPage(markdown: string): {
  readonly rows: readonly Row[];
  readonly exceptions: ReadonlySet<string>;
} {
  const rows: Row[] = [];
  const exceptions = new Set<string>();
  for (const [index, text] of markdown.split('\n').entries()) {
    const cells = text.startsWith('| ')
      ? text
          .slice(1, text.lastIndexOf('|'))
          .split('|')
          .map((cell) => cell.trim())
      : [];
    if (cells.length === 2) for (const name of codeIn(cells[0])) exceptions.add(name);
    if (cells.length !== 4 || cells[0] === 'AnyIO' || cells[0] === '---') continue;
    const here = cells[2]!.startsWith('none: ') ? [] : codeIn(cells[2]!.split(';', 1)[0]);
    const there = new Map(systems.map((system, at) => [system, codeIn(cells[at])]));
    if (here.length === 0 && !cells[2]!.startsWith('none: '))
      throw new Error(`${index + 1}: neither a name nor a reason`);
    rows.push({ line: index + 1, there, here, packageName: cells[3]! });
  }
  return { rows, exceptions };
}

function codeIn(cell = ''): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}
