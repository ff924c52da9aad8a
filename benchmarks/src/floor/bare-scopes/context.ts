/** How a scope is found, and entered: the cheapest public means of the runtime, see `platform/node.ts` of core. */

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import process from 'node:process';

import type { Scope } from './scope.js';

const storage = new AsyncLocalStorage<Scope>();

/** The innermost scope around the running code, which must be in one. */
export const current = (): Scope => storage.getStore()!;

/** Calls `fn(a, b)` in a scope, and comes back. */
export let enter: <A, B, R>(scope: Scope, fn: (a: A, b: B) => R, a: A, b: B) => R;

/** The same where nobody comes back: as the last thing that a microtask does. */
export let enterForGood: typeof enter;

// Without `run()`, which in Node 24 and later copies all that the context holds, to enter, and once more to come back.
if (process.versions['deno'] === undefined && hasContextFrames()) {
  enterForGood = (scope, fn, a, b) => {
    storage.enterWith(scope);
    return fn(a, b);
  };
  enter = (scope, fn, a, b) =>
    new AsyncResource('scope').runInAsyncScope(
      enterForGood<typeof a, typeof b, ReturnType<typeof fn>>,
      undefined,
      scope,
      fn,
      a,
      b,
    );
} else {
  enter = (scope, fn, a, b) => storage.run(scope, fn, a, b);
  enterForGood = enter;
}

/** Whether what runs has a context, and not the resource in which it runs: then `enterWith()` ends with the microtask. */
function hasContextFrames(): boolean {
  const probe = new AsyncLocalStorage<boolean>();
  const resource = new AsyncResource('probe');
  resource.runInAsyncScope(() => probe.enterWith(true));
  const hasLeft = resource.runInAsyncScope(() => probe.getStore()) === undefined;
  probe.disable();
  return hasLeft;
}
