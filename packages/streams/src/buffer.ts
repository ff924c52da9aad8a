/**
 * A first-in first-out buffer: a ring of a size that is a power of two, which doubles when it is full. What
 * has been taken out is not kept alive.
 */
export class Buffer<T> {
  #ring: (T | undefined)[] = [];
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#first + this.#size) & (this.#ring.length - 1)] = item;
    this.#size++;
  }

  /** Takes the oldest out; undefined if there is none. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#ring[this.#first];
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#ring.length - 1);
    this.#size--;
    return item;
  }

  #grow(): void {
    const { length } = this.#ring;
    const ring = this.#ring.slice(this.#first).concat(this.#ring.slice(0, this.#first));
    ring.length = length === 0 ? 8 : 2 * length;
    this.#ring = ring;
    this.#first = 0;
  }
}
