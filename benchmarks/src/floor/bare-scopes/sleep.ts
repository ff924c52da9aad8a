import { current } from './context.js';
import { forget, schedule, type Due } from './deadlines.js';
import { attach, CANCELLED, detach, type Member, type Scope } from './scope.js';

/** Waits for some milliseconds. */
export function sleep(ms: number): Promise<void> {
  const scope = current();
  if (scope.isCancelled) return Promise.reject(CANCELLED);
  return new Promise((resolve) => {
    const wait = new Sleep(scope, resolve);
    attach(wait, scope);
    schedule(wait, ms);
  });
}

/** What a cancelled sleep is resolved to: so it needs no reject function, which would be 56 bytes for each of many. */
const REJECTED: Promise<void> = Promise.reject(CANCELLED);
REJECTED.catch(() => {});

class Sleep implements Member, Due {
  parent: Scope | undefined;
  newer: Member | undefined = undefined;
  older: Member | undefined = undefined;
  dueAt = 0;
  order = 0;
  readonly #resolve: (value: void | Promise<void>) => void;

  constructor(scope: Scope, resolve: (value: void | Promise<void>) => void) {
    this.parent = scope;
    this.#resolve = resolve;
  }

  strike(): void {
    detach(this);
    this.#resolve();
  }

  cancel(): void {
    detach(this);
    forget(this);
    this.#resolve(REJECTED);
  }
}
