/**
 * Runs a program of the corpus on taskscope, under virtual time, and gives back the trace that it leaves.
 *
 * The statements are in one module for each section of the language: plain, tasks, scopes, errors, objects, sync,
 * streams.
 *
 * @module
 */
import { run, type TaskContext } from '@taskscope/core';
import type { Clock } from '@taskscope/core/lowlevel';
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
export function interpret(program: Program, seed?: number): Promise<Trace> {
  return trace(program, undefined, (main) =>
    seed === undefined
      ? run(main, { clock: new MockClock({ autojump: true }), escapes: 'error', lostContext: 'error' })
      : fuzzSchedule(seed, main),
  );
}

/**
 * Runs a program as one is written for explicit mode: each wait is told its scope by `{ signal }`.
 *
 * @throws As {@link interpret}.
 */
export function interpretExplicitly(program: Program): Promise<Trace> {
  const clock = new MockClock({ autojump: true });
  return trace(program, clock, (main) => run(main, { clock, escapes: 'error' }));
}

type Main = (place?: TaskContext) => Promise<void>;

async function trace(
  program: Program,
  explicitClock: Clock | undefined,
  start: (main: Main) => Promise<void>,
): Promise<Trace> {
  const env = new Environment(statements, explicitClock);
  const recorded = { outcome: 'ok' as How, end: NaN, traces: env.traces };
  let failure: unknown;
  const main: Main = async (place) => {
    for (const [name, spec] of Object.entries(program.objects)) createObject(env, name, spec);
    try {
      await new Task(env, 'main', place).live(program.main);
    } catch (error) {
      recorded.outcome = canonical(error);
      failure = error;
      throw error;
    } finally {
      recorded.end = env.now();
    }
  };
  try {
    await start(main);
  } catch (error) {
    if (error !== failure && (error as Error).cause !== failure) throw error;
  }
  return recorded;
}
