import { expect, test } from 'vitest';

import { environmentOf } from '../environment.js';
import { groups } from '../groups/index.js';
import { growths, SIZES } from '../growth/workloads.js';
import type { Row } from '../measure.js';
import type { Results } from '../report.js';
import { expectedPage, resultsFile, writtenPage } from './files.js';
import { bareScopes } from '../peers/bare-scopes.js';
import { native } from '../peers/native.js';
import { taskscope } from '../peers/taskscope.js';
import { BARE_SCOPES, FLOOR, TASKSCOPE } from './contenders.js';
import { judge, lostComparisons, marks } from './marks.js';
import { renderPage } from './page.js';

const circumstances = {
  date: '2030-01-01T00:00:00.000Z',
  environment: environmentOf(['effect']),
  load: { before: 0, after: 1 },
  quick: false,
};

/** Results in which taskscope takes 100, and the others what `factor` makes of it. */
function resultsWith(factor: (peer: string) => number): Results {
  const row = (peer: string): Row => {
    const ratio = peer === 'taskscope' ? 1 : factor(peer);
    const median = 100 * ratio;
    return {
      peer,
      median,
      p25: median,
      p75: median,
      min: median,
      samples: 1,
      rounds: [median],
      toTaskscope: ratio,
      toFloor: ratio / factor(FLOOR),
    };
  };
  const spread = { median: 1, p25: 1, p75: 1 };
  const size = { minified: 2000, brotli: 1000 };
  return {
    bench: {
      ...circumstances,
      effort: { runs: 1, time: 1, warmup: 1 },
      groups: groups.map(({ name, title, notes, workloads }) => ({
        group: name,
        title,
        notes,
        findings: workloads.map((workload) => ({
          workload: workload.name,
          operation: workload.operation,
          unit: workload.measure === 'memory' ? 'bytes' : 'ns',
          operations: workload.operations,
          rows: workload.contenders.map(({ peer }) => row(peer.name)),
        })),
      })),
    },
    growth: {
      ...circumstances,
      series: growths.map(({ name, title, floor }) => ({
        name,
        title,
        floor,
        operation: 'task',
        points: SIZES.map((each) => ({
          size: each,
          taskscope: row('taskscope'),
          floor: row('native promises'),
        })),
      })),
    },
    startup: {
      ...circumstances,
      imports: [{ name: 'taskscope', ...spread }],
      programs: [{ name: 'taskscope', size, installed: spread, bundled: spread }],
      sizes: [{ name: 'taskscope', size }],
    },
    platform: {
      ...circumstances,
      times: [{ name: 'await', ...spread }],
      memory: [{ name: 'an async function', ...spread }],
    },
  };
}

const isFloor = (peer: string): boolean => peer === FLOOR || peer === BARE_SCOPES;

test('the page and its charts are what the results give', () => {
  // A mismatch: pnpm bench:page
  const expected = expectedPage();
  expect(expected).toBeDefined();
  const written = writtenPage();
  expect(written.markdown).toBe(expected?.markdown);
  expect([...written.charts.keys()]).toEqual([...expected!.charts.keys()].toSorted());
  for (const [file, chart] of expected!.charts) expect(written.charts.get(file)).toBe(chart);
});

test('every mark names workloads and peers that there are', () => {
  const results = resultsWith(() => 1);
  expect(marks.filter((mark) => judge(mark, results) === undefined)).toEqual([]);
});

test('every mark is met by the best, and missed by the worst', () => {
  const best = resultsWith((peer) => (isFloor(peer) ? 1 : 100));
  const worst = resultsWith((peer) => (isFloor(peer) ? 0.01 : 0.1));
  const relative = marks.filter(({ unit }) => unit === 'times');
  expect(relative.filter((mark) => judge(mark, best)?.isMet !== true)).toEqual([]);
  // What compares taskscope with itself is met by both.
  const missed = relative.filter((mark) => judge(mark, worst)?.isMet === false);
  expect(relative.filter((mark) => !missed.includes(mark)).map(({ work }) => work)).toEqual([
    'cancelling 1,000,000 sleeping tasks, each',
  ]);
});

test('of several workloads the worst counts', () => {
  const mark = marks.find(({ mark: text }) => text === 'at most 1.5 times a bare channel')!;
  const results = resultsWith(() => 1);
  const { findings } = results.bench.groups.find(({ group }) => group === 'channel')!;
  const last = findings.at(-1)!;
  const slow = {
    ...last,
    rows: last.rows.map((row, index) => (index === 1 ? { ...row, rounds: [25] } : row)),
  };
  const slower: Results = {
    ...results,
    bench: {
      ...results.bench,
      groups: [{ group: 'channel', title: '', notes: [], findings: [...findings.slice(0, -1), slow] }],
    },
  };
  expect(judge(mark, slower)).toEqual({ worst: 4, isMet: false });
});

test('what was not measured is neither met nor missed', () => {
  const { bench, ...others } = resultsWith(() => 1);
  const nothing = { ...others, bench: { ...bench, groups: [] }, growth: { ...others.growth, series: [] } };
  for (const mark of marks) expect(judge(mark, nothing)).toBeUndefined();
  expect(renderPage([{ name: 'Node.js 1', results: nothing }]).markdown).toContain('not measured');
});

