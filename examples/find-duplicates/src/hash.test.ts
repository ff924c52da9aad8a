import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelScope, failAfter, run, sleep, TimeoutError } from '@taskscope/core';
import { MockClock, virtualTime } from '@taskscope/testing';
import { expect, test } from 'vitest';
import { FileChangedError, isFileError } from './file-errors.js';
import { hashFile, type OpenFile } from './hash.js';
import { temporaryFolder } from './temporary-folder.fixture.js';
import type { FoundFile } from './walk.js';

const never = new Promise<never>(() => {});
const anyFile: FoundFile = { path: 'file', size: 1000, identity: undefined };

function found(path: string): FoundFile {
  return { path, size: statSync(path).size, identity: undefined };
}

/** Opens real files, and counts what is open. */
class Files {
  opened = 0;
  closed = 0;
  reads = 0;
  onRead: () => void = () => {};

  readonly open: OpenFile = async (path) => {
    const handle = await open(path);
    this.opened++;
    return {
      read: (...args) => {
        this.reads++;
        this.onRead();
        return handle.read(...args);
      },
      close: () => {
        this.closed++;
        return handle.close();
      },
    };
  };
}

test.each([0, 1, 1000, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 1_000_000])('%i bytes', async (size) => {
  const contents = 'taskscope '.repeat(100_000).slice(0, size);
  const file = join(temporaryFolder({ file: contents }), 'file');
  const files = new Files();
  expect(await hashFile(found(file), files.open)).toBe(createHash('sha256').update(contents).digest('hex'));
  expect(await hashFile(found(file))).toBe(createHash('sha256').update(contents).digest('hex'));
  expect(files).toMatchObject({ opened: 1, closed: 1 });
});

test.each([
  ['grew', '1234'],
  ['shrank', '12'],
])('a file that %s', async (_, contents) => {
  const path = join(temporaryFolder({ file: '123' }), 'file');
  const file = found(path);
  writeFileSync(path, contents);
  const files = new Files();
  await expect(hashFile(file, files.open)).rejects.toThrow(FileChangedError);
  expect(files).toMatchObject({ opened: 1, closed: 1 });
});

test('a file that vanished', async () => {
  await expect(hashFile({ ...anyFile, path: join(temporaryFolder(), 'file') })).rejects.toThrow('ENOENT');
});

test('a file that cannot be read, nor closed', async () => {
  const openFile: OpenFile = async () => ({
    read: () => Promise.reject(new Error('no reading')),
    close: () => Promise.reject(new Error('no closing')),
  });
  await expect(hashFile(anyFile, openFile)).rejects.toThrow('no reading');
});

test.skipIf(process.platform === 'win32')(
  'a pipe that took the place of a file: opening it does not wait',
  async () => {
    const path = join(temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    const error: unknown = await hashFile({ ...anyFile, path }).catch((thrown: unknown) => thrown);
    expect(error).toSatisfy(isFileError);
  },
);

test('cancelled before', async () => {
  const path = join(temporaryFolder({ file: '123' }), 'file');
  const files = new Files();
  const scope = new CancelScope();
  scope.cancel();
  await scope.run(() => hashFile(found(path), files.open));
  expect(scope.cancelledCaught).toBe(true);
  expect(files.opened).toBe(0);
});

test('cancelled between two chunks', async () => {
  const path = join(temporaryFolder({ file: 'x'.repeat(1_000_000) }), 'file');
  const files = new Files();
  const scope = new CancelScope();
  files.onRead = () => {
    if (files.reads === 2) scope.cancel();
  };
  await scope.run(() => hashFile(found(path), files.open));
  expect(scope.cancelledCaught).toBe(true);
  expect(files).toMatchObject({ reads: 2, opened: 1, closed: 1 });
});

test('cancelled after', async () => {
  const path = join(temporaryFolder({ file: '123' }), 'file');
  const scope = new CancelScope();
  const result = await scope.run(async () => {
    const sha256 = await hashFile(found(path));
    scope.cancel();
    return sha256;
  });
  expect(result).toMatch(/^[0-9a-f]{64}$/);
  expect(scope.cancelledCaught).toBe(false);
});

test(
  'a file that does not open in time is closed when it opens at last',
  virtualTime(async () => {
    let closed = false;
    const slow: OpenFile = async () => {
      await sleep(5_000);
      return {
        read: () => never,
        async close() {
          closed = true;
        },
      };
    };
    // The opening goes on when we do not: in a scope that is not cancelled with ours.
    const opening = slow('');
    await expect(failAfter(2_000, () => hashFile(anyFile, () => opening))).rejects.toThrow(TimeoutError);
    expect(closed).toBe(false);
    await sleep(3_000);
    await expect.poll(() => closed).toBe(true);
  }),
);

test('a file that opens never, reads never, or closes never', async () => {
  const clock = new MockClock({ autojump: true });
  const opensNever: OpenFile = () => never;
  const readsNever: OpenFile = async () => ({ read: () => never, close: async () => {} });
  const closesNever: OpenFile = async () => ({ read: () => never, close: () => never });
  await run(
    async () => {
      for (const [openFile, time] of [
        [opensNever, 2_000],
        [readsNever, 2_000],
        [closesNever, 2_300],
      ] as const) {
        const began = clock.now();
        await expect(failAfter(2_000, () => hashFile(anyFile, openFile))).rejects.toThrow(TimeoutError);
        expect(clock.now() - began).toBe(time);
      }
    },
    { clock },
  );
});
