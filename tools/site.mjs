// The documentation site: `npm run docs` builds it into docs/.vitepress/dist. `node tools/site.mjs dev` shows it while one
// writes, `preview` shows what was built.

import { checkNode } from './check-node.mjs';

checkNode();

const { installDependencies } = await import('./bootstrap.mjs');
const { node, tool } = await import('./exec.mjs');

const [command = 'build', ...args] = process.argv.slice(2);
if (!['build', 'dev', 'preview'].includes(command)) {
  console.error('node tools/site.mjs [build | dev | preview] [arguments of vitepress]');
  process.exit(2);
}
process.exitCode = (await installDependencies()) && (await reference()) && (await site()) ? 0 : 1;

/** Writes the API reference. */
async function reference() {
  if (command === 'preview') return true;
  return (await node(['docs/.vitepress/api.mjs'], { stream: process.stdout })).ok;
}

/** VitePress starts at the root, because pages come from all over the repository. */
async function site() {
  return (await tool('vitepress', [command, 'docs', ...args], { from: 'docs', stream: process.stdout })).ok;
}
