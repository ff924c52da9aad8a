import type { Finding, Row } from '../measure.js';
import type { BenchReport, Results } from '../report.js';
import { medianRatio } from '../statistics.js';
import { BARE_SCOPES, FLOOR, TASKSCOPE } from './contenders.js';

/** A mark that was set before anything was measured. */
export interface Mark {
  readonly work: string;
  /** In words. */
  readonly mark: string;
  readonly limit: number;
  /** Whether the limit is the most that it may be, or the least. */
  readonly bound: 'at most' | 'at least';
  readonly unit: 'times' | 'ns' | 'bytes';
  /** Of taskscope, or of another in its place. What counts is the worst of these. */
  readonly measured: (results: Results, contender: string) => readonly number[];
}

/** How a mark was met. */
export interface Verdict {
  readonly worst: number;
  readonly isMet: boolean;
}

/** How it was met by taskscope, or by another in its place; undefined if that was not measured. */
export function judge(
  { measured, bound, limit }: Mark,
  results: Results,
  contender: string = TASKSCOPE,
): Verdict | undefined {
  const values = measured(results, contender);
  if (values.length === 0) return undefined;
  const worst = bound === 'at most' ? Math.max(...values) : Math.min(...values);
  return { worst, isMet: bound === 'at most' ? worst <= limit : worst >= limit };
}

const NEVER_LATE = ['moveOnAfter, work ends at once', 'failAfter, work ends at once'];

export const marks: readonly Mark[] = [
  {
    work: 'channel, any buffer',
    mark: 'at most 1.5 times a bare channel',
    ...most(1.5, 'times', ({ bench }, contender) => timesOf(bench, contender, 'channel', undefined, FLOOR)),
  },
  {
    work: 'channel, any buffer',
    mark: 'at least 8 times as fast as Effect’s queue',
    limit: 8,
    bound: 'at least',
    unit: 'times',
    measured: ({ bench }, contender) =>
      timesOf(bench, contender, 'channel', undefined, 'effect').map((ratio) => 1 / ratio),
  },
  {
    work: 'channel, rendezvous, 1 to 1',
    mark: 'at most 120 ns',
    ...most(120, 'ns', ({ bench }, contender) =>
      mediansOf(bench, contender, 'channel', ['rendezvous, 1 to 1']),
    ),
  },
  {
    work: 'lock, uncontended',
    mark: 'at most half of async-sema',
    ...most(0.5, 'times', ({ bench }, contender) =>
      timesOf(bench, contender, 'lock', ['uncontended'], 'async-sema'),
    ),
  },
  {
    work: 'lock, 100 tasks',
    mark: 'at most half of async-sema',
    ...most(0.5, 'times', ({ bench }, contender) =>
      timesOf(bench, contender, 'lock', ['100 tasks'], 'async-sema'),
    ),
  },
  {
    work: 'spawn and join, 1,000 tasks',
    mark: 'at most half of Effect’s fork and join',
    ...most(0.5, 'times', ({ bench }, contender) =>
      timesOf(bench, contender, 'spawn', ['1,000 tasks'], 'effect'),
    ),
  },
  {
    work: 'spawn and join, 1,000 tasks',
    mark: 'at most 3 times Promise.all',
    ...most(3, 'times', ({ bench }, contender) => timesOf(bench, contender, 'spawn', ['1,000 tasks'], FLOOR)),
  },
  {
    work: 'timeout around work that ends at once',
    mark: 'at most a third of Effect’s',
    ...most(1 / 3, 'times', ({ bench }, contender) =>
      timesOf(bench, contender, 'timeouts', NEVER_LATE, 'effect'),
    ),
  },
  {
    work: 'timeout around work that ends at once',
    mark: 'at most 432 ns',
    ...most(432, 'ns', ({ bench }, contender) => mediansOf(bench, contender, 'timeouts', NEVER_LATE)),
  },
  {
    work: 'cancelling 100,000 sleeping tasks, each',
    mark: 'less than 1,000 ns',
    ...most(1000, 'ns', ({ bench }, contender) => mediansOf(bench, contender, 'cancel', ['100,000 tasks'])),
  },
  {
    work: 'cancelling 1,000,000 sleeping tasks, each',
    mark: 'at most 1.5 times what it is with 100,000',
    ...most(1.5, 'times', ({ growth }, contender) => {
      if (contender !== TASKSCOPE) return [];
      const points = growth.series.find(({ name }) => name === 'sleepers')?.points ?? [];
      const at = (size: number): number | undefined =>
        points.find((point) => point.size === size)?.taskscope.median;
      const [few, many] = [at(100_000), at(1_000_000)];
      return few === undefined || many === undefined ? [] : [many / few];
    }),
  },
  {
    work: 'router, publishing to 1,000 subscribers, a delivery',
    mark: 'less than 100 ns',
    ...most(100, 'ns', ({ bench }, contender) =>
      mediansOf(bench, contender, 'router', ['1,000 subscribers, publishing alone']),
    ),
  },
  {
    work: 'memory of a sleeping task',
    mark: 'less than 1,024 bytes',
    ...most(1024, 'bytes', ({ bench }, contender) => mediansOf(bench, contender, 'memory', ['10,000 tasks'])),
  },
];

