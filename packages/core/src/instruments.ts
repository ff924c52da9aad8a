/** Observing what the runtime does: for tracing, metrics and tools. */

import { checkFunction, describe } from './arguments.js';
import { messageOf, type Cancelled } from './errors.js';
import { platform } from '#platform';
import { shared } from './shared.js';

/** What is known of a task. */
export interface TaskInfo {
  /** Unique in the process, and never used again. */
  readonly id: number;
  /** The name it was given, or that of its function. */
  readonly name: string;
  /** The task in whose task group it runs; undefined for the root. */
  readonly parentId: number | undefined;
  /** Whether the caller's next wait would be cancelled: its current scope is effectively cancelled. */
  hasPendingCancellation(): boolean;
}

/** What an instrument is told of a scope. */
export interface ScopeInfo {
  readonly name: string;
  readonly task: TaskInfo;
}

/** What an instrument is told of a wait. */
export interface WaitInfo {
  /** What is waited for, such as `sleep`. */
  readonly label: string;
  readonly task: TaskInfo;
}

/**
 * Told of what happens in a run, synchronously and in order. Every method is optional. An instrument that
 * throws is removed, with a warning: observing must not change what is observed.
 *
 * Semantics: Trio's `Instrument`.
 */
export interface Instrument {
  taskSpawned?(task: TaskInfo): void;
  /** The task takes its first step. */
  taskStarted?(task: TaskInfo): void;
  taskExited?(task: TaskInfo): void;
  scopeEntered?(scope: ScopeInfo): void;
  scopeExited?(scope: ScopeInfo): void;
  /** The scope itself was cancelled, rather than one around it. */
  scopeCancelled?(scope: ScopeInfo, cancelled: Cancelled): void;
  /** A wait began that could not end at once. */
  waitStarted?(wait: WaitInfo): void;
  waitEnded?(wait: WaitInfo): void;
  /**
   * Something outlived its scope. `scope` is the name of that scope; `what` is the label of a wait, such as `sleep`,
   * or the kind and name of a task or scope; it is a call, such as `sleep()`, when code that runs in the scope calls
   * into the runtime now.
   */
  scopeEscaped?(scope: string, adoptedBy: ScopeInfo, what: string): void;
}

/** The instruments of a run, or (for the outermost) of the process. */
export interface Observers {
  readonly instruments: Instrument[];
  readonly outer: Observers | undefined;
}

/** How many instruments there are anywhere. While it is 0, which is nearly always, nobody looks further. */
export const observing: { count: number } = shared('observing', () => ({ count: 0 }));

const processWide: Observers = shared<Observers>('observers', () => ({ instruments: [], outer: undefined }));

export function observers(
  instruments: readonly Instrument[] = [],
  outer: Observers = processWide,
): Observers {
  observing.count += instruments.length;
  return { instruments: [...instruments], outer };
}

/** The run is over: its instruments are no longer told of anything. */
export function dismiss(from: Observers): void {
  observing.count -= from.instruments.length;
  from.instruments.length = 0;
}

/** Calls a method of every instrument that has it. Callers look at `observing.count` first. */
export function notify<K extends keyof Instrument>(
  from: Observers,
  event: K,
  ...details: Parameters<NonNullable<Instrument[K]>>
): void {
  for (let each: Observers | undefined = from; each !== undefined; each = each.outer) {
    // A copy, since an instrument may remove itself or another.
    for (const instrument of each.instruments.slice()) {
      try {
        (instrument[event] as ((...details: unknown[]) => void) | undefined)?.apply(instrument, details);
      } catch (error) {
        remove(each, instrument);
        platform.warn(`an instrument was removed because its ${event}() threw: ${messageOf(error)}`);
      }
    }
  }
}

/**
 * Adds an instrument that is told of everything in the process, until it is disposed of. To add one that is there
 * already changes nothing.
 *
 * @throws TypeError when `instrument` is no object, or one of its hooks is no function.
 *
 * Semantics: Trio's `add_instrument`, for all runs.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { addInstrument } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * const names: string[] = [];
 * const instrument = addInstrument({ taskExited: (task) => names.push(task.name) });
 * await taskGroup((tg) => {
 *   tg.createTask(() => {}, { name: 'tea' });
 * });
 * instrument[Symbol.dispose]();
 * assert.deepEqual(names, ['tea']);
 * ```
 */
export function addInstrument(instrument: Instrument): Disposable {
  checkInstrument('addInstrument()', instrument);
  if (!processWide.instruments.includes(instrument)) {
    processWide.instruments.push(instrument);
    observing.count++;
  }
  let isThere = true;
  return {
    [Symbol.dispose](): void {
      if (isThere) remove(processWide, instrument);
      isThere = false;
    },
  };
}

const HOOKS: readonly (keyof Instrument)[] = [
  'taskSpawned',
  'taskStarted',
  'taskExited',
  'scopeEntered',
  'scopeExited',
  'scopeCancelled',
  'waitStarted',
  'waitEnded',
  'scopeEscaped',
];

export function checkInstrument(where: string, instrument: unknown): void {
  if (typeof instrument !== 'object' || instrument === null) {
    throw new TypeError(`${where}: an instrument must be an object, got ${describe(instrument)}`);
  }
  for (const hook of HOOKS) {
    const value = (instrument as Instrument)[hook];
    if (value !== undefined) checkFunction(where, `the instrument's ${hook}`, value);
  }
}

function remove(from: Observers, instrument: Instrument): void {
  const index = from.instruments.indexOf(instrument);
  if (index === -1) return;
  from.instruments.splice(index, 1);
  observing.count--;
}
