import { Fifo } from './fifo.js';

const ACQUIRED = Promise.resolve();

/**
 * A semaphore of promises and nothing else, handed on first come, first served; with one permit, a mutex. What a lock
 * costs at least, without cancellation or an owner.
 */
export class BareSemaphore {
  #free: number;
  readonly #waiters = new Fifo<() => void>();

  constructor(permits: number) {
    this.#free = permits;
  }

  acquire(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return ACQUIRED;
    }
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  release(): void {
    const next = this.#waiters.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
