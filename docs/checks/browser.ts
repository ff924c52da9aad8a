/**
 * Looks at the built site in headless Chromium, with no network: no page asks for anything from elsewhere or reports an error,
 * none is wider than a phone, and the search finds things.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { launchChromium } from '../../tools/chromium.mjs';
import { fileOf, type Site } from './links.js';

/** No such host: requests to it are answered from the folder of the site, and no others are. */
const ORIGIN = 'http://site.invalid';

const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 900 };

/** What the search must find, and on which page. */
const SEARCHES = [
  ['moveOnAfter', '/api/core/functions/moveOnAfter.html'],
  ['MessageRouter', '/api/streams/classes/MessageRouter.html'],
] as const;

/** What is wrong with the site as a browser shows it. */
export async function visibleProblems({ folder, pages }: Site): Promise<string[]> {
  const problems: string[] = [];
  // The pages of the API reference are all of the same kind: one for each module stands for them.
  const paths = [...pages.keys()].filter((page) => !/^api\/.*(?<!index)\.html$|^404/.test(page));
  const { context, close } = await launchChromium();
  try {
    await serveFrom(folder, context, problems);
    const tab = await context.newPage();
    let current = '';
    tab.on('pageerror', (error) => problems.push(`${current}: ${error.message}`));
    tab.on('console', (message) => {
      if (message.type() === 'error') problems.push(`${current}: ${message.text()}`);
    });
    await tab.setViewportSize(PHONE);
    for (const path of paths) {
      current = path;
      await tab.goto(`${ORIGIN}/${path}`);
      const wider = Number(await tab.evaluate('document.documentElement.scrollWidth - innerWidth'));
      if (wider > 0) problems.push(`${path} is ${wider} pixels wider than a phone`);
    }
    await tab.setViewportSize(DESKTOP);
    for (const [text, page] of SEARCHES) {
      current = `the search for ${text}`;
      const found = await search(tab, text);
      if (!found.includes(page))
        problems.push(`${current} finds ${found.join(', ') || 'nothing'}, and not ${page}`);
    }
  } finally {
    await close();
  }
  return problems;
}

/** Answers the requests of all tabs from the built site. */
async function serveFrom(folder: string, context: BrowserContext, problems: string[]): Promise<void> {
  await context.route('**/*', async (route) => {
    const url = new URL(route.request().url());
    const file = join(folder, fileOf(url.pathname));
    if (url.origin === ORIGIN && existsSync(file)) return route.fulfill({ path: file });
    problems.push(`the site asks for ${url.href}`);
    return route.abort();
  });
}

/** The paths of the pages that the search box shows first. */
async function search(tab: Page, text: string): Promise<string[]> {
  await tab.goto(`${ORIGIN}/`);
  await tab.getByRole('button', { name: 'Search' }).first().click();
  await tab.locator('#localsearch-input').fill(text);
  const results = tab.locator('.VPLocalSearchBox a.result');
  const appears = await results
    .first()
    .waitFor()
    .then(
      () => true,
      () => false,
    );
  if (!appears) return [];
  const links = await results.evaluateAll((all) => all.map((one) => one.getAttribute('href') ?? ''));
  return links.map((link) => link.replace(/#.*$/, ''));
}
