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

function temporaryFile(contents: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'worker-pool-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'jobs.jsonl');
  writeFileSync(file, contents);
  return file;
}

test('without arguments', () => {
  const { jobs, ...options } = parseArguments([]);
  expect(jobs).toHaveLength(48);
  expect(options).toEqual({
    left: undefined,
    workers: 8,
    perEndpoint: 2,
    queueSize: 10,
    attempts: 4,
    timeout: 500,
  });
});

test('with all of them', () => {
  const file = temporaryFile('{"id":"1","endpoint":"orders","event":"e","data":1}\n');
  const text = `-j ${file} -l ${file}.left -w 1 -p 3 -q 5 -a 7 -t 9`;
  expect(parseArguments(text.split(' '))).toEqual({
    jobs: [{ id: '1', endpoint: 'orders', event: 'e', data: 1, attempts: 0 }],
    left: `${file}.left`,
    workers: 1,
    perEndpoint: 3,
    queueSize: 5,
    attempts: 7,
    timeout: 9,
  });
});

test.each([
  [['--workers', '0'], "argument '0' is invalid. Give a whole number, 1 or more."],
  [['--timeout', 'long'], "argument 'long' is invalid. Give a whole number, 1 or more."],
  [['--jobs', 'no/such/file'], 'cannot read jobs from no/such/file: ENOENT'],
  [['--left', 'no/such/folder/file'], 'cannot write to no/such/folder/file: ENOENT'],
  [['--frobnicate'], "unknown option '--frobnicate'"],
  [['something'], 'too many arguments'],
])('bad arguments: %s', (args, message) => {
  expect(() => parseArguments(args)).toThrow(CommanderError);
  expect(said).toMatch(/^error: /);
  expect(said).toContain(message);
});

test('a file with something in it that is no job', () => {
  const file = temporaryFile('{"id":"1"}\n');
  expect(() => parseArguments(['--jobs', file])).toThrow(CommanderError);
  expect(said).toContain(`cannot read jobs from ${file}: line 1 must be`);
});
