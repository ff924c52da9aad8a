/**
 * What the bridges need of the platform that is not the same everywhere. Which implementation is used is
 * decided by the package's import conditions (`#platform` in package.json), never by a guess at run time.
 */
export interface Platform {
  /**
   * Makes a `Readable` of `node:stream`. Throws where there is no such thing.
   *
   * @param where - The name of the bridge, for messages.
   */
  createReadable(where: string, options: ReadableOptions): CreatedReadable;
}

/** What a `Readable` does, and how much it buffers. */
export interface ReadableOptions {
  readonly objectMode: boolean;
  readonly highWaterMark: number;
  /** Somebody wants something: `push` is to be called, or `destroy`. */
  readonly read: (readable: CreatedReadable) => void;
  /** The readable is destroyed. */
  readonly destroy: (error: unknown) => Promise<void>;
}

/** What was made, as far as it is used here. */
export interface CreatedReadable {
  push(item: unknown): boolean;
  destroy(error: unknown): void;
}
