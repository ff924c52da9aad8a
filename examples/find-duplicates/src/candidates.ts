/** Which files are worth reading. */

import type { FoundFile } from './walk.js';

export interface Verdict {
  /** A further name of a file that is known already. */
  readonly isHardLink: boolean;
  /** The files that are worth reading because of this one: itself, and perhaps one that came before. */
  readonly worthReading: readonly FoundFile[];
}

const NONE: readonly FoundFile[] = [];

/**
 * Only files of equal size can have equal contents, so only those are worth reading. That is known when the
 * second one is found, and not before; the first of each size is kept until then.
 */
export class Candidates {
  readonly #identities = new Set<string>();
  /** The only file of that size so far; undefined once there is another. */
  readonly #firstOfSize = new Map<number, FoundFile | undefined>();

  /** A file was found. */
  add(file: FoundFile): Verdict {
    if (file.identity !== undefined) {
      if (this.#identities.has(file.identity)) return { isHardLink: true, worthReading: NONE };
      this.#identities.add(file.identity);
    }
    return { isHardLink: false, worthReading: this.#worthReading(file) };
  }

  #worthReading(file: FoundFile): readonly FoundFile[] {
    if (file.size === 0) return NONE;
    if (!this.#firstOfSize.has(file.size)) {
      this.#firstOfSize.set(file.size, file);
      return NONE;
    }
    const first = this.#firstOfSize.get(file.size);
    this.#firstOfSize.set(file.size, undefined);
    return first === undefined ? [file] : [first, file];
  }
}
