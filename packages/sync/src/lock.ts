/**
 * Mutual exclusion.
 *
 * A lock that is released goes straight to the one who has waited longest, so nobody can come in between,
 * and whoever was woken has it. Owners are known, which turns deadlocks and foreign releases into errors.
 */

import {
  BrokenResourceError,
  currentTask,
  InvalidStateError,
  WouldBlock,
  type TaskInfo,
  type WaitOptions,
} from '@taskscope/core';
import {
  checkFunction,
  completed,
  ExitWatch,
  findSection,
  nowOrNextTurn,
  refusal,
  rejected,
  scopeOfWait,
  WaitQueue,
  type WaitScope,
} from '@taskscope/core/lowlevel';

import { isNobody } from './owner.js';
import { runHolding, type Releaser } from './releaser.js';

/** What `Lock.statistics()` returns. */
export interface LockStatistics {
  readonly locked: boolean;
  /** The task that holds it. */
  readonly owner: TaskInfo | undefined;
  readonly tasksWaiting: number;
}

/**
 * One tenancy of a lock: it begins with an acquire and ends when that, and whatever its owner acquired on
 * top, was released. Meanwhile the owner may be without the lock, waiting for a condition; when he has it
 * again it is the same tenancy, so that the Releasers that he had before still release it.
 */
export class Tenant implements Releaser {
  /** Whose it is. */
  readonly task: TaskInfo;
  /**
   * Whether it is that of a call of `run(fn)`: each is an owner of its own, so that calls that run at the same time in one task
   * queue up.
   */
  isSection: boolean;
  /** How often the owner has acquired it; more than once only if the lock is reentrant. */
  depth = 1;
  /** Whether he waits for a condition and was notified. */
  isNotified = false;
  /** Until the first level of it was given back. */
  #lock: Lock | undefined;

  constructor(lock: Lock, task: TaskInfo, isSection: boolean) {
    this.task = task;
    this.isSection = isSection;
    this.#lock = lock;
  }

  /** Whether the running code is inside of its `run(fn)`, on the same call chain. A child task is not. */
  get isAround(): boolean {
    return this.isSection && findSection((mark) => mark === this) !== undefined;
  }

  release(): void {
    const lock = this.#lock;
    this.#lock = undefined;
    if (lock !== undefined) endFirstLevel(lock, this);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /**
   * What acquire() returns if it need not wait. It is a method because the compiler knows the class of what a method was
   * called on, and so makes the promise without looking in vain for a then(), which took 15 of 80 ns.
   */
  promised(): Promise<Releaser> {
    return completed(this);
  }
}

/** One more level of a tenancy. */
class Level implements Releaser {
  readonly #lock: Lock;
  #tenant: Tenant | undefined;

  constructor(lock: Lock, tenant: Tenant) {
    this.#lock = lock;
    this.#tenant = tenant;
  }

