/** A queue in a ring that grows: what the bare channel and the bare semaphore are made of. */
export class Fifo<T> {
  #ring: (T | undefined)[] = new Array(16).fill(undefined);
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(value: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#first + this.#size++) & (this.#ring.length - 1)] = value;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const value = this.#ring[this.#first];
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#ring.length - 1);
    this.#size--;
    return value;
  }

  #grow(): void {
    const old = this.#ring;
    const ring: (T | undefined)[] = new Array(old.length * 2).fill(undefined);
    for (let i = 0; i < this.#size; i++) ring[i] = old[(this.#first + i) & (old.length - 1)];
    this.#ring = ring;
    this.#first = 0;
  }
}
