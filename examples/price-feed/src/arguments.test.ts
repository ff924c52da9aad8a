import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
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
  const { ticks, ...options } = parseArguments([]);
  expect(options).toEqual({ port: 8080, host: '127.0.0.1', speed: 1, grace: 5_000 });
  expect(ticks).toHaveLength(4_000);
});

test('with all of them', () => {
  const file = fileOf('time_ms,symbol,price\n0,TEA,1\n');
  const text = `--port 0 --host ::1 --speed 2.5 --grace 0 --file ${file}`;
  expect(parseArguments(text.split(' '))).toEqual({
    port: 0,
    host: '::1',
    speed: 2.5,
    grace: 0,
    ticks: [{ time: 0, symbol: 'TEA', price: 1 }],
  });
});

test.each([
  [['--port', 'http'], "argument 'http' is invalid. Give a whole number."],
  [['--port', '65536'], "argument '65536' is invalid. 65535 is the highest."],
  [['--speed', '0'], "argument '0' is invalid. Give a number above 0."],
  [['--speed', 'quickly'], "argument 'quickly' is invalid. Give a number above 0."],
  [['--grace', '-1'], "argument '-1' is invalid. Give a whole number."],
  [['--file', 'no/such/file'], 'cannot replay no/such/file: ENOENT: no such file'],
  [['--frobnicate'], "unknown option '--frobnicate'"],
  [['something'], 'too many arguments'],
])('bad arguments: %s', (args, message) => {
  expect(() => parseArguments(args)).toThrow(CommanderError);
  expect(said).toMatch(/^error: /);
  expect(said).toContain(message);
});

test('a file with something in it that is no tick', () => {
  const file = fileOf('time_ms,symbol,price\n0,TEA,1\n1,TEA\n');
  expect(() => parseArguments(['--file', file])).toThrow(CommanderError);
  expect(said).toContain(`error: cannot replay ${file}: line 3 must be`);
});

function fileOf(contents: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'price-feed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'ticks.csv');
  writeFileSync(file, contents);
  return file;
}
