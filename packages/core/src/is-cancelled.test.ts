import { once } from 'node:events';
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

import { virtualTime } from '@taskscope/testing';
import { expect, test } from 'vitest';

import { any, CancelScope, checkpoint, currentSignal, isCancelled, TimeoutError } from './index.js';
import { errorOf } from './observing.fixture.js';

function abortError(cause?: unknown): Error {
  const error = new Error('The operation was aborted', cause === undefined ? undefined : { cause });
  error.name = 'AbortError';
  return error;
}

test(
  'a Cancelled is a cancellation, in its scope and anywhere else',
  virtualTime(async () => {
    let cancelled: unknown;
    await new CancelScope().run(async (scope) => {
      scope.cancel();
      cancelled = await errorOf(checkpoint());
      expect(isCancelled(cancelled)).toBe(true);
    });
    expect(isCancelled(cancelled)).toBe(true);
  }),
);

test(
  "what platform APIs reject with when the scope's signal aborts is one, whatever they make of it",
  virtualTime(async () => {
    await new CancelScope().run(async (scope) => {
      const emitter = new EventEmitter();
      const waits = [
        delay(60_000, undefined, { signal: currentSignal() }),
        once(emitter, 'never', { signal: currentSignal() }),
        fetch('http://localhost:1/', { signal: currentSignal() }),
      ].map(errorOf);
      scope.cancel();
      for (const error of await Promise.all(waits)) expect(isCancelled(error)).toBe(true);
    });
  }),
);

test(
  'a bare AbortError is one while the scope is cancelled and its signal was handed out, and only then',
  virtualTime(async () => {
    const error = abortError();
    expect(isCancelled(error)).toBe(false);
    await new CancelScope().run((scope) => {
      scope.cancel();
      expect(isCancelled(error)).toBe(false);
      void scope.signal;
      expect(isCancelled(error)).toBe(true);
    });
    await new CancelScope().run((scope) => {
      void scope.signal;
      expect(isCancelled(error)).toBe(false);
    });
    expect(isCancelled(error)).toBe(false);
  }),
);

test(
  'an AbortError with another cause is none',
  virtualTime(async () => {
    await new CancelScope().run((scope) => {
      void scope.signal;
      scope.cancel();
      expect(isCancelled(abortError(new Error('of its own')))).toBe(false);
      expect(isCancelled(abortError(scope.signal.reason))).toBe(true);
    });
  }),
);

test(
  'a group is one if it holds nothing else',
  virtualTime(async () => {
    await new CancelScope().run(async (scope) => {
      scope.cancel();
      const cancelled = await errorOf(checkpoint());
      expect(isCancelled(new AggregateError([cancelled, new AggregateError([cancelled])]))).toBe(true);
      expect(isCancelled(new AggregateError([cancelled, new Error('beside')]))).toBe(false);
      expect(isCancelled(new AggregateError([]))).toBe(false);
      expect(isCancelled(await errorOf(any([])))).toBe(false);
    });
  }),
);

test('anything else is none', () => {
  for (const value of [undefined, null, 'Cancelled', 0, {}, new Error('x'), new TimeoutError(), () => {}]) {
    expect(isCancelled(value)).toBe(false);
  }
  expect(isCancelled(AbortSignal.abort().reason)).toBe(false);
});
