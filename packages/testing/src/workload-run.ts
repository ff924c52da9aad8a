/** One run of a workload for `cancelEverywhere()`, and what is cancelled in it. */

import {
  CancelScope,
  currentSignal,
  currentTask,
  flattenErrors,
  formatTaskTree,
  taskGroup,
  type TaskHandle,
} from '@taskscope/core';
import {
  addProbe,
  checkFunction,
  describe,
  type Clock,
  type Instrument,
  type RunMonitor,
  type WaitInfo,
} from '@taskscope/core/lowlevel';

import { watchEscapes } from './escapes.js';
import { listenerCount } from './leftovers.js';
import { MockClock } from './mock-clock.js';
import { runUnder, type Seed } from './shuffled-schedule.js';

/** Tasks that do something with each other, for {@link cancelEverywhere}. */
export interface Workload {
  /** What runs at the same time, each in a task of its own. */
  readonly tasks: readonly (() => unknown)[];
  /**
   * Called when all tasks have ended: looks whether anything was lost, and throws if so.
   *
   * @param cancelled - Tells for each task whether it was cancelled.
   */
  check?(cancelled: readonly boolean[]): void | PromiseLike<void>;
}

/** What {@link cancelEverywhere} gives to a workload. */
export interface WorkloadContext {
  /**
   * A foreign signal, to give to waits. A workload that asks for it is also run with this signal aborted at
   * each wait, and no listener may be left on it.
   */
  readonly foreignSignal: AbortSignal;
}

/** One of the ways in which {@link cancelEverywhere} cancels. */
export interface Cancellation {
  /** Which wait, from 1, in the order in which they begin; 0 is before the workload begins. */
  readonly wait: number;
  /** As the wait begins, while it goes on, or as it ends, which is too late for that one. */
  readonly moment: 'begin' | 'during' | 'end';
  /** The task of that index, everyone, or those who wait with the foreign signal. */
  readonly victim: number | 'everyone' | 'signal';
}

export type SetUp = (context: WorkloadContext) => Workload | PromiseLike<unknown>;

export interface RunSettings {
  readonly realTime: boolean;
  /** How many real milliseconds the run may take. */
  readonly timeout: number;
  readonly seed: Seed;
}

/** A wait of the workload. */
export interface Step {
  readonly label: string;
  /** Whether it is an operation that completed at once, so that it has an end only. */
  readonly isInstant: boolean;
}

export class WorkloadRun {
  /** The waits of the workload, in the order in which they began. */
  readonly steps: Step[] = [];
  usesSignal = false;
  /** Whether the moment came at which something was to be cancelled. */
  hasCancelled = false;
  readonly #planned: Cancellation | undefined;
  readonly #isOneFunction: boolean;
  readonly #scope = new CancelScope({ name: 'workload' });
  readonly #controller = new AbortController();
  #runSignal: AbortSignal | undefined = undefined;
  /** What the tasks are taken from; undefined if the workload is one function that does it all. */
  #workload: Workload | undefined = undefined;
  readonly #handles: TaskHandle<void>[] = [];
  /** The tasks that ended with the reason of the foreign signal. */
  readonly #aborted = new Set<number>();
  /** The tasks whose waits count. */
  readonly #taskIds = new Set<number>();
  #isCounting = false;
  #chosen: WaitInfo | undefined = undefined;

  /** @param plain - The run in which nothing was cancelled. */
  constructor(planned?: Cancellation, plain?: WorkloadRun) {
    this.#planned = planned;
    this.#isOneFunction = plain !== undefined && plain.tasks === undefined;
  }

  /** How many tasks the workload consists of; undefined if it is one function that does it all. */
  get tasks(): number | undefined {
    return this.#workload?.tasks.length;
  }

