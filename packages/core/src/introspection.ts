/** Looking at what is running. */

import { peekScope, root } from './ambient.js';
import { Cancelled } from './errors.js';
import type { TaskInfo } from './instruments.js';
import type { Member, ScopeKind, ScopeNode } from './scope-tree.js';

/** A task or a scope that is open now, with what is below it. */
export interface TaskNode {
  readonly kind: ScopeKind;
  readonly name: string;
  /** The task that it is, or that it belongs to. */
  readonly taskId: number;
  /** What the task waits for directly in this scope, such as `sleep`. */
  readonly waitingFor: readonly string[];
  readonly shield: boolean;
  /** Whether it is effectively cancelled, and still running. */
  readonly cancelled: boolean;
  /** Milliseconds until its own deadline; Infinity for none. */
  readonly timeLeft: number;
  readonly children: readonly TaskNode[];
}

/**
 * The running task. Outside of every run and task group it is the root.
 *
 * Semantics: AnyIO's `get_current_task`, Trio's `current_task`.
 *
 * @example
 * ```ts
 * import { currentTask, run } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * await run(() => assert.equal(currentTask().name, 'tea'), { name: 'tea' });
 * ```
 */
export function currentTask(): TaskInfo {
  return peekScope().task;
}

/**
 * Every task and scope that is open now, as plain data: a snapshot, from the root down.
 *
 * Semantics: the `parent_nursery` and `child_nurseries` of Trio's tasks, AnyIO's `get_running_tasks`.
 *
 * @example
 * ```ts
 * import { run, taskTree } from '@taskscope/core';
 * import assert from 'node:assert/strict';
 *
 * await run(() => {
 *   assert.equal(taskTree().children.at(-1)?.name, 'tea');
 * }, { name: 'tea' });
 * ```
 */
export function taskTree(): TaskNode {
  return snapshot(root);
}

/**
 * The task tree, drawn for a terminal: who runs, where, and what everyone waits for.
 *
 * @param node - What to draw. Default: everything.
 *
 * @example
 * ```ts
 * import { formatTaskTree, sleepForever, taskGroup } from '@taskscope/core';
 * import { waitAllTasksBlocked } from '@taskscope/testing';
 * import assert from 'node:assert/strict';
 *
 * await taskGroup(async (tg) => {
 *   tg.createTask(() => sleepForever(), { name: 'kettle' });
 *   await waitAllTasksBlocked();
 *   assert.match(formatTaskTree(), /task "kettle" .* waits for sleepForever/);
 *   tg.cancel();
 * });
 * ```
 */
export function formatTaskTree(node: TaskNode = taskTree()): string {
  const lines: string[] = [];
  // A stack of our own, since trees may be deeper than the call stack.
  const todo: { readonly node: TaskNode; readonly indent: string; readonly last: boolean | undefined }[] = [
    { node, indent: '', last: undefined },
  ];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { node: each, indent, last } = next;
    const branch = last === undefined ? '' : last ? '└─ ' : '├─ ';
    lines.push(indent + branch + line(each));
    // Beyond what anybody can read, the drawing grows no wider: it would grow with the square of the depth.
    const isDeep = last === undefined || indent.length >= WIDEST_INDENT;
    const below = isDeep ? indent : indent + (last ? '   ' : '│  ');
    for (let i = each.children.length - 1; i >= 0; i--) {
      todo.push({ node: each.children[i]!, indent: below, last: i === each.children.length - 1 });
    }
  }
  return lines.join('\n');
}

const WIDEST_INDENT = 120;

function line(node: TaskNode): string {
  const parts = [`${node.kind} "${node.name}"`];
  if (node.kind === 'task' || node.kind === 'run') parts[0] += ` (task ${node.taskId})`;
  if (node.shield) parts.push('shielded');
  if (node.cancelled) parts.push('cancelled');
  if (node.timeLeft !== Infinity) parts.push(`${Math.round(node.timeLeft)} ms left`);
  if (node.waitingFor.length > 0) parts.push(`waits for ${node.waitingFor.join(', ')}`);
  // What it awaits, nobody can cancel: the first thing to know of a program that does not end.
  else if (node.kind === 'task' && !waitsBelow(node))
    parts.push('waits for nothing that the runtime knows of');
  return parts.join(', ');
}

/** Whether the task of a node waits in a scope below it. Of the tasks below, each waits for itself. */
function waitsBelow(node: TaskNode): boolean {
  const todo = [...node.children];
  for (let each = todo.pop(); each !== undefined; each = todo.pop()) {
    if (each.taskId !== node.taskId) continue;
    if (each.waitingFor.length > 0) return true;
    todo.push(...each.children);
  }
  return false;
}

interface MutableNode extends TaskNode {
  readonly waitingFor: string[];
  readonly children: TaskNode[];
}

/** A scope and all below it. */
export function snapshot(top: ScopeNode): TaskNode {
  const result = describe(top);
  const todo: [ScopeNode, MutableNode][] = [[top, result]];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [scope, node] = next;
    for (let member = scope.firstMember; member !== undefined; member = member.next) {
      if (member.isScope) {
        const child = describe(member as ScopeNode);
        node.children.push(child);
        todo.push([member as ScopeNode, child]);
      } else {
        const label = labelOf(member);
        if (label !== undefined) node.waitingFor.push(label);
      }
    }
    if (scope.isJoining) node.waitingFor.push('its tasks');
  }
  return result;
}

function describe(scope: ScopeNode): MutableNode {
  return {
    kind: scope.kind,
    name: scope.name,
    taskId: scope.task.id,
    waitingFor: [],
    shield: scope.shield,
    cancelled: scope.cancellation instanceof Cancelled,
    timeLeft: scope.dueAt === Infinity ? Infinity : scope.dueAt - scope.context.deadlines.clock.now(),
    children: [],
  };
}

function labelOf(member: Member): string | undefined {
  return (member as { label?: string }).label;
}

/**
 * Whether everyone in a run waits for somebody else: each task has a wait that only the runtime can end, or
 * waits for its children. A task without any wait is waiting for something that the runtime cannot see, so
 * nothing is certain then. Asked when nothing is due on the clock of the run.
 */
export function isStuck(run: ScopeNode): boolean {
  // Who is outside of a run that is inside of another may wake those who are inside.
  let top = run;
  while (top.owner !== undefined && top.owner.kind !== 'root') top = top.owner;
  const tasks = new Set<TaskInfo>();
  const waiting = new Set<TaskInfo>();
  const todo: ScopeNode[] = [top];
  for (let scope = todo.pop(); scope !== undefined; scope = todo.pop()) {
    const { foreignWaits, deadlines } = scope.context;
    if (foreignWaits > 0) return false;
    // Runs inside of each other may have clocks of their own, on which something is still due.
    if (deadlines.size > 0) return false;
    tasks.add(scope.task);
    if (scope.isJoining) waiting.add(scope.task);
    for (let member = scope.firstMember; member !== undefined; member = member.next) {
      if (!member.isScope) {
        if (labelOf(member) !== undefined) waiting.add(scope.task);
        continue;
      }
      const child = member as ScopeNode;
      todo.push(child);
      // Whoever starts a task waits for it.
      if (child.extras?.isStarting === true) waiting.add(scope.task);
    }
  }
  return waiting.size === tasks.size;
}
