/** `pnpm bench:page`: writes docs/benchmarks.md and its charts from the results in benchmarks/results. */

import { end } from '../command-line.js';
import { expectedPage, writePage } from './files.js';

const page = expectedPage() ?? end('There are no results yet: pnpm bench:all');
writePage(page);
console.log(`docs/benchmarks.md written, with ${page.charts.size} charts`);
