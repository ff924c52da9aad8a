/** Ambient mode: Node, Bun, Deno and every other platform that has AsyncLocalStorage. */

import { AsyncLocalStorage } from 'node:async_hooks';
import process from 'node:process';

import type { ContextStorage, Platform } from './platform.js';

const outside = AsyncLocalStorage.snapshot();

export const platform: Platform = {
  createStorage<T>(): ContextStorage<T> {
    return new AsyncLocalStorage<T | undefined>();
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
