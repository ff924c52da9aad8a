/**
 * A pool of connections: only so many are open, and who needs one while all are in use waits.
 *
 * Three rules keep it correct, whoever is cancelled and whenever:
 *
 * - A connection belongs to the pool, never to the task that happened to need it first. It is opened, and
 *   closed, in a task of the pool's own group. When the caller is cancelled meanwhile, the connection goes
 *   to the next who waits, or is idle until somebody comes.
 * - A connection that is given back is handed straight to the one who has waited longest, in the same call.
 *   A wait that was cancelled has left the queue, so nothing can be handed to it; one that was satisfied
 *   keeps what it got, and its `using` gives it back. There is no moment in between.
 * - A connection has its place in the pool from the moment in which its opening begins until it is closed,
 *   so there are never more than `maxSize`.
 */

import {
  cleanup,
  ClosedResourceError,
  currentTime,
  sleepUntil,
  taskGroup,
  type TaskContext,
  type TaskGroup,
  type TaskHandle,
  type WaitOptions,
} from '@taskscope/core';
import {
  chain,
  checkCount,
  checkTime,
  completed,
  ParkingLot,
  refusal,
  rejected,
  scopeOfWait,
  WaitQueue,
} from '@taskscope/core/lowlevel';
import { Event } from '@taskscope/sync';
import { Lease } from './lease.js';

export interface PoolOptions<C> {
  /** Opens a connection. It may wait; where nothing is ambient, with the signal that it is given. */
  open(task: TaskContext): Promise<C>;
  /**
   * Closes a connection. It may wait, too, for five seconds at most. It must not throw: that would be an
   * error of the pool, and end it.
   */
  close(connection: C, task: TaskContext): unknown;
  /** Whether a connection can still be used. Asked before it is lent. Default: always. */
  isUsable?(connection: C): boolean;
  /** How many connections there may be. */
  readonly maxSize: number;
  /** After how many milliseconds without use a connection is closed. Default: never. */
  readonly idleTimeout?: number;
}

export interface PoolStatistics {
  /** All connections: those that are being opened or closed, too. */
  readonly size: number;
  readonly opening: number;
  readonly idle: number;
  readonly leased: number;
  readonly tasksWaiting: number;
}

interface IdleConnection<C> {
  readonly connection: C;
  readonly since: number;
}

export class ConnectionPool<C> {
  readonly #options: PoolOptions<C>;
  readonly #tasks: TaskGroup;
  readonly #queue = new WaitQueue<Lease<C>>();
  readonly #opening = new Set<TaskHandle<void>>();
  readonly #leased = new Set<C>();
  /** The one that was used last is at the end, and is lent first, so those that are not needed grow old. */
  readonly #idle: IdleConnection<C>[] = [];
  /** Where the service that closes idle connections waits while there are none. */
  readonly #becameIdle = new ParkingLot();
  readonly #empty = new Event();
  #size = 0;
  #isClosed = false;

  /**
   * Runs `body` with a pool. When `body` has ended, the pool is closed: it waits for connections that are
   * still out, and until all are closed. When `body` fails or is cancelled, it does not wait for those that
   * are out, but closes them as well. In either case none is left.
   *
   * @returns What `body` returned; undefined when `options.signal` ended it.
   * @throws TaskGroupError with what `body` throws, as every task group; TypeError or RangeError for bad
   * options.
   */
  static use<C, T>(
    poolOptions: PoolOptions<C>,
    body: (pool: ConnectionPool<C>, task: TaskContext) => T | PromiseLike<T>,
    options?: WaitOptions,
  ): Promise<T | undefined> {
    try {
      checkCount('ConnectionPool.use()', 'maxSize', poolOptions.maxSize, 1);
      checkTime('ConnectionPool.use()', 'idleTimeout', poolOptions.idleTimeout ?? Infinity);
    } catch (error) {
      return rejected(error);
    }
    return taskGroup(
      async (tasks) => {
        const pool = new ConnectionPool(poolOptions, tasks);
        const { signal } = tasks.cancelScope;
        try {
          const result = await body(pool, { signal });
          await pool.close({ signal });
          return result;
        } finally {
          pool.#closeAll();
        }
      },
      { ...options, name: 'connection pool' },
    );
  }

  private constructor(options: PoolOptions<C>, tasks: TaskGroup) {
    this.#options = options;
    this.#tasks = tasks;
    const { idleTimeout = Infinity } = options;
    if (idleTimeout === Infinity) return;
    const service: TaskHandle<unknown> = tasks.startService(() =>
      this.#closeIdle(idleTimeout, service.signal),
    );
  }

