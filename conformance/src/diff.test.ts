import { expect, test } from 'vitest';
import { diffTraces } from './diff.js';
import type { Trace, TraceEvent } from './language.js';

function trace(main: readonly TraceEvent[], rest: Partial<Trace> = {}): Trace {
  return { outcome: 'ok', end: 0, traces: { main }, ...rest };
}

test('equal traces have no differences, whatever the order of keys and tasks', () => {
  const [a, b] = [[[0, 'begin']], [[0, 'stats', 'l', { locked: true, waiting: 1 }]]] as const;
  const reordered = [[0, 'stats', 'l', { waiting: 1, locked: true }]] as const;
  const expected: Trace = { outcome: { group: ['E1'] }, end: 7, traces: { a, b } };
  expect(diffTraces(expected, { ...expected, traces: { b: reordered, a } })).toEqual([]);
});

test('outcome and end', () => {
  expect(diffTraces(trace([]), trace([], { outcome: 'E1', end: 5 }))).toEqual([
    'outcome:',
    '  - "ok"',
    '  + "E1"',
    'end:',
    '  - 0',
    '  + 5',
  ]);
});

test('events, with a few that are the same around them', () => {
  const same = ['a', 'b', 'c', 'd', 'e'].map((label): TraceEvent => [0, 'log', label]);
  const expected = trace([...same, [1, 'sleep', 1], ...same]);
  const got = trace([...same, [2, 'sleep', 1], [2, 'checkpoint'], ...same]);
  expect(diffTraces(expected, got)).toEqual([
    'task main:',
    '    ...',
    '    [0,"log","c"]',
    '    [0,"log","d"]',
    '    [0,"log","e"]',
    '  - [1,"sleep",1]',
    '  + [2,"sleep",1]',
    '  + [2,"checkpoint"]',
    '    [0,"log","a"]',
    '    [0,"log","b"]',
    '    [0,"log","c"]',
    '    ...',
  ]);
});

test('a time that differs is a difference', () => {
  expect(diffTraces(trace([[0, 'begin']]), trace([[1, 'begin']]))).not.toEqual([]);
});

test('tasks that did not run, or should not have', () => {
  const [child, other] = [[[0, 'begin']], [[0, 'begin']]] as const;
  const expected = trace([], { traces: { child } });
  expect(diffTraces(expected, trace([], { traces: { other } }))).toEqual([
    'task child (did not run):',
    '  - [0,"begin"]',
    'task other (should not have run):',
    '  + [0,"begin"]',
  ]);
});
