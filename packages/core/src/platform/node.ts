/** Ambient mode: Node, Bun, Deno and every other platform that has AsyncLocalStorage. */

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import process from 'node:process';

import type { ContextStorage, Platform } from './platform.js';

const outside = AsyncLocalStorage.snapshot();

/** By `AsyncLocalStorage.run()`. */
class RunStorage<T> implements ContextStorage<T> {
  protected readonly storage = new AsyncLocalStorage<T | undefined>();

  getStore(): T | undefined {
    return this.storage.getStore();
  }

  run<A, B, R>(store: T, fn: (a: A, b: B) => R, a: A, b: B): R {
    return this.storage.run(store, fn, a, b);
  }

  runLast<A, B, C, R>(store: T, fn: (a: A, b: B, c: C) => R, a: A, b: B, c: C): R {
    return this.storage.run(store, fn, a, b, c);
  }
}

/**
 * Without `run()`, which in Node 24 and later copies all that the context holds, to enter, and once more to come back. A
 * resource has kept the context to which it comes back, so there is one copy; and at the end of a microtask nobody comes back.
 */
class ResourceStorage<T> extends RunStorage<T> {
  override run<A, B, R>(store: T, fn: (a: A, b: B) => R, a: A, b: B): R {
    const resource = new AsyncResource('taskscope');
    return resource.runInAsyncScope(enter<T, A, B, R>, undefined, this.storage, store, fn, a, b);
  }

  override runLast<A, B, C, R>(store: T, fn: (a: A, b: B, c: C) => R, a: A, b: B, c: C): R {
    this.storage.enterWith(store);
    return fn(a, b, c);
  }
}

function enter<T, A, B, R>(
  storage: AsyncLocalStorage<T | undefined>,
  store: T,
  fn: (a: A, b: B) => R,
  a: A,
  b: B,
): R {
  storage.enterWith(store);
  return fn(a, b);
}

export function createStorage<T>(byResource: boolean): ContextStorage<T> {
  return byResource ? new ResourceStorage<T>() : new RunStorage<T>();
}

/**
 * Whether what runs has a context, as in Node 24 and later, and not the resource in which it runs: then what is entered by
 * `enterWith()` ends with the microtask.
 */
function hasContextFrames(): boolean {
  const storage = new AsyncLocalStorage<boolean>();
  const resource = new AsyncResource('taskscope');
  try {
    resource.runInAsyncScope(() => storage.enterWith(true));
    const hasLeft = resource.runInAsyncScope(() => storage.getStore()) === undefined;
    storage.disable();
    return hasLeft;
  } catch {
    return false; // there are platforms without enterWith(), such as workerd
  }
}

// In Deno a resource costs more than it saves.
const prefersResources = process.versions.deno === undefined && hasContextFrames();

export const platform: Platform = {
  createStorage<T>(): ContextStorage<T> {
    return createStorage<T>(prefersResources);
  },
  nextTurn(fn: () => void): void {
    setImmediate(fn);
  },
  withoutContext<T>(fn: () => T): T {
    return outside(fn);
  },
  warn(message: string): void {
    process.emitWarning(message, 'TaskscopeWarning');
  },
};
