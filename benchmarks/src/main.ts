/** `pnpm bench`: measures what taskscope costs beside bare promises and other libraries. */

import { WrongResult } from './check.js';
import { choose, count, end, readOptions, requireBuild, writeReport } from './command-line.js';
import { compareBuilds } from './compare/compare-builds.js';
import { NoBuild } from './compare/staged-builds.js';
import { environmentOf } from './environment.js';
import { groups } from './groups/index.js';
import { canCollectGarbage } from './heap.js';
import { measure, type Effort, type Finding } from './measure.js';
import { observe, type BenchReport, type GroupReport } from './report.js';
import { renderEnvironment, renderGroup, renderLoad } from './table.js';
import { packagesOf, type Group } from './workload.js';

const USAGE = `pnpm bench [--only GROUP[,GROUP…]] [--runs N] [--quick] [--json FILE] [--compare BASE]

  --only GROUP    some groups only: ${groups.map(({ name }) => name).join(', ')}
  --runs N        how many turns each contender gets (default: 5; with --compare, how often each build runs: 7)
  --quick         short turns, for a first impression
  --json FILE     writes what was measured to a file as well
  --compare BASE  instead of the peers, another build of taskscope: a git revision, or a folder with built packages
  --help          shows this`;

const FULL: Effort = { runs: 5, time: 100, warmup: 100 };
const QUICK: Effort = { runs: 3, time: 25, warmup: 25 };

const { only, quick, json, base, effort, comparisons } = readOptions(
  USAGE,
  {
    only: { type: 'string', multiple: true },
    runs: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    compare: { type: 'string' },
  },
  (values) => {
    const usual = values.quick ? QUICK : FULL;
    const comparisons = count('--runs', values.runs, values.quick ? 5 : 7);
    if (values.compare !== undefined && comparisons < 2) throw new Error('--compare takes two runs or more');
    return {
      only: choose(groups, values.only),
      quick: values.quick,
      json: values.json,
      base: values.compare,
      effort: { ...usual, runs: count('--runs', values.runs, usual.runs) },
      comparisons,
    };
  },
);
requireBuild();

if (base === undefined) writeReport(json, await measureGroups());
else
  writeReport(
    json,
    await compareBuilds(base, only, { ...effort, runs: comparisons }, quick).catch(endWithMessage),
  );

async function measureGroups(): Promise<BenchReport> {
  const contenders = only.flatMap(({ workloads }) => workloads.flatMap((workload) => workload.contenders));
  const environment = environmentOf([...packagesOf(contenders), 'tinybench']);
  console.log(renderEnvironment(environment));
  if (!canCollectGarbage) console.log('Memory is not measured: that takes --expose-gc.\n');
  const circumstances = observe(environment, quick);
  const reports: GroupReport[] = [];
  for (const group of only) {
    const findings = await measureGroup(group).catch(endWithMessage);
    reports.push({ group: group.name, title: group.title, notes: group.notes, findings });
    if (findings.length > 0) console.log(renderGroup(group, findings));
  }
  const report = { ...circumstances(), effort, groups: reports };
  console.log(renderLoad(report));
  return report;
}

async function measureGroup({ workloads }: Group): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const workload of workloads) {
    const finding = await measure(workload, effort);
    if (finding !== undefined) findings.push(finding);
  }
  return findings;
}

/** What is clear without a stack. */
function endWithMessage(error: unknown): never {
  if (error instanceof WrongResult || error instanceof NoBuild) end(error.message);
  throw error;
}
