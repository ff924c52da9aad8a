/**
 * All that is due at some time, of all tasks that share a clock: one binary heap and one platform timer,
 * for the earliest entry.
 *
 * Entries are the scopes and waits themselves: each knows its own place in the heap, so it is taken out
 * without a search. When the earliest entry is taken out the timer stays: it wakes too early, finds nothing
 * due and is set again, which is cheaper than a new timer for each timeout that did not happen. Only when
 * the heap is empty is it cancelled, since it would keep the process alive.
 */

import type { Clock } from './clock.js';
import { callSafely } from './turn.js';

/** Something that is due at a time. */
export interface Due {
  dueAt: number;
  /** Its place in the heap, or -1. Belongs to the queue. */
  heapIndex: number;
  /** Entries for the same time are served in the order in which they were added. Belongs to the queue. */
  heapOrder: number;
  due(): void;
}

export class DeadlineQueue {
  readonly clock: Clock;
  readonly #heap: Due[] = [];
  #order = 0;
  #timer: { cancel(): void } | undefined;
  #timerAt = Infinity;
  #serving = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#heap.length;
  }

  /** Adds an entry that is not in the queue. One for Infinity never comes and takes no place. */
  add(entry: Due): void {
    if (entry.dueAt === Infinity) return;
    entry.heapOrder = this.#order++;
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1, entry);
    this.#setTimer();
  }

  /** Takes an entry out, if it is in. */
  remove(entry: Due): void {
    const index = entry.heapIndex;
    if (index === -1) return;
    entry.heapIndex = -1;
    const last = this.#heap.pop()!;
    if (last !== entry) this.#place(index, last);
    if (this.#heap.length === 0) this.#stopTimer();
  }

  /**
   * Calls every entry that is due, earliest first: what was due before something else wins, however late
   * both are noticed.
   */
  serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      const now = this.clock.now();
      for (let first = this.#heap[0]; first !== undefined && first.dueAt <= now; first = this.#heap[0]) {
        this.remove(first);
        callSafely(() => first.due());
      }
    } finally {
      this.#serving = false;
      this.#setTimer();
    }
  }

  readonly #wake = (): void => {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    this.serve();
  };

  #setTimer(): void {
    const first = this.#heap[0];
    if (first === undefined || this.#serving || first.dueAt >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = first.dueAt;
    this.#timer = this.clock.schedule(first.dueAt, this.#wake);
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  /** Puts an entry into the free place `index`, from where it may have to move in either direction. */
  #place(index: number, entry: Due): void {
    const parent = this.#heap[(index - 1) >> 1];
    if (index > 0 && before(entry, parent!)) this.#up(index, entry);
    else this.#down(index, entry);
  }

  #up(index: number, entry: Due): void {
    const heap = this.#heap;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex]!;
      if (!before(entry, parent)) break;
      heap[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    heap[index] = entry;
    entry.heapIndex = index;
  }

  #down(index: number, entry: Due): void {
    const heap = this.#heap;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= heap.length) break;
      if (childIndex + 1 < heap.length && before(heap[childIndex + 1]!, heap[childIndex]!)) childIndex++;
      const child = heap[childIndex]!;
      if (!before(child, entry)) break;
      heap[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    heap[index] = entry;
    entry.heapIndex = index;
  }
}

function before(a: Due, b: Due): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.heapOrder < b.heapOrder);
}
