import { projects } from '../projects.mjs';
import { tool } from '../exec.mjs';
import { asOneTest } from './result.mjs';

/** Type-checks what is not built: tests, tools, examples. */
export const types = {
  name: 'types',
  about: 'type-check of tests, tools and examples',
  run: async () => asOneTest(await tool('typescript', ['-b', ...projects('tsconfig.json')], { bin: 'tsc' })),
};
