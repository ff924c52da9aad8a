import { expect, test } from 'vitest';
import { DeliveryError } from './deliver.js';
import type { Job } from './jobs.js';
import { report } from './report.js';

const job = (id: string, attempts: number): Job => ({
  id,
  endpoint: 'orders',
  event: 'e',
  data: 1,
  attempts,
});

const receivers = [
  { name: 'orders', requests: 12, accepted: 11 },
  { name: 'crm', requests: 1, accepted: 0 },
];

test('all is well', () => {
  const results = { delivered: [job('a', 1), job('b', 2)], deadLetters: [], left: [] };
  expect(report(results, receivers)).toBe(`
receiver  requests  accepted
orders          12        11
crm              1         0

2 delivered, 1 of them not at the first attempt.
`);
});

test('dead letters, and what is left', () => {
  const deadLetters = [{ job: job('c', 4), error: new DeliveryError('410 Gone') }];
  const text = report({ delivered: [], deadLetters, left: [job('d', 0)] }, []);
  expect(text).toMatch(
    /\n1 given up:\n {2}c to orders, at attempt 4: 410 Gone\nINTERRUPTED: 1 are left\.\n$/,
  );
});
