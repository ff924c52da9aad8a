/** Browsers: nothing is ambient, and each wait is told its scope, or when to end, by `{ signal }`. */

import { CancelScope, currentTask, isCancelled, run, sleepForever, taskGroup } from '@taskscope/core';
import { expect, test, vi } from 'vitest';
import { ConnectionPool, type PoolOptions } from './pool.js';

vi.mock(
  '../../../packages/core/src/platform/node.js',
  () => import('../../../packages/core/src/platform/browser.js'),
);

interface Numbered {
  readonly number: number;
}

/** Counts what is opened and closed, at once. */
function server(): { readonly open: Set<Numbered>; readonly options: PoolOptions<Numbered> } {
  const open = new Set<Numbered>();
  let opened = 0;
  const options: PoolOptions<Numbered> = {
    maxSize: 1,
    open: async () => {
      const connection = { number: ++opened };
      open.add(connection);
      return connection;
    },
    close: (connection) => open.delete(connection),
  };
  return { open, options };
}

test('nothing is ambient', async () => {
  await run(() => expect(currentTask().id).toBe(0));
});

test('lends and hands over', async () => {
  const { open, options } = server();
  const numbers = await ConnectionPool.use(options, async (pool, { signal }) => {
    const lease = await pool.acquire({ signal });
    const next = pool.run(({ number }) => number, { signal });
    expect(pool.statistics()).toMatchObject({ leased: 1, tasksWaiting: 1 });
    lease.release();
    return [await next, open.size];
  });
  expect(numbers).toEqual([1, 1]);
  expect(open.size).toBe(0);
});

test('a wait is cancelled with the scope whose signal it is given', async () => {
  await ConnectionPool.use(server().options, async (pool, { signal }) => {
    using _ = await pool.acquire({ signal });
    const scope = new CancelScope({ signal });
    await scope.run(async () => {
      const waiting = pool.acquire({ signal: scope.signal });
      scope.cancel();
      expect(pool.statistics().tasksWaiting).toBe(0);
      await expect(waiting).rejects.toSatisfy(isCancelled);
      await pool.acquire({ signal: scope.signal });
    });
    expect(scope.cancelledCaught).toBe(true);
  });
});

test('so is an opening that hangs, with the pool', async () => {
  const options = {
    ...server().options,
    open: ({ signal }: { signal: AbortSignal }) => sleepForever({ signal }),
  };
  const scope = new CancelScope();
  await scope.run(() =>
    ConnectionPool.use(
      options,
      async (pool, { signal }) => {
        const waiting = pool.acquire({ signal });
        await Promise.resolve();
        expect(pool.statistics()).toMatchObject({ opening: 1, tasksWaiting: 1 });
        scope.cancel();
        await waiting;
      },
      { signal: scope.signal },
    ),
  );
  expect(scope.cancelledCaught).toBe(true);
});

test('the service that closes idle connections, and its end', async () => {
  const { open, options } = server();
  await ConnectionPool.use({ ...options, idleTimeout: 1 }, async (pool, { signal }) => {
    await pool.run(() => {}, { signal });
    // In real time: without anything ambient there is no virtual one.
    await expect.poll(() => open.size).toBe(0);
  });
});

test('a pool for the tasks of a group', async () => {
  const { open, options } = server();
  await ConnectionPool.use(options, (pool, { signal }) =>
    taskGroup(
      (tg) => {
        for (let i = 0; i < 5; i++) {
          tg.createTask((task) => pool.run(() => expect(open.size).toBe(1), { signal: task.signal }));
        }
      },
      { signal },
    ),
  );
  expect(open.size).toBe(0);
});
