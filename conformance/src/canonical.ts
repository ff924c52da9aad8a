/**
 * The canonical form of exceptions, in which traces are compared and in which `try` and `catch_errors` look at them.
 *
 * @module
 */
import {
  BrokenResourceError,
  ClosedResourceError,
  EndOfStream,
  InvalidStateError,
  isCancelled,
  TimeoutError,
  WouldBlock,
} from '@taskscope/core';
import type { How } from './language.js';

/** What the statement `raise` throws. */
export class ProgramError extends Error {
  constructor(name: string) {
    super('raised by the program');
    this.name = name;
  }
}

const libraryErrors: readonly (readonly [type: new (...args: never[]) => Error, name: string])[] = [
  [TimeoutError, 'TimeoutError'],
  [EndOfStream, 'EndOfStream'],
  [WouldBlock, 'WouldBlock'],
  [ClosedResourceError, 'ClosedResourceError'],
  [BrokenResourceError, 'BrokenResourceError'],
  [InvalidStateError, 'RuntimeError'], // Trio has one class for every kind of misuse, and so have we
];

/**
 * An error's name, or the sorted members of a group. A cancellation counts only where there is nothing else: beside
 * other members of a group it is left out, and a group of nothing else is a plain cancellation.
 */
export function canonical(error: unknown): How {
  if (error instanceof AggregateError) {
    const members = error.errors.map(canonical);
    const errors = members.filter((member) => member !== 'Cancelled');
    if (errors.length === 0 && members.length > 0) return 'Cancelled';
    return { group: sortByText(errors) };
  }
  if (isCancelled(error)) return 'Cancelled';
  if (error instanceof ProgramError) return error.name;
  for (const [type, name] of libraryErrors) if (error instanceof type) return name;
  return `unexpected ${String(error)}`; // matches nothing, and shows up in the diff
}

/** Sorted by JSON text. Names are ASCII, so that the order of UTF-16 units is that of code points. */
export function sortByText<T extends How>(members: readonly T[]): T[] {
  const text = (member: T): string => JSON.stringify(member);
  return members.toSorted((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0));
}
