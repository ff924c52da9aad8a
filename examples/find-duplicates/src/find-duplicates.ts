/**
 * The pipeline: tasks that are connected by streams.
 *
 *              candidates
 *     walker ──────────────▶ hasher × limit
 *        │                      │
 *        └─────── discoveries ──┴──▶ aggregator ──▶ progress
 *
 * Both streams are bounded, so nobody is far ahead of whom they send to: a walker that finds files quicker
 * than they are read waits. And they lead in one direction. Two tasks that send to each other through
 * bounded streams could wait for each other for ever.
 */

import { failAfter, taskGroup } from '@taskscope/core';
import {
  createMemoryObjectStream,
  type MemoryObjectReceiveStream,
  type MemoryObjectSendStream,
  type MessageRouter,
} from '@taskscope/streams';
import { Candidates } from './candidates.js';
import { isFileError } from './file-errors.js';
import type { Discovery, Findings, Progress } from './findings.js';
import { hashFile } from './hash.js';
import { walk, type FoundFile } from './walk.js';

export interface FindOptions {
  /** How many files are read at the same time. */
  readonly limit: number;
  /** Milliseconds. */
  readonly fileTimeout: number;
  /** Where to publish how far things are. */
  readonly progress?: MessageRouter<Progress>;
  /** For tests. */
  readonly hash?: (file: FoundFile) => Promise<string>;
}

const BUFFERED_DISCOVERIES = 100;

/**
 * Looks through a folder, and adds to `findings` as it goes, so that they are of use also when this is
 * cancelled half-way.
 *
 * Each task has sending ends of its own and closes them when it has nothing more to send. When all ends of
 * a stream are closed, the loop over it ends, and so does the task that runs it: the walker ends first,
 * then the hashers, then the aggregator, and with it all. Receiving ends need no closing. They are read to
 * the end, unless the group is cancelled, and with it everyone who might still send.
 */
export async function findDuplicates(root: string, findings: Findings, options: FindOptions): Promise<void> {
  const { limit, fileTimeout, progress, hash = hashFile } = options;
  const [sendCandidate, candidates] = createMemoryObjectStream<FoundFile>(limit);
  const [sendDiscovery, discoveries] = createMemoryObjectStream<Discovery>(BUFFERED_DISCOVERIES);

  const readInTime = (file: FoundFile): Promise<string> =>
    failAfter(fileTimeout, () => hash(file), { reason: 'reading' });

  await taskGroup(
    (tg) => {
      tg.startSoon(findCandidates, root, sendCandidate, sendDiscovery.clone());
      for (let i = 0; i < limit; i++) {
        tg.startSoon(hashCandidates, readInTime, candidates.clone(), sendDiscovery.clone());
      }
      tg.startSoon(aggregate, discoveries, findings, progress);
      // These two were there to be cloned. One that stays open would keep the stream from ending.
      candidates.close();
      sendDiscovery.close();
    },
    { name: 'find-duplicates' },
  );
}

/** The walker. */
async function findCandidates(
  root: string,
  candidates: MemoryObjectSendStream<FoundFile>,
  discoveries: MemoryObjectSendStream<Discovery>,
): Promise<void> {
  using _ = candidates;
  using __ = discoveries;
  const known = new Candidates();
  const files = walk(root, (path, error) => discoveries.send({ kind: 'unreadable', path, error }));
  for await (const file of files) {
    const { isHardLink, worthReading } = known.add(file);
    await discoveries.send({ kind: 'file', file, isHardLink, candidates: worthReading.length });
    for (const candidate of worthReading) await candidates.send(candidate);
  }
}

/** One of the hashers. Who is free takes the next file: each item of a stream goes to one receiver. */
async function hashCandidates(
  hash: (file: FoundFile) => Promise<string>,
  candidates: MemoryObjectReceiveStream<FoundFile>,
  discoveries: MemoryObjectSendStream<Discovery>,
): Promise<void> {
  using _ = discoveries;
  for await (const file of candidates) await discoveries.send(await examine(file, hash));
}

async function examine(file: FoundFile, hash: (file: FoundFile) => Promise<string>): Promise<Discovery> {
  try {
    return { kind: 'hash', file, sha256: await hash(file) };
  } catch (error) {
    // An error would end the group that this task is in, and so the whole program. A bad file must not.
    if (!isFileError(error)) throw error;
    return { kind: 'unreadable', path: file.path, error };
  }
}

/** The aggregator. */
async function aggregate(
  discoveries: MemoryObjectReceiveStream<Discovery>,
  findings: Findings,
  progress: MessageRouter<Progress> | undefined,
): Promise<void> {
  try {
    for await (const discovery of discoveries) {
      findings.add(discovery);
      // However many look at the progress, and however slow they are, this does not wait.
      progress?.publishNowait(findings.progress());
    }
  } finally {
    // When this was cancelled: what had arrived by then was found.
    for (let next = discoveries.tryReceive(); next.ok; next = discoveries.tryReceive()) {
      findings.add(next.value);
    }
  }
}
