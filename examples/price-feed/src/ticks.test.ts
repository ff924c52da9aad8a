import { expect, test } from 'vitest';
import { parseTicks } from './ticks.js';

test('reads ticks, with either kind of line ends', () => {
  const ticks = [
    { time: 0, symbol: 'TEA', price: 48.1 },
    { time: 10.5, symbol: 'RICE.X', price: 15 },
  ];
  expect(parseTicks('time_ms,symbol,price\n0,TEA,48.10\n10.5,RICE.X,15\n')).toEqual(ticks);
  expect(parseTicks('time_ms,symbol,price\r\n0,TEA,48.10\r\n10.5,RICE.X,15')).toEqual(ticks);
});

test.each([
  ['', 'line 1 must be time_ms,symbol,price'],
  ['TEA,1\n', 'line 1 must be time_ms,symbol,price'],
  ['time_ms,symbol,price\n', 'there are no ticks in it'],
  ['time_ms,symbol,price\n0,TEA\n', 'line 2 must be'],
  ['time_ms,symbol,price\n0,TEA,1\n\n', undefined],
  ['time_ms,symbol,price\n0,TEA,1\n\n0,TEA,1', 'line 3 must be'],
  ['time_ms,symbol,price\n0,TEA,1\n0,tea,1\n', 'line 3 must be'],
  ['time_ms,symbol,price\n0,TEA,0\n', 'line 2 must be'],
  ['time_ms,symbol,price\n0,TEA,-1\n', 'line 2 must be'],
  ['time_ms,symbol,price\n5,TEA,1\n4,TEA,1\n', 'line 3 must be'],
])('says what is wrong with a file: %j', (csv, message) => {
  if (message === undefined) expect(parseTicks(csv)).toHaveLength(1);
  else expect(() => parseTicks(csv)).toThrow(message);
});
