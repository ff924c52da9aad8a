/** Every public symbol has its place in the API reference. */

import { forEachExport } from '../../tools/public-exports.js';
import type { Site } from './links.js';

/** The exports that the page of their entry point does not link to. The umbrella's are those of the other packages. */
export function undocumentedExports({ pages }: Site): string[] {
  const documented = new Map<string, Set<string>>();
  const problems: string[] = [];
  for (const [page, html] of pages) {
    const entry = /^api\/(.+)\/index\.html$/.exec(page)?.[1];
    if (entry === undefined) continue;
    const names = html.querySelectorAll('main a').map(({ textContent }) => textContent.trim());
    documented.set(`@taskscope/${entry}`, new Set(names));
  }
  const all = new Set([...documented.values()].flatMap((names) => [...names]));
  forEachExport((entry, { name }) => {
    const names = entry === 'taskscope' ? all : documented.get(entry);
    if (names?.has(name) !== true) problems.push(`${entry}: ${name} is missing from the API reference`);
  });
  return problems;
}