  /**
   * Borrows a connection, and waits for one while there is none.
   *
   * Cancelled before or during: rejects, and has none. Cancelled after it was handed over: has it.
   *
   * @returns The connection, to be given back: `using lease = await pool.acquire()`.
   * @throws What `open` throws; ClosedResourceError when the pool is closed; Cancelled when the scope is
   * cancelled; `signal.reason` when a foreign signal aborts.
   */
  acquire(options?: WaitOptions): Promise<Lease<C>> {
    const where = 'ConnectionPool.acquire()';
    try {
      const scope = scopeOfWait(where, options);
      const refused = refusal(where, scope, options);
      if (refused !== undefined) return refused;
      if (this.#isClosed) throw poolIsClosed();
      const connection = this.#takeIdle();
      if (connection !== undefined) return completed(this.#lend(connection));
      const lease = this.#queue.wait('a connection', scope, undefined, options);
      this.#openForWaiters();
      return lease;
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Runs `fn` with a connection, and gives it back however that ends.
   *
   * @throws As `acquire()`; what `fn` throws.
   */
  run<T>(fn: (connection: C) => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    const use = async (lease: Lease<C>): Promise<T> => {
      using _ = lease;
      return await fn(lease.connection);
    };
    return chain(this.acquire(options), use, options?.signal);
  }

  /**
   * Closes the pool: who waits for a connection gets a ClosedResourceError, and those that are idle are
   * closed. Waits until those that are out have been given back, and all are closed. Cancelled: it is
   * closed all the same, but nobody has waited for the end.
   */
  close(options?: WaitOptions): Promise<void> {
    this.#shut();
    return this.#empty.wait(options);
  }

  statistics(): PoolStatistics {
    return {
      size: this.#size,
      opening: this.#opening.size,
      idle: this.#idle.length,
      leased: this.#leased.size,
      tasksWaiting: this.#queue.size,
    };
  }

  #takeIdle(): C | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (this.#isUsable(idle.connection)) return idle.connection;
      this.#startClosing(idle.connection);
    }
    return undefined;
  }

  #isUsable(connection: C): boolean {
    return this.#options.isUsable?.(connection) ?? true;
  }

  #lend(connection: C): Lease<C> {
    this.#leased.add(connection);
    return new Lease(connection, (isBroken) => {
      // Unless the pool has ended meanwhile, and closed it.
      if (!this.#leased.delete(connection)) return;
      if (isBroken) this.#startClosing(connection);
      else this.#offer(connection);
    });
  }

  /** To the one who has waited longest, or whoever comes next. */
  #offer(connection: C): void {
    if (this.#isClosed || !this.#isUsable(connection)) return this.#startClosing(connection);
    const waiter = this.#queue.shift();
    if (waiter !== undefined) {
      waiter.resolve(this.#lend(connection));
      return;
    }
    this.#idle.push({ connection, since: currentTime() });
    this.#becameIdle.unpark();
  }

  /** Opens one for each who waits, as far as there is room. Which of them gets it is another matter. */
  #openForWaiters(): void {
    while (this.#opening.size < this.#queue.size && this.#size < this.#options.maxSize) {
      this.#size++;
      const opening: TaskHandle<void> = this.#tasks.createTask((task) => this.#open(opening, task), {
        name: 'opening',
      });
      this.#opening.add(opening);
    }
  }

  async #open(opening: TaskHandle<void>, task: TaskContext): Promise<void> {
    let connection: C;
    try {
      connection = await this.#options.open(task);
    } catch (error) {
      this.#opening.delete(opening);
      if (task.signal.aborted) {
        // The pool is being closed, or its scope was cancelled. Nobody shall wait for it to try again.
        this.#shut();
        this.#leavePlace();
        throw error;
      }
      // One who waits is told, and not all of them; and nobody if there is another under way for each.
      if (this.#opening.size < this.#queue.size) this.#queue.shift()?.reject(error);
      this.#leavePlace();
      return;
    }
    this.#opening.delete(opening);
    this.#offer(connection);
  }

  /** In a task of its own, which nobody has to wait for, and no cancellation interrupts. */
  #startClosing(connection: C): void {
    const closing = async (): Promise<void> => {
      try {
        await cleanup((scope) => this.#options.close(connection, scope));
      } finally {
        this.#leavePlace();
      }
    };
    this.#tasks.createTask(closing, { name: 'closing' });
  }

  #leavePlace(): void {
    this.#size--;
    if (this.#isClosed && this.#size === 0) this.#empty.set();
    this.#openForWaiters();
  }

  /** The service: closes connections that nobody has used for long. */
  async #closeIdle(idleTimeout: number, signal: AbortSignal): Promise<never> {
    for (;;) {
      const [oldest] = this.#idle;
      if (oldest === undefined) {
        await this.#becameIdle.park({ signal, label: 'idle connections' });
      } else if (currentTime() < oldest.since + idleTimeout) {
        await sleepUntil(oldest.since + idleTimeout, { signal });
      } else {
        this.#idle.shift();
        this.#startClosing(oldest.connection);
      }
    }
  }

  /** From now on nothing is lent. */
  #shut(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue.rejectAll(poolIsClosed());
    for (const opening of this.#opening) opening.cancel('the pool is closed');
    for (const { connection } of this.#idle.splice(0)) this.#startClosing(connection);
    if (this.#size === 0) this.#empty.set();
  }

  /** The end of the pool. Whoever still has a connection has it no longer. */
  #closeAll(): void {
    this.#shut();
    for (const connection of this.#leased) this.#startClosing(connection);
    this.#leased.clear();
  }
}

function poolIsClosed(): ClosedResourceError {
  return new ClosedResourceError('the connection pool is closed');
}
