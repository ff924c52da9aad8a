/** Where tasks wait for each other, as library authors know it from Trio. */

import { scopeOfWait, type WaitOptions } from './ambient.js';
import { checkCount, checkOptions, describe } from './arguments.js';
import { BrokenResourceError, InvalidStateError } from './errors.js';
import type { TaskInfo } from './instruments.js';
import { rejected } from './promises.js';
import { refusal } from './suspend.js';
import { onTaskExit } from './task-exit.js';
import { WaitQueue } from './wait-queue.js';

/** Options of `ParkingLot.park()`. */
export interface ParkOptions extends WaitOptions {
  /** What is waited for, as the task tree shows it. */
  label?: string;
}

/** What `ParkingLot.statistics()` returns. */
export interface ParkingLotStatistics {
  readonly tasksWaiting: number;
}

/**
 * A queue of parked tasks. `park()` waits in it; `unpark()` wakes those who have waited longest. Build your
 * own primitives from it: it takes care of fairness and of cancellation.
 *
 * Semantics: Trio's `ParkingLot`.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { ParkingLot } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * class Gate {
 *   #open = false;
 *   readonly #lot = new ParkingLot();
 *   async pass(): Promise<void> {
 *     if (!this.#open) await this.#lot.park();
 *   }
 *   open(): void {
 *     this.#open = true;
 *     this.#lot.unparkAll();
 *   }
 * }
 * const gate = new Gate();
 * await taskGroup(async (tg) => {
 *   const walker = tg.startSoon(() => gate.pass());
 *   assert.equal(walker.status, 'pending');
 *   gate.open();
 * });
 * ```
 */
export class ParkingLot {
  readonly #queue = new WaitQueue();
  #broken: unknown = undefined;
  #isBroken = false;

  /** How many tasks are parked. */
  get size(): number {
    return this.#queue.size;
  }

  /**
   * Waits until somebody unparks this task. Tasks are unparked in the order in which they parked.
   *
   * Cancelled before or during: rejects, and the place in the queue is gone. Cancelled after it was
   * unparked: it stays unparked, and the cancellation meets the task at its next wait.
   *
   * @throws Cancelled when the scope is cancelled; `signal.reason` when a foreign signal aborts;
   * BrokenResourceError (or what `breakLot` was given) when the lot is broken.
   */
  park(options?: ParkOptions): Promise<void> {
    try {
      checkOptions('ParkingLot.park()', options);
      const scope = scopeOfWait('ParkingLot.park()', options);
      const refused = refusal('ParkingLot.park()', scope, options);
      if (refused !== undefined) return refused;
      if (this.#isBroken) return Promise.reject(this.#broken);
      return this.#queue.wait(options?.label ?? 'park', scope, undefined, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Wakes up to `count` tasks, those who have waited longest first.
   *
   * Does not wait.
   *
   * @returns How many were woken.
   * @throws TypeError or RangeError when `count` is no count.
   */
  unpark(count = 1): number {
    checkCount('ParkingLot.unpark()', 'count', count, 0);
    let woken = 0;
    for (; woken < count; woken++) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      next.resolve();
    }
    return woken;
  }

  /** Wakes everyone. Returns how many that were. */
  unparkAll(): number {
    return this.unpark(Infinity);
  }

  /**
   * Moves up to `count` tasks to the end of another lot without waking them, those who have waited longest
   * first.
   *
   * Does not wait.
   *
   * @returns How many were moved. If the other lot is broken, they are woken with its error.
   * @throws TypeError when `target` is no ParkingLot; TypeError or RangeError when `count` is no count.
   *
   * Semantics: Trio's `ParkingLot.repark`.
   *
   * @example
   * ```ts
   * import { moveOnAfter } from '@taskscope/core';
   * import { ParkingLot } from '@taskscope/core/lowlevel';
   * import assert from 'node:assert/strict';
   *
   * const [notified, lock] = [new ParkingLot(), new ParkingLot()];
   * const parked = moveOnAfter(1, () => notified.park());
   * assert.equal(notified.repark(lock), 1);
   * assert.equal(lock.size, 1);
   * await parked;
   * ```
   */
  repark(target: ParkingLot, count = 1): number {
    if (!(target instanceof ParkingLot)) {
      throw new TypeError(`ParkingLot.repark(): target must be a ParkingLot, got ${describe(target)}`);
    }
    checkCount('ParkingLot.repark()', 'count', count, 0);
    // Into itself, everyone moves once.
    const most = Math.min(count, this.size);
    for (let moved = 0; moved < most; moved++) {
      if (target.#isBroken) this.#queue.shift()!.reject(target.#broken);
      else this.#queue.shiftTo(target.#queue);
    }
    return most;
  }

  /**
   * Breaks the lot for good: everyone who is parked, and everyone who comes, gets the error.
   *
   * Does not wait. A second call changes nothing.
   *
   * @param error - Default: a BrokenResourceError.
   *
   * Semantics: Trio's `ParkingLot.break_lot`.
   */
  breakLot(error: unknown = new BrokenResourceError('the parking lot is broken')): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#broken = error;
    this.#queue.rejectAll(error);
  }

  /** A snapshot for people and tests. */
  statistics(): ParkingLotStatistics {
    return { tasksWaiting: this.#queue.size };
  }
}

/**
 * Has a task break a lot when it ends, for things that are owned by a task: those who wait for the owner of
 * a lock shall hear that it has gone.
 *
 * Does not wait. Dispose of the result when the task no longer owns the thing.
 *
 * @param task - What `currentTask()` returned in a task that has not ended.
 * @param error - What the lot is broken with. Default: a BrokenResourceError that names the task.
 * @throws InvalidStateError when the task has ended, in which case the lot is broken at once; TypeError
 * when `task` is no task.
 *
 * Semantics: Trio's `add_parking_lot_breaker` and `remove_parking_lot_breaker`.
 *
 * @example
 * ```ts
 * import { BrokenResourceError, currentTask, taskGroup } from '@taskscope/core';
 * import { addParkingLotBreaker, ParkingLot } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * const lot = new ParkingLot();
 * await taskGroup(async (tg) => {
 *   tg.startSoon(() => void addParkingLotBreaker(currentTask(), lot));
 *   await assert.rejects(lot.park(), BrokenResourceError);
 * });
 * ```
 */
export function addParkingLotBreaker(task: TaskInfo, lot: ParkingLot, error?: unknown): Disposable {
  if (!(lot instanceof ParkingLot)) {
    throw new TypeError(`addParkingLotBreaker(): lot must be a ParkingLot, got ${describe(lot)}`);
  }
  const breakIt = (): void => {
    lot.breakLot(error ?? new BrokenResourceError(`the task "${task.name}" ended without giving this back`));
  };
  const registration = onTaskExit('addParkingLotBreaker()', task, breakIt);
  if (registration !== undefined) return registration;
  breakIt();
  throw new InvalidStateError(
    `addParkingLotBreaker(): the task "${task.name}" has ended, so the lot is broken now`,
  );
}
