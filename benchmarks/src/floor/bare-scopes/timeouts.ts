import { current, enter } from './context.js';
import { forget, schedule, type Due } from './deadlines.js';
import { detach, Scope, type Task } from './scope.js';

export const TIMED_OUT = new Error('timed out');

/** Does `work` for that long at most, and goes on without a result when the time is over. */
export function moveOnAfter<T>(ms: number, work: () => Promise<T>): Promise<T | undefined> {
  const scope = new TimedScope(current());
  schedule(scope, ms);
  return enter(scope, doOr<T, undefined>, work, moveOn);
}

/** Does `work` for that long at most, and throws when the time is over. */
export function failAfter<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const scope = new TimedScope(current());
  schedule(scope, ms);
  return enter(scope, doOr<T, never>, work, fail);
}

class TimedScope extends Scope implements Due {
  readonly task: Task;
  dueAt = 0;
  order = 0;

  constructor(parent: Scope) {
    super(parent);
    this.task = parent.task;
  }

  strike(): void {
    this.cancel();
  }

  leave(): void {
    detach(this);
    if (this.dueAt !== 0) forget(this);
  }
}

/** Who hears of the end is in the context of the scope, and finds it there: without a function for each. */
const doOr = <T, U>(work: () => Promise<T>, otherwise: (error: unknown) => U): Promise<T | U> =>
  work().then(leave<T>, otherwise);

function leave<T>(value: T): T {
  (current() as TimedScope).leave();
  return value;
}

function moveOn(error: unknown): undefined {
  if (!leaveCatching(error)) throw error;
}

function fail(error: unknown): never {
  throw leaveCatching(error) ? TIMED_OUT : error;
}

function leaveCatching(error: unknown): boolean {
  const scope = current() as TimedScope;
  const isCaught = scope.catches(error);
  scope.leave();
  return isCaught;
}
