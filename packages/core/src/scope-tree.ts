/**
 * The tree of open scopes, and how a cancellation travels in it.
 *
 * Below a scope are its members: scopes that were opened in it, and waits that were begun in it. They form
 * an intrusive doubly linked list, so a member leaves in constant time and a wait costs no allocation
 * beyond itself. A scope keeps its *effective* cancellation as a field, so that a checkpoint is one load
 * and one compare. Two invariants hold whenever user code runs:
 *
 * - `cancellation` is defined exactly when the scope, or an ancestor up to the nearest shield, was
 *   cancelled.
 * - No wait is a member of a scope whose `cancellation` is defined: it was rejected in the call that
 *   cancelled.
 *
 * The fields are plain, and nothing here asks for a class with `instanceof`, since another copy of the
 * package may have made the neighbours (see shared.ts).
 */

import type { Due } from './deadlines.js';
import {
  Cancelled,
  type CancelSource,
  createCancelled,
  isBareAbortError,
  isCancellation,
  isInstance,
  messageOf,
  ScopeExitedError,
} from './errors.js';
import { notify, observing, type TaskInfo } from './instruments.js';
import { leftOf, type Left, type RunContext } from './run-context.js';
import { platform } from '#platform';

/**
 * What the async context holds: a pointer to a scope that is emptied when the scope is left. A context
 * lives as long as any pending promise made under it; a scope must not.
 */
export class Cell {
  /** Undefined also for a section, which is in the scope around. */
  scope: ScopeNode | undefined;
  /** The cell of the scope around. */
  outer: Cell | undefined = undefined;
  /** Set when the scope, or section, is left: what to do about code that is still running in it. */
  left: Left | undefined = undefined;
  /** What stands for the section that this is the cell of: see section.ts. */
  section: object | undefined = undefined;

  constructor(scope: ScopeNode | undefined) {
    this.scope = scope;
  }
}

/**
 * Something that hangs below a scope. An interface and not a base class, since the engine makes an object in one piece only
 * if its constructor calls no other.
 */
export interface Member {
  /** The scope that it hangs below. */
  owner: ScopeNode | undefined;
  previous: Member | undefined;
  next: Member | undefined;
  /** For the walk over the tree. */
  readonly isScope: boolean;
  /** The scope that it hangs below has become effectively cancelled. */
  deliver(cancellation: Error): void;
  /** The scope that it hung below was left; `heir` is the scope around that one. */
  bequeath(heir: ScopeNode, left: ScopeNode): void;
}

/** Hangs a member below a scope. */
export function attach(member: Member, owner: ScopeNode): void {
  member.owner = owner;
  const last = owner.lastMember;
  member.previous = last;
  if (last === undefined) owner.firstMember = member;
  else last.next = member;
  owner.lastMember = member;
}

/** Takes a member away from its scope, if it hangs below one. */
export function detach(member: Member): void {
  const { owner } = member;
  if (owner === undefined) return;
  const { previous, next } = member;
  if (previous === undefined) owner.firstMember = next;
  else previous.next = next;
  if (next === undefined) owner.lastMember = previous;
  else next.previous = previous;
  member.owner = member.previous = member.next = undefined;
}

/** @inline */
export type ScopeKind = 'root' | 'run' | 'scope' | 'group' | 'services' | 'task';

/** A signal that belongs to a scope knows the scope's cell under this key. */
const SIGNAL_CELL = Symbol.for('taskscope.signal.cell');

/** What a scope is named after. To ask a function for its name takes a tenth of what it takes to begin a task. */
export type Named = (...args: never[]) => unknown;

/** The name of a function, for people. */
export function nameOf(fn: unknown): string {
  try {
    const { name } = fn as { readonly name?: unknown };
    return typeof name === 'string' && name !== '' ? name : 'anonymous';
  } catch {
    return 'anonymous';
  }
}

