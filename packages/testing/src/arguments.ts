/** Checks of arguments. Each message names the argument, what was given and what is allowed. */

export function checkTime(where: string, argument: string, value: unknown, least: number): void {
  if (typeof value !== 'number') {
    throw new TypeError(`${where}: ${argument} must be a number of milliseconds, got ${typeof value}`);
  }
  if (!(value >= least) || value === Infinity) {
    throw new RangeError(`${where}: ${argument} must be a finite number of at least ${least}, got ${value}`);
  }
}

export function checkWhole(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'number' || (!Number.isInteger(value) && !Number.isNaN(value))) {
    throw new TypeError(`${where}: ${argument} must be a whole number, got ${String(value)}`);
  }
  if (!(value >= 0)) throw new RangeError(`${where}: ${argument} must be at least 0, got ${value}`);
}

export function checkFunction(where: string, argument: string, value: unknown): void {
  if (typeof value === 'function') return;
  const cure =
    value instanceof Promise ? '. Pass the function itself rather than the promise that calling it gave' : '';
  throw new TypeError(`${where}: ${argument} must be a function, got ${typeof value}${cure}`);
}

export function checkOptions(where: string, value: unknown): void {
  if (typeof value === 'object' && value !== null) return;
  throw new TypeError(`${where}: options must be an object, got ${value === null ? 'null' : typeof value}`);
}
