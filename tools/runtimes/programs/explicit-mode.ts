/** The packages' own tests of explicit mode. */

import { tests as coreTests } from '../../../packages/core/src/explicit-mode.fixture.js';
import { tests as streamsTests } from '../../../packages/streams/src/explicit-mode.fixture.js';
import { runEach, type Environment, type TestResult } from '../suite.js';

export function runTests(environment: Environment): Promise<TestResult[]> {
  return runEach([...Object.entries(coreTests), ...Object.entries(streamsTests)], environment);
}
