/** `Promise.withResolvers()`, which Node 20 does not have. */
export function withResolvers<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((first, second) => {
    resolve = first;
    reject = second;
  });
  return { promise, resolve, reject };
}
