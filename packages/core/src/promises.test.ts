import { describe, expect, test } from 'vitest';

import { throwing } from './failing.fixture.js';
import { CancelScope, run, sleepForever } from './index.js';
import { chain } from './lowlevel.js';
import { errorOf, unhandledRejections } from './observing.fixture.js';

describe('chain()', () => {
  test('goes on with the value, and passes on errors', async () => {
    expect(await chain(Promise.resolve(20), (n) => n + 1)).toBe(21);
    expect(await chain(Promise.resolve(20), (n) => Promise.resolve(n + 1))).toBe(21);
    const error = new Error('no');
    expect(await errorOf(chain(Promise.reject(error), () => 'tea'))).toBe(error);
    expect(await errorOf(chain(Promise.resolve(), throwing(error)))).toBe(error);
    expect(await errorOf(chain(Promise.resolve(), () => Promise.reject(error)))).toBe(error);
  });

  test.each<[string, (wait: () => Promise<never>) => Promise<unknown>]>([
    ['before', (wait) => chain(wait(), () => 'tea')],
    ['in what comes then', (wait) => chain(Promise.resolve(), () => wait())],
  ])('a cancellation that nobody looks at is silent: %s', async (_name, begin) => {
    const rejections = await unhandledRejections(() =>
      run(async () => {
        await new CancelScope().run(async (scope) => {
          void begin(() => sleepForever());
          await Promise.resolve();
          scope.cancel();
        });
      }),
    );
    expect(rejections).toEqual([]);
  });

  test('and so is the reason of the foreign signal, but no other error', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const error = new Error('no');
    const rejections = await unhandledRejections(async () => {
      void chain(sleepForever({ signal }), () => 'tea', signal);
      void chain(Promise.resolve(), () => sleepForever({ signal }), signal);
      await Promise.resolve();
      controller.abort(new Error('enough'));
      void chain(Promise.reject(error), () => 'tea', signal);
      void chain(Promise.resolve(), () => Promise.reject(error), signal);
    });
    expect(rejections).toEqual([error, error]);
  });
});
