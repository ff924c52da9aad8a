/** What the published packages export, as the compiler sees it. */
import { join } from 'node:path';
import { API, type Checker, type Symbol } from 'typescript/unstable/sync';
import { root } from './exec.mjs';
import { publicPackages } from './projects.mjs';

/** Calls `visit` with each export of each entry point, such as `@taskscope/core/lowlevel`. */
export function forEachExport(visit: (entry: string, symbol: Symbol, checker: Checker) => void): void {
  const api = new API({ cwd: root });
  for (const { name, folder, manifest, entries } of publicPackages()) {
    const config = join(folder, 'tsconfig.build.json');
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
    for (const entry of entries) {
      const source = join(folder, manifest.exports[`.${entry.slice(name.length)}`]['@taskscope/source']);
      const file = project?.program.getSourceFile(source);
      const module = file && project?.checker.getSymbolAtLocation(file);
      if (project === undefined || module === undefined)
        throw new Error(`${source} cannot be read as a module`);
      for (const symbol of project.checker.getExportsOfModule(module)) visit(entry, symbol, project.checker);
    }
  }
  api.close();
}
