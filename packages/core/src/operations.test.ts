import { describe, expect, test } from 'vitest';

import { Cancelled, CancelScope } from './index.js';
import { refusal, scopeOfWait } from './lowlevel.js';

describe('a wait that authors of primitives begin', () => {
  test('may begin, without options and with a signal, unless its scope is cancelled', async () => {
    await new CancelScope().run(async (scope) => {
      const { signal } = new AbortController();
      const refusals = (): unknown[] => [
        refusal('example()', scopeOfWait('example()')),
        refusal('example()', scopeOfWait('example()', { signal }), { signal }),
      ];
      expect(refusals()).toEqual([undefined, undefined]);
      scope.cancel();
      for (const refused of refusals()) await expect(refused).rejects.toBeInstanceOf(Cancelled);
    });
  });

  test('may not begin when its signal has aborted', async () => {
    const signal = AbortSignal.abort('enough');
    await expect(refusal('example()', scopeOfWait('example()', { signal }), { signal })).rejects.toBe(
      'enough',
    );
  });
});
