// Runs one of the programs on a server runtime: `host.mjs PROGRAM MODE URL`. Written for Node, Bun and Deno. The last line of
// the output is the results as JSON. It ends by itself, or else the packages have left something behind.

import process from 'node:process';
import * as stream from 'node:stream';

const [program = '', mode, url = ''] = process.argv.slice(2);
const ambient = mode === 'ambient';

/** @type {import('./suite.js').TestResult[]} */
const unhandled = [];
process.on('unhandledRejection', (reason) => {
  const error = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
  unhandled.push({ name: 'no unhandled rejection', error });
});

const { runTests } = await import(program);
const results = await runTests({ ambient, url, ...(ambient && { node: { stream, process } }) });
await new Promise((resolve) => setTimeout(resolve, 50)); // by now every rejection without a handler is known
console.log(JSON.stringify([...results, ...unhandled]));
