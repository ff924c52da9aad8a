import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { turns } from '../../core/src/observing.fixture.js';
import { Buffer } from './buffer.js';

describe('a buffer', () => {
  test('is empty in the beginning', () => {
    const buffer = new Buffer<number>();
    expect(buffer.size).toBe(0);
    expect(buffer.shift()).toBeUndefined();
    expect(buffer.size).toBe(0);
  });

  test('gives items back in the order in which they came, however many there are', () => {
    const buffer = new Buffer<number>();
    for (let n = 0; n < 1_000; n++) buffer.push(n);
    expect(buffer.size).toBe(1_000);
    for (let n = 0; n < 1_000; n++) expect(buffer.shift()).toBe(n);
    expect(buffer.size).toBe(0);
  });

  test('grows while it begins in the middle of its ring', () => {
    const buffer = new Buffer<number>();
    for (let n = 0; n < 5; n++) buffer.push(n);
    for (let n = 0; n < 5; n++) buffer.shift();
    for (let n = 0; n < 20; n++) buffer.push(n);
    expect(Array.from({ length: 20 }, () => buffer.shift())).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  test('takes undefined for an item like any other', () => {
    const buffer = new Buffer<undefined>();
    buffer.push(undefined);
    expect(buffer.size).toBe(1);
    expect(buffer.shift()).toBeUndefined();
    expect(buffer.size).toBe(0);
  });

  test('does not keep alive what was taken out', async () => {
    const buffer = new Buffer<object>();
    const taken = new WeakRef({});
    buffer.push(taken.deref()!);
    const kept = new WeakRef({});
    buffer.push(kept.deref()!);
    buffer.shift();
    await turns(2);
    globalThis.gc!();
    expect(taken.deref()).toBeUndefined();
    expect(kept.deref()).toBeDefined();
    expect(buffer.size).toBe(1);
  });

  test('does what an array does, whatever the order of operations', () => {
    const operations = fc.array(fc.oneof(fc.constant('shift' as const), fc.nat(99)), { maxLength: 200 });
    fc.assert(
      fc.property(operations, (list) => {
        const buffer = new Buffer<number>();
        const model: number[] = [];
        for (const each of list) {
          if (each === 'shift') expect(buffer.shift()).toBe(model.shift());
          else {
            buffer.push(each);
            model.push(each);
          }
          expect(buffer.size).toBe(model.length);
        }
      }),
      { numRuns: 100 },
    );
  });
});
