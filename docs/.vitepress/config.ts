import { slug } from 'github-slugger';
import { defineConfig } from 'vitepress';
import { keepHtmlBlocks } from './html-blocks.js';
import { repositoryLinks } from './links.js';
import { apiSidebars, pageOf, repository, sidebar } from './pages.js';

export default defineConfig({
  title: 'taskscope',
  description: 'Structured concurrency for TypeScript',
  lang: 'en-GB',
  // Pages come from all over the repository: the guides, and the READMEs of packages and examples.
  srcDir: '..',
  srcExclude: [
    '{benchmarks,conformance,tools}/**',
    'packages/*/!(README.md)',
    'examples/*/!(README.md)',
    '*/README.md',
    'CONTRIBUTING.md',
  ],
  rewrites: (file) => pageOf(file) ?? file,
  base: process.env['DOCS_BASE'] ?? '/',
  // No request for /favicon.ico.
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  markdown: {
    // Headings have the anchors that they have on GitHub.
    anchor: { slugify: slug },
    toc: { slugify: slug },
    preConfig: (md) => keepHtmlBlocks(md),
    config: (md) => repositoryLinks(md),
  },
  vite: {
    // The search index is one.
    build: { chunkSizeWarningLimit: 4_000 },
  },
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/guide/first-task-group', activeMatch: '^/guide/' },
      { text: 'API', link: '/api/', activeMatch: '^/api/' },
      { text: 'Examples', link: '/examples/find-duplicates', activeMatch: '^/examples/' },
    ],
    sidebar: {
      '/': sidebar(),
      ...apiSidebars(),
    },
    outline: [2, 3],
    search: {
      provider: 'local', // in an index that is part of the site
      options: {
        // Colours are not searched for, and take a third of the time of a build.
        _render: (text, env, md) => md.set({ highlight: null }).render(text, env),
      },
    },
    socialLinks: [{ icon: 'github', link: repository }],
    externalLinkIcon: true,
  },
});
