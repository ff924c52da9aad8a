/**
 * Links for the site. The Markdown links from file to file, as GitHub understands it; here a link to a file that is a page
 * leads to the page, and any other to the repository.
 */

import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { MarkdownOptions } from 'vitepress';
import { root } from '../../tools/exec.mjs';
import { pageOf, repository } from './pages.js';

type MarkdownIt = Parameters<NonNullable<MarkdownOptions['config']>>[0];

/** A plugin for markdown-it. */
export function repositoryLinks(md: MarkdownIt): void {
  md.core.ruler.push('repository-links', ({ tokens, env }) => {
    const folder = dirname(env.realPath ?? env.path);
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === 'link_open' ? token.attrGet('href') : null;
      if (href !== null) token.attrSet('href', siteLink(href, folder));
    }
  });
}

/** What a link in a file of `folder` (absolute) is on the site. */
export function siteLink(href: string, folder: string): string {
  const inRepository = href.startsWith(`${repository}/`) ? fileUnder(href) : undefined;
  if (inRepository === undefined && /^([a-z][a-z+.-]*:|#|\/)/i.test(href)) return href;

  const [path = '', hash = ''] = href.split(/(?=#)/, 2);
  const target = inRepository ?? join(folder, decodeURI(path));
  const file = isFolder(target) ? join(target, 'README.md') : target;
  const page = existsSync(file) ? pageOf(fromRoot(file)) : undefined;
  if (page !== undefined) return `/${page}${hash}`;
  if (inRepository !== undefined) return href;
  return `${repository}/${isFolder(target) ? 'tree' : 'blob'}/main/${fromRoot(target)}${hash}`;
}

/** The file (absolute) that a link to the repository names: package READMEs have such links, since npm shows them too. */
function fileUnder(href: string): string | undefined {
  const path = /^\/(?:blob|tree)\/main\/([^#]+)/.exec(href.slice(repository.length))?.[1];
  return path === undefined ? undefined : join(root, path);
}

function fromRoot(file: string): string {
  return relative(root, file).split(sep).join('/');
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
