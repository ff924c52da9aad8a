/**
 * What the runtime needs from its platform, and all that differs between platforms. Which implementation is
 * used is decided by the package's import conditions (`#platform` in package.json), never by a guess at run
 * time.
 */
export interface Platform {
  /** Where the ambient scope is kept. In explicit mode it holds nothing. */
  createStorage<T>(): ContextStorage<T>;
  /** Calls `fn` in a later turn of the event loop, after I/O and due timers had their chance. */
  nextTurn(fn: () => void): void;
  /** Calls `fn` outside every user's async context, so that a long-lived timer keeps none of them alive. */
  withoutContext<T>(fn: () => T): T;
  /** Tells the developer of something that is most likely a mistake. */
  warn(message: string): void;
}

/** What the runtime needs of an `AsyncLocalStorage`. */
export interface ContextStorage<T> {
  getStore(): T | undefined;
  /**
   * Calls `fn(a, b)` in a context that holds `store`, and comes back to the one that was there. A closure in place of the two
   * arguments took 7 % of what it takes to begin a task.
   */
  run<A, B, R>(store: T, fn: (a: A, b: B) => R, a: A, b: B): R;
  /**
   * The same with three arguments, at the end of a microtask, where it need not come back: the rest of the microtask may run in the new context, too.
   */
  runLast<A, B, C, R>(store: T, fn: (a: A, b: B, c: C) => R, a: A, b: B, c: C): R;
}
