/**
 * The tests that a test file defines, found by parsing it with TypeScript.
 *
 * @module
 */
import { sep } from 'node:path';
import {
  isCallExpression,
  isIdentifier,
  isNoSubstitutionTemplateLiteral,
  isPropertyAccessExpression,
  isStringLiteral,
  isTaggedTemplateExpression,
  isTemplateExpression,
} from 'typescript/unstable/ast';
import type { CallExpression, Node, SourceFile } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';

/** A test as it stands in its file. */
export interface TestTitle {
  /** The titles of the `describe`s around it and its own, joined by ` > `. Those of templates and `test.each` are raw. */
  readonly title: string;
  /** Whether it, or a `describe` around it, is marked `skip` or `todo`. */
  readonly skipped: boolean;
}

/** What the parser sees in place of the disk, by absolute path. */
const contents = new Map<string, string>();

/** One parser, a process of its own that ends with ours, serves all calls. */
let parser: API | undefined;
let calls = 0;

/** The tests of files that are given as text, by their names (paths with `/`). */
export function testTitles(sources: ReadonlyMap<string, string>): Map<string, readonly TestTitle[]> {
  const titles = new Map<string, readonly TestTitle[]>();
  if (sources.size === 0) return titles;
  // A folder of its own for each call, since the parser reads a path only once.
  const folder = `${process.cwd().split(sep).join('/')}/.ledger/${++calls}`;
  const paths = new Map([...sources.keys()].map((name) => [name, `${folder}/${name}`]));
  contents.clear();
  for (const [name, path] of paths) contents.set(path, sources.get(name)!);
  // Only the syntax is of interest: nothing is resolved, and no library is loaded.
  const compilerOptions = { noResolve: true, noLib: true, types: [] };
  const config = `${folder}/tsconfig.json`;
  contents.set(config, JSON.stringify({ compilerOptions, files: [...paths.values()] }));

  parser ??= new API({
    fs: {
      readFile: (path) => contents.get(path),
      fileExists: (path) => (contents.has(path) ? true : undefined),
    },
  });
  const snapshot = parser.updateSnapshot({ openProjects: [config] });
  const program = snapshot.getProject(config)?.program;
  for (const [name, path] of paths) {
    const file = program?.getSourceFile(path);
    if (file === undefined) throw new Error(`${name} could not be parsed`);
    titles.set(name, [...testsBelow(file, file, '', false)]);
  }
  snapshot.dispose();
  return titles;
}

function* testsBelow(node: Node, file: SourceFile, path: string, skipped: boolean): Generator<TestTitle> {
  const call = isCallExpression(node) ? definition(node, file) : undefined;
  if (call?.kind === 'test') {
    yield { title: path + call.title, skipped: skipped || call.skipped };
    return;
  }
  const [below, skippedBelow] =
    call === undefined ? [path, skipped] : [`${path}${call.title} > `, skipped || call.skipped];
  const children: Node[] = [];
  node.forEachChild((child) => void children.push(child));
  for (const child of children) yield* testsBelow(child, file, below, skippedBelow);
}

interface Definition {
  readonly kind: 'test' | 'describe';
  readonly title: string;
  readonly skipped: boolean;
}

const kinds = new Map<string, Definition['kind']>([
  ['test', 'test'],
  ['it', 'test'],
  ['describe', 'describe'],
  ['suite', 'describe'],
]);

/** Members that take arguments of their own and return the function that defines the test. */
const factories = new Set(['each', 'for', 'skipIf', 'runIf', 'extend']);

/** What `test(…)`, `describe.skip(…)`, `test.each(table)(…)` and the like define. */
function definition(
  { expression, arguments: [first] }: CallExpression,
  file: SourceFile,
): Definition | undefined {
  if (isPropertyAccessExpression(expression) && factories.has(expression.name.text)) return undefined;
  const [name = '', ...members] = chain(expression);
  const kind = kinds.get(name);
  const title = first && titleText(first, file);
  if (kind === undefined || title === undefined) return undefined;
  return { kind, title, skipped: members.includes('skip') || members.includes('todo') };
}

/** The names in `a.b(…).c`, without the calls. The first is empty if it starts with anything else. */
function chain(node: Node): string[] {
  if (isIdentifier(node)) return [node.text];
  if (isPropertyAccessExpression(node)) return [...chain(node.expression), node.name.text];
  if (isCallExpression(node)) return chain(node.expression);
  if (isTaggedTemplateExpression(node)) return chain(node.tag);
  return [''];
}

/** The title as a string; of a template its raw text; of a function or class its name, as vitest does. */
function titleText(node: Node, file: SourceFile): string | undefined {
  if (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node) || isIdentifier(node)) return node.text;
  return isTemplateExpression(node) ? node.getText(file).slice(1, -1) : undefined;
}
