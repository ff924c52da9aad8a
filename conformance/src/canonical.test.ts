import { BrokenResourceError, EndOfStream, InvalidStateError, run, TimeoutError } from '@taskscope/core';
import { CancelScope, checkpoint } from '@taskscope/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { canonical, ProgramError } from './canonical.js';

const [E1, E2] = [new ProgramError('E1'), new ProgramError('E2')];
let cancelled: unknown;

beforeAll(async () => {
  await run(() =>
    new CancelScope().run(async (scope) => {
      scope.cancel();
      await checkpoint().catch((error: unknown) => (cancelled = error));
    }),
  );
});

describe('a single exception', () => {
  test('an error of the program is its name', () => {
    expect(canonical(E1)).toBe('E1');
  });

  test('a cancellation', () => {
    expect(canonical(cancelled)).toBe('Cancelled');
  });

  test('errors of the library have the names that Trio traces use', () => {
    expect(canonical(new TimeoutError())).toBe('TimeoutError');
    expect(canonical(new EndOfStream())).toBe('EndOfStream');
    expect(canonical(new BrokenResourceError())).toBe('BrokenResourceError');
  });

  test('misuse is a RuntimeError', () => {
    expect(canonical(new InvalidStateError('entered twice'))).toBe('RuntimeError');
  });

  test('anything else looks like no exception of a trace', () => {
    expect(canonical(new TypeError('oops'))).toBe('unexpected TypeError: oops');
    expect(canonical(undefined)).toBe('unexpected undefined');
  });
});

describe('a group', () => {
  test('has its members sorted by their JSON text', () => {
    const inner = new AggregateError([E1]);
    expect(canonical(new AggregateError([inner, E2, E1]))).toEqual({
      group: ['E1', 'E2', { group: ['E1'] }],
    });
  });

  test('of a single error is still a group', () => {
    expect(canonical(new AggregateError([E1]))).toEqual({ group: ['E1'] });
  });

  test('has no cancellations beside anything else', () => {
    const inner = new AggregateError([cancelled]);
    expect(canonical(new AggregateError([E1, inner, cancelled]))).toEqual({ group: ['E1'] });
  });

  test('of nothing but cancellations is a cancellation', () => {
    const inner = new AggregateError([cancelled]);
    expect(canonical(new AggregateError([inner, cancelled]))).toBe('Cancelled');
  });
});
