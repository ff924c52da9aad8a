import { describe, expect, test } from 'vitest';

import { throwing } from './failing.fixture.js';
import { CancelScope, run, sleepForever } from './index.js';
import { callAndEnd, chain } from './lowlevel.js';
import { errorOf, unhandledRejections } from './observing.fixture.js';
import { ignore } from './promises.js';

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

describe('callAndEnd()', () => {
  test('calls in the call itself', () => {
    const record: string[] = [];
    void callAndEnd(
      () => void record.push('called'),
      () => void record.push('ended'),
    );
    expect(record).toEqual(['called']);
  });

  test.each<[string, () => unknown]>([
    ['a value', () => 'tea'],
    ['a promise', () => Promise.resolve('tea')],
    ['an error', throwing(new Error('no'))],
    ['a promise of an error', () => Promise.reject(new Error('no'))],
  ])('ends before anybody is told, and fails if that fails: %s', async (_what, fn) => {
    const record: string[] = [];
    const end = (): void => void record.push('ended');
    const told = (): void => void record.push('told');
    await callAndEnd(fn, end).then(told, told);
    expect(record).toEqual(['ended', 'told']);
    const broken = new Error('broken');
    expect(await errorOf(callAndEnd(fn, throwing(broken)))).toBe(broken);
  });

  test('passes on what it comes to', async () => {
    const error = new Error('no');
    expect(await callAndEnd(() => 'tea', ignore)).toBe('tea');
    expect(await callAndEnd(() => Promise.resolve('tea'), ignore)).toBe('tea');
    expect(await errorOf(callAndEnd(throwing(error), ignore))).toBe(error);
    expect(await errorOf(callAndEnd(() => Promise.reject(error), ignore))).toBe(error);
  });

  test('a cancellation that nobody looks at is silent, and so is the reason of the foreign signal, but no other error', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const error = new Error('no');
    const rejections = await unhandledRejections(() =>
      run(async () => {
        await new CancelScope().run(async (scope) => {
          void callAndEnd(() => sleepForever(), ignore);
          scope.cancel();
        });
        void callAndEnd(() => sleepForever({ signal }), ignore, signal);
        controller.abort(new Error('enough'));
        void callAndEnd(() => Promise.reject(error), ignore, signal);
      }),
    );
    expect(rejections).toEqual([error]);
  });
});
