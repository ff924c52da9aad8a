import { expect, test } from 'vitest';
import { interleave, type Address } from './addresses.js';

function addresses(text: string): Address[] {
  return text.split(' ').map((address) => ({ address, family: address.startsWith('6') ? 6 : 4 }));
}

test.each([
  ['6a 6b 6c 4a 4b', '6a 4a 6b 4b 6c'],
  ['6a 6b 4a 4b 4c 4d', '6a 4a 6b 4b 4c 4d'],
  ['4a 4b 6a 6b', '4a 6a 4b 6b'],
  ['4a 6a 6b 4b 6c', '4a 6a 4b 6b 6c'],
  ['6a 6b', '6a 6b'],
  ['4a', '4a'],
])('%s → %s', (given, expected) => {
  expect(interleave(addresses(given))).toEqual(addresses(expected));
});

test('no addresses', () => {
  expect(interleave([])).toEqual([]);
});
