import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formatJobs, parseJobs, type Job } from './jobs.js';

const job: Job = { id: 'evt_1', endpoint: 'orders', event: 'order.created', data: { order: 1 }, attempts: 0 };

test('there and back', () => {
  const jobs = [job, { ...job, id: 'evt_2', attempts: 3 }];
  expect(parseJobs(formatJobs(jobs))).toEqual(jobs);
  expect(formatJobs([])).toBe('');
});

test('attempts may be missing, and lines be empty', () => {
  const line = '{"id":"evt_1","endpoint":"orders","event":"order.created","data":{"order":1}}';
  expect(parseJobs(`\n${line}\r\n\n${line}`)).toEqual([job, job]);
});

test('the file of this example', () => {
  const jobs = parseJobs(readFileSync(new URL('../data/webhooks.jsonl', import.meta.url), 'utf8'));
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(48);
});

test.each([
  'order',
  'null',
  '7',
  '[]',
  '{"endpoint":"orders","event":"e","data":1}',
  '{"id":1,"endpoint":"orders","event":"e","data":1}',
  '{"id":"1","event":"e","data":1}',
  '{"id":"1","endpoint":"orders","data":1}',
  '{"id":"1","endpoint":"orders","event":"e"}',
  '{"id":"1","endpoint":"orders","event":"e","data":1,"attempts":"2"}',
  '{"id":"1","endpoint":"orders","event":"e","data":1,"attempts":1.5}',
])('no job: %s', (line) => {
  expect(() => parseJobs(`${formatJobs([job])}${line}\n`)).toThrow('line 2 must be a JSON object');
});
