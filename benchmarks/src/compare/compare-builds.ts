import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { environmentOf } from '../environment.js';
import { launch } from '../launch.js';
import type { Effort } from '../measure.js';
import { observe, type Circumstances } from '../report.js';
import { alignColumns, formatNumber, renderEnvironment, renderLoad } from '../table.js';
import type { Group } from '../workload.js';
import { findChange, type Change } from './change.js';
import { findBuild, stage } from './staged-builds.js';

/** How this build compares with another one, workload by workload. */
export interface Comparison extends Circumstances {
  readonly base: string;
  readonly changes: readonly (Change & { group: string; workload: string; unit: string })[];
}

const here = fileURLToPath(new URL('../../../packages', import.meta.url));

/**
 * Runs the workloads of taskscope on another build and on this one, in turn, each time in a new process.
 *
 * @param base - A git revision, or a checkout with built packages.
 * @param effort - How thoroughly: `runs` is how often each build runs.
 */
export async function compareBuilds(
  base: string,
  groups: readonly Group[],
  effort: Effort,
  quick: boolean,
): Promise<Comparison> {
  const environment = environmentOf(['tinybench']);
  console.log(renderEnvironment(environment));
  const circumstances = observe(environment, quick);
  const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'taskscope-compare-')));
  try {
    stage(findBuild(base, temporary), join(temporary, 'base'));
    stage(here, join(temporary, 'this'));
    const measured = { base: [] as (number | null)[][], this: [] as (number | null)[][] };
    const args = [groups.map(({ name }) => name), { ...effort, runs: 1 }].map((value) =>
      JSON.stringify(value),
    );
    for (let run = 1; run <= effort.runs; run++) {
      for (const build of ['base', 'this'] as const) {
        process.stderr.write(`run ${run} of ${effort.runs}: ${build}\n`);
        const cwd = join(temporary, build);
        const child = pathToFileURL(join(cwd, 'benchmarks/src/compare/child.ts'));
        measured[build].push(JSON.parse(await launch(child, args, { cwd })) as (number | null)[]);
      }
    }
    const workloads = groups.flatMap((group) => group.workloads.map((workload) => ({ group, workload })));
    const changes = workloads.flatMap(({ group, workload }, index) => {
      const numbers = (build: 'base' | 'this'): number[] =>
        measured[build].map((medians) => medians[index]).filter((value) => typeof value === 'number');
      if (numbers('base').length === 0) return [];
      const unit = `${workload.measure === 'memory' ? 'bytes' : 'ns'} per ${workload.operation}`;
      const change = findChange(numbers('base'), numbers('this'));
      return [{ group: group.name, workload: workload.name, unit, ...change }];
    });
    const comparison = { ...circumstances(), base, changes };
    console.log(renderComparison(comparison));
    console.log(renderLoad(comparison));
    return comparison;
  } finally {
    rmSync(temporary, { recursive: true });
  }
}

/** For people. */
export function renderComparison({ base, changes }: Pick<Comparison, 'base' | 'changes'>): string {
  const lines = changes.flatMap(({ group, workload, unit, ...change }, index) => {
    const line = [
      `  ${workload}, ${unit}`,
      formatNumber(change.base),
      formatNumber(change.current),
      percent(change.ratio),
      `± ${((change.noise - 1) * 100).toFixed(1)} %`,
      { less: 'less', more: 'MORE', none: '' }[change.verdict ?? 'none'],
    ];
    return changes[index - 1]?.group === group ? [line] : [[`\n${group}`], line];
  });
  const count = (verdict: Change['verdict']): number =>
    changes.filter((change) => change.verdict === verdict).length;
  return [
    ...alignColumns([['', base, 'this', 'change', 'noise', ''], ...lines]),
    '',
    `${count('less')} less, ${count('more')} more, ${count(undefined)} within the noise.`,
  ].join('\n');
}

/** A ratio as a change, with its sign. */
function percent(ratio: number): string {
  const change = (ratio - 1) * 100;
  return `${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(1)} %`;
}
