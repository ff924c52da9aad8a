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
import { keepLayout } from './keep-layout.js';
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

export let runScope: <T>(
  scope: CancelScope,
  where: string,
  body: (scope: CancelScope) => T | PromiseLike<T>,
  onCaught?: () => T | undefined,
) => Promise<T | undefined>;

/** A scope that is to be entered at once, with a time limit: `timeout` from then on, or the time `deadline`. */
export let timedScope: (
  where: string,
  name: string,
  options: ScopeOptions | undefined,
  timeout: number,
  deadline: number,
) => CancelScope;

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
  #timeout = Infinity;
  #signal: AbortSignal | undefined = undefined;

  /**
   * @throws TypeError or RangeError when an option is wrong, or both `deadline` and `timeout` are given.
   */
  constructor(options?: CancelScopeOptions);
  constructor(options: CancelScopeOptions = {}, existing?: ScopeNode) {
    if (existing !== undefined) {
      this.#node = existing;
      return;
    }
    const where = 'new CancelScope()';
    checkOptions(where, options);
    const { deadline, timeout } = options;
    if (deadline !== undefined) checkTime(where, 'options.deadline', deadline);
    if (timeout !== undefined) checkTime(where, 'options.timeout', timeout);
    if (deadline !== undefined && timeout !== undefined) {
      throw new TypeError(`${where}: give options.deadline or options.timeout, not both`);
    }
    this.#node = new ScopeNode('scope', 'scope', rootContext, root.task);
    this.#node.withExtras().facade = this;
    this.#setUp(where, options, timeout ?? Infinity, deadline ?? Infinity);
  }

  #setUp(where: string, options: ScopeOptions, timeout: number, deadline: number): void {
    const { shield, signal, name } = options;
    if (shield !== undefined) checkBoolean(where, 'options.shield', shield);
    checkSignal(where, signal);
    checkName(where, name);
    const node = this.#node;
    if (name !== undefined) node.name = name;
    if (shield === true) node.shield = true;
    node.dueAt = deadline;
    this.#timeout = timeout;
    this.#signal = signal;
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
    return this.#enter('CancelScope.run()', body, undefined);
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
    this.#timeout = Infinity;
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

  /** `onCaught` gives the result of a scope that caught its cancellation, or throws instead. */
  #enter<T>(
    where: string,
    body: (scope: CancelScope) => T | PromiseLike<T>,
    onCaught: (() => T | undefined) | undefined,
  ): Promise<T | undefined> {
    const node = this.#node;
    try {
      checkFunction(where, 'body', body);
      if (node.state !== 'new') {
        throw new InvalidStateError(
          `${where}: the scope "${node.name}" was entered before, and a scope is entered once. Make a new one for each use`,
        );
      }
      const around = parentCell(where, this.#signal);
      const parent = openScope(around);
      node.context = parent.context;
      node.task = parent.task;
      let now: number | undefined;
      if (this.#timeout !== Infinity) {
        now = parent.context.deadlines.clock.now();
        node.dueAt = now + this.#timeout;
      }
      openScopeNode(node, around, this.#signal, now);
    } catch (error) {
      return rejected(error);
    }
    let result: T | Promise<T>;
    try {
      result = invoke(node.cell, body, [this]);
    } catch (error) {
      try {
        return Promise.resolve(leaveFailed(node, error, onCaught));
      } catch (rest) {
        return rejected(rest);
      }
    }
    if (!(result instanceof Promise)) {
      node.leave();
      return Promise.resolve(result);
    }
    const left: Promise<T | undefined> = result.then(
      (value) => {
        node.leave();
        return value;
      },
      (error: unknown) => {
        try {
          return leaveFailed(node, error, onCaught);
        } catch (rest) {
          silence(left, rest);
          throw rest;
        }
      },
    );
    return left;
  }

  static {
    showByToString(CancelScope);
    runScope = (scope, where, body, onCaught) => scope.#enter(where, body, onCaught);
    facadeOf = (node) =>
      (node.withExtras().facade ??= new (CancelScope as unknown as FacadeConstructor)(
        undefined,
        node,
      )) as CancelScope;
    timedScope = (where, name, options, timeout, deadline) => {
      const node = new ScopeNode('scope', name, rootContext, root.task);
      const scope = facadeOf(node);
      if (options !== undefined) {
        checkOptions(where, options);
        scope.#setUp(where, options, timeout, deadline);
      } else {
        node.dueAt = deadline;
        scope.#timeout = timeout;
      }
      return scope;
    };
    causeOf = (scope) => scope.#node.ownCancellation;
  }
}

/** What a scope that ends with an error results in; or throws what is left of the error. */
function leaveFailed<T>(
  node: ScopeNode,
  error: unknown,
  onCaught: (() => T | undefined) | undefined,
): T | undefined {
  const rest = leaveWithError(node, error);
  if (rest === CAUGHT) return onCaught?.();
  throw rest;
}

type FacadeConstructor = new (options: undefined, node: ScopeNode) => CancelScope;

/**
 * The scope in which a scope, a group or a run with that option begins. Throws where the runtime refuses to
 * work.
 */
export function parentCell(where: string, signal: AbortSignal | undefined): Cell {
  if (signal === undefined) {
    const cell = storage.getStore();
    // Nearly every call ends here.
    if (cell?.scope !== undefined) return cell;
  }
  const parent = signal === undefined ? currentScopeNode(where) : scopeOfWait(where, { signal });
  checkParent(parent);
  return cellIn(parent);
}

/** Opens a scope below that of a cell and lets a signal cancel it, unless that signal is the parent's own. */
export function openScopeNode(
  node: ScopeNode,
  around: Cell,
  signal: AbortSignal | undefined,
  now?: number,
): void {
  const parent = openScope(around);
  node.open(parent, around, now);
  if (signal === undefined) return;
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

keepLayout(() => new CancelScope());
