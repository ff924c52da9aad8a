import { defineConfig } from 'vitest/config';

// Tests run on the sources: `@taskscope/…` and `#platform` resolve by the condition that package.json keeps for this.
const conditions = ['@taskscope/source', 'module', 'node', 'development|production'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    environment: 'node',
    pool: 'forks',
    execArgv: ['--expose-gc'],
    include: [
      'packages/*/src/**/*.test.ts',
      'examples/**/*.test.ts',
      'conformance/**/*.test.ts',
      'benchmarks/**/*.test.ts',
      'tools/**/*.test.ts',
      'docs/{.vitepress,checks}/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // What a test prints is of interest only if it fails.
    silent: 'passed-only',
    testTimeout: 10_000,
    coverage: {
      // `pnpm coverage`, and the step `vitest` of `npm test`. What is left out, a comment in place says why.
      include: ['packages/{core,sync,streams}/src/**/*.ts'],
      exclude: ['**/*.{test,fixture}.ts'],
      thresholds: { 100: true },
      reporter: [['text', { skipFull: true }]],
    },
    // Shuffled schedules: `npm test` and `pnpm fuzz` ask for them.
    ...(process.env['TASKSCOPE_FUZZ_RUNS'] === undefined ? {} : { runner: './tools/fuzz-runner.ts' }),
  },
});
