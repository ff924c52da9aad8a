/** A plain model of Lock and ReentrantLock, to be compared with the real ones. */

import fc from 'fast-check';
import { expect } from 'vitest';

import { Lock, ReentrantLock, type Releaser } from './index.js';
import {
  called,
  checkModel,
  command,
  Operation,
  pendingOperation,
  type Actor,
  type Model,
  type Real,
} from './model.fixture.js';

const ACTORS = 3;

/** One who has the lock or waits for it: an actor, or one of his calls of run(). */
interface Tenancy {
  readonly actor: number;
  readonly isRun: boolean;
  depth: number;
}

interface LockModel extends Model {
  readonly isReentrant: boolean;
  held: Tenancy | undefined;
  readonly queue: { tenancy: Tenancy; operation: number }[];
  /** What each operation got: a level of a tenancy. */
  readonly got: Map<number, { tenancy: Tenancy; isReleased: boolean }>;
  readonly runs: Set<number>;
  readonly ended: Set<number>;
  isBroken: boolean;
}

interface RealLock extends Real {
  readonly lock: Lock | ReentrantLock;
  readonly actors: readonly Actor[];
  /** What ends the function of each call of run(). */
  readonly ends: Map<number, () => void>;
}

function handOver(model: LockModel): void {
  const next = model.queue.shift();
  model.held = next?.tenancy;
  if (next !== undefined) grant(model, next.tenancy, next.operation);
}

function grant(model: LockModel, tenancy: Tenancy, operation: number): void {
  model.got.set(operation, { tenancy, isReleased: false });
  // The function of run() goes on until it is told to end.
  model.operations[operation] = model.runs.has(operation) ? 'inside' : 'done';
}

/** What a call of acquire comes to; the tenancy that is entered once more if it is that. */
function ask(model: LockModel, actor: number): Tenancy | 'InvalidStateError' | 'free' | 'held' {
  if (model.held === undefined) return 'free';
  if (model.held.actor !== actor || model.held.isRun) return 'held';
  return model.isReentrant ? model.held : 'InvalidStateError';
}

function acquire(model: LockModel, actor: number, isRun: boolean): void {
  const operation = model.operations.push('pending') - 1;
  if (isRun) model.runs.add(operation);
  const answer = ask(model, actor);
  const tenancy = { actor, isRun, depth: 1 };
  if (answer === 'InvalidStateError') model.operations[operation] = answer;
  else if (answer === 'free') {
    model.held = tenancy;
    grant(model, tenancy, operation);
  } else if (answer !== 'held') {
    answer.depth++;
    grant(model, answer, operation);
  } else if (model.isBroken) model.operations[operation] = 'BrokenResourceError';
  else model.queue.push({ tenancy, operation });
}

function leave(model: LockModel, tenancy: Tenancy): void {
  if (model.isBroken) return;
  tenancy.depth--;
  if (tenancy.depth === 0 && tenancy === model.held) handOver(model);
}

function chosen(candidates: Iterable<number>, choice: number): number | undefined {
  const all = [...candidates];
  return all[choice % all.length];
}

/** Operations that were given a Releaser. */
function releasable(model: LockModel): number[] {
  return [...model.got.keys()].filter((operation) => model.operations[operation] === 'done');
}

function inside(model: LockModel): number[] {
  return [...model.runs].filter((operation) => model.operations[operation] === 'inside');
}

