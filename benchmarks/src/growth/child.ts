/** Measures one thing at one size, for `main.ts`, which reads the finding from the standard output. */

import process from 'node:process';

import { measure, type Effort } from '../measure.js';
import { growths, SIZES } from './workloads.js';

const [name, size, json] = process.argv.slice(2);
const growth = growths.find((each) => each.name === name);
if (growth === undefined) throw new Error(`There is no "${name}"`);
const effort = JSON.parse(json!) as Effort;
// Warms up with few: the compiler needs no more, and a million of them take long.
await measure(growth.at(SIZES[0]), { ...effort, runs: 1 });
console.log(JSON.stringify(await measure(growth.at(Number(size)), { ...effort, warmup: 0 })));
