/** Assertions that need nothing of the platform, since the smoke tests run on every one. */

import type { Test } from '../suite.js';

/** One test for each thing that a module exports; a name that is missing is a type error. */
export type TestsOf<M> = { readonly [Name in keyof M]: Test };

/** Compares primitives, and plain objects and arrays by their JSON. */
export function equal(actual: unknown, expected: unknown): void {
  if (Object.is(actual, expected)) return;
  const [left, right] = [asText(actual), asText(expected)];
  if (typeof actual !== 'object' || actual === null || left !== right) {
    throw new Error(`expected ${right}, got ${left}`);
  }
}

function asText(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

// oxlint-disable-next-line typescript/no-explicit-any -- any class, some of which have a private constructor
type ErrorClass = abstract new (...args: any[]) => Error;

/** Resolves to the error with which a promise rejects, which must be one of that class. */
export async function rejects(
  promise: Promise<unknown>,
  type: ErrorClass | { prototype: Error },
): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return checkError(error, type);
  }
  throw new Error(`expected a rejection, got ${asText(value)}`);
}

/** Returns what a function throws, which must be an error of that class. */
export function throws(fn: () => unknown, type: ErrorClass | { prototype: Error }): Error {
  let value: unknown;
  try {
    value = fn();
  } catch (error) {
    return checkError(error, type);
  }
  throw new Error(`expected an error, got ${asText(value)}`);
}

function checkError(error: unknown, type: ErrorClass | { prototype: Error }): Error {
  if (error instanceof (type as ErrorClass)) return error;
  throw new Error(`expected a ${(type as ErrorClass).name}, got ${String(error)}`, { cause: error });
}

/** The next turn of the event loop, without the packages. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
