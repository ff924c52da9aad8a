import { current } from './context.js';
import { Queue } from './queue.js';
import { CANCELLED, type Scope } from './scope.js';

/** A lock that is handed on first come, first served. */
export class Lock {
  #holding: Holding | undefined = undefined;
  readonly #queue = new Queue<Holding, Holding>();

  /** The task that holds it. */
  get owner(): Scope | undefined {
    return this.#holding?.owner;
  }

  acquire(): Promise<Holding> {
    const scope = current();
    if (scope.isCancelled) return Promise.reject(CANCELLED);
    const holding = new Holding(this, scope.task);
    if (this.#holding !== undefined) return this.#queue.wait(scope, holding);
    this.#holding = holding;
    return Promise.resolve(holding);
  }

  handOver(): void {
    const next = this.#queue.shift();
    this.#holding = next?.data;
    next?.resolve(next.data);
  }
}

/** That a task has the lock. Gives it back once, and no more. */
class Holding {
  readonly owner: Scope;
  #lock: Lock | undefined;

  constructor(lock: Lock, owner: Scope) {
    this.owner = owner;
    this.#lock = lock;
  }

  release(): void {
    const lock = this.#lock;
    this.#lock = undefined;
    lock?.handOver();
  }
}
