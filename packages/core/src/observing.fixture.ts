/** What tests look at from outside: rejections that nobody handled, timers, listeners, and a clock moved by hand. */

import { getEventListeners } from 'node:events';

import type { Clock } from './lowlevel.js';

/** How many listeners a signal has. */
export function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

/** The timers that are pending of those that the tests make. The test runner has timers of its own, which come and go as they like. */
const pending = new Set<NodeJS.Timeout>();
const { setTimeout: set, clearTimeout: clear } = globalThis;

globalThis.setTimeout = Object.assign(
  (fn: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): NodeJS.Timeout => {
    const timer = set(() => {
      pending.delete(timer);
      fn(...args);
    }, ms);
    pending.add(timer);
    return timer;
  },
  set,
);

globalThis.clearTimeout = (timer) => {
  pending.delete(timer as NodeJS.Timeout);
  clear(timer);
};

/** How many of the platform's timers are pending and keep the process alive. */
export function timers(): number {
  return [...pending].filter((timer) => timer.hasRef()).length;
}

/** Lets the event loop turn, without the runtime knowing. */
export function turns(count = 1): Promise<void> {
  return new Promise((resolve) => {
    const turn = (left: number): void => {
      if (left === 0) resolve();
      else setImmediate(turn, left - 1);
    };
    turn(count);
  });
}

/** Runs `body`, and returns the reasons of the promises that were rejected with nobody to handle them. */
export async function unhandledRejections(body: () => unknown): Promise<unknown[]> {
  const reasons: unknown[] = [];
  const others = process.listeners('unhandledRejection');
  const note = (reason: unknown): void => void reasons.push(reason);
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', note);
  try {
    await body();
    await turns(3);
  } finally {
    process.off('unhandledRejection', note);
    for (const other of others) process.on('unhandledRejection', other);
  }
  return reasons;
}

/** What a promise came to, once it is settled. */
export async function outcome(
  promise: PromiseLike<unknown>,
): Promise<{ value: unknown } | { error: unknown }> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error };
  }
}

/** The error that a promise rejects with; fails if it does not. */
export async function errorOf(promise: PromiseLike<unknown>): Promise<unknown> {
  const result = await outcome(promise);
  if ('error' in result) return result.error;
  throw new Error(`it should have rejected, but resolved to ${String(result.value)}`);
}

/** The error that `fn` throws; fails if it does not. */
export function thrownBy(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error('it should have thrown');
}

/** A clock that stands still until the test moves it, and then fires within the call. */
export class HandClock implements Clock {
  readonly #alarms = new Set<{ readonly at: number; readonly wake: () => void }>();
  /** How often `schedule` was called. */
  scheduled = 0;
  #now = 0;

  now(): number {
    return this.#now;
  }

  schedule(at: number, wake: () => void): { cancel(): void } {
    const alarm = { at, wake };
    this.scheduled++;
    this.#alarms.add(alarm);
    return { cancel: () => void this.#alarms.delete(alarm) };
  }

  /** How many timers are pending. */
  get pending(): number {
    return this.#alarms.size;
  }

  /** Sets the time without anybody being told, as if the event loop were late. */
  slip(at: number): void {
    this.#now = at;
  }

  /** Sets the time and fires what is due, all in this call. */
  moveTo(at: number): void {
    this.#now = at;
    for (;;) {
      const due = [...this.#alarms].filter((alarm) => alarm.at <= at).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) return;
      this.#alarms.delete(due);
      due.wake();
    }
  }
}
