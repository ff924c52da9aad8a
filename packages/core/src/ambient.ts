/**
 * The ambient scope: which scope the running code belongs to.
 *
 * One AsyncLocalStorage for the whole process holds the cell of the innermost scope. Where the platform has
 * none (explicit mode) it always holds nothing, and each wait is told its scope by `{ signal }`.
 */

import { checkFunction, checkSignal } from './arguments.js';
import { InvalidStateError } from './errors.js';
import { settled } from './promises.js';
import { rootContext, type RunContext } from './run-context.js';
import { cellOfSignal, noteEscape, openCell, openScope, ScopeNode, type Cell } from './scope-tree.js';
import { platform } from '#platform';
import type { ContextStorage } from './platform/platform.js';
import { shared } from './shared.js';
import type { TaskRecord } from './task-exit.js';

const ids: { last: number } = shared('task ids', () => ({ last: 0 }));

/** A number that no task in the process has had. */
export function newTaskId(): number {
  return ++ids.last;
}

/** A task that no group has begun: the root, or the first task of a run. */
export class PlainTask implements TaskRecord {
  readonly id: number;
  readonly name: string;
  readonly parentId: number | undefined;
  hasEnded = false;
  onExit: TaskRecord['onExit'] = undefined;

  constructor(name: string, parentId: number | undefined, id: number = newTaskId()) {
    this.id = id;
    this.name = name;
    this.parentId = parentId;
  }

  hasPendingCancellation(): boolean {
    return peekScope().cancellation !== undefined;
  }
}

export const storage: ContextStorage<Cell> = shared('storage', () => platform.createStorage<Cell>());

/**
 * The root of the tree: open from the beginning, never cancelled, and the scope of all code outside of
 * `run()`.
 */
export const root: ScopeNode = shared('root', () => {
  const scope = new ScopeNode('root', 'root', rootContext, new PlainTask('root', undefined, 0));
  scope.state = 'open';
  return scope;
});

/** The runs that want to know of waits without an ambient scope. */
export const lostContextWatchers: RunContext[] = shared<RunContext[]>('lost', () => []);

/** Options of everything that waits. */
export interface WaitOptions {
  /**
   * Ends the wait as well. The signal of a CancelScope stands for that scope: the wait is cancelled when
   * the scope is. A foreign signal makes the wait reject with `signal.reason`.
   */
  signal?: AbortSignal | undefined;
}

/** The scope of the running code, for those who only want to look. */
export function peekScope(): ScopeNode {
  const cell = storage.getStore();
  if (cell === undefined) return root;
  return cell.scope ?? openScope(cell);
}

/**
 * The scope in which a wait or a scope that begins now belongs. Code whose scope was left is adopted by the
 * nearest open one around it; if its run asks for errors instead, the answer is a scope that refuses
 * everything with that error.
 *
 * @param where - The name of the operation, for messages.
 */
export function currentScopeNode(where: string): ScopeNode {
  const cell = storage.getStore();
  return cell?.scope ?? scopeElsewhere(cell, where);
}

/** The same where there is no ambient scope, it was left, or it is that around a section. */
function scopeElsewhere(cell: Cell | undefined, where: string): ScopeNode {
  if (cell !== undefined) return scopeAround(cell, where);
  return lostContextWatchers.length === 0 ? root : lost(where);
}

/** The scope of a wait with options. In explicit mode, a scope's signal stands for the scope. */
export function scopeOfWait(where: string, options: WaitOptions | undefined): ScopeNode {
  const signal = options?.signal;
  return signal === undefined ? currentScopeNode(where) : scopeOfSignal(where, signal);
}

function scopeOfSignal(where: string, signal: AbortSignal): ScopeNode {
  checkSignal(where, signal);
  if (storage.getStore() === undefined) {
    const cell = cellOfSignal(signal);
    if (cell !== undefined) return openScope(cell);
  }
  return currentScopeNode(where);
}

/** The cell of the running code, which belongs to `scope`: that of the scope, or of the innermost section in it. */
export function cellIn(scope: ScopeNode): Cell {
  const cell = openCell(storage.getStore() ?? root.cell);
  return cell.scope === undefined && openScope(cell) === scope ? cell : scope.cell;
}

/** The scope around a section; or the heir, for code that runs in something which was left. */
function scopeAround(cell: Cell, where: string): ScopeNode {
  let each = cell;
  while (each.scope === undefined && each.left === undefined) each = each.outer!;
  return each.scope ?? escaped(each, where);
}

