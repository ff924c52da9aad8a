/**
 * Starting a task that has to get ready first.
 *
 * Until the child calls `started()` it lives in the scope of the one who starts it, and its end is the end
 * of `start()`. With `started()` it moves, with everything below it, into the group, unless the starter is
 * cancelled at that moment: then nothing moves, and the child stays with the starter until it ends.
 */

import { InvalidStateError } from './errors.js';
import type { Named, ScopeNode } from './scope-tree.js';
import { silence } from './promises.js';
import { Task, type TaskContext, type TaskOwner } from './task.js';
import { hasBudget, putOff } from './turn.js';

/** With what a starting task says that it is ready. */
export interface TaskStatus<V = void> extends TaskContext {
  /**
   * Ends the wait of `start()`, and hands the task over to the group. Called once. It needs no `this`, so it
   * may be taken out of the status and passed on as a callback.
   *
   * @throws InvalidStateError when it was called before, or the task has ended.
   */
  started(this: void, ...value: [V] extends [void] ? [] : unknown extends V ? [value?: V] : [V]): void;
}

/** The part of a group that a starting child needs. */
export interface StartingPlace extends TaskOwner {
  readonly scope: ScopeNode;
  /** A child that has not called `started()` yet keeps the group open, too. */
  hold(): void;
  release(): void;
}

/** Starts a child, which belongs to `parent` at first. `pick` makes what `start()` resolves to. */
export function startChild<T, V, A extends unknown[], R>(
  group: StartingPlace,
  parent: ScopeNode,
  named: string | Named,
  fn: (status: TaskStatus<V>, ...args: A) => T | PromiseLike<T>,
  args: A,
  pick: (task: Task<T, V>) => R,
): Promise<R> {
  if (parent.context.deadlines !== group.scope.context.deadlines) {
    throw new InvalidStateError(
      `start(): the caller is in a run with a clock of its own, from which no task can move to the group "${group.scope.name}". ` +
        'Use startSoon() there, or start() outside of that run',
    );
  }
  const starting = new Starting<T, V, R>(group, parent, named, pick);
  starting.task.begin(fn, [starting, ...args]);
  return starting.promise;
}

/** A task that passes a value to `started()`. */
class StartedTask<T, V> extends Task<T, V> {
  #startValue: V | undefined = undefined;

  override get startValue(): V {
    return this.#startValue as V;
  }

  override set startValue(value: V) {
    this.#startValue = value;
  }
}

class Starting<T, V, R> implements TaskStatus<V>, TaskOwner {
  readonly task: StartedTask<T, V>;
  readonly taskId: number;
  readonly promise: Promise<R>;
  readonly #group: StartingPlace;
  readonly #pick: (task: Task<T, V>) => R;
  #isStarted = false;
  #resolve!: (result: R) => void;
  #reject!: (error: unknown) => void;

  constructor(group: StartingPlace, parent: ScopeNode, named: string | Named, pick: (task: Task<T, V>) => R) {
    this.#group = group;
    this.#pick = pick;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    group.hold();
    this.taskId = parent.task.id;
    this.task = new StartedTask<T, V>(named, parent, this);
    this.task.scope.withExtras().isStarting = true;
  }

  get signal(): AbortSignal {
    return this.task.signal;
  }

  readonly started = (...[value]: [V?]): void => {
    const { task } = this;
    if (this.#isStarted) {
      throw new InvalidStateError(
        `started(): the task "${task.name}" has called it before, and it is called once`,
      );
    }
    if (task.scope.state === 'left') {
      throw new InvalidStateError(`started(): the task "${task.name}" has ended already`);
    }
    this.#isStarted = true;
    task.startValue = value as V;
    if (task.scope.owner!.cancellation !== undefined) return;
    // The hold that this child had on the group becomes that of an ordinary child.
    task.owner = this.#group;
    task.scope.withExtras().isStarting = false;
    task.scope.moveTo(this.#group.scope);
    this.#settle(() => this.#resolve(this.#pick(task)));
  };

  taskEnded(): void {
    this.#settle(() => {
      if (this.#isStarted) this.#resolve(this.#pick(this.task));
      else this.#reject(neverStarted(this.task.name));
    });
    this.#group.release();
  }

  taskFailed(_task: Task<unknown, unknown>, error: unknown): void {
    this.#settle(() => this.#reject(error));
    silence(this.promise, error);
    this.#group.release();
  }

  /** A hand-over to the starter, which costs budget like any other. */
  #settle(settle: () => void): void {
    if (hasBudget('hand-over')) settle();
    else putOff(settle);
  }
}

function neverStarted(name: string): InvalidStateError {
  return new InvalidStateError(
    `start(): the task "${name}" ended without calling started(). Call status.started() when it is ready`,
  );
}
