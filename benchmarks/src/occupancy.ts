/** What a task awaits while it has a turn. */
export const PAUSE: Promise<void> = Promise.resolve();

/** Counts the turns in a critical section, and notices when there are too many in it. The same for all peers. */
export class Occupancy {
  turns = 0;
  readonly #limit: number;
  #inside = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  enter(): void {
    if (++this.#inside > this.#limit)
      throw new Error(`${this.#inside} at a time, where ${this.#limit} may be`);
  }

  leave(): void {
    this.#inside--;
    this.turns++;
  }
}
