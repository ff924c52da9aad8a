/**
 * What a step that runs one tool reports: one test passed, or one failed and everything the tool said.
 *
 * @param {{ ok: boolean, output: string }} run
 */
export function asOneTest({ ok, output }) {
  return ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1, output };
}

/**
 * What a step reports that runs tests of its own.
 *
 * @param {readonly { name: string, error?: string | undefined }[]} results
 */
export function asResult(results) {
  const failed = results.filter(({ error }) => error !== undefined);
  return {
    passed: results.length - failed.length,
    failed: failed.length,
    output: failed.map(({ name, error }) => `✗ ${name}\n${error}`).join('\n'),
  };
}
