/**
 * All that is due at some time, of all tasks that share a clock: one heap and one platform timer, for the
 * earliest entry.
 *
 * Entries are the scopes and waits themselves: each knows its own place in the heap. One that is taken out
 * leaves a hole there, since most are taken out before their time, and to close each hole at once would be
 * most of what it costs to cancel a sleeper. The holes are closed together when they are more than half of
 * the heap. The times are kept beside the entries, so that to compare them touches no entry, and so that a
 * hole still has one.
 *
 * When the earliest entry is taken out the timer stays: it wakes too early, finds nothing due and is set
 * again, which is cheaper than a new timer for each timeout that did not happen. Only when there is no entry
 * is it cancelled, since it would keep the process alive.
 */

import type { Clock, Resting } from './clock.js';
import { reportUncaught } from './turn.js';

/** Something that is due at a time. It need not know which: the queue does. */
export interface Due {
  /** Its place in the heap, or -1. Belongs to the queue. */
  heapIndex: number;
  due(): void;
}

/** How many children a place of the heap has: with four it is half as deep as with two, and they lie side by side. */
const CHILDREN = 4;

/** So many holes are left alone, however few entries there are. */
const HOLES_KEPT = 32;

/** So much room beyond the last place is kept, however few there are: to give it back and to take it again costs more. */
const ROOM_KEPT = 64;

export class DeadlineQueue {
  readonly clock: Clock;
  // The heap: what is in each place, when it is due, and as which it was added, since entries for the same time are
  // served in that order.
  readonly #entries: (Due | undefined)[] = [];
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  /** How many places the heap has. The last of them is no hole. */
  #places = 0;
  /** How many of them are no holes. */
  #size = 0;
  #lastOrder = 0;
  #timer: (ReturnType<Clock['schedule']> & Partial<Resting>) | undefined;
  #timerAt = Infinity;
  #serving = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds an entry that is not in the queue. One for Infinity never comes and takes no place. */
  add(entry: Due, dueAt: number): void {
    if (dueAt === Infinity) return;
    this.#size++;
    const index = this.#places++;
    this.#put(index, entry, dueAt, ++this.#lastOrder);
    if (index > 0) this.#up(index);
    // Nothing that was there before is due before the timer.
    if (dueAt < this.#timerAt) this.#setTimer();
  }

  /** Takes an entry out, if it is in. */
  remove(entry: Due): void {
    const index = entry.heapIndex;
    if (index === -1) return;
    entry.heapIndex = -1;
    this.#entries[index] = undefined;
    if (--this.#size === 0) this.#becomeEmpty();
    else if (index === this.#places - 1) this.#dropLast();
    else if (this.#places > 2 * this.#size + HOLES_KEPT) this.#closeHoles();
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
      while (this.#size > 0 && this.#times[0]! <= now) {
        const first = this.#entries[0];
        this.#dropFirst();
        if (first === undefined) continue;
        first.heapIndex = -1;
        this.#size--;
        try {
          first.due();
        } catch (error) {
          reportUncaught(error);
        }
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
    if (this.#serving) return;
    if (this.#size === 0) {
      this.#stopTimer();
      return;
    }
    while (this.#entries[0] === undefined) this.#dropFirst();
    const first = this.#times[0]!;
    if (first >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = first;
    this.#timer = this.clock.schedule(first, this.#wake);
  }

  #becomeEmpty(): void {
    this.#places = 0;
    if (this.#timer?.mayRest?.() !== true) this.#stopTimer();
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  /** Takes away the first place of the heap, whatever is in it. */
  #dropFirst(): void {
    const last = this.#places - 1;
    this.#move(last, 0);
    this.#entries[last] = undefined;
    this.#dropLast();
    this.#down(0);
  }

  /** Takes away the last place, which is a hole by now, and the holes before it. */
  #dropLast(): void {
    const entries = this.#entries;
    let places = this.#places;
    do places--;
    while (places > 0 && entries[places - 1] === undefined);
    this.#places = places;
    if (entries.length > 4 * places + ROOM_KEPT) this.#giveBackRoom();
  }

  #closeHoles(): void {
    let places = 0;
    for (let index = 0; index < this.#places; index++) {
      if (this.#entries[index] !== undefined) this.#move(index, places++);
    }
    this.#places = places;
    this.#giveBackRoom();
    for (let index = parentOf(places - 1); index >= 0; index--) this.#down(index);
  }

  #giveBackRoom(): void {
    this.#entries.length = this.#times.length = this.#orders.length = this.#places;
  }

  /** What is in a place moves up to where it belongs. */
  #up(start: number): void {
    let index = start;
    for (let parent = parentOf(index); index > 0 && this.#isBefore(index, parent); parent = parentOf(index)) {
      this.#swap(index, parent);
      index = parent;
    }
  }

  /** The same, downward. */
  #down(start: number): void {
    const places = this.#places;
    let index = start;
    for (;;) {
      const firstChild = CHILDREN * index + 1;
      const end = Math.min(firstChild + CHILDREN, places);
      let earliest = index;
      for (let child = firstChild; child < end; child++) {
        if (this.#isBefore(child, earliest)) earliest = child;
      }
      if (earliest === index) break;
      this.#swap(index, earliest);
      index = earliest;
    }
  }

  #isBefore(index: number, other: number): boolean {
    const time = this.#times[index]!;
    const otherTime = this.#times[other]!;
    return time < otherTime || (time === otherTime && this.#orders[index]! < this.#orders[other]!);
  }

  #swap(index: number, other: number): void {
    const entry = this.#entries[index];
    const time = this.#times[index]!;
    const order = this.#orders[index]!;
    this.#move(other, index);
    this.#put(other, entry, time, order);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#entries[from], this.#times[from]!, this.#orders[from]!);
  }

  #put(index: number, entry: Due | undefined, time: number, order: number): void {
    this.#entries[index] = entry;
    this.#times[index] = time;
    this.#orders[index] = order;
    if (entry !== undefined) entry.heapIndex = index;
  }
}

function parentOf(index: number): number {
  return (index - 1) >> 2; // four children
}
