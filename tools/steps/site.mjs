import { node, tool } from '../exec.mjs';

/** The documentation site: it builds, its links lead somewhere, the API reference is whole, and a browser can show it. */
export const site = {
  name: 'site',
  about: 'the documentation site: links, API reference, offline search',
  run: async () => {
    const [links, build] = await Promise.all([markdownLinks(), node(['tools/site.mjs', 'build'])]);
    const check = build.ok ? await node(['--import', 'tsx', 'docs/checks/main.ts']) : build;
    const failed = [links, check].filter(({ ok }) => !ok);
    return {
      passed: 2 - failed.length,
      failed: failed.length,
      note: check.ok ? check.output.trim() : undefined,
      output: failed.map(({ output }) => output.trim()).join('\n'),
    };
  },
};

/** Links between the Markdown files as GitHub shows them, with their anchors. */
function markdownLinks() {
  const files = [
    'README.md',
    'CONTRIBUTING.md',
    '{packages,examples}/*/README.md',
    'benchmarks/README.md',
    'docs',
  ];
  const args = ['--frail', '--quiet', '--no-stdout', '--no-color', '--ignore-pattern', 'docs/api/**'];
  return tool('remark-cli', [...files, ...args, '--rc-path', 'docs/remark.json'], {
    bin: 'remark',
    from: 'docs',
  });
}