/** What few scopes have, in an object of its own: without it the scope of a task weighs a third less. */
export class Extras implements Due {
  readonly scope: ScopeNode;
  dueAt: number = Infinity;
  heapIndex = -1;
  /** The last effective cancellation that was taken back: by a shield, or since the scope around was left. It may still be on its way. */
  formerCancellation: Error | undefined = undefined;
  controller: AbortController | undefined = undefined;
  /** The link to a signal that cancels the scope. */
  signalLink: { unlink(): void } | undefined = undefined;
  /** Whether it is a task's that is being started, so that the task around waits for it. */
  isStarting = false;
  /** Whether a cancellation was caught when it was left. */
  caught = false;

  constructor(scope: ScopeNode) {
    this.scope = scope;
  }

  due(): void {
    this.scope.due();
  }
}

/** One scope of the tree. Users see it as a CancelScope, a TaskGroup or a TaskHandle. */
export class ScopeNode implements Member {
  owner: ScopeNode | undefined = undefined;
  previous: Member | undefined = undefined;
  next: Member | undefined = undefined;
  readonly kind: ScopeKind;
  readonly cell: Cell;
  context: RunContext;
  task: TaskInfo;
  firstMember: Member | undefined = undefined;
  lastMember: Member | undefined = undefined;
  state: 'new' | 'open' | 'left' = 'new';
  shield = false;
  /** This scope's own cancellation, or another error that its waits must reject with. */
  ownCancellation: Error | undefined = undefined;
  /** The effective one: its own, or what comes from around. */
  cancellation: Error | undefined = undefined;
  /** Whether it is a group whose body has ended, so that its task waits for the children. */
  isJoining = false;
  /** What users see of it, once somebody has asked for that. */
  facade: unknown = undefined;
  private named: string | Named;
  extras: Extras | undefined = undefined;

  constructor(kind: ScopeKind, named: string | Named, context: RunContext, task: TaskInfo) {
    this.kind = kind;
    this.named = named;
    this.context = context;
    this.task = task;
    this.cell = new Cell(this);
  }

  get isScope(): boolean {
    return true;
  }

  get name(): string {
    if (typeof this.named !== 'string') this.named = nameOf(this.named);
    return this.named;
  }

  set name(value: string) {
    this.named = value;
  }

  /** To set one of them. */
  withExtras(): Extras {
    return (this.extras ??= new Extras(this));
  }

  get dueAt(): number {
    return this.extras?.dueAt ?? Infinity;
  }

  get controller(): AbortController | undefined {
    return this.extras?.controller;
  }

  get caught(): boolean {
    return this.extras?.caught ?? false;
  }

  /**
   * Enters the tree below `parent`.
   *
   * @param around - The cell of the code that opens it, perhaps that of a section of `parent`.
   * @param now - The time, if it is known.
   */
  open(parent: ScopeNode, around: Cell = parent.cell, now?: number): void {
    this.state = 'open';
    attach(this, parent);
    this.cell.outer = around;
    if (this.extras !== undefined) this.watchDeadline(this.extras, now);
    // Nothing can be below it yet but waits on the signal of a scope that was not entered: mostly there is
    // no tree to walk.
    if (this.firstMember !== undefined || this.controller !== undefined) refresh(this);
    else this.cancellation = this.ownCancellation ?? (this.shield ? undefined : parent.cancellation);
    if (observing.count > 0) notify(this.context.observers, 'scopeEntered', this);
  }

  /** Leaves the tree. What still hangs below it goes to the scope around. */
  leave(): void {
    const parent = this.owner!;
    this.state = 'left';
    const { context, extras } = this;
    if (extras !== undefined) {
      context.deadlines.remove(extras);
      extras.signalLink?.unlink();
    }
    this.cell.left = leftOf(this, context);
    this.cell.scope = undefined;
    // The heir of members that were left behind is where code in the emptied cell will look, too.
    detach(this);
    if (this.firstMember !== undefined) this.bequeathMembers(parent);
    if (observing.count > 0) notify(context.observers, 'scopeExited', this);
  }

  private bequeathMembers(heir: ScopeNode): void {
    for (let member = this.firstMember; member !== undefined; member = this.firstMember) {
      detach(member);
      member.bequeath(heir, this);
    }
  }

