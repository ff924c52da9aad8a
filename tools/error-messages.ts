/**
 * The messages of the errors and warnings that the packages make, as their sources have them, and as docs/error-messages.md
 * lists them; error-messages.test.ts compares the two.
 *
 * A message is written as on that page: `<name>` stands for what is filled in, `[…]` for what may be absent. A message
 * that depends on a condition counts as several.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import {
  isArrowFunction,
  isBinaryExpression,
  isBlock,
  isCallExpression,
  isClassDeclaration,
  isConditionalExpression,
  isFunctionDeclaration,
  isIdentifier,
  isMethodDeclaration,
  isNewExpression,
  isNoSubstitutionTemplateLiteral,
  isParenthesizedExpression,
  isPropertyAccessExpression,
  isReturnStatement,
  isSourceFile,
  isStringLiteral,
  isTemplateExpression,
  isVariableStatement,
  NodeFlags,
  SyntaxKind,
} from 'typescript/unstable/ast';
import type { Expression, FunctionDeclaration, Node, SourceFile } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';
import { root } from './exec.mjs';

/** A message and the heading under which the page lists it. */
export interface Message {
  readonly heading: string;
  readonly text: string;
  /** Where it stands: a file of the sources, or the line of the page. */
  readonly where: string;
}

/** The page, relative to the root. */
export const page = 'docs/error-messages.md';

/** The packages whose messages count. */
const packages = ['core', 'sync', 'streams', 'testing'];

/** The platform's error classes, and the place of the message among the arguments. */
const builtIn = new Map([
  ['Error', 0],
  ['TypeError', 0],
  ['RangeError', 0],
  ['AggregateError', 1],
]);

/** Functions whose first argument is a message, and how what they make is called. */
const makers = new Map([
  ['createCancelled', 'Cancelled'],
  ['assertionError', 'AssertionError'],
  ['platform.warn', 'Warnings'],
]);

/** Made by the runtime alone, by the functions above or in their own constructors. */
const madeInside = new Set(['Cancelled', 'TaskGroupError']);

