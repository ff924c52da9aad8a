import { asyncMutex } from '../peers/async-mutex.js';
import { asyncSema } from '../peers/async-sema.js';
import { bareScopes } from '../peers/bare-scopes.js';
import { effect } from '../peers/effect.js';
import { pLimit } from '../peers/p-limit.js';
import { pQueue } from '../peers/p-queue.js';
import type { Peer } from '../programs.js';
import { workload, type Group, type Workload } from '../workload.js';

const alone = { tasks: 1, turns: 10_000, hold: false };
const contended = { tasks: 100, turns: 100, hold: false };
const held = { ...contended, hold: true };

export const lock: Group = {
  name: 'lock',
  title: 'Lock',
  notes: ['The floor is a mutex of promises without cancellation or an owner.'],
  workloads: threeOf('lock', 1, [bareScopes, effect, asyncSema, asyncMutex]),
};

export const semaphore: Group = {
  name: 'semaphore',
  title: 'Semaphore',
  notes: ['10 permits. The floor is a semaphore of promises without cancellation.'],
  workloads: threeOf('semaphore', 10, [effect, asyncSema, asyncMutex]),
};

export const limiter: Group = {
  name: 'limiter',
  title: 'Limiter',
  notes: ['At most 10 async functions at a time. The floor runs each within a bare semaphore.'],
  workloads: threeOf('limiter', 10, [effect, asyncMutex, pLimit, pQueue]),
};

function threeOf(
  program: 'lock' | 'semaphore' | 'limiter',
  permits: number,
  peers: readonly Peer[],
): Workload[] {
  return [
    workload('uncontended', program, { ...alone, permits }, peers),
    workload('100 tasks', program, { ...contended, permits }, peers),
    workload('100 tasks, an await in each turn', program, { ...held, permits }, peers),
  ];
}
