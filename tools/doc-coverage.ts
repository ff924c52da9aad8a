/**
 * Finds the public symbols that lack their doc comment or their example, as the compiler sees them. Prints them and exits
 * with 1 if there are any.
 */
import { SymbolFlags, type Checker, type Symbol } from 'typescript/unstable/sync';
import { forEachExport } from './public-exports.js';

const problems: string[] = [];
let symbols = 0;
forEachExport((entry, symbol, checker) => {
  symbols++;
  const missing = missingFrom(checker, symbol);
  if (missing !== undefined) problems.push(`${entry}: ${symbol.name} has no ${missing}`);
});
console.log(problems.length === 0 ? `${symbols} exports documented` : problems.join('\n'));
process.exitCode = problems.length === 0 ? 0 : 1;

/** All need a doc comment; functions and classes, except error classes, need an example too. */
function missingFrom(checker: Checker, exported: Symbol): string | undefined {
  const isAlias = (exported.flags & SymbolFlags.Alias) !== 0;
  const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported;
  if (symbol.getDocumentationComment(checker).trim() === '') return 'doc comment';

  const isErrorClass = (symbol.flags & SymbolFlags.Class) !== 0 && symbol.name.endsWith('Error');
  if (isErrorClass || (symbol.flags & (SymbolFlags.Class | SymbolFlags.Function)) === 0) return undefined;
  return symbol.getJsDocTags(checker).some(({ name }) => name === 'example') ? undefined : '@example';
}
