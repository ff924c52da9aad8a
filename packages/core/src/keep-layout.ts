/** What keeps compiled code from being thrown away. */

import { platform } from '#platform';

const examples: object[] = [];

/**
 * Keeps an object for ever, as an example of its class: for classes on a hot path whose objects come and go, so that now and then
 * there is none.
 *
 * V8 forgets the layout of a class's objects when a few collections of garbage in a row find none of them, and throws away all code
 * that was compiled for it. What is quick is slow then, until it has been compiled again: a lock among 100 tasks took 900 ns a
 * turn in place of 300 in the first 50 ms after a pause, on a machine that had other things to do as well.
 *
 * @param make - Called at once, outside of every context, which the object could hold.
 *
 * @example
 * ```ts
 * import { keepLayout } from '@taskscope/core/lowlevel';
 *
 * class Ticket {
 *   holder: string | undefined = undefined;
 * }
 * keepLayout(() => new Ticket());
 * ```
 */
export function keepLayout(make: () => object): void {
  examples.push(platform.withoutContext(make));
}
