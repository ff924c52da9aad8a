import { current, enter, enterForGood } from './context.js';
import { CANCELLED, detach, Scope, Task } from './scope.js';

const NOW = Promise.resolve();

/** Runs tasks, and waits for all. The first error of one cancels the others, and is what it rejects with. */
export function taskGroup(body: (group: Group) => Promise<void> | void): Promise<void> {
  const group = new Group(current());
  return new Promise((resolve, reject) => {
    group.resolve = resolve;
    group.reject = reject;
    enter(group, begin, group, body);
  });
}

function begin(group: Group, body: (group: Group) => Promise<void> | void): void {
  let ending: Promise<void> | void;
  try {
    ending = body(group);
  } catch (error) {
    group.fail(error);
    return;
  }
  if (ending === undefined) group.end();
  else ending.then(bodyEnded, bodyFailed);
}

export class Group extends Scope {
  readonly task: Task;
  resolve!: () => void;
  reject!: (error: unknown) => void;
  /** The body, and tasks. */
  #running = 1;
  #error: unknown = undefined;

  constructor(parent: Scope) {
    super(parent);
    this.task = parent.task;
  }

  /** Begins a task, which calls an async function, in a microtask of its own. */
  spawn<A>(fn: (argument: A) => Promise<unknown>, argument: A): void {
    this.#running++;
    const task = new Task(this);
    void NOW.then(() => enterForGood(task, runTask<A>, fn, argument));
  }

  end(): void {
    if (--this.#running > 0) return;
    const error = this.#error;
    const isOver = error === undefined || this.catches(error);
    detach(this);
    if (isOver) this.resolve();
    else this.reject(error);
  }

  fail(error: unknown): void {
    if (this.#error === undefined || this.#error === CANCELLED) this.#error = error;
    this.cancel();
    this.end();
  }
}

/** Who hears of the end is in the context of the task, and finds it there: without a function for each. */
function runTask<A>(fn: (argument: A) => Promise<unknown>, argument: A): void {
  fn(argument).then(taskEnded, taskFailed);
}

function taskEnded(): void {
  leaveTask().end();
}

function taskFailed(error: unknown): void {
  leaveTask().fail(error);
}

function leaveTask(): Group {
  const task = current();
  const group = task.parent as Group;
  detach(task);
  return group;
}

const bodyEnded = (): void => (current() as Group).end();
const bodyFailed = (error: unknown): void => (current() as Group).fail(error);