export async function checkLockModel(kind: 'Lock' | 'ReentrantLock'): Promise<void> {
  const actor = fc.nat({ max: ACTORS - 1 });
  const isAlive = (model: LockModel, index: number): boolean => !model.ended.has(index);
  await checkModel<LockModel, RealLock>(
    [
      command(
        'acquire',
        actor,
        (model, real, index) => {
          acquire(model, index, false);
          real.operations.push(
            new Operation((options) => real.actors[index]!.act(() => real.lock.acquire(options))),
          );
        },
        isAlive,
      ),
      command(
        'run',
        actor,
        (model, real, index) => {
          const operation = model.operations.length;
          acquire(model, index, true);
          real.operations.push(
            new Operation((options, begun) =>
              real.actors[index]!.act(() =>
                real.lock.run(() => {
                  begun.status = 'inside';
                  return new Promise<void>((resolve) => void real.ends.set(operation, resolve));
                }, options),
              ),
            ),
          );
        },
        isAlive,
      ),
      command(
        'end run',
        fc.nat(),
        (model, real, choice) => {
          const operation = chosen(inside(model), choice)!;
          model.operations[operation] = 'done';
          const level = model.got.get(operation)!;
          model.got.delete(operation);
          leave(model, level.tenancy);
          real.ends.get(operation)!();
        },
        (model) => inside(model).length > 0,
      ),
      command(
        'acquireNowait',
        actor,
        (model, real, index) => {
          const answer = ask(model, index);
          if (answer === 'free') model.held = { actor: index, isRun: false, depth: 1 };
          else if (typeof answer === 'object') answer.depth++;
          const expected = typeof answer === 'object' || answer === 'free' ? 'done' : answer;
          expect(called(() => real.actors[index]!.act(() => real.lock.acquireNowait()))).toBe(
            expected === 'held' ? 'WouldBlock' : expected,
          );
        },
        isAlive,
      ),
      command(
        'release',
        actor,
        (model, real, index) => {
          const { held } = model;
          const isOwner = held?.actor === index && !held.isRun;
          if (isOwner) leave(model, held);
          expect(called(() => real.actors[index]!.act(() => real.lock.release()))).toBe(
            isOwner ? 'done' : 'InvalidStateError',
          );
        },
        isAlive,
      ),
      command(
        'release by its Releaser',
        fc.nat(),
        (model, real, choice) => {
          const operation = chosen(releasable(model), choice)!;
          const level = model.got.get(operation)!;
          if (!level.isReleased) leave(model, level.tenancy);
          level.isReleased = true;
          (real.operations[operation]!.value as Releaser).release();
        },
        (model) => releasable(model).length > 0,
      ),
      command(
        'cancel',
        fc.nat(),
        (model, real, choice) => {
          const operation = pendingOperation(model, choice)!;
          model.operations[operation] = 'Cancelled';
          const index = model.queue.findIndex((each) => each.operation === operation);
          model.queue.splice(index, 1);
          real.operations[operation]!.cancel();
        },
        (model, choice) => pendingOperation(model, choice) !== undefined,
      ),
      command(
        'end the task',
        // Seldom, since a lock that is broken is not very interesting any more.
        fc.tuple(actor, fc.integer({ min: 0, max: 4 })),
        (model, real, [index]) => {
          model.ended.add(index);
          for (const waiting of model.queue.filter(({ tenancy }) => tenancy.actor === index)) {
            model.operations[waiting.operation] = 'Cancelled';
            model.queue.splice(model.queue.indexOf(waiting), 1);
          }
          if (model.held?.actor === index) {
            model.isBroken = true;
            for (const { operation } of model.queue.splice(0)) {
              model.operations[operation] = 'BrokenResourceError';
            }
          }
          real.actors[index]!.end();
          // A lock notices at the latest when somebody comes.
          if (model.isBroken) {
            model.operations.push('BrokenResourceError');
            real.operations.push(new Operation((options) => real.lock.acquire(options)));
          }
        },
        // A call of run() that is inside would outlive its task.
        (model, [index, luck]) =>
          luck === 0 &&
          isAlive(model, index) &&
          !model.isBroken &&
          !inside(model).some((operation) => model.got.get(operation)!.tenancy.actor === index),
      ),
    ],
    (actors) => ({
      model: {
        operations: [],
        isReentrant: kind === 'ReentrantLock',
        held: undefined,
        queue: [],
        got: new Map(),
        runs: new Set(),
        ended: new Set(),
        isBroken: false,
      },
      real: {
        operations: [],
        lock: kind === 'Lock' ? new Lock() : new ReentrantLock(),
        actors,
        ends: new Map(),
      },
    }),
    (model, { lock, actors }) => {
      const owner = model.held === undefined ? undefined : actors[model.held.actor]!.name;
      const { locked, owner: actual, tasksWaiting } = lock.statistics();
      const depth = lock instanceof ReentrantLock ? [[model.held?.depth ?? 0, lock.depth] as const] : [];
      return [
        [owner !== undefined, locked],
        [owner, actual?.name],
        [model.queue.length, tasksWaiting],
        ...depth,
      ];
    },
    ACTORS,
  );
}