function escaped(cell: Cell, where: string): ScopeNode {
  const heir = openScope(cell);
  const error = noteEscape(cell, heir, where);
  return error === undefined ? heir : refusing(error, heir);
}

function lost(where: string): ScopeNode {
  const message =
    `${where} has no ambient scope although a run is open, so nothing can cancel it. The async context was lost on the ` +
    'way here, most likely in a callback of something that was set up outside: use bindToScope(), or detached() where it is meant so';
  if (lostContextWatchers.some((run) => run.lostContext === 'error')) {
    return refusing(new InvalidStateError(message), root);
  }
  platform.warn(message);
  return root;
}

function refusing(error: Error, instead: ScopeNode): ScopeNode {
  const scope = new ScopeNode('scope', 'refused', instead.context, instead.task);
  scope.cancellation = error;
  scope.owner = instead;
  return scope;
}

/** A scope may not be entered where the runtime refuses to work. Such a place is never `open`. */
export function checkParent(parent: ScopeNode): void {
  if (parent.state === 'new' && parent.cancellation !== undefined) throw parent.cancellation;
}

/**
 * Calls `fn` with the scope of `cell` as its ambient scope. What it returns is a value or a native promise.
 */
export function invoke<A extends unknown[], R>(
  cell: Cell,
  fn: (...args: A) => R | PromiseLike<R>,
  args: A,
): R | Promise<R> {
  return storage.run(cell, call<A, R>, fn, args);
}

/** Calls `fn` in the context of `cell`. */
export function callIn<R>(cell: Cell, fn: () => R): R {
  return storage.run(cell, (callback) => callback(), fn, undefined);
}

/** `invoke()` at the end of a microtask: the rest of it may run in that scope, too. */
export function invokeLast<A extends unknown[], R>(
  cell: Cell,
  fn: (...args: A) => R | PromiseLike<R>,
  args: A,
): R | Promise<R> {
  return storage.runLast(cell, call<A, R>, fn, args, undefined);
}

function call<A extends unknown[], R>(fn: (...args: A) => R | PromiseLike<R>, args: A): R | Promise<R> {
  return settled(fn(...args));
}

/**
 * Runs `fn` outside every scope and returns what it returns. For things that outlive whoever happens to set
 * them up: a connection pool, a cache that refreshes itself, a server's listener. What begins in there is
 * cancelled by nobody, and belongs to no run: it uses the real clock. What shall be tested in virtual time
 * is better built on a task group of its own.
 *
 * Does not wait. It does not change the caller's own AsyncLocalStorage values.
 *
 * @throws TypeError when `fn` is no function; what `fn` throws.
 *
 * @example
 * ```ts
 * import { currentTask, detached, run } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * await run(() => {
 *   assert.equal(currentTask().name, 'main');
 *   assert.equal(detached(() => currentTask().name), 'root');
 * }, { name: 'main' });
 * ```
 */
export function detached<T>(fn: () => T): T {
  checkFunction('detached()', 'fn', fn);
  return callIn(root.cell, fn);
}

/**
 * Ties a function to the scope that is current now: whoever calls it, and from wherever, it runs in this
 * scope. For callbacks of emitters and pools, which would otherwise run in the context of whoever triggers
 * them. When the scope has been left, the nearest open scope around it takes its place.
 *
 * Does not wait.
 *
 * @throws TypeError when `fn` is no function.
 *
 * @example
 * ```ts
 * import { bindToScope, taskGroup } from '@taskscope/core';
 * import { currentScope } from '@taskscope/core/lowlevel';
 * import { EventEmitter } from 'node:events';
 * import assert from 'node:assert/strict';
 *
 * const emitter = new EventEmitter();
 * let seen: unknown;
 * await taskGroup((tg) => {
 *   emitter.on('tea', bindToScope(() => (seen = currentScope() === tg.cancelScope)));
 *   setImmediate(() => emitter.emit('tea'));
 *   tg.startSoon(() => new Promise((resolve) => emitter.once('tea', resolve)));
 * });
 * assert.equal(seen, true);
 * ```
 */
// oxlint-disable-next-line typescript/no-explicit-any -- a function with any parameters
export function bindToScope<F extends (...args: any[]) => unknown>(fn: F): F {
  checkFunction('bindToScope()', 'fn', fn);
  const scope = peekScope().cell;
  const cell = openCell(storage.getStore() ?? scope);
  return function bound(this: unknown, ...args: unknown[]): unknown {
    // It is tied to the scope, and so it is in a section of that only until that ends.
    return callIn(scope.left === undefined ? openCell(cell) : cell, () => fn.apply(this, args));
  } as F;
}
