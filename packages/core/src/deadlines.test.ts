import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { DeadlineQueue, type Due } from './deadlines.js';
import { HandClock } from './observing.fixture.js';
import { uncaughtDuring } from './process-events.fixture.js';

class Entry implements Due {
  readonly name: string;
  dueAt: number;
  heapIndex = -1;
  readonly #served: Entry[];
  readonly #onDue: ((entry: Entry) => void) | undefined;

  constructor(name: string, dueAt: number, served: Entry[], onDue?: (entry: Entry) => void) {
    this.name = name;
    this.dueAt = dueAt;
    this.#served = served;
    this.#onDue = onDue;
  }

  due(): void {
    this.#served.push(this);
    this.#onDue?.(this);
  }
}

function setUp(): {
  clock: HandClock;
  queue: DeadlineQueue;
  served: Entry[];
  names: () => string;
  add: (name: string, at: number, onDue?: (entry: Entry) => void) => Entry;
} {
  const clock = new HandClock();
  const queue = new DeadlineQueue(clock);
  const served: Entry[] = [];
  return {
    clock,
    queue,
    served,
    names: () => served.map((entry) => entry.name).join(' '),
    add(name, at, onDue) {
      const entry = new Entry(name, at, served, onDue);
      queue.add(entry, entry.dueAt);
      return entry;
    },
  };
}

describe('serving', () => {
  test('calls what is due, earliest first, and not what is not', () => {
    const { clock, names, add } = setUp();
    for (const at of [50, 10, 40, 20, 30]) add(`${at}`, at);
    clock.moveTo(30);
    expect(names()).toBe('10 20 30');
    clock.moveTo(100);
    expect(names()).toBe('10 20 30 40 50');
  });

  test('entries for the same time are served in the order in which they were added', () => {
    const { clock, names, add } = setUp();
    for (const name of ['a', 'b', 'c', 'd', 'e']) add(name, 10);
    clock.moveTo(10);
    expect(names()).toBe('a b c d e');
  });

  test('an entry that was added again has lost its place', () => {
    const { clock, queue, names, add } = setUp();
    const a = add('a', 10);
    add('b', 10);
    queue.remove(a);
    queue.add(a, a.dueAt);
    clock.moveTo(10);
    expect(names()).toBe('b a');
  });

  test('a served entry is out of the queue before it is called, and may come again', () => {
    const { clock, queue, names, add } = setUp();
    add('a', 10, (entry) => {
      expect(entry.heapIndex).toBe(-1);
      if (entry.dueAt < 30) {
        entry.dueAt += 10;
        queue.add(entry, entry.dueAt);
      }
    });
    clock.moveTo(10);
    expect(names()).toBe('a');
    clock.moveTo(20);
    clock.moveTo(30);
    expect(names()).toBe('a a a');
    expect(clock.pending).toBe(0);
  });

  test('what is added while it serves, and is due already, is served as well', () => {
    const { clock, names, add } = setUp();
    add('a', 10, () => {
      add('c', 15);
      add('b', 5);
      add('d', 25);
    });
    clock.moveTo(20);
    expect(names()).toBe('a b c');
    clock.moveTo(25);
    expect(names()).toBe('a b c d');
  });

  test('what is removed while it serves is not called', () => {
    const { clock, queue, names, add } = setUp();
    add('a', 10, () => queue.remove(b));
    const b = add('b', 10);
    add('c', 10);
    clock.moveTo(10);
    expect(names()).toBe('a c');
  });

  test('serving in the middle of serving does nothing', () => {
    const { clock, queue, names, add } = setUp();
    add('a', 10, () => {
      queue.serve();
      expect(names()).toBe('a');
    });
    add('b', 10);
    clock.moveTo(10);
    expect(names()).toBe('a b');
  });

  test('an entry that throws keeps nobody else from being served, and its error is nobody’s', async () => {
    const { clock, queue, names, add } = setUp();
    const error = new Error('broken');
    add('a', 10, () => {
      throw error;
    });
    add('b', 10);
    add('c', 20);
    clock.slip(10);
    expect(await uncaughtDuring(() => queue.serve())).toEqual([error]);
    expect(names()).toBe('a b');
    clock.moveTo(20);
    expect(names()).toBe('a b c');
  });

  test('everything that is late is served at once, in order', () => {
    const { clock, queue, names, add } = setUp();
    add('b', 20);
    add('a', 10);
    clock.slip(1_000);
    queue.serve();
    expect(names()).toBe('a b');
    expect(clock.pending).toBe(0);
  });
});

