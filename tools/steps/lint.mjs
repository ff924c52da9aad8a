import { tool } from '../exec.mjs';
import { asOneTest } from './result.mjs';

export const lint = {
  name: 'lint',
  about: 'oxlint, with type-aware rules',
  run: async () => asOneTest(await tool('oxlint', [])),
};
