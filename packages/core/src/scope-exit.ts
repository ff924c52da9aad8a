/** What becomes of an error when it leaves a scope. */

import { flattenErrors, isGroup, withoutErrors } from './error-groups.js';
import { Cancelled, cancellationOf, InvalidStateError, isBareAbortError, isCancellation } from './errors.js';
import { isCancellationIn, type ScopeNode } from './scope-tree.js';

/** Says that nothing is left of an error: it was a cancellation, and the scope has caught it. */
export const CAUGHT: unique symbol = Symbol('caught');

/**
 * Leaves `scope` with `error`, and returns the error that goes on outward, or CAUGHT.
 *
 * The outermost scope whose cancellation is visible catches, so of two cancelled scopes, one in the other,
 * it is the outer. What it catches is every cancellation in the error, whoever raised it; the other members
 * of a group go on.
 *
 * An AbortError that names no cause may come from anywhere. It counts as the cancellation if this scope's
 * signal had been handed out, and from then on it travels as a proper Cancelled, since scopes further out
 * cannot know.
 */
export function leaveWithError(scope: ScopeNode, error: unknown): unknown {
  const { cancellation } = scope;
  const catches = scope.catches();
  const handedOut = scope.controller !== undefined;
  scope.leave();
  if (cancellation === undefined) return error;
  // By far the most frequent case.
  if (error instanceof Cancelled) {
    if (!catches) return error;
    scope.withExtras().caught = true;
    return CAUGHT;
  }
  if (!catches) return handedOut ? without(error, isBareAbortError, cancellation) : error;
  const rest = without(error, handedOut ? isCancellationOrBareAbort : isCancellation, CAUGHT);
  if (rest !== error) scope.withExtras().caught = true;
  return rest;
}

const isCancellationOrBareAbort = (leaf: unknown): boolean => isCancellation(leaf) || isBareAbortError(leaf);

/** Whether an error that ended a task or the body of a group is nothing but a cancellation. */
export function isCancellationOf(scope: ScopeNode, error: unknown): boolean {
  return error instanceof Cancelled || isMadeOfCancellations(scope, error);
}

/** A function of its own since the engine makes the context of a closure when a function is entered. */
function isMadeOfCancellations(scope: ScopeNode, error: unknown): boolean {
  return without(error, (leaf) => isCancellationIn(scope, leaf), CAUGHT) === CAUGHT;
}

function without(error: unknown, remove: (leaf: unknown) => boolean, instead: unknown): unknown {
  // Anything can be thrown, undefined as well.
  if (!isGroup(error)) return remove(error) ? instead : error;
  return withoutErrors(error, remove) ?? instead;
}

/**
 * Code can end with a cancellation that was never meant for it: it awaited a promise that was begun in
 * another scope, one that several share, and that scope was cancelled. If nobody around could catch it, it
 * would end the whole group in silence; so it becomes an error. Undefined if the cancellation comes from a
 * scope around, be it behind a shield by now.
 *
 * @param what - What ended with it, for the message.
 */
export function strayCancellation(
  scope: ScopeNode,
  error: unknown,
  what: string,
): InvalidStateError | undefined {
  if (scope.cancellation !== undefined) return undefined;
  // The error is nothing but cancellations: the first of a group tells as much as any.
  const cancelled = cancellationOf(flattenErrors(error)[0]);
  if (cancelled === undefined || cancelled === scope.extras?.formerCancellation) return undefined;
  for (let each: ScopeNode | undefined = scope; each !== undefined; each = each.owner) {
    if (each.ownCancellation === cancelled) return undefined;
  }
  return new InvalidStateError(
    `${what} "${scope.name}" ended with a cancellation that was not its own (${cancelled.message}): it awaited something that began in another ` +
      'scope, such as a promise that several share. Begin what is shared with detached()',
    { cause: error },
  );
}
