/** `pnpm bench:growth`: what an operation costs when there are a thousand, and when there are a million. */

import { choose, readOptions, requireBuild, writeReport } from '../command-line.js';
import { environmentOf } from '../environment.js';
import { launch } from '../launch.js';
import type { Effort, Finding } from '../measure.js';
import { observe, type Series } from '../report.js';
import { alignColumns, formatNumber, formatRatio, renderEnvironment, renderLoad } from '../table.js';
import { packagesOf } from '../workload.js';
import { growths, SIZES, type Growth } from './workloads.js';

const USAGE = `pnpm bench:growth [--only NAME[,NAME…]] [--quick] [--json FILE]

  --only NAME    some only: ${growths.map(({ name }) => name).join(', ')}
  --quick        fewer and shorter turns, for a first impression
  --json FILE    writes what was measured to a file as well
  --help         shows this`;

const FULL: Effort = { runs: 3, time: 100, warmup: 200 };
const QUICK: Effort = { runs: 1, time: 50, warmup: 100 };

/** A million tasks, and what they are compared with, take less than this. */
const MEGABYTES = 12_000;

const { only, quick, json } = readOptions(
  USAGE,
  {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
  (values) => ({ only: choose(growths, values.only), quick: values.quick, json: values.json }),
);
requireBuild();
const environment = environmentOf([...packagesOf(growths[0]!.at(1).contenders), 'tinybench']);
console.log(renderEnvironment(environment));
console.log(
  'Nanoseconds an operation of taskscope, times those of the floor, and the medium half of the samples.\n',
);
const circumstances = observe(environment, quick);
const series: Series[] = [];
for (const growth of only) {
  const found = await measureGrowth(growth, quick ? QUICK : FULL);
  series.push(found);
  console.log(renderSeries(found));
}
const report = { ...circumstances(), series };
console.log(renderLoad(report));
writeReport(json, report);

/** Each size in a process of its own: a heap that was once large is another one. */
async function measureGrowth(growth: Growth, effort: Effort): Promise<Series> {
  const points: Series['points'][number][] = [];
  const child = new URL('./child.ts', import.meta.url);
  for (const size of SIZES) {
    const args = [growth.name, `${size}`, JSON.stringify(effort)];
    const { rows } = JSON.parse(await launch(child, args, { megabytes: MEGABYTES })) as Finding;
    points.push({ size, taskscope: rows[0]!, floor: rows[1]! });
  }
  const { operation } = growth.at(1);
  return { name: growth.name, title: growth.title, floor: growth.floor, operation, points };
}

function renderSeries({ title, floor, operation, points }: Series): string {
  const lines = points.map(({ size, taskscope, floor: bare }) => [
    `  ${size.toLocaleString('en-US')}`,
    formatNumber(taskscope.median),
    `× ${formatRatio(taskscope.median / bare.median)}`,
    `${formatNumber(taskscope.p25)} – ${formatNumber(taskscope.p75)}`,
  ]);
  return [`${title}, for each ${operation}; the floor: ${floor}`, ...alignColumns(lines), ''].join('\n');
}
