// `npm run example -- NAME [ARGUMENTS…]`: runs one of the programs in examples/.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkNode } from './check-node.mjs';
import { root } from './exec.mjs';

checkNode();

const examples = readdirSync(join(root, 'examples')).filter((name) =>
  existsSync(join(root, 'examples', name, 'src', 'main.ts')),
);
const [name, ...args] = process.argv.slice(2);

if (name === undefined || !examples.includes(name)) {
  if (name !== undefined) console.error(`There is no example "${name}".`);
  console.error(`npm run example -- NAME [ARGUMENTS…], where NAME is one of: ${examples.join(', ')}`);
  process.exitCode = 2;
} else {
  const { installDependencies } = await import('./bootstrap.mjs');
  const { runProgram } = await import('./run-program.mjs');
  if (await installDependencies()) await runProgram(`examples/${name}/src/main.ts`, args);
  else process.exitCode = 1;
}
