/** The sidebar lists every page of the repository, and no other. */

import { existsSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { root } from '../../tools/exec.mjs';
import { files } from '../.vitepress/pages.js';

/** Pages that are listed but do not exist, and those that exist and are not listed. */
export function misplacedPages(): string[] {
  const listed = new Set(files());
  return [
    ...[...listed]
      .filter((file) => !existsSync(join(root, file)))
      .map((file) => `docs/.vitepress/pages.ts lists ${file}, which does not exist`),
    ...written()
      .filter((file) => !listed.has(file))
      .map((file) => `${file} is missing from docs/.vitepress/pages.ts`),
  ];
}

/** The Markdown that becomes pages, without the API reference, which has a sidebar of its own, and the home page. */
function written(): string[] {
  const guides = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /^(?!(api|node_modules)[/\\]).*\.md$/.test(file))
    .map((file) => `docs/${file.split(sep).join('/')}`)
    .filter((file) => file !== 'docs/index.md');
  const readmes = ['packages', 'examples'].flatMap((parent) =>
    readdirSync(join(root, parent))
      .map((name) => `${parent}/${name}/README.md`)
      .filter((file) => existsSync(join(root, file))),
  );
  return [...guides, ...readmes];
}
