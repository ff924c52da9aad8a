// `npm start`: runs the main example, examples/find-duplicates, with the arguments given after `--`.

import { checkNode } from './check-node.mjs';

checkNode();

const { installDependencies } = await import('./bootstrap.mjs');
const { runProgram } = await import('./run-program.mjs');

if (await installDependencies()) {
  await runProgram('examples/find-duplicates/src/main.ts', process.argv.slice(2));
} else {
  process.exitCode = 1;
}
