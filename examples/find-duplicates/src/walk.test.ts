import { linkSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { CancelScope } from '@taskscope/core';
import { expect, test } from 'vitest';
import { temporaryFolder } from './temporary-folder.fixture.js';
import { walk, type FoundFile } from './walk.js';

function mustBeReadable(path: string, error: Error): never {
  throw new Error(`${path} is unreadable`, { cause: error });
}

async function collect(folder: string, onUnreadable = mustBeReadable): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  for await (const file of walk(folder, onUnreadable)) {
    files.push({ ...file, path: relative(folder, file.path).split(sep).join('/') });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

test('finds the files of all folders', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`many/${i % 20}/${i}`, 'x'.repeat(i)]),
  );
  const folder = temporaryFolder({ a: '', 'b/c': '123', 'b/d/e/f': '4567', ...many });
  const files = await collect(folder);
  expect(files).toHaveLength(53);
  expect(files.filter(({ path }) => !path.startsWith('many'))).toEqual([
    { path: 'a', size: 0, identity: undefined },
    { path: 'b/c', size: 3, identity: undefined },
    { path: 'b/d/e/f', size: 4, identity: undefined },
  ]);
});

test('an empty folder', async () => {
  expect(await collect(temporaryFolder())).toEqual([]);
});

test('the names of one file have the same identity', async () => {
  const folder = temporaryFolder({ a: '1', other: '2' });
  linkSync(join(folder, 'a'), join(folder, 'b'));
  const [a, b, other] = await collect(folder);
  expect(a!.identity).toEqual(expect.any(String));
  expect(b!.identity).toBe(a!.identity);
  expect(other!.identity).toBeUndefined();
});

// Windows lets only administrators make symbolic links.
test.skipIf(process.platform === 'win32')('does not follow symbolic links', async () => {
  const folder = temporaryFolder({ 'a/file': '1' });
  symlinkSync('a', join(folder, 'link-to-folder'));
  symlinkSync('a/file', join(folder, 'link-to-file'));
  symlinkSync('..', join(folder, 'a/loop'));
  symlinkSync('nowhere', join(folder, 'dangling'));
  expect((await collect(folder)).map(({ path }) => path)).toEqual(['a/file']);
});

test('survives a folder that vanishes', async () => {
  const folder = temporaryFolder({ file: '1', 'vanishes/in': '2', 'stays/in': '3' });
  const unreadable: string[] = [];
  const files: string[] = [];
  for await (const { path } of walk(folder, (each, error) => {
    unreadable.push(`${relative(folder, each)} ${error.message}`);
  })) {
    files.push(relative(folder, path));
    rmSync(join(folder, 'vanishes'), { recursive: true, force: true });
  }
  expect(files).toEqual(['file', join('stays', 'in')]);
  expect(unreadable).toEqual([expect.stringContaining('vanishes ENOENT')]);
});

test('passes on what is not the fault of a file', async () => {
  const folder = temporaryFolder({ 'a/b': '1' });
  const files = walk(`${folder}/missing`, () => {
    throw new Error('a bug');
  });
  await expect(files.next()).rejects.toMatchObject({ name: 'TaskGroupError', errors: [new Error('a bug')] });
});

test('cancelled before and during', async () => {
  const folder = temporaryFolder({ a: '1', 'b/c': '2' });
  const before = new CancelScope();
  before.cancel();
  await before.run(() => collect(folder));
  expect(before.cancelledCaught).toBe(true);

  const seen: string[] = [];
  const during = new CancelScope();
  await during.run(async () => {
    for await (const file of walk(folder, mustBeReadable)) {
      seen.push(relative(folder, file.path));
      during.cancel();
    }
  });
  expect(during.cancelledCaught).toBe(true);
  expect(seen).toEqual(['a']);
});
