/** Reading a file, in a way that can be cancelled at any moment. */

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { abandonOnCancel, checkpointIfCancelled, withResource } from '@taskscope/core';
import { FileChangedError } from './file-errors.js';
import type { FoundFile } from './walk.js';

const CHUNK = 256 * 1024;

/** How long closing may take when the file system does not answer. Short, since Ctrl-C waits for it. */
const CLOSE_GRACE_MS = 300;

// If a file was replaced by a pipe or a link since it was found, opening it neither waits nor follows.
// Windows knows neither flag.
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

/** What is needed of a FileHandle. */
export interface OpenedFile {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  close(): Promise<void>;
}

export type OpenFile = (path: string) => Promise<OpenedFile>;

/**
 * The SHA-256 of a file's contents. The file is closed on every path; a cancellation is noticed between any
 * two chunks, and also while the file system does not answer.
 *
 * @throws FileChangedError when the file is not of the size it was found with; whatever the file system
 * throws.
 */
export function hashFile(file: FoundFile, openFile: OpenFile = openForReading): Promise<string> {
  return withResource(
    () => openOrAbandon(file.path, openFile),
    async (handle) => {
      const hash = createHash('sha256');
      // Each file has a buffer of its own: a read that was abandoned may still write into it. There is room
      // for one byte too many, so that the last read also tells whether the file has grown.
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, file.size + 1));
      let position = 0;
      while (position < file.size) {
        const { bytesRead } = await abandonOnCancel(handle.read(buffer, 0, buffer.length, position));
        if (bytesRead === 0) break;
        hash.update(buffer.subarray(0, bytesRead));
        position += bytesRead;
      }
      if (position !== file.size) throw new FileChangedError();
      return hash.digest('hex');
    },
    // A file that was only read is none the worse for not being closed well.
    (handle) => abandonOnCancel(handle.close().catch(() => {})),
    { grace: CLOSE_GRACE_MS },
  );
}

/**
 * Opening cannot be taken back either: who is cancelled goes on at once, and the file is closed when it is
 * open at last.
 */
async function openOrAbandon(path: string, openFile: OpenFile): Promise<OpenedFile> {
  await checkpointIfCancelled();
  const opening = openFile(path);
  try {
    return await abandonOnCancel(opening);
  } catch (error) {
    opening.then((late) => late.close()).catch(() => {});
    throw error;
  }
}

function openForReading(path: string): Promise<OpenedFile> {
  return open(path, FLAGS);
}
