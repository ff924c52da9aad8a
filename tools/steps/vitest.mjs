import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cache, tool } from '../exec.mjs';

const report = join(cache, 'vitest.json');

/** Under so many shuffled schedules as well, always the same ones; `pnpm fuzz` tries others. */
const SHUFFLED = { TASKSCOPE_FUZZ_SEED: '1', TASKSCOPE_FUZZ_RUNS: '2' };

/** All tests on the sources, which have to be covered by them (see vitest.config.ts), and the examples of the documentation. */
export const vitest = {
  name: 'vitest',
  about: 'unit tests, also under shuffled schedules, their coverage, and documentation examples',
  streams: true,
  run: async () => {
    rmSync(report, { force: true });
    const args = [
      'run',
      '--coverage',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ];
    const { ok } = await tool('vitest', args, { stream: process.stdout, env: SHUFFLED });
    const { numPassedTests: passed, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    // A file that could not be loaded has no tests to count, and an unhandled error belongs to none.
    const broken = testResults.filter(
      (/** @type {any} */ file) => file.status === 'failed' && !hasFailedTest(file),
    );
    const failed = numFailedTests + broken.length;
    return { passed, failed: ok ? failed : Math.max(failed, 1) };
  },
};

/** @param {{ assertionResults: readonly { status: string }[] }} file */
function hasFailedTest(file) {
  return file.assertionResults.some((test) => test.status === 'failed');
}
