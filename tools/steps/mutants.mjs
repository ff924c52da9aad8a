import { node } from '../exec.mjs';

/** One of each kind, so that it takes seconds: `pnpm mutants` tries all of them. */
const chosen = ['shield-ignored', 'waiter-not-removed', 'hand-over-skipped', 'filter-forgotten'];

export const mutants = {
  name: 'mutants',
  about:
    'mistakes made on purpose, which the traces or a test must notice (`pnpm mutants` makes all of them)',
  run: async () => {
    const args = ['--import', 'tsx', 'conformance/src/mutate.ts', ...chosen.flatMap((id) => ['--only', id])];
    const { ok, output } = await node(args);
    const failed = ok ? 0 : 1;
    return { passed: chosen.length - failed, failed, output: ok ? undefined : output };
  },
};
