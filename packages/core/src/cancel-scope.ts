/** Cancel scopes: the parts of a program that can be cancelled. */

import {
  cellIn,
  checkParent,
  currentScopeNode,
  invoke,
  peekScope,
  root,
  scopeOfWait,
  storage,
} from './ambient.js';
import { checkBoolean, checkFunction, checkName, checkOptions, checkSignal, checkTime } from './arguments.js';
import { InvalidStateError } from './errors.js';
import { describeScope, showByToString } from './inspect.js';
import { rootContext } from './run-context.js';
import { CAUGHT, leaveWithError } from './scope-exit.js';
import { cellOfSignal, openScope, ScopeNode, type Cell } from './scope-tree.js';
import { linkSignal } from './signal-link.js';
import { rejected, silence } from './promises.js';

/** What all functions that open a scope accept. */
export interface ScopeOptions {
  /** Keeps out the cancellation of the scopes around. Default: false. */
  shield?: boolean | undefined;
  /** For messages and the task tree. */
  name?: string | undefined;
  /**
   * Cancels the scope when it aborts; the scope catches that, and its result is undefined. In explicit mode
   * (without AsyncLocalStorage), the signal of a CancelScope makes that scope the parent.
   */
  signal?: AbortSignal | undefined;
}

/** Options of a {@link CancelScope}. */
export interface CancelScopeOptions extends ScopeOptions {
  /** The time at which the scope is cancelled, on the clock of `currentTime()`. */
  deadline?: number | undefined;
  /** Milliseconds from `run()` until the scope is cancelled. */
  timeout?: number | undefined;
}

/** What a scope that caught its cancellation results in, unless that is undefined. */
export interface OnCaught {
  /** Throws what the scope ends with instead. */
  caught(scope: CancelScope): void;
}

export let runScope: <T>(
  scope: CancelScope,
  where: string,
  body: (scope: CancelScope) => T | PromiseLike<T>,
  onCaught?: OnCaught,
) => Promise<T | undefined>;

/** How the functions that set a time limit differ. */
export interface TimeLimit {
  /** Of the function, and of its scopes. */
  readonly name: string;
  /** For messages. */
  readonly where: string;
  readonly argument: 'ms' | 'deadline';
}

/** A scope that is to be entered at once and has a time limit: so many `ms` from then on, or a `deadline`. */
export let timedScope: (limit: TimeLimit, value: number, options: ScopeOptions | undefined) => CancelScope;

/** What users see of a scope. */
export let facadeOf: (node: ScopeNode) => CancelScope;

/** The scope's own cancellation, if it has one. */
export let causeOf: (scope: CancelScope) => Error | undefined;

/**
 * A part of a program that can be cancelled: everything that waits inside `run()`, in whatever task,
 * however deep. While the scope is cancelled each wait in it rejects with `Cancelled`, again and again; the
 * scope catches that when it leaves `run()`, unless a scope around it is cancelled as well.
 *
 * It can be cancelled, shielded and given a deadline before it is entered, and while it runs. It is entered
 * once.
 *
 * Semantics: `CancelScope` of AnyIO and Trio.
 *
 * @example
 * ```ts
 * import { CancelScope, sleepForever } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * const scope = new CancelScope({ timeout: 5 });
 * const result = await scope.run(async () => {
 *   await sleepForever();
 *   return 'never';
 * });
 * assert.equal(result, undefined);
 * assert.ok(scope.cancelledCaught);
 * ```
 */
export class CancelScope {
  readonly #node: ScopeNode;
  #timeout: number | undefined = undefined;
  #signal: AbortSignal | undefined = undefined;

  /**
   * @throws TypeError or RangeError when an option is wrong, or both `deadline` and `timeout` are given.
   */
  constructor(options?: CancelScopeOptions);
  constructor(options?: CancelScopeOptions, existing?: ScopeNode) {
    this.#node = existing ?? new ScopeNode('scope', 'scope', rootContext, root.task);
    if (existing === undefined) CancelScope.#configure(this, options);
  }

  // These are no methods, since a class that has private ones marks each object with them.

