import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { ByteBuffer } from './byte-buffer.js';
import { bytes, textOf } from './bytes.fixture.js';

function bufferOf(...chunks: string[]): ByteBuffer {
  const buffer = new ByteBuffer();
  for (const chunk of chunks) buffer.append(bytes(chunk));
  return buffer;
}

describe('a ByteBuffer', () => {
  test('gives back what was put in, across its chunks', () => {
    const buffer = bufferOf('abc', '', 'd', 'efg');
    expect(buffer.size).toBe(7);
    expect(textOf(buffer.take(2))).toBe('ab');
    expect(textOf(buffer.take(3))).toBe('cde');
    expect(textOf(buffer.toBytes())).toBe('fg');
    expect(textOf(buffer.take(2))).toBe('fg');
    expect(buffer.size).toBe(0);
    expect(buffer.take(0)).toEqual(new Uint8Array(0));
  });

  test('copies nothing when a whole chunk is taken', () => {
    const chunk = bytes('abc');
    const buffer = new ByteBuffer();
    buffer.append(chunk);
    expect(buffer.take(3)).toBe(chunk);
  });

  test('what is taken of a chunk is independent of the rest', () => {
    const chunk = bytes('abc');
    const buffer = new ByteBuffer();
    buffer.append(chunk);
    buffer.take(2).fill(0);
    expect(textOf(chunk)).toBe('abc');
  });

  test('finds a delimiter that lies in several chunks', () => {
    expect(bufferOf('a-', '-', '->b').indexOf(bytes('---->'), Infinity)).toBe(-1);
    expect(bufferOf('a-', '-', '->b').indexOf(bytes('-->'), Infinity)).toBe(2);
  });

  test('finds a delimiter whose beginning is repeated before it', () => {
    expect(bufferOf('aa', 'b', 'aaba', 'c').indexOf(bytes('aabac'), Infinity)).toBe(3);
    expect(bufferOf('abab', 'abc').indexOf(bytes('ababc'), Infinity)).toBe(2);
  });

  test('finds a delimiter only if it ends within the limit, however the chunks fall', () => {
    for (const chunks of [['abc\r\nd'], ['a', 'b', 'c', '\r', '\n', 'd'], ['abc\r', '\nd']]) {
      const buffer = bufferOf(...chunks);
      expect(buffer.indexOf(bytes('\r\n'), 4)).toBe(-1);
      expect(buffer.indexOf(bytes('\r\n'), 5)).toBe(3);
    }
  });

  test('looks at each byte once, in whatever pieces they come and however often it is asked', () => {
    let looked = 0;
    class Watched extends Uint8Array {
      override subarray(begin?: number, end?: number): Uint8Array<ArrayBuffer> {
        looked += (end ?? this.length) - (begin ?? 0);
        return new Uint8Array(this).subarray(begin, end);
      }
    }
    const buffer = new ByteBuffer();
    for (let n = 0; n < 1_000; n++) {
      buffer.append(new Watched(10).fill(120));
      expect(buffer.indexOf(bytes('\r\n'), Infinity)).toBe(-1);
      expect(buffer.indexOf(bytes('\r\n'), Infinity)).toBe(-1);
    }
    expect(looked).toBe(10_000);
    buffer.append(bytes('\r\n'));
    expect(buffer.indexOf(bytes('\r\n'), Infinity)).toBe(10_000);
    expect(looked).toBe(10_000);
  });

  test('goes on searching where it was, also after bytes before that were taken', () => {
    const buffer = bufferOf('abcd', 'ef\r');
    expect(buffer.indexOf(bytes('\r\n'), Infinity)).toBe(-1);
    buffer.take(5);
    buffer.append(bytes('\nx'));
    expect(buffer.indexOf(bytes('\r\n'), Infinity)).toBe(1);
    buffer.take(2);
    buffer.append(bytes('\r\n'));
    expect(buffer.indexOf(bytes('\r\n'), Infinity)).toBe(2);
  });

  test('forgets a beginning of the delimiter of which a part was taken', () => {
    const buffer = bufferOf('a\r');
    expect(buffer.indexOf(bytes('\r\n'), Infinity)).toBe(-1);
    buffer.take(2);
    buffer.append(bytes('\nb\r\n'));
    expect(buffer.indexOf(bytes('\r\n'), Infinity)).toBe(2);
  });

  test('does what a plain string does, with random operations', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 6 });
    const delimiter = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 4 });
    const operation = fc.oneof(
      text.map((chunk) => ({ append: chunk })),
      fc.nat(9).map((count) => ({ take: count })),
      fc.record({ find: delimiter, limit: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Infinity)) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const buffer = new ByteBuffer();
        let model = '';
        for (const each of operations) {
          if ('append' in each) {
            buffer.append(bytes(each.append));
            model += each.append;
          } else if ('take' in each) {
            const count = Math.min(each.take, model.length);
            expect(textOf(buffer.take(count))).toBe(model.slice(0, count));
            model = model.slice(count);
          } else {
            const index = model.slice(0, each.limit).indexOf(each.find);
            expect(buffer.indexOf(bytes(each.find), each.limit)).toBe(index);
            // A delimiter that was found is taken out.
            if (index !== -1) {
              expect(textOf(buffer.take(index))).toBe(model.slice(0, index));
              buffer.drop(each.find.length);
              model = model.slice(index + each.find.length);
            }
          }
          expect(buffer.size).toBe(model.length);
        }
        expect(textOf(buffer.toBytes())).toBe(model);
      }),
      { numRuns: 2_000, seed: 1 },
    );
  });
});
