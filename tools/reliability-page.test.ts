/** docs/reliability.md is written by hand. What it says of things that can be counted or looked up is checked here. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { readPageData } from '../conformance/src/ledger-page.js';
import { root } from './exec.mjs';
import { servers } from './runtimes/runtimes.mjs';
import { loops } from './soak/loops.js';

const text = readFileSync(join(root, 'docs/reliability.md'), 'utf8');
/** Without the line breaks, since they may be anywhere. */
const page = text.replaceAll(/\s+/g, ' ');
const { programs, ledger, mutations } = readPageData();

function figure(count: number): string {
  return count.toLocaleString('en');
}

describe('the figures of', () => {
  test('traces', () => {
    expect(page).toContain(`| ${figure(programs)} programs, the same trace in all;`);
    expect(page).toContain(`## Traces of Trio ${figure(programs)} programs were run`);
  });

  test('mutants', () => {
    const byTraces = mutations.filter(({ caughtBy }) => caughtBy === 'traces').length;
    const byTests = mutations.length - byTraces;
    expect(page).toContain(
      `| ${mutations.length} mistakes made on purpose: ${byTraces} noticed by the traces, ${byTests} by a named test, 0 not |`,
    );
    expect(page).toContain(
      `Of ${mutations.length} mistakes ${byTraces} are noticed by the traces; the other ${byTests} are about`,
    );
  });

  test('the ledger', () => {
    const { length } = ledger.tests;
    const covered = [...ledger.entries.values()].filter(({ verdict }) => verdict?.kind === 'covered').length;
    expect(page).toContain(
      `| ${length} tests of AnyIO and Trio: ${covered} covered by tests, ${length - covered} that cannot apply |`,
    );
    expect(page).toContain(`have ${length} tests for the parts`);
    expect(page).toContain(
      `${covered} by tests that check the same behaviour, ${length - covered} by the reason`,
    );
  });

  test('runtimes, as in the table of docs/runtimes.md', () => {
    const table = readFileSync(join(root, 'docs/runtimes.md'), 'utf8');
    const rows = [...table.matchAll(/^\| [\w ]+ \| (\d+)[\d.]+ \| ([^\n]*) \|$/gm)];
    expect(rows).toHaveLength(servers.length + 1);
    const checks = rows.flatMap(([, , counts]) => counts!.split(' | ').filter((count) => count !== '–'));
    const sum = checks.reduce((total, count) => total + Number(count.replaceAll(',', '')), 0);
    expect(page.split(`${figure(sum)} checks on Node`)).toHaveLength(3);
    for (const [, version] of table.matchAll(/^\| (?:Node|Bun|Deno)[\d ]* \| ([\d.]+) \|/gm)) {
      expect(page).toContain(version);
    }
  });

  test('the soak: the numbers that it is made for, in twelve equal parts', () => {
    for (const { count } of loops) expect(page).toContain(`| ${figure(12 * Math.ceil(count / 12))} |`);
  });
});

test('every command is there', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const commands = new Set([...page.matchAll(/\bpnpm ([\w:]+)/g)].map(([, command]) => command!));
  expect(commands.size).toBeGreaterThan(5);
  expect([...commands].filter((command) => scripts[command] === undefined)).toEqual([]);
});

test('every test of a fault is there', () => {
  const faults = [...text.matchAll(/^\|.*\| \[[^\]]*\]\(([^)]+)\): “(.*)” \|$/gm)];
  expect(faults.length).toBeGreaterThan(30);
  const missing = faults.filter(
    ([, file, title]) =>
      !readFileSync(join(root, dirname('docs/reliability.md'), file!), 'utf8').includes(title!),
  );
  expect(missing.map(([row]) => row)).toEqual([]);
});
