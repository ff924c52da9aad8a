/** Checks of arguments. Each message names the argument, what was given and what is allowed. */

/**
 * How a value is shown in an error message: short, and never by calling the value's own code.
 *
 * @example
 * ```ts
 * import { describe } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * assert.equal(describe(null), 'null');
 * assert.equal(describe([1, 2]), 'an array');
 * assert.equal(describe('tea'), '"tea"');
 * ```
 */
export function describe(value: unknown): string {
  try {
    return describeOrThrow(value);
  } catch {
    // A Proxy may refuse to be looked at.
    return typeof value === 'function' ? 'a function' : 'an object';
  }
}

function describeOrThrow(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
    case 'function':
      return value.name === '' ? 'a function' : `function ${value.name}`;
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return 'an array';
      if (value instanceof Promise) return 'a Promise';
      return 'an object';
    default:
      return String(value);
  }
}

/**
 * Throws unless a value is a function. For a promise the message says what to pass instead.
 *
 * @param where - The name of the function that was called, such as `taskGroup()`.
 * @param argument - The name of the argument.
 * @throws TypeError
 *
 * @example
 * ```ts
 * import { checkFunction } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * assert.throws(() => checkFunction('brew()', 'fn', 42), /^TypeError: brew\(\): fn must be a function, got 42$/);
 * ```
 */
export function checkFunction(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'function') throw notFunction(where, argument, value);
}

function notFunction(where: string, argument: string, value: unknown): TypeError {
  const cure =
    value instanceof Promise
      ? '. Pass the function itself rather than the promise that calling it gave: `() => work(x)` instead of `work(x)`'
      : '';
  return new TypeError(`${where}: ${argument} must be a function, got ${describe(value)}${cure}`);
}

/**
 * Throws unless a value is a time: any number but NaN. Infinity means never.
 *
 * @param where - The name of the function that was called.
 * @param argument - The name of the argument.
 * @throws TypeError for what is no number, RangeError for NaN.
 *
 * @example
 * ```ts
 * import { checkTime } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * checkTime('brew()', 'ms', Infinity);
 * assert.throws(() => checkTime('brew()', 'ms', NaN), RangeError);
 * ```
 */
export function checkTime(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'number') {
    throw new TypeError(`${where}: ${argument} must be a number of milliseconds, got ${describe(value)}`);
  }
  if (Number.isNaN(value)) {
    throw new RangeError(`${where}: ${argument} must be a number of milliseconds, got NaN`);
  }
}

/**
 * Throws unless a value is a count: a whole number of at least `least`, or Infinity.
 *
 * @param where - The name of the function that was called.
 * @param argument - The name of the argument.
 * @throws TypeError for what is no whole number, RangeError for NaN and for what is below `least`.
 *
 * @example
 * ```ts
 * import { checkCount } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * checkCount('brew()', 'cups', 2, 1);
 * assert.throws(() => checkCount('brew()', 'cups', 0, 1), /cups must be at least 1, got 0/);
 * ```
 */
export function checkCount(where: string, argument: string, value: unknown, least: number): void {
  if (
    typeof value !== 'number' ||
    (!Number.isInteger(value) && Math.abs(value) !== Infinity && !Number.isNaN(value))
  ) {
    throw new TypeError(`${where}: ${argument} must be a whole number or Infinity, got ${describe(value)}`);
  }
  if (!(value >= least)) {
    throw new RangeError(`${where}: ${argument} must be at least ${least}, got ${value}`);
  }
}

export function checkBoolean(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'boolean') {
    throw new TypeError(`${where}: ${argument} must be a boolean, got ${describe(value)}`);
  }
}

/**
 * Throws unless a value is an object of options, or absent. `null` is refused, since it is nearly always a
 * mistake.
 *
 * @param where - The name of the function that was called.
 * @param option - The option that somebody means who gives a bare string or number, for the message.
 * @throws TypeError
 *
 * @example
 * ```ts
 * import { checkOptions } from '@taskscope/core/lowlevel';
 * import assert from 'node:assert/strict';
 *
 * checkOptions('brew()', undefined);
 * assert.throws(() => checkOptions('brew()', null), /brew\(\): options must be an object, got null/);
 * ```
 */
export function checkOptions(where: string, value: unknown, option?: string): void {
  if (value !== undefined && (typeof value !== 'object' || value === null)) {
    throw notOptions(where, value, option);
  }
}

function notOptions(where: string, value: unknown, option: string | undefined): TypeError {
  const got = describe(value);
  const cure =
    option !== undefined && (typeof value === 'string' || typeof value === 'number')
      ? `. Write { ${option}: ${got} }`
      : '';
  return new TypeError(`${where}: options must be an object, got ${got}${cure}`);
}

export function checkName(where: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') {
    throw new TypeError(`${where}: options.name must be a string, got ${describe(value)}`);
  }
}

/**
 * Told by its methods and not by `instanceof`, so that signals of other realms and of polyfills are
 * welcome.
 */
export function checkSignal(where: string, value: unknown): void {
  if (value === undefined) return;
  const signal: Partial<AbortSignal> | null = value;
  if (
    typeof signal !== 'object' ||
    signal === null ||
    typeof signal.aborted !== 'boolean' ||
    typeof signal.addEventListener !== 'function' ||
    typeof signal.removeEventListener !== 'function'
  ) {
    throw new TypeError(`${where}: options.signal must be an AbortSignal, got ${describe(value)}`);
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
