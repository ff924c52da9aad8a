import { tool } from '../exec.mjs';
import { asOneTest } from './result.mjs';

export const format = {
  name: 'format',
  about: 'oxfmt --check (`pnpm format` mends it)',
  run: async () => asOneTest(await tool('oxfmt', ['--check'])),
};