function most(
  limit: number,
  unit: Mark['unit'],
  measured: Mark['measured'],
): Pick<Mark, 'limit' | 'bound' | 'unit' | 'measured'> {
  return { limit, bound: 'at most', unit, measured };
}

/** A comparison in which another library takes less time, or less memory, than taskscope. */
export interface Lost {
  readonly comparison: string;
  /** Whether what cannot even be cancelled is behind as well. */
  readonly floorToo: boolean;
  /** The same of bare scopes; undefined where they do not take part. */
  readonly bareScopesToo: boolean | undefined;
}

/** Where taskscope is behind another library; and how many comparisons there are. The floors are none. */
export function lostComparisons(bench: BenchReport): { of: number; lost: Lost[] } {
  const comparisons = bench.groups.flatMap(({ title, findings }) =>
    findings.flatMap(({ workload, rows }) => {
      const bareScopes = rows.find(({ peer }) => peer === BARE_SCOPES);
      return rows
        .filter(({ peer }) => peer !== TASKSCOPE && peer !== FLOOR && peer !== BARE_SCOPES)
        .map((row) => ({ comparison: `${title}, ${workload}: ${row.peer}`, row, bareScopes }));
    }),
  );
  return {
    of: comparisons.length,
    lost: comparisons
      .filter(({ row }) => row.toTaskscope < 1)
      .map(({ comparison, row, bareScopes }) => ({
        comparison,
        floorToo: row.toFloor < 1,
        bareScopesToo: bareScopes && medianRatio(row.rounds, bareScopes.rounds) < 1,
      })),
  };
}

/** What was found out about some workloads of a group, or about all; nothing if that was not measured. */
function findingsOf(bench: BenchReport, group: string, workloads?: readonly string[]): readonly Finding[] {
  const findings = bench.groups.find((each) => each.group === group)?.findings ?? [];
  return findings.filter(({ workload }) => workloads === undefined || workloads.includes(workload));
}

const mediansOf = (
  bench: BenchReport,
  contender: string,
  group: string,
  workloads: readonly string[],
): number[] =>
  findingsOf(bench, group, workloads).flatMap(({ rows }) => rowOf(rows, contender)?.median ?? []);

/** Times as much as the peer, where both take part. */
const timesOf = (
  bench: BenchReport,
  contender: string,
  group: string,
  workloads: readonly string[] | undefined,
  peer: string,
): number[] =>
  findingsOf(bench, group, workloads).flatMap(({ rows }) => {
    const [row, other] = [rowOf(rows, contender), rowOf(rows, peer)];
    return row === undefined || other === undefined ? [] : medianRatio(row.rounds, other.rounds);
  });

const rowOf = (rows: readonly Row[], peer: string): Row | undefined => rows.find((row) => row.peer === peer);
