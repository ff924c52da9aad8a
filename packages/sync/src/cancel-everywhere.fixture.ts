/**
 * Cancelling a small workload at every step that it has.
 *
 * The workload runs once by itself, and its waits are counted. Then it runs again for each of them, anew, and is
 * cancelled there: as the wait begins, while it is going on, and as it ends, which is too late for that wait. What is
 * cancelled is one of the tasks, be it the one that waits or another, and all others have to come to their ends without it;
 * or everyone. It runs in virtual time, so if something was lost and others wait for it, that is a deadlock and fails at once.
 */

import { currentTask, run, taskGroup, type TaskHandle } from '@taskscope/core';
import { addProbe, putOff, type Instrument, type WaitInfo } from '@taskscope/core/lowlevel';
import { MockClock } from '@taskscope/testing';

export interface Workload {
  /** What runs at the same time, each in a task of its own. */
  readonly tasks: readonly (() => unknown)[];
  /** Looks whether nothing was lost, when all tasks have ended. `cancelled` tells for each whether it was cancelled. */
  check(cancelled: readonly boolean[]): void | Promise<void>;
}

type Moment = 'as it begins' | 'while it goes on' | 'as it ends';
type Victim = number | 'everyone';

const MOMENTS: readonly Moment[] = ['as it begins', 'while it goes on', 'as it ends'];

/**
 * Runs the workload in all these ways. `setUp` makes it anew for each.
 *
 * @returns How many waits it has, and so steps at which it was cancelled.
 */
export async function cancelEverywhere(setUp: () => Workload): Promise<number> {
  const steps = await runWorkload(setUp(), undefined);
  if (steps === 0) throw new Error('the workload never waits, so there is nothing to cancel');
  const victims: readonly Victim[] = [...setUp().tasks.keys(), 'everyone'];
  for (let step = 0; step < steps; step++) {
    for (const moment of MOMENTS) {
      for (const victim of victims) {
        try {
          await runWorkload(setUp(), { step, moment, victim });
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          const whom = victim === 'everyone' ? victim : `task ${victim}`;
          throw new Error(`cancelling ${whom} at wait ${step} of ${steps}, ${moment}: ${message}`, {
            cause: error,
          });
        }
      }
    }
  }
  return steps;
}

interface Cancellation {
  readonly step: number;
  readonly moment: Moment;
  readonly victim: Victim;
}

/** Returns how many waits its tasks began. */
async function runWorkload(workload: Workload, planned: Cancellation | undefined): Promise<number> {
  const ids = new Set<number>();
  const handles: TaskHandle<unknown>[] = [];
  let begun = 0;
  let chosen: WaitInfo | undefined;
  let hasCancelled = false;
  let cancelAll = (): void => {};

  const cancel = (): void => {
    if (hasCancelled || planned === undefined) return;
    hasCancelled = true;
    if (planned.victim === 'everyone') cancelAll();
    else handles[planned.victim]!.cancel('everywhere');
  };
  const instrument: Instrument = {
    waitStarted(wait) {
      if (!ids.has(wait.task.id) || begun++ !== planned?.step) return;
      chosen = wait;
      if (planned.moment === 'as it begins') cancel();
      else if (planned.moment === 'while it goes on') queueMicrotask(cancel);
    },
    waitEnded(wait) {
      if (wait === chosen && planned?.moment === 'as it ends') cancel();
    },
  };

  // The schedule must be the same each time: it begins with a whole budget, and while somebody probes, that does not
  // depend on the real clock.
  await new Promise<void>(putOff);
  using _ = addProbe({ operation: () => true, cancelPoint() {} });
  await run(
    async () => {
      await taskGroup((tg) => {
        cancelAll = () => tg.cancel('everywhere');
        for (const [index, task] of workload.tasks.entries()) {
          const begin = (): unknown => {
            ids.add(currentTask().id);
            return task();
          };
          handles.push(tg.createTask(begin, { name: `task ${index}` }));
        }
      });
      const cancelled = handles.map((handle) => handle.status === 'cancelled');
      for (const [index, wasCancelled] of cancelled.entries()) {
        const mayBe = planned?.victim === 'everyone' || planned?.victim === index;
        if (wasCancelled && !mayBe) throw new Error(`task ${index} was cancelled and was not to be`);
      }
      await workload.check(cancelled);
    },
    { clock: new MockClock({ autojump: true }), escapes: 'error', instruments: [instrument] },
  );
  if (planned !== undefined && !hasCancelled) throw new Error('that wait did not happen this time');
  return begun;
}
