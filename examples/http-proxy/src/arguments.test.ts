import { CommanderError } from 'commander';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseArguments } from './arguments.js';

let said = '';

beforeEach(() => {
  said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

test('without arguments', () => {
  const expected = { serve: undefined, hedgeAfter: 100, timeout: 500, patience: 5_000, grace: 2_000 };
  expect(parseArguments([])).toEqual(expected);
});

test('with all of them', () => {
  const expected = { serve: 0, hedgeAfter: 1, timeout: 2, patience: 3, grace: 4 };
  expect(parseArguments('-s 0 -e 1 -t 2 -p 3 -g 4'.split(' '))).toEqual(expected);
});

test.each([
  [['--serve', 'http'], "argument 'http' is invalid. Give a whole number."],
  [['--serve', '65536'], "argument '65536' is invalid. 65535 is the highest."],
  [['--timeout', '-1'], "argument '-1' is invalid. Give a whole number."],
  [['--frobnicate'], "unknown option '--frobnicate'"],
  [['something'], 'too many arguments'],
])('bad arguments: %s', (args, message) => {
  expect(() => parseArguments(args)).toThrow(CommanderError);
  expect(said).toMatch(/^error: /);
  expect(said).toContain(message);
});