describe('entries', () => {
  test('for Infinity take no place and set no timer', () => {
    const { clock, queue, add } = setUp();
    const never = add('never', Infinity);
    expect(never.heapIndex).toBe(-1);
    expect(clock.pending).toBe(0);
    queue.remove(never);
    const past = add('past', -Infinity);
    expect(past.heapIndex).toBe(0);
    clock.moveTo(0);
    expect(past.heapIndex).toBe(-1);
  });

  test('that are not in are removed in vain', () => {
    const { clock, queue, names, add } = setUp();
    const a = add('a', 10);
    queue.remove(a);
    queue.remove(a);
    expect(a.heapIndex).toBe(-1);
    clock.moveTo(10);
    expect(names()).toBe('');
  });
});

describe('among many', () => {
  const COUNT = 1_000;
  /** Each time from 1 to COUNT once, in no order. */
  const times = Array.from({ length: COUNT }, (_, index) => ((index * 7_919) % COUNT) + 1);

  test('the rest is served in order, whichever are removed', () => {
    for (const isKept of [
      (at: number) => at % 10 === 0,
      (at: number) => at % 10 !== 0,
      (at: number) => at > 900,
      (at: number) => at <= 100,
      (at: number) => at === COUNT,
    ]) {
      const { clock, queue, names, add } = setUp();
      const entries = times.map((at) => add(`${at}`, at));
      const kept = entries.filter((entry) => isKept(entry.dueAt));
      for (const entry of entries) if (!isKept(entry.dueAt)) queue.remove(entry);
      expect(queue.size).toBe(kept.length);
      expect(clock.pending).toBe(1);
      for (const at of [COUNT / 2, COUNT]) clock.moveTo(at);
      const order = kept.map((entry) => entry.dueAt).toSorted((a, b) => a - b);
      expect(names()).toBe(order.join(' '));
      expect([queue.size, clock.pending]).toEqual([0, 0]);
    }
  });

  test('those for the same time are served in the order of adding, whichever are removed', () => {
    const { clock, queue, names, add } = setUp();
    const entries = times.map((at) => add(`${at}`, 10));
    for (const entry of entries) if (Number(entry.name) % 3 !== 0) queue.remove(entry);
    clock.moveTo(10);
    expect(names()).toBe(times.filter((at) => at % 3 === 0).join(' '));
  });

  test('the queue works on when all have been removed, or served', () => {
    const { clock, queue, served, names, add } = setUp();
    for (const entry of times.map((at) => add(`${at}`, at))) queue.remove(entry);
    expect([queue.size, clock.pending]).toEqual([0, 0]);
    for (const at of times) add(`${at}`, at);
    clock.moveTo(COUNT);
    expect(served).toHaveLength(COUNT);
    served.length = 0;
    for (const at of [30, 10, 20]) add(`${at}`, COUNT + at);
    clock.moveTo(2 * COUNT);
    expect(names()).toBe('10 20 30');
  });

  test('what was removed is not held', async () => {
    const { queue, add } = setUp();
    const refs: WeakRef<object>[] = [];
    const addOnly = (at: number): void => {
      const entry = add(`${at}`, at);
      refs.push(new WeakRef(entry));
      queue.remove(entry);
    };
    for (const at of times) {
      if (at % 4 === 0) add(`${at}`, at);
      else addOnly(at);
    }
    await nextTurn();
    globalThis.gc!();
    expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    expect(queue.size).toBe(COUNT / 4);
  });
});

