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

  test('goes on to the next when some are taken out while it is iterated over', () => {
    const queue = new WaitQueue<void, string>();
    for (const name of ['a', 'b', 'c', 'd']) void queue.wait('tea', scopeOfWait('test'), name);
    const seen: string[] = [];
    for (const entry of queue) {
      seen.push(entry.data);
      if (entry.data !== 'a') continue;
      queue.shift()!.resolve();
      queue.shift()!.resolve();
    }
    expect(seen).toEqual(['a', 'c', 'd']);
    for (const entry of queue) {
      queue.remove(entry);
      entry.resolve();
    }
    expect(queue.size).toBe(0);
  });
});

test('scopeOfWait() refuses options that are none', () => {
  expect(() => scopeOfWait('brew()', null as never)).toThrow(
    new TypeError('brew(): options must be an object, got null'),
  );
});