test('comparisons that are lost are counted, and the floor is none', () => {
  const { bench } = resultsWith((peer) => (peer === 'rxjs' || isFloor(peer) ? 0.5 : 2));
  const { lost, of } = lostComparisons(bench);
  expect(lost.length).toBeGreaterThan(0);
  expect(lost.every(({ comparison }) => comparison.endsWith(': rxjs'))).toBe(true);
  expect(of).toBeGreaterThan(lost.length);
});

test('of a comparison that is lost it is said who else would lose it', () => {
  const takes: Record<string, number> = { rxjs: 0.5, [FLOOR]: 0.6, [BARE_SCOPES]: 0.4 };
  const results = resultsWith((peer) => takes[peer] ?? 2);
  expect(new Set(lostComparisons(results.bench).lost.map(({ floorToo }) => floorToo))).toEqual(
    new Set([true]),
  );
  expect(new Set(lostComparisons(results.bench).lost.map(({ bareScopesToo }) => bareScopesToo))).toEqual(
    new Set([false, undefined]),
  );
  const markdown = (): string =>
    renderPage([{ name: 'Node.js 9', results: resultsWith((peer) => takes[peer] ?? 2) }]).markdown;
  expect(markdown()).toContain('failAfter, work waits: rxjs (so is the floor, but not bare scopes)\n');
  expect(markdown()).toContain('1 subscriber: rxjs (so is the floor)\n');
  takes[BARE_SCOPES] = 0.6;
  expect(markdown()).toContain('failAfter, work waits: rxjs (so are the floor and bare scopes)\n');
  takes[FLOOR] = 0.4;
  expect(markdown()).toContain('failAfter, work waits: rxjs (so are bare scopes)\n');
  expect(markdown()).toContain('1 subscriber: rxjs\n');
});

test('bare scopes are judged by the same marks, where they take part', () => {
  const results = resultsWith((peer) => (peer === BARE_SCOPES ? 0.5 : 1));
  const mark = marks.find(({ mark: text }) => text === 'at most 3 times Promise.all')!;
  expect(judge(mark, results)).toEqual({ worst: 1, isMet: true });
  expect(judge(mark, results, BARE_SCOPES)).toEqual({ worst: 0.5, isMet: true });
  expect(
    marks.filter((each) => judge(each, results, BARE_SCOPES) === undefined).map(({ work }) => work),
  ).toEqual([
    'cancelling 1,000,000 sleeping tasks, each',
    'router, publishing to 1,000 subscribers, a delivery',
  ]);
  const { markdown } = renderPage([{ name: 'Node.js 9', results }]);
  expect(markdown).toContain('| at most 3 times Promise.all | 1 ×: met | 0.5 ×: met |');
  expect(markdown).toContain('| less than 100 ns | 100 ns: met | – |');
});

test('results without bare scopes say so', () => {
  const { bench, ...others } = resultsWith(() => 1);
  const withoutThem = bench.groups.map((group) => ({
    ...group,
    findings: group.findings.map((finding) => ({
      ...finding,
      rows: finding.rows.filter(({ peer }) => peer !== BARE_SCOPES),
    })),
  }));
  const { markdown } = renderPage([
    { name: 'Node.js 9', results: { bench: { ...bench, groups: withoutThem }, ...others } },
  ]);
  expect(markdown).toContain('| at most 3 times Promise.all | 1 ×: met | not measured |');
});

test('the summary leaves bare scopes out, the charts of the groups show them', () => {
  const results = resultsWith((peer) => (peer === BARE_SCOPES ? 0.5 : 1));
  const { charts } = renderPage([{ name: 'Node.js 9', results }]);
  expect(charts.get('summary.svg')).not.toContain(BARE_SCOPES);
  expect(charts.get('channel.svg')).toContain(BARE_SCOPES);
});

test('the page knows them by the names that they have', () => {
  expect([TASKSCOPE, FLOOR, BARE_SCOPES]).toEqual([taskscope.name, native.name, bareScopes.name]);
});

test('other runtimes have a column each', () => {
  const results = resultsWith(() => 2);
  const { markdown } = renderPage([
    { name: 'Node.js 9', results },
    { name: 'Bun 1', results },
  ]);
  expect(markdown).toContain('| Work | Mark | Node.js 9 | bare scopes | Bun 1 | bare scopes |');
  expect(markdown).toContain('## Other runtimes');
  expect(renderPage([{ name: 'Node.js 9', results }]).markdown).not.toContain('## Other runtimes');
});

test('each major version of a runtime has a file', () => {
  const names = ['Node.js 24.1.0', 'Bun 1.2.3', 'Deno 2.0.0'].map((runtime) => resultsFile(runtime).pathname);
  expect(names.map((name) => name.slice(name.lastIndexOf('/') + 1))).toEqual([
    'node-24.json',
    'bun-1.json',
    'deno-2.json',
  ]);
});
