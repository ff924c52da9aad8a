/**
 * Noticing that everyone waits.
 *
 * Promise reactions run to their end before the event loop turns. So when a whole turn went by in which no
 * task began or ended, no wait began or ended, and nothing was put off, every task waits for something: for
 * time, for somebody else, or for the world outside. One monitor serves all who want to know, so that they
 * do not take each other's looking for activity.
 */

import { activityCount, inNextTurn, isTurnPending } from '@taskscope/core/lowlevel';

/** Somebody who wants to know that everyone waits. */
export interface IdleListener {
  /** For how long it must have been so, in real milliseconds. */
  readonly cushion: number;
  /** Those who only look come before those who change something, whatever their cushions. */
  readonly changesThings: boolean;
  /** Returns whether it has set something going. */
  onIdle(): boolean;
}

/** A platform API that answers at once may take a turn or two to do so. */
const QUIET_TURNS = 2;
/** While the world outside is awaited, look again after so many real milliseconds. */
const LONGEST_PAUSE = 4;

const listeners = new Set<IdleListener>();
let isRunning = false;
let pause: ReturnType<typeof setTimeout> | undefined;

/** Calls the listener whenever everyone waits, until it is disposed of. */
export function addIdleListener(listener: IdleListener): Disposable {
  listeners.add(listener);
  if (!isRunning) {
    isRunning = true;
    inNextTurn(() => look({ activity: activityCount(), turns: 0, since: performance.now(), pause: 0 }));
  }
  return {
    [Symbol.dispose](): void {
      listeners.delete(listener);
      // A timer that is left would be taken for one of whoever is looked at next.
      if (listeners.size > 0 || pause === undefined) return;
      clearTimeout(pause);
      pause = undefined;
      isRunning = false;
    },
  };
}

interface Quiet {
  /** The count of activity at the last look. */
  activity: number;
  /** For how many turns of the event loop nothing has happened, and since when. */
  turns: number;
  since: number;
  pause: number;
}

function look(quiet: Quiet): void {
  pause = undefined;
  if (listeners.size === 0) {
    isRunning = false;
    return;
  }
  const again = (): void => look(quiet);
  const activity = activityCount();
  const now = performance.now();
  if (activity !== quiet.activity || isTurnPending()) {
    Object.assign(quiet, { activity, turns: 0, since: now, pause: 0 });
    inNextTurn(again);
    return;
  }
  quiet.turns++;
  if (quiet.turns < QUIET_TURNS) {
    inNextTurn(again);
    return;
  }
  if (tellOne(now - quiet.since)) {
    Object.assign(quiet, { activity: activityCount(), turns: 0, since: now, pause: 0 });
    inNextTurn(again);
    return;
  }
  // Nothing to do but to wait for the world outside, or for a cushion to pass.
  quiet.pause = Math.min(quiet.pause + 1, LONGEST_PAUSE);
  pause = setTimeout(again, quiet.pause);
}

/** Tells the listeners whose time has come, in order, until one has set something going. */
function tellOne(quietFor: number): boolean {
  // While somebody looks, nothing is changed, even if they still wait for their cushion.
  const onlyLook = [...listeners].filter((listener) => !listener.changesThings);
  const ready = (onlyLook.length > 0 ? onlyLook : [...listeners])
    .filter((listener) => listener.cushion <= quietFor)
    .toSorted((a, b) => a.cushion - b.cushion);
  let told: IdleListener | undefined;
  for (const listener of ready) {
    // Those who only look, with the same cushion, are all told at once.
    if (told !== undefined && (listener.cushion !== told.cushion || listener.changesThings)) break;
    if (listener.onIdle()) told = listener;
  }
  return told !== undefined;
}
