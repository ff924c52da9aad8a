/** How tasks, groups and scopes are shown to people, by `console.log` for one. */

import type { ScopeNode } from './scope-tree.js';

/** The method that Node, Deno and Bun ask for what to print. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** Has a class printed by its `toString()`: what would otherwise be shown is the whole tree that hangs on it. */
export function showByToString(constructor: { readonly prototype: { toString(): string } }): void {
  Object.defineProperty(constructor.prototype, INSPECT, {
    value(this: { toString(): string }): string {
      return this.toString();
    },
  });
}

export function describeScope(scope: ScopeNode): string {
  const parts = [`${scope.kind} "${scope.name}"`];
  if (scope.state === 'new') parts.push('not entered');
  if (scope.state === 'left') parts.push('left');
  if (scope.shield) parts.push('shielded');
  if (scope.ownCancellation !== undefined) parts.push('cancelled');
  else if (scope.cancellation !== undefined) parts.push('cancelled from around');
  if (scope.dueAt !== Infinity) parts.push(`deadline ${scope.dueAt}`);
  return parts.join(', ');
}
