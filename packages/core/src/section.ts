/**
 * Parts of a call chain, such as what runs inside of `lock.run(fn)`.
 *
 * A section opens no scope: what waits in it belongs to the scope around. It is a mark in the async context, by which a
 * primitive can tell whether it is used inside of itself.
 */

import { invoke, invokeLast, root, storage } from './ambient.js';
import { leftOf } from './run-context.js';
import { Cell, openCell, openScope } from './scope-tree.js';

/**
 * A call of something like `lock.run(fn)`, for primitives that have to know whether they are used inside of themselves.
 *
 * @example
 * ```ts
 * import { findSection, Section } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * const kitchen = {};
 * const isInside = (): boolean => findSection((mark) => mark === kitchen) !== undefined;
 * const section = new Section(kitchen, 'tea time');
 * await section.run(async () => assert.ok(isInside()));
 * section.end();
 * assert.ok(!isInside());
 * ```
 */
export class Section {
  readonly name: string;
  readonly #cell: Cell = new Cell(undefined);

  /**
   * @param mark - What stands for the section.
   * @param name - For messages about code that outlives it.
   */
  constructor(mark: object, name: string) {
    this.name = name;
    this.#cell.section = mark;
    // Not what was left: code in that may go on and on, from one section to the next.
    this.#cell.outer = openCell(storage.getStore() ?? root.cell);
  }

  /** Calls `fn` in the section. Its result is a value or a native promise. */
  run<T>(fn: () => T | PromiseLike<T>): T | Promise<T> {
    return invoke(this.#cell, fn, []);
  }

  /** The same at the end of a microtask, which costs less: the rest of it may run in the section, too. */
  runLast<T>(fn: () => T | PromiseLike<T>): T | Promise<T> {
    return invokeLast(this.#cell, fn, []);
  }

  /** What was called has ended. Code that is still running in the section has outlived it. */
  end(): void {
    const cell = this.#cell;
    // The context that holds the cell may live on; what stands for the section, and what was left around it, need not.
    cell.section = undefined;
    cell.outer = openCell(cell.outer!);
    cell.left = leftOf(this, openScope(cell).context);
  }
}

/**
 * The innermost section around the running code, in the running task, whose mark `matches`. A child task is not inside. In
 * explicit mode nothing is known.
 *
 * Does not wait.
 *
 * @returns Its mark.
 *
 * @example
 * ```ts
 * import { findSection } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * assert.equal(findSection(() => true), undefined);
 * ```
 */
export function findSection(matches: (mark: object) => boolean): object | undefined {
  const current = storage.getStore();
  if (current === undefined) return undefined;
  const { task } = openScope(current);
  for (let cell: Cell | undefined = current; cell !== undefined; cell = cell.outer) {
    if (cell.scope !== undefined && cell.scope.task !== task) return undefined;
    if (cell.section !== undefined && matches(cell.section)) return cell.section;
  }
  return undefined;
}
