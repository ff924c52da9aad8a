/** Closing several things. */

import { quiet } from './receiving.js';

/** What a stream's own disposer does. */
export function dispose(stream: AsyncDisposable): Promise<void> {
  return quiet(Promise.resolve(stream[Symbol.asyncDispose]()));
}

/**
 * Closes one thing after another, also when one of them fails.
 *
 * @throws What failed; several errors as an AggregateError.
 */
export async function closeAll(close: readonly (() => unknown)[], what: string): Promise<void> {
  const errors: unknown[] = [];
  for (const each of close) {
    try {
      await each();
    } catch (error) {
      // Both ends of one thing may fail for one reason.
      if (!errors.includes(error)) errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `closing ${what} failed`);
}
