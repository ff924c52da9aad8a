/** What can be wrong with a file, as opposed to what is wrong with this program. */

import { TimeoutError } from '@taskscope/core';

/** A file did not stay as it was found. */
export class FileChangedError extends Error {
  override readonly name = 'FileChangedError';

  constructor() {
    super('it changed while it was read');
  }
}

export type FileError = FileChangedError | TimeoutError | NodeJS.ErrnoException;

/**
 * Whether a file is to blame for an error. Everything else, cancellations among it, has to be thrown on: a
 * catch that takes everything would swallow them.
 */
export function isFileError(error: unknown): error is FileError {
  return (
    error instanceof FileChangedError ||
    error instanceof TimeoutError ||
    // What the operating system refuses to do names the system call.
    (error instanceof Error && 'syscall' in error)
  );
}

/** In a few words: `permission denied` of `EACCES: permission denied, open '/some/file'`. */
export function describeFileError(error: FileError): string {
  return /^[A-Z0-9]+: ([^,]+)/.exec(error.message)?.[1] ?? error.message;
}