  static #configure(scope: CancelScope, options: CancelScopeOptions = {}): void {
    const where = 'new CancelScope()';
    checkOptions(where, options);
    const { deadline, timeout } = options;
    if (deadline !== undefined) checkTime(where, 'options.deadline', deadline);
    if (timeout !== undefined) checkTime(where, 'options.timeout', timeout);
    if (deadline !== undefined && timeout !== undefined) {
      throw new TypeError(`${where}: give options.deadline or options.timeout, not both`);
    }
    scope.#node.facade = scope;
    scope.#timeout = timeout;
    if (deadline !== undefined) scope.#node.withExtras().dueAt = deadline;
    CancelScope.#setUp(scope, where, options);
  }

  static #setUp(scope: CancelScope, where: string, { shield, signal, name }: ScopeOptions): void {
    if (shield !== undefined) checkBoolean(where, 'options.shield', shield);
    checkSignal(where, signal);
    checkName(where, name);
    const node = scope.#node;
    if (name !== undefined) node.name = name;
    if (shield === true) node.shield = true;
    scope.#signal = signal;
  }

  /**
   * Runs `body` in this scope.
   *
   * Waits until `body` has ended. Being cancelled is not the end of `body`: it is told at its next wait,
   * and may clean up.
   *
   * @returns What `body` returned, also when it finished in spite of a cancellation; undefined when the
   * scope caught its cancellation.
   * @throws What `body` throws, less the cancellation that this scope catches; `Cancelled` when a scope
   * around it is cancelled; InvalidStateError when the scope was entered before; TypeError when `body` is
   * no function.
   *
   * @example
   * ```ts
   * import { CancelScope, sleepForever } from '@taskscope/core';
   *
   * const scope = new CancelScope();
   * process.once('SIGUSR2', () => scope.cancel('asked to stop'));
   * setTimeout(() => process.kill(process.pid, 'SIGUSR2'), 1);
   * await scope.run(() => sleepForever());
   * ```
   */
  run<T>(body: (scope: CancelScope) => T | PromiseLike<T>): Promise<T | undefined> {
    return CancelScope.#enter(this, 'CancelScope.run()', body, undefined);
  }

  /**
   * Cancels the scope: in this call every wait below that is not shielded is taken out of its queue and
   * rejects. Allowed before `run()`, and more than once; the first reason stands.
   *
   * Does not wait.
   *
   * @param reason - For people: it is kept in `Cancelled.reason`.
   * @throws InvalidStateError when this is the root scope, which cannot be cancelled.
   */
  cancel(reason?: unknown): void {
    refuseRoot(this.#node, 'cancelled');
    this.#node.cancel('cancel', reason);
  }

  /**
   * The time at which the scope is cancelled, on the clock of `currentTime()`; Infinity when there is none,
   * and for a relative timeout until `run()`. It may be moved while the scope runs; moving it does not undo
   * a cancellation.
   */
  get deadline(): number {
    return this.#node.dueAt;
  }

  set deadline(value: number) {
    checkTime('CancelScope', 'deadline', value);
    refuseRoot(this.#node, 'given a deadline');
    this.#timeout = undefined;
    this.#node.setDeadline(value);
  }

  /** Whether the cancellation of scopes around is kept out. It may be changed while the scope runs. */
  get shield(): boolean {
    return this.#node.shield;
  }

  set shield(value: boolean) {
    checkBoolean('CancelScope', 'shield', value);
    refuseRoot(this.#node, 'shielded');
    this.#node.setShield(value);
  }

  /**
   * Whether this scope itself was cancelled: by `cancel()`, its signal, a failed task, or since its
   * deadline has passed.
   */
  get cancelCalled(): boolean {
    const node = this.#node;
    if (node.ownCancellation === undefined && node.dueAt !== Infinity && node.state !== 'left') {
      const context = node.state === 'open' ? node.context : peekScope().context;
      if (node.dueAt <= context.deadlines.clock.now()) {
        // In the order in which things were due: a sleep that was over before this deadline has been slept.
        context.deadlines.serve();
        node.due();
      }
    }
    return node.ownCancellation !== undefined;
  }

  /** Whether a cancellation was caught when the scope was left. */
  get cancelledCaught(): boolean {
    return this.#node.caught;
  }

  /**
   * An AbortSignal for APIs that take one. It aborts when the scope is *effectively* cancelled, by itself
   * or from around, with the `Cancelled` as its reason; what such an API then throws counts as that
   * cancellation. It is created on first use, and anew once the scope is no longer effectively cancelled (a
   * signal cannot be reset).
   */
  get signal(): AbortSignal {
    return this.#node.signal;
  }

  /** For people: the name and the state. */
  toString(): string {
    return describeScope(this.#node);
  }

  /** For logs: the name and the state, as plain data. */
  toJSON(): unknown {
    const { name, dueAt, shield, state, ownCancellation } = this.#node;
    return {
      name,
      state,
      deadline: dueAt === Infinity ? null : dueAt,
      shield,
      cancelCalled: ownCancellation !== undefined,
    };
  }

  static #enter<T>(
    scope: CancelScope,
    where: string,
    body: (scope: CancelScope) => T | PromiseLike<T>,
    onCaught: OnCaught | undefined,
  ): Promise<T | undefined> {
    try {
      checkFunction(where, 'body', body);
      CancelScope.#open(scope, where);
    } catch (error) {
      return rejected(error);
    }
    const node = scope.#node;
    let result: T | Promise<T>;
    try {
      result = invoke(node.cell, body, [scope]);
    } catch (error) {
      return leaveThrown(node, error, onCaught);
    }
    if (result instanceof Promise) return leaveAfter(node, result, onCaught);
    node.leave();
    return Promise.resolve(result);
  }

  static #open(scope: CancelScope, where: string): void {
    const node = scope.#node;
    if (node.state !== 'new') throw enteredBefore(where, node);
    const timeout = scope.#timeout;
    const signal = scope.#signal;
    const around = parentCell(where, signal);
    const parent = openScope(around);
    node.context = parent.context;
    node.task = parent.task;
    let now: number | undefined;
    if (timeout !== undefined) {
      now = parent.context.deadlines.clock.now();
      node.withExtras().dueAt = now + timeout;
    }
    node.open(parent, around, now);
    if (signal !== undefined) obey(node, parent, signal);
  }

  static {
    showByToString(CancelScope);
    runScope = (scope, where, body, onCaught) => CancelScope.#enter(scope, where, body, onCaught);
    facadeOf = (node) =>
      (node.facade ??= new (CancelScope as unknown as FacadeConstructor)(undefined, node)) as CancelScope;
    timedScope = ({ name, where, argument }, value, options) => {
      checkOptions(where, options);
      const scope = facadeOf(new ScopeNode('scope', name, rootContext, root.task));
      if (argument === 'ms') scope.#timeout = value;
      else scope.#node.withExtras().dueAt = value;
      if (options !== undefined) CancelScope.#setUp(scope, where, options);
      return scope;
    };
    causeOf = (scope) => scope.#node.ownCancellation;
  }
}

function enteredBefore(where: string, node: ScopeNode): InvalidStateError {
  return new InvalidStateError(
    `${where}: the scope "${node.name}" was entered before, and a scope is entered once. Make a new one for each use`,
  );
}

/** Leaves a scope when what was begun in it has ended. */
function leaveAfter<T>(
  node: ScopeNode,
  result: Promise<T>,
  onCaught: OnCaught | undefined,
): Promise<T | undefined> {
  const left: Promise<T | undefined> = result.then(
    (value) => {
      node.leave();
      return value;
    },
    (error: unknown) => {
      try {
        leaveFailed(node, error, onCaught);
        return undefined;
      } catch (rest) {
        silence(left, rest);
        throw rest;
      }
    },
  );
  return left;
}

/** Leaves a scope whose body threw before there was anything to wait for. */
function leaveThrown(node: ScopeNode, error: unknown, onCaught: OnCaught | undefined): Promise<undefined> {
  try {
    return Promise.resolve(leaveFailed(node, error, onCaught));
  } catch (rest) {
    return rejected(rest);
  }
}

/** Returns when the scope has caught all that it ended with, or throws what is left of that. */
function leaveFailed(node: ScopeNode, error: unknown, onCaught: OnCaught | undefined): undefined {
  const rest = leaveWithError(node, error);
  if (rest !== CAUGHT) throw rest;
  onCaught?.caught(facadeOf(node));
}

type FacadeConstructor = new (options: undefined, node: ScopeNode) => CancelScope;

/**
 * The scope in which a scope, a group or a run with that option begins. Throws where the runtime refuses to
 * work.
 */
export function parentCell(where: string, signal: AbortSignal | undefined): Cell {
  const cell = storage.getStore();
  // Nearly every call ends here.
  return signal === undefined && cell?.scope !== undefined ? cell : cellOfParent(where, signal);
}

function cellOfParent(where: string, signal: AbortSignal | undefined): Cell {
  const parent = signal === undefined ? currentScopeNode(where) : scopeOfWait(where, { signal });
  checkParent(parent);
  return cellIn(parent);
}

/** Opens a scope below that of a cell and lets a signal cancel it, unless that signal is the parent's own. */
export function openScopeNode(node: ScopeNode, around: Cell, signal: AbortSignal | undefined): void {
  const parent = openScope(around);
  node.open(parent, around);
  if (signal !== undefined) obey(node, parent, signal);
}

/** Lets a signal cancel a scope, unless it is that of the scope around. */
function obey(node: ScopeNode, parent: ScopeNode, signal: AbortSignal): void {
  const cell = cellOfSignal(signal);
  const linked = cell === undefined ? undefined : openScope(cell);
  // What comes from the parent comes by the tree, where a shield keeps it out.
  if (linked === parent) return;
  if (linked?.cancellation !== undefined) node.abort(linked.cancellation);
  else if (signal.aborted && linked === undefined) node.abort(signal.reason);
  else linkOrLeave(node, parent, signal);
}

/** A signal that is not what it seems may throw: then the scope has not been entered. */
function linkOrLeave(node: ScopeNode, parent: ScopeNode, signal: AbortSignal): void {
  try {
    node.withExtras().signalLink = linkSignal(node, parent, signal);
  } catch (error) {
    node.leave();
    throw error;
  }
}

function refuseRoot(node: ScopeNode, what: string): void {
  if (node.kind !== 'root') return;
  throw new InvalidStateError(
    `the root scope cannot be ${what}: it belongs to everyone in the process. Run your program with run(), or open a CancelScope`,
  );
}

/** The innermost scope of the running code; the root outside of every scope, and always in explicit mode.
 *
 * Semantics: the scope of Trio's `current_effective_deadline` and `checkpoint`.
 *
 * @example
 * ```ts
 * import { CancelScope } from '@taskscope/core';
 * import { currentScope } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * await new CancelScope().run((scope) => assert.equal(currentScope(), scope));
 * ```
 */
export function currentScope(): CancelScope {
  return facadeOf(peekScope());
}
