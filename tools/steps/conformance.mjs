import { node } from '../exec.mjs';

/** The programs of conformance/, whose traces are the real Trio's. */
export const conformance = {
  name: 'conformance',
  about: 'programs that must behave as they do under Trio',
  streams: true,
  run: async () => {
    const args = ['--conditions=@taskscope/source', '--import', 'tsx', 'conformance/src/main.ts'];
    const { ok, output } = await node(args, { stream: process.stdout });
    const totals = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
    if (totals === undefined)
      return { passed: 0, failed: 1, output: 'It did not end with `N passed, N failed`.' };
    const failed = Number(totals[2]);
    return { passed: Number(totals[1]), failed: ok ? failed : Math.max(failed, 1) };
  },
};
