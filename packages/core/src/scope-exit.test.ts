import { runInNewContext } from 'node:vm';

import { describe, expect, test } from 'vitest';

import { PlainTask } from './ambient.js';
import { createCancelled, createTaskGroupError, TaskGroupError } from './errors.js';
import { rootContext } from './run-context.js';
import { CAUGHT, isCancellationOf, leaveWithError } from './scope-exit.js';
import { ScopeNode } from './scope-tree.js';

const task = new PlainTask('test', undefined);

/** A cancelled scope in an open one. */
function setUp(
  options: { cancelled?: boolean; outerCancelled?: boolean; handedOut?: boolean } = {},
): ScopeNode {
  const { cancelled = true, outerCancelled = false, handedOut = false } = options;
  const root = new ScopeNode('root', 'root', rootContext, task);
  root.state = 'open';
  const outer = new ScopeNode('scope', 'outer', rootContext, task);
  outer.open(root);
  const scope = new ScopeNode('scope', 'scope', rootContext, task);
  scope.open(outer);
  if (handedOut) void scope.signal;
  if (cancelled) scope.cancel('cancel', undefined);
  if (outerCancelled) outer.cancel('cancel', undefined);
  return scope;
}

const cancelled = createCancelled('cancelled', 'cancel', undefined);
const tea = new Error('out of tea');
const bareAbort = new DOMException('stopped', 'AbortError');
const abortOf = (cause: unknown): Error =>
  Object.assign(new Error('stopped', { cause }), { name: 'AbortError' });

describe('leaving with an error', () => {
  test.each([
    ['a Cancelled', cancelled],
    ['an AbortError caused by one', abortOf(cancelled)],
    ['a group of those', new AggregateError([cancelled, new AggregateError([abortOf(cancelled)])])],
  ])('%s is caught by a scope that is cancelled, and by no other', (_name, error) => {
    const scope = setUp();
    expect(leaveWithError(scope, error)).toBe(CAUGHT);
    expect(scope.caught).toBe(true);
    expect(scope.state).toBe('left');
    const open = setUp({ cancelled: false });
    expect(leaveWithError(open, error)).toBe(error);
    expect(open.caught).toBe(false);
    const inside = setUp({ outerCancelled: true });
    expect(leaveWithError(inside, error)).toBe(error);
    expect(inside.caught).toBe(false);
  });

  test.each([
    ['an error', tea],
    ['undefined', undefined],
    ['a string', 'tea'],
    ['null', null],
    ['a group', new AggregateError([tea])],
  ])('%s goes on as it is', (_name, error) => {
    const scope = setUp({ handedOut: true });
    expect(leaveWithError(scope, error)).toBe(error);
    expect(scope.caught).toBe(false);
  });

  test('a bare AbortError is caught only if the signal of the scope had been handed out', () => {
    expect(leaveWithError(setUp({ handedOut: true }), bareAbort)).toBe(CAUGHT);
    expect(leaveWithError(setUp(), bareAbort)).toBe(bareAbort);
    expect(leaveWithError(setUp({ cancelled: false, handedOut: true }), bareAbort)).toBe(bareAbort);
  });

  test('an AbortError of another realm is one as well', () => {
    const foreign = (cause: unknown): Error =>
      runInNewContext(`Object.assign(new Error('stopped'), { name: 'AbortError', cause })`, { cause });
    expect(foreign(undefined)).not.toBeInstanceOf(Error);
    expect(leaveWithError(setUp(), foreign(cancelled))).toBe(CAUGHT);
    expect(leaveWithError(setUp({ handedOut: true }), foreign(undefined))).toBe(CAUGHT);
  });

  test('an AbortError with a cause of its own goes on', () => {
    const error = abortOf(new Error('something else'));
    expect(leaveWithError(setUp({ handedOut: true }), error)).toBe(error);
  });

  test('a bare AbortError that goes on to a cancelled scope becomes a Cancelled on the way', () => {
    const scope = setUp({ outerCancelled: true, handedOut: true });
    expect(leaveWithError(scope, bareAbort)).toBe(scope.cancellation);
    const again = setUp({ outerCancelled: true });
    expect(leaveWithError(again, bareAbort)).toBe(bareAbort);
  });

  test('of a group, what is left keeps its type, its nesting and its message', () => {
    const scope = setUp({ handedOut: true });
    const inner = createTaskGroupError('inner', [cancelled, tea, bareAbort]);
    const rest = leaveWithError(scope, new AggregateError([inner, cancelled], 'outer'));
    expect(rest).toMatchObject({ message: 'outer', errors: [{ group: 'inner', errors: [tea] }] });
    expect((rest as AggregateError).errors[0]).toBeInstanceOf(TaskGroupError);
    expect(scope.caught).toBe(true);
  });
});

describe('being nothing but a cancellation', () => {
  test('is asked of the scope whose signal may have been handed out', () => {
    expect(isCancellationOf(setUp({ cancelled: false }), cancelled)).toBe(true);
    expect(isCancellationOf(setUp(), abortOf(cancelled))).toBe(true);
    expect(isCancellationOf(setUp(), new AggregateError([cancelled, cancelled]))).toBe(true);
    expect(isCancellationOf(setUp(), new AggregateError([cancelled, tea]))).toBe(false);
    expect(isCancellationOf(setUp(), tea)).toBe(false);
    expect(isCancellationOf(setUp(), undefined)).toBe(false);
    expect(isCancellationOf(setUp({ handedOut: true }), bareAbort)).toBe(true);
    expect(isCancellationOf(setUp(), bareAbort)).toBe(false);
    expect(isCancellationOf(setUp({ cancelled: false, handedOut: true }), bareAbort)).toBe(false);
  });
});
