/**
 * Runs the tests of core, sync and streams again under shuffled schedules: those that take their schedule
 * from the environment, as `virtualTime()` and `cancelEverywhere()` do. Which ones do is seen when they run
 * for the first time.
 *
 * TASKSCOPE_FUZZ_SEED is the first seed, TASKSCOPE_FUZZ_RUNS how many follow each other. What fails, says
 * under which.
 */

import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestRunner, type RunnerTestCase } from 'vitest';

const SEED = 'TASKSCOPE_FUZZ_SEED';
const RUNS = 'TASKSCOPE_FUZZ_RUNS';
const FOLDERS = ['core', 'sync', 'streams'].map((name) => `packages/${name}/`);

const root = fileURLToPath(new URL('..', import.meta.url));
const firstSeed = Number(process.env[SEED]);
const runs = Number(process.env[RUNS]);

/** The seed that a test would find now; undefined for the plain schedule. */
let seed: number | undefined;
let wasAskedFor = false;

// What is not set cannot be inherited: programs that tests start are not shuffled.
Reflect.deleteProperty(process.env, SEED);
process.env = new Proxy(process.env, {
  get(environment, name) {
    if (name === SEED) wasAskedFor = true;
    return name === SEED && seed !== undefined ? `${seed}` : Reflect.get(environment, name);
  },
  // On the environment itself: what goes through the proxy as a definition, Node refuses.
  set: (environment, name, value) => Reflect.set(environment, name, value),
});

// oxlint-disable-next-line import/no-default-export -- vitest looks for it there
export default class FuzzRunner extends TestRunner {
  override async onBeforeRunTask(test: RunnerTestCase): Promise<void> {
    await super.onBeforeRunTask(test);
    // The first time is the plain one: it shows whether there is anything to shuffle.
    if (FOLDERS.some((folder) => fileOf(test).startsWith(folder))) test.repeats = runs;
  }

  async runTask(test: RunnerTestCase): Promise<void> {
    const repeat = test.result?.repeatCount ?? 0;
    if (repeat > 0 && (!wasAskedFor || test.result?.state === 'fail')) return;
    if (repeat === 0) wasAskedFor = false;
    seed = repeat === 0 ? undefined : firstSeed + repeat - 1;
    try {
      await TestRunner.getTestFn(test)();
    } catch (error) {
      throw seed === undefined ? error : withSeed(error, seed, fileOf(test));
    } finally {
      seed = undefined;
    }
  }
}

function fileOf(test: RunnerTestCase): string {
  return relative(root, test.file.filepath).split(sep).join('/');
}

/** The error itself is kept, for what the reporter shows of it; of a group, that is its members. */
function withSeed(error: unknown, under: number, file: string): unknown {
  const note = `\n\nUnder the schedule of seed ${under}. To repeat it: pnpm fuzz --seed ${under} --only ${file}`;
  if (!(error instanceof Error)) return new Error(String(error) + note, { cause: error });
  for (const each of leavesOf(error)) if (!each.message.includes(note)) each.message += note;
  return error;
}

/** By itself: core must not be loaded here, where a test that has it in explicit mode comes later. */
function leavesOf(error: unknown): Error[] {
  if (error instanceof AggregateError) return error.errors.flatMap(leavesOf);
  return error instanceof Error ? [error] : [];
}
