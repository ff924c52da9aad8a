import { expect, test } from 'vitest';

import { shuffle } from './shuffle.js';

test('every number is there once, in an order that is always the same', () => {
  const numbers = shuffle(1000);
  expect(shuffle(1000)).toEqual(numbers);
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
  const inPlace = numbers.filter((number, index) => number === index);
  expect(inPlace.length).toBeLessThan(10);
});
