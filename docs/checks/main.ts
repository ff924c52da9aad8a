/**
 * Checks the site that `npm run docs` has built: a step of `npm test`. Prints what is wrong and exits with 1 if anything is.
 */

import { undocumentedExports } from './api.js';
import { visibleProblems } from './browser.js';
import { brokenLinks, readSite } from './links.js';
import { misplacedPages } from './pages.js';

const site = readSite();
const problems = [
  ...misplacedPages(),
  ...undocumentedExports(site),
  ...brokenLinks(site),
  ...(await visibleProblems(site)),
];
console.log(problems.length === 0 ? `${site.pages.size} pages` : problems.join('\n'));
process.exitCode = problems.length === 0 ? 0 : 1;
