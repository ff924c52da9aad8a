/** Checks that only testing needs; the others come from core. Each message names the argument, what was given and what is allowed. */

import { describe } from '@taskscope/core/lowlevel';

export function checkTime(where: string, argument: string, value: unknown, least: number): void {
  if (typeof value !== 'number') {
    throw new TypeError(`${where}: ${argument} must be a number of milliseconds, got ${describe(value)}`);
  }
  if (!(value >= least) || value === Infinity) {
    throw new RangeError(`${where}: ${argument} must be a finite number of at least ${least}, got ${value}`);
  }
}

export function checkWhole(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'number' || (!Number.isInteger(value) && !Number.isNaN(value))) {
    throw new TypeError(`${where}: ${argument} must be a whole number, got ${describe(value)}`);
  }
  if (!(value >= 0)) throw new RangeError(`${where}: ${argument} must be at least 0, got ${value}`);
}
