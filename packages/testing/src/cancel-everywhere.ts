/** Cancelling a workload at every wait that it has. */

import { CancelScope, InvalidStateError } from '@taskscope/core';
import { checkFunction, checkOptions, currentScope, describe, putOff } from '@taskscope/core/lowlevel';

import { checkTime, checkWhole } from './arguments.js';
import { Leftovers } from './leftovers.js';
import { checkSeed, seedOfEnvironment, type Seed } from './shuffled-schedule.js';
import {
  WorkloadRun,
  type Cancellation,
  type RunSettings,
  type SetUp,
  type Workload,
  type WorkloadContext,
} from './workload-run.js';

export type { Cancellation, Workload, WorkloadContext } from './workload-run.js';

/** Options of {@link cancelEverywhere}. */
export interface CancelEverywhereOptions {
  /**
   * Runs on the real clock, for workloads that do real I/O. Their waits may be others each time. Default:
   * false.
   */
  realTime?: boolean | undefined;
  /** How many real milliseconds a run may take. Default: 4,000. */
  timeout?: number | undefined;
  /** Cancels in this way only: the message of a failure says in which. */
  only?: Cancellation | undefined;
  /** As for {@link virtualTime}. */
  seed?: Seed | undefined;
}

/** What {@link cancelEverywhere} did. */
export interface CancelEverywhereResult {
  /** How many waits the workload has when it is not cancelled. */
  readonly waits: number;
  /** How often it was run. */
  readonly runs: number;
}

/**
 * Runs a workload, counts its waits, and then runs it again for each of them, anew, cancelling there: as the
 * wait begins, while it goes on, and as it ends, which is too late for that one. What is cancelled is
 * everyone, or, when the workload has several tasks, one of them at a time, be it the one that waits or
 * another; the others have to come to their ends without it. An operation that completes at once is a wait
 * that has an end only.
 *
 * Each run is in virtual time, so if something was lost and others wait for it, that is a deadlock and fails
 * at once. After each, nothing may be left: no task, wait or timer, no listener on the signals of the
 * workload, nothing that the platform has open, no rejection that nobody handled. Whether an item, a token or
 * a lock was lost, only the workload knows: that is what its `check` is for.
 *
 * Waits until all runs have ended. Nothing else should go on meanwhile, such as another test, since it looks
 * at the whole process.
 *
 * @param workload - Called for each run. It is the workload itself, an async function; or it makes one, and
 * returns it. It must do the same each time, unless it is in real time.
 * @throws Error when a run fails or leaves something behind. It says what was cancelled where, how to repeat
 * only that, and has what went wrong as its cause. InvalidStateError in explicit mode, where nothing tells
 * which waits are the workload's. TypeError or RangeError for bad arguments.
 *
 * @example
 * ```ts
 * import { sleep } from '@taskscope/core';
 * import { Lock } from '@taskscope/sync';
 * import { cancelEverywhere } from '@taskscope/testing';
 * import assert from 'node:assert/strict';
 *
 * await cancelEverywhere(async () => {
 *   const lock = new Lock();
 *   try {
 *     await lock.run(() => sleep(1));
 *   } finally {
 *     assert.equal(lock.locked, false);
 *   }
 * });
 *
 * const { waits } = await cancelEverywhere(() => {
 *   const lock = new Lock();
 *   const useTwice = async (): Promise<void> => {
 *     for (let i = 0; i < 2; i++) await lock.run(() => sleep(1));
 *   };
 *   return {
 *     tasks: [useTwice, useTwice],
 *     check: () => assert.equal(lock.locked, false),
 *   };
 * });
 * assert.ok(waits >= 4);
 * ```
 */
export async function cancelEverywhere(
  workload: (context: WorkloadContext) => Workload | PromiseLike<unknown>,
  options: CancelEverywhereOptions = {},
): Promise<CancelEverywhereResult> {
  checkFunction(WHERE, 'workload', workload);
  const settings = readOptions(options);
  if (!(await isAmbient())) {
    throw new InvalidStateError(
      `${WHERE}: in explicit mode, nothing tells which waits are the workload's. Run this test in Node, without the condition "browser"`,
    );
  }
  const plain = await attempt(workload, settings);
  const waits = plain.steps.length;
  if (waits === 0) throw new Error(`${WHERE}: the workload never waits, so there is nothing to cancel`);
  if (options.only !== undefined) {
    const { victim } = options.only;
    if (typeof victim === 'number' && victim >= (plain.tasks ?? 0)) {
      throw new RangeError(`${WHERE}: options.only.victim: there is no task ${victim}`);
    }
    await attempt(workload, settings, options.only, plain);
    return { waits, runs: 2 };
  }

  const victims: Cancellation['victim'][] = ['everyone'];
  if (plain.tasks !== undefined && plain.tasks > 1) victims.unshift(...Array(plain.tasks).keys());
  if (plain.usesSignal) victims.push('signal');
  let runs = 1;
  let isReached = true;
  // In real time there may be more waits than the first time.
  for (let wait = 0; wait <= waits || (settings.realTime && isReached); wait++) {
    isReached = false;
    for (const moment of wait === 0 || plain.steps[wait - 1]?.isInstant === true ? AT_ITS_END : MOMENTS) {
      for (const victim of victims) {
        const run = await attempt(workload, settings, { wait, moment, victim }, plain);
        isReached ||= run.hasCancelled;
        runs++;
      }
    }
  }
  return { waits, runs };
}