  /** Moves, with everything below, to another place in the tree. */
  moveTo(parent: ScopeNode): void {
    detach(this);
    attach(this, parent);
    this.cell.outer = parent.cell;
    refresh(this);
  }

  /** Cancels this scope. The first cancellation stands. `hasStack`: see `createCancelled`. */
  cancel(source: CancelSource, reason: unknown, hasStack?: boolean): void {
    if (this.ownCancellation !== undefined) return;
    this.cancelWith(createCancelled(messageFor(this, source, reason), source, reason, hasStack));
  }

  /** The same, as `cancel()` by the runtime: there is no caller whom a stack could show. */
  end(reason: string): void {
    this.cancel('cancel', reason, false);
  }

  /** A signal that the scope is linked to has aborted. */
  abort(reason: unknown): void {
    this.cancel('signal', reason instanceof Cancelled ? reason.reason : reason);
  }

  /** Cancels with an error that is there already. */
  cancelWith(error: Error): void {
    if (this.ownCancellation !== undefined) return;
    this.ownCancellation = error;
    if (this.extras !== undefined) this.context.deadlines.remove(this.extras);
    if (observing.count > 0 && error instanceof Cancelled) {
      notify(this.context.observers, 'scopeCancelled', this, error);
    }
    if (this.state !== 'left') refresh(this);
  }

  setShield(value: boolean): void {
    if (this.shield === value) return;
    this.shield = value;
    if (this.state === 'open') refresh(this);
  }

  setDeadline(at: number): void {
    const extras = this.withExtras();
    this.context.deadlines.remove(extras);
    extras.dueAt = at;
    if (this.state === 'open') this.watchDeadline(extras, undefined);
  }

  private watchDeadline(extras: Extras, now: number | undefined): void {
    const { dueAt } = extras;
    if (dueAt === Infinity || this.ownCancellation !== undefined) return;
    const { deadlines } = this.context;
    if (dueAt <= (now ?? deadlines.clock.now())) this.due();
    else deadlines.add(extras, dueAt);
  }

  due(): void {
    this.cancel('deadline', undefined);
  }

  /**
   * Whether a cancellation that leaves this scope stops here: no scope around it has a cancellation that it
   * can see.
   */
  catches(): boolean {
    return this.cancellation !== undefined && (this.shield || this.owner!.cancellation === undefined);
  }

  /**
   * The scope's AbortSignal. A signal is an edge and a scope a level: when the scope is no longer
   * effectively cancelled, a signal that has aborted is replaced by a fresh one.
   */
  get signal(): AbortSignal {
    let { controller } = this;
    if (controller === undefined || (controller.signal.aborted && this.cancellation === undefined)) {
      controller = this.withExtras().controller = new AbortController();
      Object.defineProperty(controller.signal, SIGNAL_CELL, { value: this.cell });
    }
    if (this.cancellation !== undefined) controller.abort(this.cancellation);
    return controller.signal;
  }

  deliver(cancellation: Error): void {
    this.controller?.abort(cancellation);
  }

  bequeath(heir: ScopeNode, left: ScopeNode): void {
    // The heir's, or that of a section which is in the heir now.
    this.cell.outer = openCell(this.cell.outer!);
    attach(this, heir);
    const error = noteEscape(left.cell, heir, `${this.kind} "${this.name}"`);
    if (error !== undefined) this.cancelWith(error);
    refresh(this);
  }
}

/**
 * Whether an error is a cancellation for code in `scope`: by its own evidence, or since the scope's signal
 * has aborted.
 */
export function isCancellationIn(scope: ScopeNode, error: unknown): boolean {
  if (isCancellation(error)) return true;
  const hasAborted = scope.cancellation !== undefined && scope.controller !== undefined;
  return hasAborted && isBareAbortError(error);
}

/** The cell of the scope that a signal belongs to; undefined for a foreign signal. */
export function cellOfSignal(signal: AbortSignal): Cell | undefined {
  return (signal as { [SIGNAL_CELL]?: Cell })[SIGNAL_CELL];
}

