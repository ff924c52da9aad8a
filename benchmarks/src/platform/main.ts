/** `pnpm bench:platform`: what the operations cost that taskscope is made of, on this runtime. */

import { Bench } from 'tinybench';

import { readOptions, writeReport } from '../command-line.js';
import { environmentOf } from '../environment.js';
import { canCollectGarbage, collectGarbage, heapUsed } from '../heap.js';
import { observe, type PlatformReport, type Spread } from '../report.js';
import { median, quantile } from '../statistics.js';
import { alignColumns, formatNumber, renderEnvironment, renderLoad } from '../table.js';
import { inContext, operations, pending, type Operation, type Pending } from './operations.js';

const USAGE = `pnpm bench:platform [--quick] [--json FILE]

  --quick        short turns, for a first impression
  --json FILE    writes what was measured to a file as well
  --help         shows this`;

const COUNT = 10_000;

const { quick, json } = readOptions(
  USAGE,
  { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
  (values) => ({ quick: values.quick, json: values.json }),
);
const environment = environmentOf(['tinybench']);
console.log(renderEnvironment(environment));
const circumstances = observe(environment, quick);
const times: Spread[] = [];
for (const operation of operations) times.push(await time(operation, quick ? 50 : 500));
const memory: Spread[] = [];
if (canCollectGarbage) for (const each of pending) memory.push(await weigh(each, quick ? 2 : 5));
const report: PlatformReport = { ...circumstances(), times, memory };
const lines = [
  ...times.map((each) => ({ ...each, unit: 'ns' })),
  ...memory.map((each) => ({ ...each, unit: 'bytes' })),
];
console.log(
  alignColumns(
    lines.map(({ name, median: middle, p25, p75, unit }) => [
      name,
      `${formatNumber(middle)} ${unit}`,
      `${formatNumber(p25)} – ${formatNumber(p75)}`,
    ]),
  ).join('\n'),
);
console.log(renderLoad(report));
writeReport(json, report);

async function time({ name, repeat }: Operation, milliseconds: number): Promise<Spread> {
  collectGarbage();
  const bench = new Bench({
    time: milliseconds,
    warmupTime: milliseconds / 4,
    retainSamples: true,
    throws: true,
  });
  const once = (): Promise<void> =>
    inContext(async () => {
      const done = await repeat(COUNT);
      if (done !== COUNT) throw new Error(`"${name}" was done ${done} times, not ${COUNT}`);
    });
  bench.add(name, once, { async: true });
  const [task] = await bench.run();
  const result = task?.result;
  if (result === undefined || !('latency' in result) || result.latency.samples === undefined) {
    throw new Error(`"${name}" was not measured: ${result?.state}`);
  }
  return spreadOf(
    name,
    result.latency.samples.map((sample) => (sample * 1e6) / COUNT),
  );
}

async function weigh({ name, begin }: Pending, turns: number): Promise<Spread> {
  const samples: number[] = [];
  for (let turn = 0; turn <= turns; turn++) {
    const before = await heapUsed();
    const end = begin(COUNT);
    const after = await heapUsed();
    const ended = await end();
    if (ended !== COUNT) throw new Error(`"${name}" ended ${ended} times, not ${COUNT}`);
    // What is only there once is no part of it.
    if (turn > 0) samples.push((after - before) / COUNT);
  }
  return spreadOf(name, samples);
}

function spreadOf(name: string, samples: readonly number[]): Spread {
  return { name, median: median(samples), p25: quantile(samples, 0.25), p75: quantile(samples, 0.75) };
}
