/**
 * Runs a program of the corpus on taskscope, under virtual time, and gives back the trace that it leaves.
 *
 * The statements are in one module for each section of the language: plain, tasks, scopes, errors, objects, sync,
 * streams.
 *
 * @module
 */
import { currentTime, run } from '@taskscope/core';
import { fuzzSchedule, MockClock } from '@taskscope/testing';
import { canonical } from './canonical.js';
import { errorStatements } from './error-statements.js';
import type { How, Program, Trace } from './language.js';
import { createObject, objectStatements } from './objects.js';
import { plainStatements } from './plain-statements.js';
import { scopeStatements } from './scope-statements.js';
import { streamStatements } from './stream-statements.js';
import { syncStatements } from './sync-statements.js';
import { Environment, type Statements, Task } from './task.js';
import { taskStatements } from './task-statements.js';

const statements: Statements = {
  ...plainStatements,
  ...taskStatements,
  ...scopeStatements,
  ...errorStatements,
  ...objectStatements,
  ...syncStatements,
  ...streamStatements,
};

/**
 * Runs a program. A seed shuffles the order in which tasks that are ready wake up.
 *
 * @throws When the run fails in another way than its main task does, by a deadlock for example.
 */
export async function interpret(program: Program, seed?: number): Promise<Trace> {
  const env = new Environment(statements);
  const trace = { outcome: 'ok' as How, end: NaN, traces: env.traces };
  let failure: unknown;
  const main = async (): Promise<void> => {
    for (const [name, spec] of Object.entries(program.objects)) createObject(env, name, spec);
    try {
      await new Task(env, 'main').live(program.main);
    } catch (error) {
      trace.outcome = canonical(error);
      failure = error;
      throw error;
    } finally {
      trace.end = currentTime();
    }
  };
  try {
    const clock = new MockClock({ autojump: true });
    if (seed === undefined) await run(main, { clock, escapes: 'error', lostContext: 'error' });
    else await fuzzSchedule(seed, main);
  } catch (error) {
    if (error !== failure && (error as Error).cause !== failure) throw error;
  }
  return trace;
}