/**
 * The scope that code in a cell belongs to: the cell's own, or the nearest around it that is still open.
 */
export function openScope(cell: Cell): ScopeNode {
  let each = cell;
  while (each.scope === undefined) each = each.outer!;
  return each.scope;
}

/** The innermost cell, from this one outward, whose scope or section has not been left. */
export function openCell(cell: Cell): Cell {
  let each = cell;
  while (each.scope === undefined && each.section === undefined) each = each.outer!;
  return each;
}

/**
 * Brings the effective cancellation up to date in the subtree below `top`, then delivers it to what it
 * newly reaches.
 *
 * The walk follows the links of the tree and keeps no stack: trees may be deeper than the call stack.
 * Delivery comes after it, since aborting a signal or undoing a wait can run user code, which may change
 * the tree.
 */
export function refresh(top: ScopeNode): void {
  const reached: Member[] = [];
  let member: Member = top;
  walk: for (;;) {
    let down: Member | undefined;
    if (!member.isScope) {
      if (member.owner!.cancellation !== undefined) reached.push(member);
    } else {
      const scope = member as ScopeNode;
      if (updateCancellation(scope)) {
        if (scope.cancellation !== undefined && scope.controller !== undefined) reached.push(scope);
        down = scope.firstMember;
      }
    }
    if (down !== undefined) {
      member = down;
      continue;
    }
    for (;;) {
      if (member === top) break walk;
      if (member.next !== undefined) break;
      member = member.owner!;
    }
    member = member.next;
  }
  for (const each of reached) {
    const cancellation = each.isScope ? (each as ScopeNode).cancellation : each.owner?.cancellation;
    if (cancellation !== undefined) each.deliver(cancellation);
  }
}

/** Recomputes one scope's effective cancellation. Tells whether it became, or ceased to be, cancelled. */
function updateCancellation(scope: ScopeNode): boolean {
  const before = scope.cancellation;
  const outer = scope.shield ? undefined : scope.owner?.cancellation;
  const own = scope.ownCancellation;
  // A cancellation that still holds stays the same object, whatever has been added to it meanwhile.
  if (before !== undefined && (before === own || before === outer)) return false;
  scope.cancellation = own ?? outer;
  if (before !== undefined) scope.withExtras().formerCancellation = before;
  return scope.cancellation !== before;
}

function messageFor(scope: ScopeNode, source: CancelSource, reason: unknown): string {
  const what = `${scope.kind} "${scope.name}"`;
  switch (source) {
    case 'deadline':
      return `the deadline of ${what} has passed`;
    case 'task-failure':
      return `something in ${what} failed${because(reason)}`;
    case 'signal':
      return `a signal aborted ${what}${because(reason)}`;
    case 'cancel':
      return `cancel() was called on ${what}${because(reason)}`;
  }
}

function because(reason: unknown): string {
  return typeof reason === 'string' || isInstance(reason, Error) ? `: ${messageOf(reason)}` : '';
}

/**
 * Something that began in a scope goes on, or begins, after that was left; `heir` adopts it. Tells the
 * instruments, and warns once a scope; returns the error to fail with instead where the run of that scope
 * asks for one.
 *
 * @param what - What it is, for the message.
 */
export function noteEscape(from: Cell, heir: ScopeNode, what: string): ScopeExitedError | undefined {
  const left = from.left!;
  if (observing.count > 0) notify(left.context.observers, 'scopeEscaped', left.name, heir, what);
  if (left.context.escapes === 'adopt') return undefined;
  const error = new ScopeExitedError(
    `${what} began in the scope "${left.name}", which has been left: is an await missing? Await it inside the scope. For ` +
      'things that outlive a scope on purpose, such as a pool or a server, use detached() or bindToScope()',
  );
  if (left.context.escapes === 'error') return error;
  if (!left.reported) {
    left.reported = true;
    platform.warn(error.message);
  }
  return undefined;
}
