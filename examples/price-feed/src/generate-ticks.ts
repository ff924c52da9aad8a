/** Writes data/ticks.csv. How its prices come about is told in random-walk.ts. */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { COMMITTED, generateTicks } from './random-walk.js';

const file = fileURLToPath(new URL('../data/ticks.csv', import.meta.url));
writeFileSync(file, generateTicks(COMMITTED));
console.log(`${file}: ${COMMITTED.rows} ticks, seed ${COMMITTED.seed}`);
