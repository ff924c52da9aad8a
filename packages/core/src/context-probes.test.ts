import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { probes, renderTable, thisRuntime } from './context-probes.fixture.js';

describe(`the scope that a callback sees, on ${process.version}`, () => {
  test.each(probes.map((probe) => [probe.name, probe] as const))('%s', async (_name, { ask, expected }) => {
    expect(await ask()).toBe(expected[thisRuntime()]);
  });
});

test('each probe has a name of its own', () => {
  expect(new Set(probes.map(({ name }) => name)).size).toBe(probes.length);
});

test('docs/context-probes.md shows the table', () => {
  const page = readFileSync(new URL('../../../docs/context-probes.md', import.meta.url), 'utf8');
  expect(page.replaceAll('\r\n', '\n')).toContain(`\n${renderTable()}\n`);
});
