/** `pnpm bench`: measures what taskscope costs beside bare promises and other libraries. */

import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { problemWithBuild } from './built-packages.js';
import { WrongResult } from './check.js';
import { environmentOf, machineLoad } from './environment.js';
import { groups } from './groups/index.js';
import { canCollectGarbage } from './heap.js';
import { measure, type Effort, type Finding } from './measure.js';
import { taskscope } from './peers/taskscope.js';
import { renderEnvironment, renderGroup } from './table.js';
import type { Group } from './workload.js';

const USAGE = `pnpm bench [--only GROUP[,GROUP…]] [--runs N] [--quick] [--json FILE]

  --only GROUP   some groups only: ${groups.map(({ name }) => name).join(', ')}
  --runs N       how many turns each contender gets (default: 5)
  --quick        short turns, for a first impression
  --json FILE    writes what was measured to a file as well
  --help         shows this`;

const FULL: Effort = { runs: 5, time: 100, warmup: 250 };
const QUICK: Effort = { runs: 3, time: 25, warmup: 75 };

const { only, effort, json } = readArguments();
const problem = problemWithBuild(taskscope.packages, (specifier) => import.meta.resolve(specifier));
if (problem !== undefined) end(problem);

const environment = environmentOf(only);
console.log(renderEnvironment(environment));
if (!canCollectGarbage) console.log('Memory is not measured: that takes --expose-gc.\n');
const load = { before: machineLoad(), after: 0 };
const report: { group: string; title: string; notes: readonly string[]; findings: Finding[] }[] = [];
for (const group of only) {
  const findings = await measureGroup(group);
  report.push({ group: group.name, title: group.title, notes: group.notes, findings });
  if (findings.length > 0) console.log(renderGroup(group, findings));
}
load.after = machineLoad();
console.log(
  `Load of the machine: ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after, on ${environment.cores} cores.`,
);
if (json !== undefined) {
  const content = { date: new Date().toISOString(), environment, load, effort, groups: report };
  writeFileSync(json, `${JSON.stringify(content, undefined, 2)}\n`);
}

async function measureGroup({ workloads }: Group): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const workload of workloads) {
    try {
      const finding = await measure(workload, effort);
      if (finding !== undefined) findings.push(finding);
    } catch (error) {
      if (!(error instanceof WrongResult)) throw error;
      end(error.message);
    }
  }
  return findings;
}

/** What is asked for; a wrong argument ends the program with a message. */
function readArguments(): { only: readonly Group[]; effort: Effort; json: string | undefined } {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        runs: { type: 'string' },
        quick: { type: 'boolean' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) {
      console.log(USAGE);
      process.exit();
    }
    const usual = values.quick === true ? QUICK : FULL;
    const runs = values.runs === undefined ? usual.runs : Number(values.runs);
    if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs must be a whole number from 1 on');
    return { only: choose(values.only), effort: { ...usual, runs }, json: values.json };
  } catch (error) {
    return end(`${(error as Error).message}\n\n${USAGE}`, 2);
  }
}

function choose(only: readonly string[] | undefined): readonly Group[] {
  const names = only?.flatMap((list) => list.split(','));
  if (names === undefined) return groups;
  for (const name of names) {
    if (!groups.some((group) => group.name === name)) throw new Error(`There is no group "${name}".`);
  }
  return groups.filter(({ name }) => names.includes(name));
}

function end(message: string, code = 1): never {
  console.error(message);
  process.exit(code);
}
