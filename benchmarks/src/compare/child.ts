/** Measures taskscope alone, for `compare-builds.ts`, which reads the medians from the standard output. */

import process from 'node:process';

import { groups } from '../groups/index.js';
import { canCollectGarbage } from '../heap.js';
import { takeTurn, type Effort } from '../measure.js';
import { median } from '../statistics.js';

const [only, effort] = process.argv.slice(2).map((argument) => JSON.parse(argument) as unknown) as [
  string[],
  Effort,
];
const medians: (number | null)[] = [];
for (const { name, workloads } of groups) {
  if (!only.includes(name)) continue;
  for (const workload of workloads) {
    const canMeasure = workload.measure !== 'memory' || canCollectGarbage;
    const samples = canMeasure ? await takeTurn(workload, workload.contenders[0]!, effort) : [];
    medians.push(canMeasure ? median(samples) : null);
  }
}
console.log(JSON.stringify(medians));
