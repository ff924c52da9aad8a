/** What is known so far. It belongs to the aggregator alone, which others send their discoveries to. */

import { describeFileError, type FileError } from './file-errors.js';
import type { FoundFile } from './walk.js';

/** Files with the same contents. */
export interface DuplicateSet {
  readonly sha256: string;
  readonly size: number;
  /** What could be saved: all but one of the files. */
  readonly wasted: number;
  readonly paths: readonly string[];
}

export interface UnreadableFile {
  readonly path: string;
  readonly reason: string;
}

/** Something that the aggregator is told. */
export type Discovery =
  | {
      readonly kind: 'file';
      readonly file: FoundFile;
      readonly isHardLink: boolean;
      /** How many files are worth reading because of this one. */
      readonly candidates: number;
    }
  | { readonly kind: 'hash'; readonly file: FoundFile; readonly sha256: string }
  | { readonly kind: 'unreadable'; readonly path: string; readonly error: FileError };

/** How far things are. */
export type Progress = Readonly<
  Pick<Findings, 'files' | 'candidates' | 'hashed' | 'duplicates' | 'wasted' | 'unreadableCount'>
>;

export class Findings {
  files = 0;
  /** Without those of hard links. */
  bytes = 0;
  hardLinks = 0;
  /** How many files are worth reading, how many of them have been read, and how many bytes that were. */
  candidates = 0;
  hashed = 0;
  hashedBytes = 0;
  /** The sum of all sets: files that could be removed, and what they waste. */
  duplicates = 0;
  wasted = 0;

  readonly #unreadable: UnreadableFile[] = [];
  readonly #bySha256 = new Map<string, { readonly size: number; readonly paths: string[] }>();

  add(discovery: Discovery): void {
    switch (discovery.kind) {
      case 'file':
        return this.addFile(discovery.file, discovery);
      case 'hash':
        return this.addHash(discovery.file, discovery.sha256);
      case 'unreadable':
        return this.addUnreadable(discovery.path, discovery.error);
    }
  }

  addFile(file: FoundFile, { isHardLink = false, candidates = 0 } = {}): void {
    this.files++;
    // A second name of a file that is known already takes no space, so it wastes none.
    if (isHardLink) this.hardLinks++;
    else this.bytes += file.size;
    this.candidates += candidates;
  }

  addHash(file: FoundFile, sha256: string): void {
    this.hashed++;
    this.hashedBytes += file.size;
    const set = this.#bySha256.get(sha256);
    if (set === undefined) {
      this.#bySha256.set(sha256, { size: file.size, paths: [file.path] });
      return;
    }
    set.paths.push(file.path);
    this.duplicates++;
    this.wasted += file.size;
  }

  addUnreadable(path: string, error: FileError): void {
    this.#unreadable.push({ path, reason: describeFileError(error) });
  }

  get unreadableCount(): number {
    return this.#unreadable.length;
  }

  progress(): Progress {
    const { files, candidates, hashed, duplicates, wasted, unreadableCount } = this;
    return { files, candidates, hashed, duplicates, wasted, unreadableCount };
  }

  /** Files and folders that could not be read. Sorted: in which order tasks fail is chance. */
  unreadable(): UnreadableFile[] {
    return this.#unreadable.toSorted((a, b) => compare(a.path, b.path));
  }

  /** All sets of duplicates, the most wasteful first. */
  sets(): DuplicateSet[] {
    return [...this.#bySha256]
      .filter(([, { paths }]) => paths.length > 1)
      .map(([sha256, { size, paths }]) => ({
        sha256,
        size,
        wasted: size * (paths.length - 1),
        paths: paths.toSorted(),
      }))
      .sort((a, b) => b.wasted - a.wasted || compare(a.paths[0]!, b.paths[0]!));
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