const WHERE = 'cancelEverywhere()';
const MOMENTS: readonly Cancellation['moment'][] = ['begin', 'during', 'end'];
const AT_ITS_END: readonly Cancellation['moment'][] = ['end'];
const DEFAULT_TIMEOUT = 4_000;

function readOptions(options: CancelEverywhereOptions): RunSettings {
  checkOptions(WHERE, options);
  const { realTime = false, timeout = DEFAULT_TIMEOUT, seed, only } = options;
  checkOneOf('options.realTime', realTime, [false, true]);
  checkTime(WHERE, 'options.timeout', timeout, 1);
  checkSeed(WHERE, seed);
  checkOptions(WHERE, only);
  if (only !== undefined) {
    checkWhole(WHERE, 'options.only.wait', only.wait);
    checkOneOf('options.only.moment', only.moment, MOMENTS);
    if (typeof only.victim === 'number') checkWhole(WHERE, 'options.only.victim', only.victim);
    else checkOneOf('options.only.victim', only.victim, ['everyone', 'signal']);
  }
  return {
    realTime,
    timeout,
    seed: seed ?? seedOfEnvironment(),
  };
}

function checkOneOf(argument: string, value: unknown, allowed: readonly unknown[]): void {
  if (allowed.includes(value)) return;
  const list = allowed.map((each) => JSON.stringify(each)).join(', ');
  throw new TypeError(`${WHERE}: ${argument} must be one of ${list}, got ${describe(value)}`);
}

/** Whether code knows the scope that it runs in. */
function isAmbient(): Promise<boolean | undefined> {
  return new CancelScope().run((scope) => currentScope() === scope);
}

/** Runs the workload once, cancels as planned, and looks whether anything is left. */
async function attempt(
  setUp: SetUp,
  settings: RunSettings,
  planned?: Cancellation,
  plain?: WorkloadRun,
): Promise<WorkloadRun> {
  const run = new WorkloadRun(planned, plain);
  // The schedule must be the same each time: it begins with a whole budget, and while somebody probes, that
  // does not depend on the real clock.
  await new Promise<void>(putOff);
  using leftovers = new Leftovers();
  try {
    await run.go(setUp, settings);
    await leftovers.check();
    run.checkSignals();
    if (planned !== undefined && !run.hasCancelled && !settings.realTime) {
      throw new Error(
        'the workload did not come to that wait this time: outside of real time, it must do the same each time',
      );
    }
    return run;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const how = planned === undefined ? 'cancelling nothing' : inWords(planned, run, plain!);
    const repeat = planned === undefined ? '' : `\nTo repeat only this: ${inCode(planned, settings.seed)}`;
    throw new Error(`${WHERE}, ${how}: ${message}${repeat}`, { cause: error });
  }
}

function inWords({ wait, moment, victim }: Cancellation, run: WorkloadRun, plain: WorkloadRun): string {
  const whom =
    victim === 'everyone' ? victim : victim === 'signal' ? 'with the foreign signal' : `task ${victim}`;
  if (wait === 0) return `cancelling ${whom} before anything begins`;
  const label = (run.steps[wait - 1] ?? plain.steps[wait - 1])?.label;
  const which = `wait ${wait} of ${plain.steps.length}${label === undefined ? '' : ` (${label})`}`;
  return `cancelling ${whom} ${moment === 'during' ? `during ${which}` : `as ${which} ${moment}s`}`;
}

function inCode(planned: Cancellation, seed: Seed): string {
  const { wait, moment, victim } = planned;
  const whom = typeof victim === 'number' ? victim : `'${victim}'`;
  const only = `only: { wait: ${wait}, moment: '${moment}', victim: ${whom} }`;
  return `cancelEverywhere(…, { ${only}${seed === false ? '' : `, seed: ${seed}`} })`;
}