  readonly #context: WorkloadContext = Object.defineProperty({} as WorkloadContext, 'foreignSignal', {
    get: () => {
      this.usesSignal = true;
      return this.#controller.signal;
    },
  });

  /** Runs the workload, and looks at what it did to the run. */
  async go(setUp: SetUp, { realTime, timeout, seed }: RunSettings): Promise<void> {
    const clock = realTime ? undefined : new CountingClock();
    const escapes = watchEscapes();
    using _ = addProbe({
      operation: (kind) => {
        if (kind === 'checkpoint') this.#completedAtOnce();
        return true;
      },
      cancelPoint() {},
    });
    const running = runUnder(seed, () => this.#main(setUp), {
      name: 'cancelEverywhere',
      clock,
      escapes: 'error',
      instruments: [escapes.instrument, this.#instrument()],
    });
    await inTime(running, timeout);
    escapes.check();
    if (clock !== undefined && clock.pending > 0) throw new Error('left behind: a timer of the clock');
  }

  /** Throws if a listener is left on a signal that the workload could have got hold of. */
  checkSignals(): void {
    checkListeners('the foreign signal', this.#controller.signal);
    checkListeners('the signal of the run', this.#runSignal);
    checkListeners('the signal of the workload', this.#scope.signal);
    for (const { name, signal } of this.#handles) checkListeners(`the signal of ${name}`, signal);
  }

  async #main(setUp: SetUp): Promise<void> {
    this.#taskIds.add(currentTask().id);
    this.#isCounting = true;
    if (this.#isOneFunction) {
      await this.#scope.run(() => {
        if (this.#planned?.wait === 0) this.#cancel();
        return this.#unlessAborted(() => setUp(this.#context));
      });
    } else {
      // What is made here outlives the tasks: the check may still look at it.
      const made = setUp(this.#context);
      if (isWorkload(made)) {
        this.#workload = made;
        await this.#scope.run(() => this.#runTasks(made.tasks));
      } else if (typeof (made as PromiseLike<unknown> | undefined)?.then === 'function') {
        await made;
      } else {
        throw new TypeError(
          `workload must be an async function, or return { tasks }: it returned ${describe(made)}`,
        );
      }
    }
    this.#isCounting = false;
    this.#runSignal = currentSignal();
    if (this.#workload !== undefined) await this.#check(this.#workload);
  }

  async #runTasks(tasks: Workload['tasks']): Promise<void> {
    await taskGroup(
      (tg) => {
        for (const [index, task] of tasks.entries()) {
          checkFunction('workload', `tasks[${index}]`, task);
          const begin = async (): Promise<void> => {
            if (await this.#unlessAborted(task)) this.#aborted.add(index);
          };
          this.#handles.push(tg.createTask(begin, { name: `task ${index}` }));
        }
        if (this.#planned?.wait === 0) this.#cancel();
      },
      { name: 'workload' },
    );
  }

  async #check(workload: Workload): Promise<void> {
    const victim = this.#planned?.victim;
    const cancelled = this.#handles.map(({ status }, index) => {
      if (status === 'cancelled' && victim !== 'everyone' && victim !== index) {
        throw new Error(`task ${index} was cancelled and was not to be`);
      }
      return status === 'cancelled' || this.#aborted.has(index);
    });
    await workload.check?.(cancelled);
  }

  /**
   * Awaits a part of the workload. Returns whether it failed with no other reason than that of the foreign
   * signal.
   */
  async #unlessAborted(part: () => unknown): Promise<boolean> {
    try {
      await part();
      return false;
    } catch (error) {
      const { signal } = this.#controller;
      if (signal.aborted && flattenErrors(error).every((leaf) => leaf === signal.reason)) return true;
      throw error;
    }
  }

  #instrument(): Instrument {
    return {
      taskSpawned: (task) => void this.#taskIds.add(task.id),
      waitStarted: (wait) => {
        if (!this.#isChosen(wait.task.id, { label: wait.label, isInstant: false })) return;
        this.#chosen = wait;
        if (this.#planned!.moment === 'begin') this.#cancel();
        else if (this.#planned!.moment === 'during') queueMicrotask(() => this.#cancel());
      },
      waitEnded: (wait) => {
        if (wait === this.#chosen && this.#planned!.moment === 'end') this.#cancel();
      },
    };
  }

  #completedAtOnce(): void {
    if (this.#isChosen(currentTask().id, { label: 'completes at once', isInstant: true })) this.#cancel();
  }

  /** Counts a step, if it is one of the workload. Returns whether it is the one at which to cancel. */
  #isChosen(taskId: number, step: Step): boolean {
    return this.#isCounting && this.#taskIds.has(taskId) && this.steps.push(step) === this.#planned?.wait;
  }

  #cancel(): void {
    if (this.hasCancelled) return;
    this.hasCancelled = true;
    const why = 'cancelEverywhere()';
    const { victim } = this.#planned!;
    if (victim === 'everyone') this.#scope.cancel(why);
    else if (victim === 'signal') this.#controller.abort(new Error(`aborted by ${why}`));
    else this.#handles[victim]?.cancel(why);
  }
}

function isWorkload(made: unknown): made is Workload {
  return Array.isArray((made as Partial<Workload> | null | undefined)?.tasks);
}

/** A deadlock is noticed in virtual time only, and not if it waits for a bare promise. */
async function inTime(running: Promise<void>, timeout: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`the run did not end within ${timeout} ms\n${formatTaskTree()}`)),
      timeout,
    );
  });
  try {
    await Promise.race([running, late]);
  } finally {
    clearTimeout(timer);
  }
}

function checkListeners(whose: string, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const count = listenerCount(signal);
  if (count > 0) throw new Error(`left behind: ${count} listener${count > 1 ? 's' : ''} on ${whose}`);
}

/** Virtual time that knows how many of its timers are pending. */
class CountingClock implements Clock {
  readonly #clock = new MockClock({ autojump: true });
  readonly #alarms = new Set<object>();

  get pending(): number {
    return this.#alarms.size;
  }

  now(): number {
    return this.#clock.now();
  }

  schedule(at: number, wake: () => void): { cancel(): void } {
    const alarm = this.#clock.schedule(at, () => {
      this.#alarms.delete(alarm);
      wake();
    });
    this.#alarms.add(alarm);
    return {
      cancel: () => {
        this.#alarms.delete(alarm);
        alarm.cancel();
      },
    };
  }

  attach(run: RunMonitor): () => void {
    return this.#clock.attach(run);
  }
}
