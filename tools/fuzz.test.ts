import { expect, test } from 'vitest';
import { node } from './exec.mjs';

const fuzz = (...args: string[]): Promise<{ code: number; output: string }> =>
  node(['tools/fuzz.mjs', ...args]);

test('one seed, and one file', async () => {
  const { code, output } = await fuzz('--seed', '7', '--only', 'packages/core/src/task-exit.test.ts');
  expect(output).toMatch(/^seeds 7 to 7: \d+ tests passed \(.* s\)\n$/);
  expect(code).toBe(0);
}, 60_000);

test('no such file', async () => {
  const { code, output } = await fuzz('--seed', '7', '--only', 'no/such/file');
  expect(output).toContain('No test files found');
  expect(code).toBe(1);
}, 60_000);

test.each([
  [['--seed', 'tea'], /^--seed takes a whole number, got "tea"\n\npnpm fuzz \[--seconds N\]/],
  [['--seconds', '-1'], /\n\npnpm fuzz \[--seconds N\]/],
  [['tea'], /^Unexpected argument 'tea'.*\n\npnpm fuzz \[--seconds N\]/s],
])('bad arguments: %j', async (args, message) => {
  const { code, output } = await fuzz(...args);
  expect(output).toMatch(message);
  expect(code).toBe(2);
});
