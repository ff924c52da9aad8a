/** Explicit mode: browsers. There is no ambient scope, so every wait is told its scope by `{ signal }`. */

import type { ContextStorage, Platform } from './platform.js';

export const platform: Platform = {
  createStorage<T>(): ContextStorage<T> {
    return {
      getStore: () => undefined,
      run: (_store, fn, a, b) => fn(a, b),
      runLast: (_store, fn, a, b, c) => fn(a, b, c),
    };
  },
  nextTurn(fn: () => void): void {
    // A message is a task of its own, and unlike a nested setTimeout(0) it is not held back for 4 ms.
    const { port1, port2 } = new MessageChannel();
    const onMessage = (): void => {
      port1.close();
      fn();
    };
    // The only place that needs the browser's own idea of a port, which the typings for Node do not have.
    (port1 as unknown as { onmessage: () => void }).onmessage = onMessage;
    port2.postMessage(undefined);
  },
  withoutContext<T>(fn: () => T): T {
    return fn();
  },
  warn(message: string): void {
    console.warn(`TaskscopeWarning: ${message}`);
  },
};
