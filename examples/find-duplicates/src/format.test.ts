import { expect, test } from 'vitest';
import { formatBytes, formatCount, formatDuration } from './format.js';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [999_949, '999.9 kB'],
  [999_950, '1.0 MB'],
  [1_234_567_890, '1.2 GB'],
  [5e18, '5000.0 PB'],
])('formatBytes(%d)', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, '0.0 s'],
  [59_900, '59.9 s'],
  [59_999, '1 min 0 s'],
  [125_400, '2 min 5 s'],
])('formatDuration(%d)', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test('formatCount()', () => {
  expect([formatCount(1234), formatCount(1, 'file'), formatCount(0, 'file')]).toEqual([
    '1,234',
    '1 file',
    '0 files',
  ]);
});
