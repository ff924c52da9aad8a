import { describe, expect, test } from 'vitest';

import { CancelScope, run } from './index.js';
import { scopeOfWait, WaitQueue } from './lowlevel.js';

describe('a wait queue', () => {
  test('keeps no place for a wait that an instrument cancelled as it began', async () => {
    const queue = new WaitQueue<string>();
    const scope = new CancelScope();
    await run(() => scope.run(() => queue.wait('tea', scopeOfWait('test'), undefined)), {
      instruments: [{ waitStarted: () => scope.cancel() }],
    });
    expect(scope.cancelledCaught).toBe(true);
    expect([queue.size, queue.first]).toEqual([0, undefined]);
  });
});

test('scopeOfWait() refuses options that are none', () => {
  expect(() => scopeOfWait('brew()', null as never)).toThrow(
    new TypeError('brew(): options must be an object, got null'),
  );
});
