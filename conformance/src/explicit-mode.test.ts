import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ambientBecause, renderReasons, withoutDeadlines } from './explicit-mode.js';
import type { Body, Program, Trace, TraceEvent } from './language.js';

function traceOf(...events: TraceEvent[]): Trace {
  return { outcome: 'ok', end: 0, traces: { main: events } };
}

function program(main: Body, ...events: TraceEvent[]): Program {
  const objects = { lk: { type: 'lock' }, sem: { type: 'semaphore', value: 1 } } as const;
  return { id: 'test', seed: null, objects, main, expected: traceOf(...events) };
}

describe('a program can be run in explicit mode', () => {
  test.each<[string, Program]>([
    ['that waits', program([{ op: 'sleep', ms: 1 }])],
    [
      'that starts a task right in its group',
      program([
        {
          op: 'group',
          id: 'g',
          body: [{ op: 'start', group: 'g', task: 't', body: [{ op: 'started', value: 1 }] }],
        },
      ]),
    ],
    ['that takes a semaphore', program([{ op: 'acquire_nowait', object: 'sem' }])],
    ['that is refused a semaphore', program([], [0, 'error', 'release', 'sem', 'RuntimeError'])],
  ])('%s', (_what, each) => {
    expect(ambientBecause(each)).toBe(undefined);
  });
});

describe('a program cannot be run in explicit mode', () => {
  const inScope: Body = [{ op: 'start', group: 'g', task: 't', body: [] }];
  test.each<[string, Program, RegExp]>([
    [
      'that enters a scope made before',
      program([{ op: 'enter', id: 's', body: [] }]),
      /^a scope that was made before/,
    ],
    [
      'that starts a task from a scope in its group',
      program([{ op: 'group', id: 'g', body: [{ op: 'scope', id: 's', body: inScope }] }]),
      /^start\(\)/,
    ],
    [
      'that starts a task from another task',
      program([{ op: 'group', id: 'g', body: [{ op: 'spawn', group: 'g', task: 'u', body: inScope }] }]),
      /^start\(\)/,
    ],
    [
      'that takes a lock at once, deep inside',
      program([{ op: 'try', body: [], finally: [{ op: 'with_nowait', object: 'lk', body: [] }] }]),
      /^acquireNowait\(\)/,
    ],
    [
      'that releases what is not its own',
      program([], [0, 'error', 'release', 'lk', 'RuntimeError']),
      /^release\(\)/,
    ],
  ])('%s', (_what, each, reason) => {
    expect(ambientBecause(each)).toMatch(reason);
  });
});

test('what asks for the ambient deadline is left out of a trace', () => {
  const trace = traceOf([0, 'begin'], [0, 'deadline', 'inf'], [0, 'end', 'ok']);
  expect(withoutDeadlines(trace)).toEqual(traceOf([0, 'begin'], [0, 'end', 'ok']));
});

test('docs/runtimes.md says which programs are left out', () => {
  const folder = new URL('../programs/', import.meta.url);
  const programs = readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(new URL(name, folder), 'utf8').split('\n'))
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as Program);
  const page = readFileSync(new URL('../../docs/runtimes.md', import.meta.url), 'utf8');
  expect(page.replaceAll('\r\n', '\n')).toContain(`\n| --- | --- |\n${renderReasons(programs)}\n\n`);
});
