/**
 * The examples of the documentation as programs: every ```ts block in the doc comments of the packages' sources and in
 * the Markdown files becomes a module of its own below `.doc-examples/`, where it is type-checked (the step `docs` of
 * `npm test`) and executed (doc-examples.test.ts). A block that cannot run is fenced as "```ts no-run: reason"; it is
 * type-checked all the same.
 *
 * Run as a program, this module writes the files and says how many.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './exec.mjs';

/** Where the modules are written. */
export const outputFolder: string = join(root, '.doc-examples');

/** One block of example code. */
export interface Example {
  /** The file it stands in, relative to the root, with `/`. */
  readonly source: string;
  /** The line of its first line of code. */
  readonly line: number;
  readonly code: string;
  /** Why it is not executed, if it is not. */
  readonly noRun: string | undefined;
}

/** The examples of one file's text, in their order. */
export function examplesIn(source: string, text: string): Example[] {
  return source.endsWith('.md') ? blocks(source, text.split('\n'), 1) : docComments(source, text);
}

function docComments(source: string, text: string): Example[] {
  const examples: Example[] = [];
  for (const comment of text.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)) {
    const firstLine = text.slice(0, comment.index).split('\n').length;
    const lines = comment[0].split('\n').map((line) => line.replace(/^[ \t]*(\/\*\*|\*\/|\*) ?/, ''));
    examples.push(...blocks(source, lines, firstLine));
  }
  return examples;
}

function blocks(source: string, lines: readonly string[], firstLine: number): Example[] {
  const examples: Example[] = [];
  for (let index = 0; index < lines.length; index++) {
    const fence = /^(\s*)(`{3,})(\S*)(.*)$/.exec(lines[index] ?? '');
    if (fence === null) continue;
    const [, indent = '', ticks = '', language = '', rest = ''] = fence;
    const start = index + 1;
    const end = lines.findIndex((line, at) => at >= start && line.trim() === ticks);
    const where = `${source}:${firstLine + index}`;
    if (end === -1) throw new Error(`${where}: a code block is never closed`);
    index = end;
    if (language !== 'ts' && language !== 'typescript') continue;

    const info = rest.trim();
    const noRun = /^no-run:\s*(\S.*)$/.exec(info)?.[1];
    if (info !== '' && noRun === undefined) {
      throw new Error(`${where}: "ts ${info}" is not understood; only "ts" and "ts no-run: reason" are`);
    }
    const code = lines
      .slice(start, end)
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
    examples.push({ source, line: firstLine + start, code: code.join('\n'), noRun });
  }
  return examples;
}

/** The files whose examples count, relative to the root, with `/`. */
export function documentedFiles(): string[] {
  const packages = list('packages').filter((name) =>
    existsSync(join(root, 'packages', name, 'package.json')),
  );
  return [
    'README.md',
    ...packages.flatMap((name) => [
      `packages/${name}/README.md`,
      ...list(`packages/${name}/src`, /(?<!\.test|\.fixture)\.ts$/),
    ]),
    // The API reference is made of the doc comments, whose examples are here already.
    ...list('docs', /^(?!(api|node_modules)[/\\]).*\.md$/),
  ].filter((file) => existsSync(join(root, file)));
}

/** Without a pattern the names in the folder; with one, the paths of the files below it that match. */
function list(folder: string, pattern?: RegExp): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  if (pattern === undefined) return readdirSync(path).toSorted();
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((file) => pattern.test(file))
    .map((file) => `${folder}/${file.split(sep).join('/')}`)
    .toSorted();
}

/** An example and the absolute path of its module. */
export interface WrittenExample extends Example {
  readonly file: string;
}

/** Writes the examples of all documentation, and removes those of an earlier time that are no more. */
export function writeExamples(): WrittenExample[] {
  const written = documentedFiles()
    .flatMap((source) => examplesIn(source, readFileSync(join(root, source), 'utf8')))
    .map((example) => ({ ...example, file: join(outputFolder, moduleName(example)) }));
  const tsconfig = {
    extends: relative(outputFolder, join(root, 'tsconfig.check.json')).split(sep).join('/'),
    compilerOptions: { incremental: false },
    include: ['*.ts'],
  };
  const contents = new Map([[join(outputFolder, 'tsconfig.json'), `${JSON.stringify(tsconfig, null, 2)}\n`]]);
  for (const { file, source, line, code } of written) {
    contents.set(file, `// ${source}:${line}\n${code}\nexport {};\n`);
  }

  mkdirSync(outputFolder, { recursive: true });
  for (const name of readdirSync(outputFolder)) {
    const file = join(outputFolder, name);
    if (!contents.has(file)) rmSync(file, { recursive: true });
  }
  for (const [file, text] of contents) {
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
  }
  return written;
}

function moduleName({ source, line }: Example): string {
  return `${source.replace(/\.(ts|md)$/, '').replaceAll(/[^\w.-]/g, '-')}-${line}.ts`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const examples = writeExamples();
  const skipped = examples.filter(({ noRun }) => noRun !== undefined).length;
  console.log(`${examples.length} examples, ${skipped} of them not to be run`);
}
