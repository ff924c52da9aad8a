/** The pool under shuffled schedules: whoever is quicker, nothing is lost. */

import { moveOnAfter, sleep, taskGroup } from '@taskscope/core';
import { fuzzSchedule } from '@taskscope/testing';
import { expect, test } from 'vitest';
import { CLOSING, FakeServer, OPENING } from './fake-connections.fixture.js';
import { ConnectionPool } from './pool.js';

const SEEDS = Array.from({ length: 50 }, (_, seed) => seed);

test.each(SEEDS)('nothing is lost, seed %i', async (seed) => {
  const server = new FakeServer();
  server.failures.push(undefined, new Error('refused'));
  let failed = 0;

  await fuzzSchedule(seed, () =>
    ConnectionPool.use(server.options({ maxSize: 3, idleTimeout: OPENING }), async (pool) => {
      await taskGroup((tg) => {
        for (let i = 0; i < 12; i++) {
          tg.startSoon(async () => {
            // Times at which others open, close, release and give up.
            await sleep((i % 4) * CLOSING);
            await moveOnAfter(i % 3 === 0 ? OPENING : null, async () => {
              try {
                using lease = await pool.acquire();
                await sleep((i % 2) * CLOSING);
                if (i % 5 === 4) lease.connection.isUsable = false;
              } catch (error) {
                if (!(error instanceof Error) || error.message !== 'refused') throw error;
                failed++;
              }
            });
          });
        }
      });
      const { leased, tasksWaiting, size, idle, opening } = pool.statistics();
      expect({ leased, tasksWaiting }).toEqual({ leased: 0, tasksWaiting: 0 });
      expect(idle + opening).toBeLessThanOrEqual(size);
      // It is still of use.
      await taskGroup((tg) => {
        for (let i = 0; i < 3; i++) tg.startSoon(() => pool.run(() => sleep(1)));
      });
    }),
  );
  expect(server.connections).toBe(0);
  expect(server.peak).toBeLessThanOrEqual(3);
  expect(failed).toBeLessThanOrEqual(1);
});
