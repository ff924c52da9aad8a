/** The pages of the site, in the order in which the sidebar lists them. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DefaultTheme } from 'vitepress';
import { root } from '../../tools/exec.mjs';

/** Where the files are that are no pages. */
export const repository = 'https://github.com/taskscope/taskscope';

/** A page: a file of the repository, with its title in the sidebar, which is its heading unless it is given here. */
type Page = string | { readonly file: string; readonly text: string };

const groups: readonly { readonly text: string; readonly pages: readonly Page[] }[] = [
  {
    text: 'Guide',
    pages: [
      { file: 'README.md', text: 'Overview' },
      'docs/guide/first-task-group.md',
      'docs/guide/cancellation.md',
      'docs/guide/timeouts.md',
      'docs/guide/cleanup-and-shielding.md',
      'docs/guide/errors.md',
      'docs/guide/streams.md',
      'docs/guide/publish-subscribe.md',
      'docs/guide/locks-and-limits.md',
      { file: 'docs/guide/abort-signal.md', text: 'AbortSignal' },
      { file: 'docs/guide/graceful-shutdown.md', text: 'Graceful shutdown' },
      'docs/guide/testing.md',
      'docs/guide/writing-a-library.md',
      'docs/guide/pitfalls.md',
    ],
  },
  {
    text: 'Coming from',
    pages: [
      { file: 'docs/coming-from/anyio-and-trio.md', text: 'AnyIO and Trio' },
      { file: 'docs/coming-from/effection.md', text: 'Effection' },
      { file: 'docs/coming-from/effect.md', text: 'Effect' },
      { file: 'docs/coming-from/p-limit.md', text: 'p-limit and p-queue' },
      { file: 'docs/coming-from/kotlin.md', text: 'Kotlin coroutines' },
      { file: 'docs/coming-from/go.md', text: 'Go' },
    ],
  },
  {
    text: 'Examples',
    pages: [
      { file: 'examples/find-duplicates/README.md', text: 'find-duplicates' },
      { file: 'examples/price-feed/README.md', text: 'price-feed' },
      { file: 'examples/happy-eyeballs/README.md', text: 'happy-eyeballs' },
      { file: 'examples/backpressure/README.md', text: 'backpressure' },
      { file: 'examples/worker-pool/README.md', text: 'worker-pool' },
      { file: 'examples/http-proxy/README.md', text: 'http-proxy' },
      { file: 'examples/connection-pool/README.md', text: 'connection-pool' },
    ],
  },
  {
    text: 'Reference',
    pages: [
      { file: 'docs/api/index.md', text: 'API reference' },
      'docs/error-messages.md',
      { file: 'docs/context-probes.md', text: 'Context probes' },
      'docs/runtimes.md',
    ],
  },
  {
    text: 'Packages',
    pages: [
      'packages/taskscope/README.md',
      'packages/core/README.md',
      'packages/sync/README.md',
      'packages/streams/README.md',
      'packages/testing/README.md',
    ],
  },
  {
    text: 'What it rests on',
    pages: ['docs/conformance.md', 'docs/reliability.md', 'docs/benchmarks.md'],
  },
];

/** The files of all pages, but for the home page and what is below the API reference. */
export function files(): string[] {
  return groups.flatMap(({ pages }) => pages.map((page) => (typeof page === 'string' ? page : page.file)));
}

/** Where a file stands on the site, `docs/guide/errors.md` as `guide/errors.md`; undefined if it is no page. */
export function pageOf(file: string): string | undefined {
  if (file === 'README.md') return 'overview.md';
  return (
    /^docs\/(.+\.md)$/.exec(file)?.[1] ??
    /^((?:packages|examples)\/[^/]+)\/README\.md$/.exec(file)?.[1]?.concat('.md')
  );
}

/** The sidebar, with the pages that exist. */
export function sidebar(): DefaultTheme.SidebarItem[] {
  return groups
    .map(({ text, pages }) => ({
      text,
      items: pages
        .map((page) => (typeof page === 'string' ? { file: page, text: heading(page) } : page))
        .filter(({ file }) => existsSync(join(root, file)))
        .map((page) => ({ text: page.text, link: `/${pageOf(page.file)}` })),
    }))
    .filter(({ items }) => items.length > 0);
}

/** In the API reference: the modules, and what is in the one that is open. Made of what TypeDoc has written (api.mjs). */
export function apiSidebars(): Record<string, DefaultTheme.SidebarItem[]> {
  const file = join(root, 'docs/api/typedoc-sidebar.json');
  if (!existsSync(file)) return {};
  const modules: DefaultTheme.SidebarItem[] = JSON.parse(readFileSync(file, 'utf8'));
  const overview = { text: 'API reference', items: modules.map(({ text, link }) => ({ text, link })) };
  return {
    '/api/': [overview],
    ...Object.fromEntries(
      modules.map(({ link, items = [] }) => [
        link,
        [overview, ...items.map((group) => ({ ...group, collapsed: false }))],
      ]),
    ),
  };
}

function heading(file: string): string {
  const path = join(root, file);
  const text = existsSync(path) ? /^# (.*)$/m.exec(readFileSync(path, 'utf8'))?.[1] : undefined;
  return text ?? file;
}
