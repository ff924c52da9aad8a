import { projects } from '../projects.mjs';
import { tool } from '../exec.mjs';
import { asOneTest } from './result.mjs';

/** Builds every package into its `dist`. */
export const build = {
  name: 'build',
  about: 'tsc -b of the packages',
  run: async () =>
    asOneTest(await tool('typescript', ['-b', ...projects('tsconfig.build.json')], { bin: 'tsc' })),
};
