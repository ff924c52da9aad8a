/** One test for each export of each package, by its public name, and some of what is ambient. */

import * as core from '@taskscope/core';
import * as lowlevel from '@taskscope/core/lowlevel';
import * as streams from '@taskscope/streams';
import * as sync from '@taskscope/sync';
import * as testing from '@taskscope/testing';
import * as taskscope from 'taskscope';
import { ambientTests } from '../smoke/ambient.js';
import { equal } from '../smoke/check.js';
import { coreTests } from '../smoke/core.js';
import { lowlevelTests } from '../smoke/lowlevel.js';
import { streamsTests } from '../smoke/streams.js';
import { syncTests } from '../smoke/sync.js';
import { testingTests } from '../smoke/testing.js';
import { runEach, type Environment, type Test, type TestResult } from '../suite.js';

const suites: readonly (readonly [name: string, exports: object, tests: Readonly<Record<string, Test>>])[] = [
  ['@taskscope/core', core, coreTests],
  ['@taskscope/core/lowlevel', lowlevel, lowlevelTests],
  ['@taskscope/sync', sync, syncTests],
  ['@taskscope/streams', streams, streamsTests],
  ['@taskscope/testing', testing, testingTests],
];

const everything: Test = () => {
  const parts = { ...core, ...sync, ...streams };
  equal(Object.keys(taskscope).toSorted(), Object.keys(parts).toSorted());
  for (const [name, value] of Object.entries(taskscope)) equal(value, parts[name as keyof typeof parts]);
};

export async function runTests(environment: Environment): Promise<TestResult[]> {
  const tests: [name: string, test: Test][] = [];
  for (const [suite, exports, testsOfExports] of suites) {
    tests.push([
      `${suite}: a test for each export`,
      () => equal(Object.keys(exports).toSorted(), Object.keys(testsOfExports).toSorted()),
    ]);
    for (const [name, test] of Object.entries(testsOfExports)) tests.push([`${suite}: ${name}`, test]);
  }
  tests.push(['taskscope: everything of core, sync and streams', everything]);
  if (environment.ambient) tests.push(...Object.entries(ambientTests));
  return runEach(tests, environment);
}