  release(): void {
    const tenant = this.#tenant;
    this.#tenant = undefined;
    if (tenant !== undefined) endLevel(this.#lock, tenant);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

let endFirstLevel: (lock: Lock, tenant: Tenant) => void;
/** Gives back one level of a tenancy, and nothing of anybody else's. */
let endLevel: (lock: Lock, tenant: Tenant) => void;

/** What a Condition needs of its lock. */
export interface LockAccess {
  /** Who holds it, if that is the running code. */
  holder(task: TaskInfo): Tenant | undefined;
  /** Lets go of it altogether, for the next in the queue. */
  handOver(): void;
  /** Waits for it in the name of `tenant`. */
  acquireAs(tenant: Tenant, scope: WaitScope): Promise<Releaser>;
  /** Has those in a condition's queue hear of it, too, when the lock breaks. */
  breakWith(queue: WaitQueue<Releaser, Tenant>): void;
  /** Moves the first of a condition's queue, where somebody waits, to the end of its own. It is not broken then. */
  enqueueFrom(queue: WaitQueue<Releaser, Tenant>): void;
}

export let accessTo: (lock: Lock) => LockAccess;
export let makeReentrant: (lock: Lock) => void;
export let depthOf: (lock: Lock) => number;

/**
 * A lock: one owner at a time, first come, first served. It belongs to the task that acquired it: only that
 * task releases it, and acquiring it once more is reported instead of waiting for ever. For code that may
 * hold it already there is ReentrantLock. Code outside of every task and `run()` is nobody in particular:
 * there, acquiring it once more waits.
 *
 * A task that ends without releasing it breaks it: those who wait, and those who come to wait, get a
 * BrokenResourceError. To those who would not wait it is a lock that is held.
 *
 * Semantics: AnyIO's `Lock`; the breaking is Trio's.
 *
 * @example
 * ```ts
 * import { sleep } from '@taskscope/core';
 * import { Lock } from '@taskscope/sync';
 * import assert from 'node:assert/strict';
 *
 * const lock = new Lock();
 * let balance = 100;
 * const withdraw = (amount: number): Promise<void> =>
 *   lock.run(async () => {
 *     const before = balance;
 *     await sleep(1);
 *     balance = before - amount;
 *   });
 * await Promise.all([withdraw(30), withdraw(20)]);
 * assert.equal(balance, 50);
 * ```
 */
export class Lock {
  #tenant: Tenant | undefined = undefined;
  #isReentrant = false;
  #isBroken = false;
  readonly #queue = new WaitQueue<Releaser, Tenant>();
  /** The queues of those who wait for a condition of this lock. */
  #conditions: Set<WaitQueue<Releaser, Tenant>> | undefined = undefined;
  /** While others wait, somebody has to notice that the task of the owner ends. Made when somebody waits. */
  #watch: ExitWatch | undefined = undefined;

  /** Whether somebody holds it. */
  get locked(): boolean {
    return this.#tenant !== undefined;
  }

  /**
   * Waits until the lock is free, and takes it for the current task.
   *
   * Cancelled before or during: rejects, and the lock goes to others. Cancelled after it was handed over:
   * it is held.
   *
   * @returns What releases it: `using holding = await lock.acquire()`.
   * @throws InvalidStateError when the task holds it already, or inside of `run(fn)` on the same call
   * chain; BrokenResourceError when its owner has ended; Cancelled when the scope is cancelled;
   * `signal.reason` when a foreign signal aborts.
   */
  acquire(options?: WaitOptions): Promise<Releaser> {
    const where = 'Lock.acquire()';
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      const tenant = this.#enterAgain(where, scope.task);
      if (tenant !== undefined) return completed(new Level(this, tenant));
      const mine = new Tenant(this, scope.task, false);
      return this.#isFree ? this.#give(mine).promised() : this.#wait(mine, scope, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Takes the lock if it is free.
   *
   * Does not wait.
   *
   * @throws WouldBlock when somebody else holds it; InvalidStateError when the task holds it already.
   */
  acquireNowait(): Releaser {
    const task = currentTask();
    const tenant = this.#enterAgain('Lock.acquireNowait()', task);
    if (tenant !== undefined) return new Level(this, tenant);
    if (this.#tenant !== undefined) throw new WouldBlock('the lock is held');
    return this.#give(new Tenant(this, task, false));
  }

  /**
   * Releases the lock; the one who has waited longest has it then.
   *
   * Does not wait.
   *
   * @throws InvalidStateError when it is not held, or by another task; BrokenResourceError when its owner
   * has ended.
   */
  release(): void {
    const tenant = this.#tenant;
    if (tenant === undefined) throw new InvalidStateError('Lock.release(): the lock is not held');
    if (tenant.isSection) {
      // What was acquired again inside of run() may be released in there.
      if (tenant.depth === 1 || !tenant.isAround) {
        throw new InvalidStateError('Lock.release(): the lock is held by run(), which releases it by itself');
      }
      tenant.depth--;
      return;
    }
    const owner = tenant.task;
    const task = currentTask();
    if (owner !== task && !isNobody(owner) && !isNobody(task)) {
      throw new InvalidStateError(
        `Lock.release(): the lock is held by task "${owner.name}", and only that task releases it (this is "${task.name}")`,
      );
    }
    if (this.#isBroken) throw this.#brokenError();
    this.#leave(tenant);
  }

  /**
   * Runs `fn` while holding the lock. Each call is an owner of its own, so calls in one task queue up as
   * well.
   *
   * Waits for the lock, then until `fn` has ended. If the lock is free, `fn` begins in this call, or in the next turn of
   * the event loop when the budget of this one is used up. Cancelled before or while waiting for the lock: rejects
   * without calling `fn`.
   *
   * @returns What `fn` returned.
   * @throws What `fn` throws; InvalidStateError inside of itself on the same call chain, or when the task
   * holds the lock; BrokenResourceError when its owner has ended; Cancelled when the scope is cancelled;
   * TypeError when `fn` is no function.
   */
  run<T>(fn: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    const where = 'Lock.run()';
    try {
      checkFunction(where, 'fn', fn);
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      const tenant = this.#enterAgain(where, scope.task);
      if (tenant !== undefined) return runHolding(where, nowOrNextTurn(new Level(this, tenant)), fn, options);
      const mine = new Tenant(this, scope.task, true);
      const acquired = this.#isFree ? nowOrNextTurn(this.#give(mine)) : this.#wait(mine, scope, options);
      return runHolding(where, acquired, fn, options, mine);
    } catch (error) {
      return rejected(error);
    }
  }

  /** A snapshot for people and tests. */
  statistics(): LockStatistics {
    const tenant = this.#tenant;
    return {
      locked: tenant !== undefined,
      owner: tenant?.task,
      tasksWaiting: this.#queue.size,
    };
  }

  /**
   * If the running code holds it already: enters it once more if it is reentrant, and else reports the
   * deadlock.
   */
  #enterAgain(where: string, task: TaskInfo): Tenant | undefined {
    const tenant = this.#tenant;
    if (tenant === undefined) return undefined;
    const isHeldByTask = !tenant.isSection && tenant.task === task && !isNobody(task);
    if (!isHeldByTask && !tenant.isAround) return undefined;
    if (this.#isReentrant) {
      tenant.depth++;
      return tenant;
    }
    if (isHeldByTask) {
      throw new InvalidStateError(
        `${where}: task "${task.name}" holds this lock already, and would wait for itself. The branches of a Promise.all() are ` +
          'one task: use lock.run(fn), or tasks of a group. Where one call may hold it for another, use ReentrantLock',
      );
    }
    throw new InvalidStateError(
      `${where}: this is called inside of run() of the same lock, and would wait for itself. Use ReentrantLock for that`,
    );
  }

  /** Whether somebody waits who has to hear of it when the owner's task ends. */
  #isAwaited(): boolean {
    return (
      this.#queue.size > 0 || (this.#conditions !== undefined && this.#isConditionAwaited(this.#conditions))
    );
  }

  #isConditionAwaited(conditions: Set<WaitQueue<Releaser, Tenant>>): boolean {
    for (const queue of conditions) {
      if (queue.size > 0) return true;
      conditions.delete(queue);
    }
    return false;
  }

  get #isFree(): boolean {
    return this.#tenant === undefined;
  }

  #wait(tenant: Tenant, scope: WaitScope, options?: WaitOptions): Promise<Releaser> {
    this.#watchOwner();
    if (this.#isBroken) return Promise.reject(this.#brokenError());
    return this.#queue.wait('a lock', scope, tenant, options);
  }

  #give(tenant: Tenant): Tenant {
    // Who has released everything while waiting for a condition has no use for it any more.
    if (tenant.depth > 0) this.#tenant = tenant;
    if (this.#conditions !== undefined && this.#isAwaited()) this.#watchOwner();
    return tenant;
  }

  /** For run() the first level is its end. */
  #leaveFirst(tenant: Tenant): void {
    this.#leave(tenant);
    if (tenant.depth <= 0 || !tenant.isSection) return;
    // What was acquired in there and not released is the task's from now on.
    tenant.isSection = false;
    if (this.#isAwaited()) this.#watchOwner();
  }

  #leave(tenant: Tenant): void {
    if (this.#isBroken) return;
    tenant.depth--;
    if (tenant.depth === 0 && tenant === this.#tenant) this.#handOver();
  }

  #handOver(): void {
    do {
      const next = this.#queue.shift();
      this.#tenant = next?.data;
      next?.resolve(next.data);
      // Who has released everything while waiting for a condition has no use for it any more.
    } while (this.#tenant !== undefined && this.#tenant.depth <= 0);
    if (this.#isAwaited()) this.#watchOwner();
    else this.#watch?.unwatch();
  }

  #watchOwner(): void {
    if (this.#isBroken) return;
    const tenant = this.#tenant;
    // A section always ends, and passes on what is left to its task; and the root never ends.
    if (tenant === undefined || tenant.isSection || isNobody(tenant.task)) {
      this.#watch?.unwatch();
      return;
    }
    const watch = (this.#watch ??= this.#newWatch());
    if (!watch.watch('Lock', tenant.task)) this.#break();
  }

  /** A function of its own, since the engine makes the context of a closure when a function is entered. */
  #newWatch(): ExitWatch {
    return new ExitWatch(() => this.#break());
  }

  #break(): void {
    this.#isBroken = true;
    this.#queue.rejectAll(this.#brokenError());
    for (const queue of this.#conditions ?? []) queue.rejectAll(this.#brokenError());
    this.#conditions = undefined;
  }

  #brokenError(): BrokenResourceError {
    // It keeps the owner with whom it broke.
    const { name } = this.#tenant!.task;
    return new BrokenResourceError(`the task "${name}" that held this lock has ended without releasing it`);
  }

  static {
    accessTo = (lock) => ({
      holder(task) {
        const tenant = lock.#tenant;
        return tenant !== undefined && isCalledBy(tenant, task) ? tenant : undefined;
      },
      handOver: () => lock.#handOver(),
      acquireAs(tenant, scope) {
        return lock.#isFree ? lock.#give(tenant).promised() : lock.#wait(tenant, scope);
      },
      breakWith: (queue) => void (lock.#conditions ??= new Set()).add(queue),
      enqueueFrom(queue) {
        queue.shiftTo(lock.#queue);
        if (lock.#tenant === undefined) lock.#handOver();
        else lock.#watchOwner();
      },
    });
    endFirstLevel = (lock, tenant) => lock.#leaveFirst(tenant);
    endLevel = (lock, tenant) => lock.#leave(tenant);
    makeReentrant = (lock) => {
      lock.#isReentrant = true;
    };
    depthOf = (lock) => lock.#tenant?.depth ?? 0;
  }
}

/** Whether the running code, in `task`, is the owner. */
function isCalledBy(tenant: Tenant, task: TaskInfo): boolean {
  if (!tenant.isSection) return tenant.task === task;
  // In explicit mode nothing tells the calls in one task from each other.
  return tenant.isAround || (isNobody(currentTask()) && tenant.task === task);
}
