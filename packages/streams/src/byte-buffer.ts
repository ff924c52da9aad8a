/**
 * A first-in first-out buffer of bytes.
 *
 * It keeps the chunks as they came, so that appending copies nothing, and taking bytes out copies them
 * once. A search remembers how far it has come and what it has matched there, also from one call to the
 * next: no byte is looked at twice for one delimiter, in however small pieces the bytes come.
 */
export class ByteBuffer {
  /** Those before `#first` have been taken. */
  #chunks: Uint8Array[] = [];
  #first = 0;
  /** How many bytes of the first chunk have been taken. */
  #taken = 0;
  #size = 0;
  #search: Search | undefined = undefined;

  /** The number of bytes in it. */
  get size(): number {
    return this.#size;
  }

  append(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** Takes the oldest `count` bytes out; there are so many. */
  take(count: number): Uint8Array {
    const first = this.#chunks[this.#first];
    if (this.#taken === 0 && first?.length === count) {
      this.drop(count);
      return first;
    }
    const bytes = this.#copy(count);
    this.drop(count);
    return bytes;
  }

  /** A copy of all that is in it. */
  toBytes(): Uint8Array {
    return this.#copy(this.#size);
  }

  /** Where `delimiter` begins, if it lies within the first `limit` bytes; -1 if it does not. */
  indexOf(delimiter: Uint8Array, limit: number): number {
    const first = delimiter[0]!;
    const search = this.#resume(delimiter);
    const { fallbacks } = search;
    while (search.position < limit && search.chunk < this.#chunks.length) {
      const chunk = this.#chunks[search.chunk]!;
      const end = Math.min(chunk.length, search.at + limit - search.position);
      const visible = chunk.subarray(0, end);
      let { at, matched } = search;
      while (at < end && matched < delimiter.length) {
        if (matched === 0) {
          const next = visible.indexOf(first, at);
          at = next === -1 ? end : next + 1;
          matched = next === -1 ? 0 : 1;
          continue;
        }
        const byte = chunk[at++];
        while (matched > 0 && byte !== delimiter[matched]) matched = fallbacks[matched - 1]!;
        if (byte === delimiter[matched]) matched++;
      }
      search.position += at - search.at;
      search.at = at;
      search.matched = matched;
      if (matched === delimiter.length) {
        this.#search = undefined;
        return search.position - matched;
      }
      if (at === chunk.length) {
        search.chunk++;
        search.at = 0;
      }
    }
    return -1;
  }

  #resume(delimiter: Uint8Array): Search {
    const search = this.#search;
    if (search !== undefined && isSame(search.delimiter, delimiter)) return search;
    return (this.#search = {
      delimiter: delimiter.slice(),
      fallbacks: fallbacksOf(delimiter),
      chunk: this.#first,
      at: this.#taken,
      position: 0,
      matched: 0,
    });
  }

  #copy(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    let from = this.#taken;
    let filled = 0;
    for (let index = this.#first; filled < count; index++) {
      const chunk = this.#chunks[index]!;
      const part = chunk.subarray(from, from + count - filled);
      bytes.set(part, filled);
      filled += part.length;
      from = 0;
    }
    return bytes;
  }

  /** Drops the oldest `count` bytes; there are so many. */
  drop(count: number): void {
    this.#size -= count;
    this.#taken += count;
    for (
      let first = this.#chunks[this.#first];
      first !== undefined && this.#taken >= first.length;
      first = this.#chunks[this.#first]
    ) {
      this.#taken -= first.length;
      this.#first++;
    }
    const search = this.#search;
    if (search !== undefined) {
      search.position -= count;
      // The bytes that a partial match consists of must all be there.
      if (search.position < search.matched) this.#search = undefined;
    }
    this.#compact();
  }

  /** Lets go of the chunks that have been taken, when they are more than those that have not. */
  #compact(): void {
    if (this.#first * 2 < this.#chunks.length) return;
    this.#chunks = this.#chunks.slice(this.#first);
    if (this.#search !== undefined) this.#search.chunk -= this.#first;
    this.#first = 0;
  }
}

/** How far a search has come. */
interface Search {
  readonly delimiter: Uint8Array;
  readonly fallbacks: readonly number[];
  /** The index of the chunk, and of the byte in it, at which the search goes on. */
  chunk: number;
  at: number;
  /** How many bytes of the buffer have been searched. */
  position: number;
  /** How many bytes of the delimiter stand right before. */
  matched: number;
}

/**
 * Knuth, Morris and Pratt's table: for each number of matched bytes less one, how many of the last of them
 * are a beginning of the delimiter, too.
 */
function fallbacksOf(delimiter: Uint8Array): number[] {
  const fallbacks = [0];
  for (let index = 1, matched = 0; index < delimiter.length; index++) {
    while (matched > 0 && delimiter[index] !== delimiter[matched]) matched = fallbacks[matched - 1]!;
    if (delimiter[index] === delimiter[matched]) matched++;
    fallbacks.push(matched);
  }
  return fallbacks;
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
