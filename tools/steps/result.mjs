/**
 * What a step that runs one tool reports: one test passed, or one failed and everything the tool said.
 *
 * @param {{ ok: boolean, output: string }} run
 */
export function asOneTest({ ok, output }) {
  return ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1, output };
}
