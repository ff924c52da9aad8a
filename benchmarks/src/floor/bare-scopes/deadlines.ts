/**
 * All that is due at some time: a binary heap, and one timer of the platform for the earliest.
 *
 * What is over before its time is not looked for, but passed over when its turn comes, or swept out when it is half of the
 * heap. A turn of the event loop in which nothing is due any more ends the timer, so that it does not keep the process alive.
 */

import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';

export interface Due {
  /** Undefined when it is over. */
  readonly parent: unknown;
  /** In whole milliseconds, as timers have them. 0: it has no place. */
  dueAt: number;
  /** Among those for the same millisecond. */
  order: number;
  strike(): void;
}

const LONGEST_DELAY = 2 ** 31 - 1;
const FEW = 64;

let heap: Due[] = [];
/** How many in the heap are over. */
let gone = 0;
let order = 0;
let timer: NodeJS.Timeout | undefined;
let timerAt = Infinity;
let willTidy = false;

/** Gives it a place, `ms` from now. */
export function schedule(entry: Due, ms: number): void {
  const now = performance.now();
  entry.dueAt = Math.ceil(now + ms);
  entry.order = ++order;
  if (gone > FEW && gone * 2 > heap.length) sweep();
  insert(entry);
  if (entry.dueAt < timerAt) setTimer(entry.dueAt, now);
}

/** It is over, and was not struck. */
export function forget(entry: Due): void {
  if (heap[heap.length - 1] === entry) heap.pop();
  else gone++;
  if (!willTidy) {
    willTidy = true;
    setImmediate(tidy);
  }
}

function tidy(): void {
  willTidy = false;
  if (gone * 2 > heap.length) sweep();
  if (heap.length > 0) return;
  clearTimeout(timer);
  timer = undefined;
  timerAt = Infinity;
}

function sweep(): void {
  const entries = heap;
  heap = [];
  gone = 0;
  for (const entry of entries) if (entry.parent !== undefined) insert(entry);
}

function setTimer(at: number, now: number): void {
  clearTimeout(timer);
  timerAt = at;
  timer = setTimeout(wake, Math.min(Math.max(Math.ceil(at - now), 1), LONGEST_DELAY));
}

function wake(): void {
  timer = undefined;
  timerAt = Infinity;
  const now = performance.now();
  for (let first = heap[0]; first !== undefined; first = heap[0]) {
    if (first.parent !== undefined && first.dueAt > now) {
      setTimer(first.dueAt, now);
      return;
    }
    removeFirst();
    first.dueAt = 0;
    if (first.parent === undefined) gone--;
    else first.strike();
  }
}

const isBefore = (a: Due, b: Due): boolean => a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);

function insert(entry: Due): void {
  let index = heap.length;
  heap.push(entry);
  while (index > 0) {
    const above = (index - 1) >> 1;
    const other = heap[above]!;
    if (!isBefore(entry, other)) break;
    heap[index] = other;
    index = above;
  }
  heap[index] = entry;
}

function removeFirst(): void {
  const entry = heap.pop()!;
  const size = heap.length;
  if (size === 0) return;
  let index = 0;
  for (;;) {
    let below = 2 * index + 1;
    if (below >= size) break;
    if (below + 1 < size && isBefore(heap[below + 1]!, heap[below]!)) below++;
    const other = heap[below]!;
    if (!isBefore(other, entry)) break;
    heap[index] = other;
    index = below;
  }
  heap[index] = entry;
}
