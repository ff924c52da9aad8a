import { linkSync, rmSync, symlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { CancelScope, flattenErrors, sleep, sleepForever, taskGroup } from '@taskscope/core';
import { MessageRouter } from '@taskscope/streams';
import { cancelEverywhere } from '@taskscope/testing';
import { expect, test } from 'vitest';
import { findDuplicates, type FindOptions } from './find-duplicates.js';
import { Findings, type Progress } from './findings.js';
import { hashFile, type OpenFile } from './hash.js';
import type { FoundFile } from './walk.js';
import { temporaryFolder } from './temporary-folder.fixture.js';

async function find(root: string, options: Partial<FindOptions> = {}): Promise<Findings> {
  const findings = new Findings();
  await findDuplicates(root, findings, { limit: 4, fileTimeout: 30_000, ...options });
  return findings;
}

function pathSets(findings: Findings, root: string): string[][] {
  return findings.sets().map(({ paths }) => paths.map((path) => relative(root, path).split(sep).join('/')));
}

test('files with the same contents, wherever they are', async () => {
  const root = temporaryFolder({
    'one/large': 'large'.repeat(100_000),
    'two/deep/large': 'large'.repeat(100_000),
    small1: 'small',
    small2: 'small',
    'one/small3': 'small',
    'same size as small': 'SMALL',
    unique: 'unique!',
    empty1: '',
    empty2: '',
  });
  const findings = await find(root);
  expect(pathSets(findings, root)).toEqual([
    ['one/large', 'two/deep/large'],
    ['one/small3', 'small1', 'small2'],
  ]);
  expect(findings).toMatchObject({
    files: 9,
    candidates: 6,
    hashed: 6,
    duplicates: 3,
    wasted: 500_010,
    unreadableCount: 0,
  });
});

test.skipIf(process.platform === 'win32')('links are no duplicates', async () => {
  const root = temporaryFolder({ a: 'contents', b: 'contents' });
  linkSync(join(root, 'a'), join(root, 'hard link to a'));
  symlinkSync('a', join(root, 'symbolic link to a'));
  const findings = await find(root);
  expect(pathSets(findings, root)).toHaveLength(1);
  expect(findings).toMatchObject({ files: 3, hardLinks: 1, duplicates: 1, wasted: 8 });
});

test('survives files that vanish, and those that take too long', async () => {
  const root = temporaryFolder({ a: 'contents', b: 'contents', hangs: 'contents', vanishes: 'contents' });
  const findings = await find(root, {
    fileTimeout: 1_000,
    hash: (file) => {
      if (basename(file.path) === 'hangs') return sleepForever();
      if (basename(file.path) === 'vanishes') rmSync(file.path);
      return hashFile(file);
    },
  });
  expect(pathSets(findings, root)).toEqual([['a', 'b']]);
  expect(findings.unreadable()).toEqual([
    { path: join(root, 'hangs'), reason: 'reading timed out after 1000 ms' },
    { path: join(root, 'vanishes'), reason: 'no such file or directory' },
  ]);
});

test('reads no more than `limit` files at the same time', async () => {
  const root = temporaryFolder(
    Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`file ${i}`, 'contents'])),
  );
  let reading = 0;
  let most = 0;
  const findings = await find(root, {
    limit: 3,
    hash: async () => {
      reading++;
      most = Math.max(most, reading);
      await sleep(1);
      reading--;
      return 'the same';
    },
  });
  expect(findings).toMatchObject({ hashed: 30, duplicates: 29 });
  expect(most).toBe(3);
});

test('cancelled: all tasks end, and what was found stays', async () => {
  const root = temporaryFolder({ a: 'contents', b: 'contents', c: 'contents', d: 'contents' });
  const findings = new Findings();
  const scope = new CancelScope();
  const progress = new MessageRouter<Progress>();
  const news = progress.subscribe();
  let begun = 0;
  let cleanedUp = 0;
  const hash = async (): Promise<string> => {
    if (++begun <= 2) return 'the same';
    try {
      return await sleepForever();
    } finally {
      cleanedUp++;
    }
  };
  await scope.run(() =>
    taskGroup(async (tg) => {
      tg.startSoon(findDuplicates, root, findings, { limit: 4, fileTimeout: 30_000, progress, hash });
      for await (const { hashed } of news) if (hashed === 2) break;
      while (begun < 4) await sleep(1);
      scope.cancel();
    }),
  );
  expect(scope.cancelledCaught).toBe(true);
  expect(findings).toMatchObject({ hashed: 2, duplicates: 1, unreadableCount: 0 });
  expect(cleanedUp).toBe(2);
});

// Real time: what is waited for is the file system.
test('cancelled at every wait: each file that was opened is closed, and what was found is true', async () => {
  const root = temporaryFolder({ a: 'contents', 'deep/b': 'contents', 'deep/c': 'CONTENTS', d: 'alone' });
  let [opened, closed] = [0, 0];
  const countingOpen: OpenFile = async (path) => {
    const file = await open(path);
    opened++;
    return {
      read: (...args) => file.read(...args),
      async close() {
        await file.close();
        closed++;
      },
    };
  };
  const { waits } = await cancelEverywhere(
    () => {
      const findings = new Findings();
      const progress = new MessageRouter<Progress>();
      const hash = (file: FoundFile): Promise<string> => hashFile(file, countingOpen);
      return {
        tasks: [() => findDuplicates(root, findings, { limit: 2, fileTimeout: 30_000, progress, hash })],
        check([wasCancelled]) {
          expect([[], [['a', 'deep/b']]]).toContainEqual(pathSets(findings, root));
          if (wasCancelled === false) expect(findings).toMatchObject({ files: 4, candidates: 3, hashed: 3 });
          expect(findings.hashed).toBeLessThanOrEqual(3);
          expect(findings.unreadable()).toEqual([]);
        },
      };
    },
    { realTime: true, timeout: 30_000 },
  );
  expect(waits).toBeGreaterThan(20);
  expect(opened).toBeGreaterThan(waits);
  // Those that were left behind while they were being opened are closed when they are open.
  expect(closed).toBe(opened);
}, 120_000);

test('cancelled before it begins', async () => {
  const scope = new CancelScope();
  scope.cancel();
  const findings = new Findings();
  const root = temporaryFolder({ a: 'contents', b: 'contents' });
  await scope.run(() => findDuplicates(root, findings, { limit: 1, fileTimeout: 1_000 }));
  expect(scope.cancelledCaught).toBe(true);
  expect(findings).toMatchObject({ files: 0, unreadableCount: 0 });
});

test('a bug is not taken for an unreadable file', async () => {
  const root = temporaryFolder({ a: 'contents', b: 'contents' });
  const bug = new TypeError('a bug');
  const hash = (): Promise<string> => Promise.reject(bug);
  const error: unknown = await find(root, { hash }).catch((thrown: unknown) => thrown);
  expect(new Set(flattenErrors(error))).toEqual(new Set([bug]));
});
