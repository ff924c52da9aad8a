/** Which scope a callback sees: see docs/context-probes.md. */

import { probes, thisRuntime } from '../../../packages/core/src/context-probes.fixture.js';
import { equal } from '../smoke/check.js';
import { runEach, type Environment, type Test, type TestResult } from '../suite.js';

export function runTests(environment: Environment): Promise<TestResult[]> {
  const runtime = thisRuntime();
  const tests = probes.map(({ name, ask, expected }): [string, Test] => [
    name,
    async () => equal(await ask(), expected[runtime]),
  ]);
  return runEach(tests, environment);
}