/** The sources of the packages by their path, relative to the root, with `/`. */
export function sources(): Map<string, string> {
  const files = packages.flatMap((name) =>
    readdirSync(join(root, 'packages', name, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => /(?<!\.test|\.fixture)\.ts$/.test(file))
      .map((file) => `packages/${name}/src/${file.split(sep).join('/')}`),
  );
  return new Map(files.toSorted().map((file) => [file, readFileSync(join(root, file), 'utf8')]));
}

/** The error classes that a source defines. */
export function errorClasses(source: string): string[] {
  return [...source.matchAll(/^export class (\w+) extends (?:Aggregate)?Error\b/gm)].map(
    ([, name = '']) => name,
  );
}

/** Of those, the ones whose doc comment does not lead to their section of the page. */
export function withoutLink(source: string): string[] {
  return errorClasses(source).filter((name) => {
    const comment = source
      .slice(0, source.indexOf(`export class ${name} extends`))
      .split('/**')
      .at(-1);
    return comment?.includes(`@see [${name} in the list of errors](${link(name)})`) !== true;
  });
}

function link(name: string): string {
  return `https://github.com/taskscope/taskscope/blob/main/${page}#${name.toLowerCase()}`;
}

/**
 * What the page lists. A message has its cause and its cure, or those that stand before the list apply to it; throws
 * where that is not so.
 */
export function listedMessages(markdown: string): Message[] {
  const messages: Message[] = [];
  let heading = '';
  let isExplained = false;
  let line = 1;
  for (const part of markdown.split(/^(?=##|- )/m)) {
    const where = `${page}:${line}`;
    line += part.split('\n').length - 1;
    const explains = /\bCause: \S/.test(part) && /\bCure: \S/.test(part);
    if (part.startsWith('#')) {
      heading = /^## (.*)/.exec(part)?.[1]?.trim() ?? heading;
      isExplained = explains;
    }
    const [, , text] = /^- (`+)(.+?)\1(?!`)/s.exec(part) ?? [];
    if (text === undefined) continue;
    if (!isExplained && !explains) throw new Error(`${where}: no "Cause:" or no "Cure:"`);
    messages.push({ heading, text: collapsed(text), where });
  }
  return messages;
}

function collapsed(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** What two lists differ in. How the page calls a placeholder is its own affair. */
export function differences(made: readonly Message[], listed: readonly Message[]): string[] {
  const key = ({ heading, text }: Message): string => `${heading}: ${text.replaceAll(/<[^<>]*>/g, '<>')}`;
  const [madeKeys, listedKeys] = [new Set(made.map(key)), new Set(listed.map(key))];
  const twice = listed.filter(
    (message, index) => listed.findIndex((other) => key(other) === key(message)) < index,
  );
  return [
    ...made
      .filter((message) => !listedKeys.has(key(message)))
      .map((message) => say(message, 'is not listed')),
    ...listed
      .filter((message) => !madeKeys.has(key(message)))
      .map((message) => say(message, 'is no message')),
    ...twice.map((message) => say(message, 'is listed twice')),
  ];
}

function say({ heading, text, where }: Message, what: string): string {
  return `${where}: ${heading}: "${text}" ${what}`;
}

/** The messages that sources, given by name, make. Throws at one that cannot be read. */
export function madeMessages(texts: ReadonlyMap<string, string>): Message[] {
  const names = new Set([...texts.values()].flatMap(errorClasses));
  const messages = new Map<string, Message>();
  for (const [where, file] of parse(texts)) {
    for (const { heading, expression } of below(file, (node) => madeBy(node, names))) {
      const alternatives = read(expression);
      for (const text of alternatives) {
        // What another error says is passed on.
        if (isFilledIn(text) && !isIdentifier(expression)) continue;
        if (isFilledIn(text)) throw new Error(`${where}: the message of a ${heading} cannot be read`);
        messages.set(`${heading}: ${text}`, { heading, text: collapsed(text), where });
      }
    }
  }
  return [...messages.values()];
}

function parse(texts: ReadonlyMap<string, string>): Map<string, SourceFile> {
  const folder = join(root, '.error-messages').split(sep).join('/');
  const paths = new Map([...texts.keys()].map((name) => [name, `${folder}/${name}`]));
  const contents = new Map([...texts].map(([name, text]) => [paths.get(name)!, text]));
  // Only the syntax is of interest: nothing is resolved, and no library is loaded.
  const compilerOptions = { noResolve: true, noLib: true, types: [] };
  const config = `${folder}/tsconfig.json`;
  contents.set(config, JSON.stringify({ compilerOptions, files: [...paths.values()] }));
  const api = new API({
    fs: {
      readFile: (path) => contents.get(path),
      fileExists: (path) => (contents.has(path) ? true : undefined),
    },
  });
  try {
    const program = api.updateSnapshot({ openProjects: [config] }).getProject(config)?.program;
    return new Map(
      [...paths].map(([name, path]) => {
        const file = program?.getSourceFile(path);
        if (file === undefined) throw new Error(`${name} could not be parsed`);
        return [name, file];
      }),
    );
  } finally {
    api.close();
  }
}

function below<T>(node: Node, find: (node: Node) => T | undefined): T[] {
  const found: T[] = [];
  const visit = (each: Node): void => {
    const here = find(each);
    if (here !== undefined) found.push(here);
    each.forEachChild(visit);
  };
  visit(node);
  return found;
}

/** If a node makes an error or gives a warning: which, and the expression of its message. */
function madeBy(
  node: Node,
  names: ReadonlySet<string>,
): { readonly heading: string; readonly expression: Expression } | undefined {
  if (isNewExpression(node) && isIdentifier(node.expression)) {
    const name = node.expression.text;
    if (madeInside.has(name) || (!names.has(name) && !builtIn.has(name))) return undefined;
    const expression = node.arguments?.[builtIn.get(name) ?? 0];
    return expression === undefined || isGiven(expression) ? undefined : { heading: name, expression };
  }
  if (!isCallExpression(node)) return undefined;
  if (node.expression.kind === SyntaxKind.SuperKeyword) {
    const heading = enclosing(node, isClassDeclaration)?.name?.text;
    const expression = node.arguments.find((argument) => isTemplateExpression(argument));
    return heading === undefined || expression === undefined ? undefined : { heading, expression };
  }
  const heading = makers.get(node.expression.getText(node.getSourceFile()));
  const expression = node.arguments[0];
  return heading === undefined || expression === undefined ? undefined : { heading, expression };
}

/** Whether a message is what a maker is given: it is found where the maker is called. */
function isGiven(expression: Expression): boolean {
  const name = enclosing(expression, isFunctionDeclaration)?.name?.text;
  return isIdentifier(expression) && name !== undefined && makers.has(name);
}

function enclosing<N extends Node>(node: Node, is: (node: Node) => node is N): N | undefined {
  let each: Node | undefined = node.parent;
  while (each !== undefined && !is(each)) each = each.parent;
  return each;
}

/** What a string may be. */
function read(node: Expression): readonly string[] {
  if (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node)) return [node.text];
  if (isParenthesizedExpression(node)) return read(node.expression);
  if (isTemplateExpression(node)) {
    let texts: readonly string[] = [node.head.text];
    for (const { expression, literal } of node.templateSpans) {
      texts = joined(joined(texts, read(expression)), [literal.text]);
    }
    return texts;
  }
  if (isBinaryExpression(node) && node.operatorToken.kind === SyntaxKind.PlusToken) {
    return joined(read(node.left), read(node.right));
  }
  if (isConditionalExpression(node)) return either(read(node.whenTrue), read(node.whenFalse), node);
  const inner = isIdentifier(node) ? constant(node) : isCallExpression(node) ? returned(node) : undefined;
  // What is filled in whichever way it comes out is no text of the message.
  return inner === undefined || inner.some(isFilledIn) ? [`<${placeholder(node)}>`] : inner;
}

function joined(left: readonly string[], right: readonly string[]): string[] {
  return left.flatMap((start) => right.map((end) => start + end));
}

function either(one: readonly string[], other: readonly string[], node: Node): readonly string[] {
  const texts = [...one, ...other];
  if (texts.some(isFilledIn)) return [`<${placeholder(node)}>`];
  const rest = texts.filter((text) => text !== '');
  // Something or nothing.
  return rest.length === 1 && texts.length === 2 ? [`[${rest[0]}]`] : texts;
}

function isFilledIn(text: string): boolean {
  return /^(<[^<>]*>)+$/.test(text);
}

/** What an identifier stands for, if it is a constant with an initial value. */
function constant(node: Node & { readonly text: string }): readonly string[] | undefined {
  for (let scope: Node | undefined = node.parent; scope !== undefined; scope = scope.parent) {
    if (isFunctionDeclaration(scope) || isMethodDeclaration(scope) || isArrowFunction(scope)) {
      if (scope.parameters.some(({ name }) => isIdentifier(name) && name.text === node.text))
        return undefined;
    }
    if (!isBlock(scope) && !isSourceFile(scope)) continue;
    for (const { declarationList } of scope.statements.filter(isVariableStatement)) {
      for (const { name, initializer } of declarationList.declarations) {
        if (!isIdentifier(name) || name.text !== node.text) continue;
        const isConstant = (declarationList.flags & NodeFlags.Const) !== 0;
        return isConstant && initializer !== undefined ? read(initializer) : undefined;
      }
    }
  }
  return undefined;
}

/** What a call gives, if the function stands in the same file. */
function returned({ expression }: { readonly expression: Expression }): readonly string[] | undefined {
  if (!isIdentifier(expression)) return undefined;
  const file = enclosing(expression, isSourceFile);
  const isCalled = (node: Node): node is FunctionDeclaration =>
    isFunctionDeclaration(node) && node.name?.text === expression.text;
  const body = file?.statements.find(isCalled)?.body;
  if (body === undefined) return undefined;
  return below(body, (node) => (isReturnStatement(node) ? node.expression : undefined)).flatMap(read);
}

/** A name for what is filled in. */
function placeholder(node: Node): string {
  if (isIdentifier(node)) return node.text;
  if (isPropertyAccessExpression(node)) {
    return node.name.text === 'length' ? placeholder(node.expression) : node.name.text.replace('#', '');
  }
  if (isCallExpression(node)) return placeholder(node.arguments[0] ?? node.expression);
  return '…';
}
