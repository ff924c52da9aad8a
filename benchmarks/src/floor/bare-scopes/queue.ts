import { attach, CANCELLED, detach, type Member, type Scope } from './scope.js';

/** A wait in a queue, for a value of `T`, with what the primitive has to know of it. */
export class Wait<T, D> implements Member {
  parent: Scope | undefined;
  newer: Member | undefined;
  older: Member | undefined;
  ahead: Wait<T, D> | undefined;
  behind: Wait<T, D> | undefined;
  readonly queue: Queue<T, D>;
  readonly data: D;
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;

  constructor(queue: Queue<T, D>, scope: Scope, data: D) {
    let resolvePromise!: (value: T) => void;
    let rejectPromise!: (error: unknown) => void;
    const promise = new Promise<T>((resolve, reject) => {
      resolvePromise = resolve;
      rejectPromise = reject;
    });
    this.parent = scope;
    this.newer = undefined;
    this.older = undefined;
    this.ahead = undefined;
    this.behind = undefined;
    this.queue = queue;
    this.data = data;
    this.promise = promise;
    this.resolve = resolvePromise;
    this.reject = rejectPromise;
  }

  cancel(): void {
    detach(this);
    this.queue.remove(this);
    this.reject(CANCELLED);
  }
}

/** Those who wait for their turn with a primitive. Who is cancelled is not in it any more. */
export class Queue<T, D> {
  #first: Wait<T, D> | undefined = undefined;
  #last: Wait<T, D> | undefined = undefined;

  wait(scope: Scope, data: D): Promise<T> {
    const wait = new Wait(this, scope, data);
    attach(wait, scope);
    const last = this.#last;
    wait.ahead = last;
    if (last === undefined) this.#first = wait;
    else last.behind = wait;
    this.#last = wait;
    return wait.promise;
  }

  /** Takes out who has waited longest, who is to be resolved. */
  shift(): Wait<T, D> | undefined {
    const first = this.#first;
    if (first === undefined) return undefined;
    const second = first.behind;
    this.#first = second;
    if (second === undefined) this.#last = undefined;
    else second.ahead = first.behind = undefined;
    detach(first);
    return first;
  }

  remove({ ahead, behind }: Wait<T, D>): void {
    if (ahead === undefined) this.#first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.#last = ahead;
    else behind.ahead = ahead;
  }
}
