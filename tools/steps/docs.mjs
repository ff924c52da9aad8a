import { node, tool } from '../exec.mjs';

/**
 * Every export is documented, and the examples of doc comments and Markdown are type-checked. The tests run them
 * (tools/doc-examples.test.ts).
 */
export const docs = {
  name: 'docs',
  about: 'doc comments of all exports, type-check of the examples',
  needs: ['build'],
  run: async () => {
    const coverage = await node(['--import', 'tsx', 'tools/doc-coverage.ts']);
    const examples = await node(['--import', 'tsx', 'tools/doc-examples.ts']);
    const check = examples.ok ? await tool('typescript', ['-p', '.doc-examples'], { bin: 'tsc' }) : examples;
    const failed = [coverage, check].filter(({ ok }) => !ok);
    return {
      passed: 2 - failed.length,
      failed: failed.length,
      note: [coverage, examples].every(({ ok }) => ok)
        ? `${firstLine(coverage)}, ${firstLine(examples)}`
        : undefined,
      output: failed.map(({ output }) => output.trim()).join('\n'),
    };
  },
};

/** @param {{ output: string }} run */
function firstLine({ output }) {
  return output.split('\n', 1)[0];
}
