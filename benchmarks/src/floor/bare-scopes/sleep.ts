import { current } from './context.js';
import { forget, schedule, type Due } from './deadlines.js';
import { attach, CANCELLED, detach, type Member, type Scope } from './scope.js';

/** Waits for some milliseconds. */
export function sleep(ms: number): Promise<void> {
  const scope = current();
  if (scope.isCancelled) return Promise.reject(CANCELLED);
  return new Promise((resolve, reject) => {
    const wait = new Sleep(scope, resolve, reject);
    attach(wait, scope);
    schedule(wait, ms);
  });
}

class Sleep implements Member, Due {
  parent: Scope | undefined;
  newer: Member | undefined = undefined;
  older: Member | undefined = undefined;
  dueAt = 0;
  order = 0;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;

  constructor(scope: Scope, resolve: () => void, reject: (error: unknown) => void) {
    this.parent = scope;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  strike(): void {
    detach(this);
    this.#resolve();
  }

  cancel(): void {
    detach(this);
    forget(this);
    this.#reject(CANCELLED);
  }
}
