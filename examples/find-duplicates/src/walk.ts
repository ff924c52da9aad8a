/** Looking through folders. */

import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { abandonOnCancel, map } from '@taskscope/core';
import { isFileError, type FileError } from './file-errors.js';

export interface FoundFile {
  readonly path: string;
  readonly size: number;
  /** The same for all names of one file; undefined when it has only this one. */
  readonly identity: string | undefined;
}

// The file system answers a few questions at a time quicker than one after the other, and no quicker if
// there are many.
const FOLDERS_AT_A_TIME = 8;
const FILES_AT_A_TIME = 16;

/**
 * Finds the regular files below a folder. Symbolic links are not followed: what they lead to is found where
 * it is, if it is below the folder at all. What cannot be read is told to `onUnreadable`, which is waited
 * for, and left out.
 */
export async function* walk(
  root: string,
  onUnreadable: (path: string, error: FileError) => void | Promise<void>,
): AsyncGenerator<FoundFile, void, undefined> {
  /** What `look` finds at `path`; undefined when it cannot be read. */
  async function attempt<T>(path: string, look: (path: string) => Promise<T>): Promise<T | undefined> {
    try {
      // These calls cannot be taken back. On a dead network drive they would keep Ctrl-C waiting, so they
      // are left behind.
      return await abandonOnCancel(look(path));
    } catch (error) {
      if (!isFileError(error)) throw error;
      await onUnreadable(path, error);
      return undefined;
    }
  }

  const folders = [root];
  while (folders.length > 0) {
    const next = folders.splice(-FOLDERS_AT_A_TIME);
    const files: string[] = [];
    for (const entry of (await map(next, (folder) => attempt(folder, list))).flat()) {
      if (entry === undefined) continue;
      const path = join(entry.parentPath, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) files.push(path);
    }
    for (const file of await map(files, (path) => attempt(path, examine), { limit: FILES_AT_A_TIME })) {
      if (file !== undefined) yield file;
    }
  }
}

function list(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true });
}

async function examine(path: string): Promise<FoundFile> {
  // As bigint: the inode numbers of some file systems (NTFS, ReFS) are larger than a number can hold exactly.
  const { dev, ino, nlink, size } = await lstat(path, { bigint: true });
  return { path, size: Number(size), identity: nlink > 1n ? `${dev}:${ino}` : undefined };
}
