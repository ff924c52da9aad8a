/**
 * Finds the public symbols that lack their doc comment or their example, as the compiler sees them. Prints them and exits
 * with 1 if there are any.
 */
import { join } from 'node:path';
import { API, SymbolFlags, type Checker, type Symbol } from 'typescript/unstable/sync';
import { root } from './exec.mjs';
import { publicPackages } from './projects.mjs';

const api = new API({ cwd: root });
const problems: string[] = [];
let symbols = 0;
for (const { name, folder, manifest, entries } of publicPackages()) {
  const config = join(folder, 'tsconfig.build.json');
  const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
  for (const entry of entries) {
    const source = join(folder, manifest.exports[`.${entry.slice(name.length)}`]['@taskscope/source']);
    const file = project?.program.getSourceFile(source);
    const module = file && project?.checker.getSymbolAtLocation(file);
    if (project === undefined || module === undefined)
      throw new Error(`${source} cannot be read as a module`);
    for (const symbol of project.checker.getExportsOfModule(module)) {
      symbols++;
      const missing = missingFrom(project.checker, symbol);
      if (missing !== undefined) problems.push(`${entry}: ${symbol.name} has no ${missing}`);
    }
  }
}
api.close();
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
