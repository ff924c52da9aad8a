/** The pool when somebody is cancelled, at every wait that there is. */

import { ClosedResourceError, isCancelled, sleep, taskGroup } from '@taskscope/core';
import { Event, Future } from '@taskscope/sync';
import { cancelEverywhere } from '@taskscope/testing';
import { expect, test, vi } from 'vitest';
import { FakeServer, type FakeConnection } from './fake-connections.fixture.js';
import { ConnectionPool } from './pool.js';

vi.setConfig({ testTimeout: 60_000 });

test('everything is cancelled: no connection is left', async () => {
  const { waits } = await cancelEverywhere(async () => {
    const server = new FakeServer();
    try {
      await ConnectionPool.use(server.options({ idleTimeout: 20 }), async (pool) => {
        await taskGroup((tg) => {
          for (let i = 0; i < 4; i++) tg.startSoon(() => pool.run(() => sleep(i * 10)));
        });
        const lease = await pool.acquire();
        await sleep(30);
        lease.discard();
      });
    } finally {
      expect(server.connections).toBe(0);
    }
  });
  expect(waits).toBeGreaterThan(15);
});

test('one of those who use it is cancelled, or the one who keeps it: the others come to their ends', async () => {
  const { waits } = await cancelEverywhere(() => {
    const server = new FakeServer();
    const ready = new Future<ConnectionPool<FakeConnection>>();
    const done = new Event();
    let users = 3;

    async function keep(): Promise<void> {
      try {
        await ConnectionPool.use(server.options(), async (pool) => {
          ready.setResult(pool);
          await done.wait();
          // All that was lent has been given back, whoever was cancelled.
          expect(pool.statistics()).toMatchObject({ leased: 0, tasksWaiting: 0 });
        });
      } finally {
        if (ready.status === 'pending') ready.setError(new ClosedResourceError('there is no pool'));
      }
    }

    async function use(): Promise<void> {
      try {
        const pool = await ready.result();
        using _ = await pool.acquire();
        await sleep(10);
      } catch (error) {
        if (isCancelled(error) || !(error instanceof ClosedResourceError)) throw error;
      } finally {
        if (--users === 0) done.set();
      }
    }

    return {
      tasks: [keep, use, use, use],
      check: () => expect(server.connections).toBe(0),
    };
  });
  expect(waits).toBeGreaterThan(5);
});
