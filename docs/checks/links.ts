/** Every link of the built site leads to a page of it, and to an anchor that is there; nothing is loaded from elsewhere. */

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { parse, type HTMLElement } from 'node-html-parser';
import { root } from '../../tools/exec.mjs';

/** Where VitePress writes the site. */
export const siteFolder: string = join(root, 'docs/.vitepress/dist');

/** The built site. */
export interface Site {
  readonly folder: string;
  /** The pages by their paths, `guide/errors.html`. */
  readonly pages: ReadonlyMap<string, HTMLElement>;
}

/** Reads the site that was built. */
export function readSite(folder: string = siteFolder): Site {
  const pages = new Map<string, HTMLElement>();
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.html')) continue;
    pages.set(file.split(sep).join('/'), parse(readFileSync(join(folder, file), 'utf8')));
  }
  return { folder, pages };
}

/** The links that lead nowhere, and what would be loaded from elsewhere or is not there. */
export function brokenLinks({ folder, pages }: Site): string[] {
  const problems: string[] = [];
  for (const [page, html] of pages) {
    for (const href of attributes(html, 'a', 'href')) {
      if (isExternal(href)) continue;
      const { pathname, hash } = new URL(href, `http://site/${page}`);
      const target = pages.get(fileOf(pathname));
      const leads =
        target === undefined
          ? isThere(folder, pathname)
          : hash === '' || target.getElementById(decodeURIComponent(hash.slice(1))) !== null;
      if (!leads) problems.push(`${page}: the link to ${href} leads nowhere`);
    }
    for (const url of LOADED.flatMap(([tag, attribute]) => attributes(html, tag, attribute))) {
      if (url.startsWith('data:')) continue;
      if (isExternal(url)) problems.push(`${page} loads ${url}: the site must work offline`);
      else if (!isThere(folder, new URL(url, `http://site/${page}`).pathname))
        problems.push(`${page} loads ${url}, which is not there`);
    }
  }
  return problems;
}

/** What a page loads by itself. */
const LOADED = [
  ['script', 'src'],
  ['img', 'src'],
  ['link', 'href'],
  ['iframe', 'src'],
  ['source', 'src'],
] as const;

function attributes(html: HTMLElement, tag: string, attribute: string): string[] {
  return html
    .querySelectorAll(`${tag}[${attribute}]`)
    .map((element) => element.getAttribute(attribute) ?? '');
}

function isExternal(url: string): boolean {
  return /^([a-z][a-z+.-]*:|\/\/)/i.test(url);
}

function isThere(folder: string, pathname: string): boolean {
  return existsSync(join(folder, fileOf(pathname)));
}

/** The file of a path of the site, relative to its folder. */
export function fileOf(pathname: string): string {
  const path = decodeURIComponent(pathname).slice(1);
  return path === '' || path.endsWith('/') ? `${path}index.html` : path;
}
