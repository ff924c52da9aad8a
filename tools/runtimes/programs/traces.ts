/** The programs of `conformance`, whose traces are the real Trio's; in explicit mode, those that make sense in it. */

import { diffTraces } from '../../../conformance/src/diff.js';
import { ambientBecause, withoutDeadlines } from '../../../conformance/src/explicit-mode.js';
import { interpret, interpretExplicitly } from '../../../conformance/src/interpreter.js';
import type { Program } from '../../../conformance/src/language.js';
import { runEach, type Environment, type Test, type TestResult } from '../suite.js';

export async function runTests(environment: Environment): Promise<TestResult[]> {
  const corpus = await (await fetch(`${environment.url}/traces`)).text();
  const programs = corpus
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Program);
  const chosen = environment.ambient
    ? programs
    : programs.filter((program) => ambientBecause(program) === undefined);
  return runEach(
    chosen.map((program): [string, Test] => [program.id, () => compare(program, environment)]),
    environment,
  );
}

async function compare(program: Program, { ambient }: Environment): Promise<void> {
  const differences = ambient
    ? diffTraces(program.expected, await interpret(program))
    : diffTraces(withoutDeadlines(program.expected), await interpretExplicitly(program));
  if (differences.length > 0) throw new Error(differences.join('\n'));
}