describe('the timer', () => {
  test('is one, for the earliest entry', () => {
    const { clock, add } = setUp();
    add('b', 20);
    add('c', 30);
    expect([clock.scheduled, clock.pending]).toEqual([1, 1]);
    add('a', 10);
    expect([clock.scheduled, clock.pending]).toEqual([2, 1]);
  });

  test('stays when the earliest entry is removed, wakes in vain and is set again', () => {
    const { clock, queue, names, add } = setUp();
    const a = add('a', 10);
    add('b', 20);
    queue.remove(a);
    expect([clock.scheduled, clock.pending]).toEqual([1, 1]);
    clock.moveTo(10);
    expect(names()).toBe('');
    expect([clock.scheduled, clock.pending]).toEqual([2, 1]);
    clock.moveTo(20);
    expect(names()).toBe('b');
    expect(clock.pending).toBe(0);
  });

  test('that wakes too early does no harm', () => {
    const clock = new HandClock();
    let wake: (() => void) | undefined;
    let isCancelled = false;
    const queue = new DeadlineQueue({
      now: () => clock.now(),
      schedule(_at, wakeUp) {
        wake = wakeUp;
        isCancelled = false;
        return { cancel: () => (isCancelled = true) };
      },
    });
    const served: Entry[] = [];
    queue.add(new Entry('a', 10, served), 10);
    const early = wake!;
    wake = undefined;
    clock.slip(5);
    early();
    expect(served).toEqual([]);
    expect(wake).toBeDefined();
    expect(isCancelled).toBe(false);
    clock.slip(10);
    wake!();
    expect(served).toHaveLength(1);
  });
});

// The judge is a list that is kept sorted: by time, then by the order of adding.
test('behaves like a sorted list', () => {
  const names = (entries: readonly Entry[]): string[] => entries.map((entry) => entry.name);
  const time = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 60 }) },
    { weight: 1, arbitrary: fc.constant(Infinity) },
    { weight: 1, arbitrary: fc.constant(-Infinity) },
    { weight: 1, arbitrary: fc.double({ min: 0, max: 60, noNaN: true }) },
  );
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), at: time }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('move' as const), which: fc.nat(), at: time }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 9 }) }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      const { clock, queue, served, add } = setUp();
      const all: Entry[] = [];
      let sorted: Entry[] = [];
      const expected: Entry[] = [];
      const insert = (entry: Entry): void => {
        if (entry.dueAt === Infinity) return;
        const index = sorted.findIndex((other) => other.dueAt > entry.dueAt);
        sorted.splice(index === -1 ? sorted.length : index, 0, entry);
      };
      for (const each of steps) {
        if (each.kind === 'add') {
          const entry = add(`${all.length}`, each.at);
          all.push(entry);
          insert(entry);
        } else if (each.kind === 'pass') {
          clock.moveTo(clock.now() + each.ms);
          const due = sorted.filter((entry) => entry.dueAt <= clock.now());
          sorted = sorted.filter((entry) => entry.dueAt > clock.now());
          expected.push(...due);
        } else if (all.length > 0) {
          const entry = all[each.which % all.length]!;
          queue.remove(entry);
          sorted = sorted.filter((other) => other !== entry);
          if (each.kind === 'move') {
            entry.dueAt = each.at;
            queue.add(entry, entry.dueAt);
            insert(entry);
          }
        }
        assert.deepEqual(names(served), names(expected));
        const queued = all.filter((entry) => entry.heapIndex !== -1);
        assert.deepEqual(names(queued).toSorted(), names(sorted).toSorted());
        // One timer while there is something to wait for, never later than the earliest, and none otherwise.
        assert.equal(clock.pending, sorted.length === 0 ? 0 : 1);
      }
      clock.moveTo(1_000);
      assert.deepEqual(names(served), names([...expected, ...sorted]));
      assert.equal(clock.pending, 0);
    }),
    { numRuns: 300 },
  );
});
