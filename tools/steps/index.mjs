// The steps of `npm test`, in the order in which they run. Each is an object with `name`, `about` and `run` (see
// tools/test.mjs); a new one is registered here and nowhere else.

import { browser } from './browser.mjs';
import { build } from './build.mjs';
import { conformance } from './conformance.mjs';
import { docs } from './docs.mjs';
import { format } from './format.mjs';
import { lint } from './lint.mjs';
import { mutants } from './mutants.mjs';
import { packages } from './packages.mjs';
import { site } from './site.mjs';
import { size } from './size.mjs';
import { smoke } from './smoke.mjs';
import { types } from './types.mjs';
import { vitest } from './vitest.mjs';

/** @type {import('../test.mjs').Step[]} */
export const steps = [
  build,
  types,
  docs,
  lint,
  format,
  smoke,
  browser,
  vitest,
  conformance,
  mutants,
  packages,
  size,
  site,
];
