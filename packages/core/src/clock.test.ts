import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { systemClock } from './clock.js';
import { DeadlineQueue, type Due } from './deadlines.js';
import { turns } from './observing.fixture.js';

const HOUR = 3_600_000;

describe('the timer of a timeout that does not happen', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.unstubAllGlobals(); // first: what was there before are the fake timers
    // Whatever is still pending rings, so nothing is left over for the next test.
    vi.runAllTimers();
    vi.useRealTimers();
  });

  /** Schedules something for `inMs` from now, and notes when it was called. */
  function schedule(inMs: number): { cancel(): void; rang: number[] } {
    const rang: number[] = [];
    const timer = systemClock.schedule(performance.now() + inMs, () => rang.push(performance.now()));
    return { cancel: () => timer.cancel(), rang };
  }

  test('calls nobody', () => {
    const timer = schedule(HOUR);
    timer.cancel();
    vi.runAllTimers();
    expect(timer.rang).toEqual([]);
  });

  test('serves the next that need not ring any earlier, too early at worst', () => {
    const start = performance.now();
    schedule(HOUR).cancel();
    const next = schedule(2 * HOUR);
    expect(vi.getTimerCount()).toBe(1);
    vi.runAllTimers();
    expect(next.rang).toEqual([start + HOUR]);
  });

  test('is not used by one that has to ring earlier', () => {
    const start = performance.now();
    schedule(2 * HOUR).cancel();
    const next = schedule(HOUR);
    vi.runAllTimers();
    expect(next.rang).toEqual([start + HOUR]);
  });

  test.each([
    ['the earlier was needed for longer', [2, 1]],
    ['the later was needed for longer', [1, 2]],
  ])('is kept of two only if it rings earlier: %s', (_what, hours) => {
    const start = performance.now();
    const timers = hours.map((count) => schedule(count * HOUR));
    for (const timer of timers) timer.cancel();
    expect(vi.getTimerCount()).toBe(1);
    const next = schedule(3 * HOUR);
    vi.runAllTimers();
    expect(next.rang).toEqual([start + HOUR]);
  });

  test('is cleared where it is a number, as in browsers, and would keep a page busy', () => {
    const set = vi.fn<() => number>(() => 42);
    const clear = vi.fn<(timer: number) => void>();
    vi.stubGlobal('setTimeout', set);
    vi.stubGlobal('clearTimeout', clear);
    schedule(HOUR).cancel();
    expect(clear.mock.calls).toEqual([[42]]);
    schedule(HOUR);
    expect(set).toHaveBeenCalledTimes(2);
  });
});

describe('the timer of a timeout that did not happen, when fake timers', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Longer than any time that has passed before, on whichever clock. */
  const LATER = 1_000 * HOUR;

  const begin = (at: number, wake: () => void = () => {}): { cancel(): void } =>
    systemClock.schedule(at, wake);

  test('have come, is of no use', () => {
    begin(0).cancel();
    vi.useFakeTimers();
    let rang = false;
    begin(LATER, () => (rang = true));
    vi.advanceTimersByTime(LATER);
    expect(rang).toBe(true);
  });

  test('have gone, is of no use', async () => {
    vi.useFakeTimers();
    begin(0).cancel();
    vi.useRealTimers();
    await new Promise<void>((wake) => begin(performance.now() + 1, wake));
  });

  test('have come meanwhile, is of no use either', () => {
    const timer = begin(performance.now() + HOUR);
    vi.useFakeTimers();
    timer.cancel();
    let rang = false;
    begin(LATER, () => (rang = true));
    vi.advanceTimersByTime(LATER);
    expect(rang).toBe(true);
  });
});

describe('the timer of many timeouts in one turn that do not happen', () => {
  const timersMade: NodeJS.Timeout[] = [];

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const make = setTimeout;
    vi.stubGlobal('setTimeout', (fn: () => void, ms: number) => {
      const timer = make(fn, ms);
      timersMade.push(timer);
      return timer;
    });
  });
  afterEach(async () => {
    await turns(1);
    vi.unstubAllGlobals();
    if (vi.isFakeTimers()) vi.runAllTimers();
    vi.useRealTimers();
    timersMade.length = 0;
  });

  const entry = (due: () => void = () => {}): Due => ({ heapIndex: -1, due });

  /** Has a hundred timeouts come and go at the same time. */
  function burst(ms: number): DeadlineQueue {
    const queue = new DeadlineQueue(systemClock);
    for (let i = 0; i < 100; i++) {
      const timeout = entry();
      queue.add(timeout, systemClock.now() + ms);
      queue.remove(timeout);
    }
    expect(timersMade).toHaveLength(1);
    return queue;
  }

  test('keeps the process alive until the end of the turn', async () => {
    burst(HOUR);
    expect(timersMade[0]!.hasRef()).toBe(true);
    await turns(1);
    expect(timersMade[0]!.hasRef()).toBe(false);
    expect(vi.getTimerCount()).toBe(1);
  });

  test('serves the next, in this turn and after it', async () => {
    const queue = burst(HOUR);
    const due = vi.fn<() => void>();
    queue.add(entry(due), systemClock.now() + 2 * HOUR);
    expect(timersMade).toHaveLength(1);
    await turns(1);
    expect(timersMade[0]!.hasRef()).toBe(true);
    vi.advanceTimersByTime(2 * HOUR);
    expect(due).toHaveBeenCalledTimes(1);
  });

  test('makes way for an earlier one', async () => {
    const queue = burst(2 * HOUR);
    const due = vi.fn<() => void>();
    queue.add(entry(due), systemClock.now() + HOUR);
    await turns(1);
    vi.advanceTimersByTime(HOUR);
    expect(due).toHaveBeenCalledTimes(1);
  });

  test('may ring meanwhile', async () => {
    const queue = burst(HOUR);
    vi.advanceTimersByTime(HOUR);
    const due = vi.fn<() => void>();
    queue.add(entry(due), systemClock.now() + HOUR);
    await turns(1);
    vi.advanceTimersByTime(HOUR);
    expect(due).toHaveBeenCalledTimes(1);
  });

  test('is one, of however many queues', async () => {
    const first = burst(HOUR);
    const second = new DeadlineQueue(systemClock);
    for (let i = 0; i < 100; i++) {
      const timeout = entry();
      second.add(timeout, systemClock.now() + 2 * HOUR);
      second.remove(timeout);
    }
    await turns(1);
    expect(timersMade.map((timer) => timer.hasRef())).toEqual([false, false]);
    expect([first.size, second.size]).toEqual([0, 0]);
  });

  test('is of no use when the fake timers have gone, and with them the end of the turn', async () => {
    vi.stubGlobal('setImmediate', () => {});
    const queue = burst(0.001);
    vi.unstubAllGlobals();
    vi.useRealTimers();
    await new Promise<void>((wake) => queue.add(entry(wake), systemClock.now() + 1));
  });
});
