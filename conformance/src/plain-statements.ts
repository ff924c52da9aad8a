import {
  cancelShieldedCheckpoint,
  checkpoint,
  checkpointIfCancelled,
  currentEffectiveDeadline,
  sleep,
  sleepForever,
  sleepUntil,
} from '@taskscope/core';
import { ProgramError } from './canonical.js';
import type { Amount } from './language.js';
import type { Statements, Task } from './task.js';

export const plainStatements = {
  log(task, { label }) {
    task.record('log', label);
  },

  async sleep(task, { op, ms }) {
    await task.wait(op, () => sleep(ms, task.options));
    task.record(op, ms);
  },

  async sleep_until(task, { op, at }) {
    await task.wait(op, () => sleepUntil(at, task.options));
    task.record(op, at);
  },

  async sleep_forever(task, { op }) {
    await task.wait(op, () => sleepForever(task.options));
  },

  async checkpoint(task, { op }) {
    await task.wait(op, () => checkpoint(task.options));
    task.record(op);
  },

  async checkpoint_if_cancelled(task, { op }) {
    await task.wait(op, () => checkpointIfCancelled(task.options));
    task.record(op);
  },

  async shielded_checkpoint(task, { op }) {
    await task.wait(op, () => cancelShieldedCheckpoint());
    task.record(op);
  },

  /** In explicit mode, the question is not asked: it is about what is ambient. */
  deadline(task) {
    if (task.env.explicit) return;
    task.record('deadline', fromNow(task, currentEffectiveDeadline()));
  },

  raise(task, { error }) {
    task.record('raise', error);
    throw new ProgramError(error);
  },
} satisfies Statements;

/** A time in milliseconds from now, as traces write it. */
export function fromNow(task: Task, time: number): Amount | '-inf' {
  if (Number.isFinite(time)) return time - task.env.now();
  return time > 0 ? 'inf' : '-inf';
}
