import {
  cancelShieldedCheckpoint,
  checkpoint,
  checkpointIfCancelled,
  currentEffectiveDeadline,
  currentTime,
  sleep,
  sleepForever,
  sleepUntil,
} from '@taskscope/core';
import { ProgramError } from './canonical.js';
import type { Amount } from './language.js';
import type { Statements } from './task.js';

export const plainStatements = {
  log(task, { label }) {
    task.record('log', label);
  },

  async sleep(task, { op, ms }) {
    await task.wait(op, () => sleep(ms));
    task.record(op, ms);
  },

  async sleep_until(task, { op, at }) {
    await task.wait(op, () => sleepUntil(at));
    task.record(op, at);
  },

  async sleep_forever(task, { op }) {
    await task.wait(op, () => sleepForever());
  },

  async checkpoint(task, { op }) {
    await task.wait(op, () => checkpoint());
    task.record(op);
  },

  async checkpoint_if_cancelled(task, { op }) {
    await task.wait(op, () => checkpointIfCancelled());
    task.record(op);
  },

  async shielded_checkpoint(task, { op }) {
    await task.wait(op, () => cancelShieldedCheckpoint());
    task.record(op);
  },

  deadline(task) {
    task.record('deadline', fromNow(currentEffectiveDeadline()));
  },

  raise(task, { error }) {
    task.record('raise', error);
    throw new ProgramError(error);
  },
} satisfies Statements;

/** A time in milliseconds from now, as traces write it. */
export function fromNow(time: number): Amount | '-inf' {
  if (Number.isFinite(time)) return time - currentTime();
  return time > 0 ? 'inf' : '-inf';
}
