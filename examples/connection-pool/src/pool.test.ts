/** The pool in virtual time, where every opening takes 10 ms and every closing 5. */

import {
  BrokenResourceError,
  CancelScope,
  cleanup,
  ClosedResourceError,
  currentTime,
  flattenErrors,
  InvalidStateError,
  isCancelled,
  moveOnAfter,
  sleep,
  sleepForever,
  taskGroup,
  TaskGroupError,
} from '@taskscope/core';
import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';
import { FakeServer, type FakeConnection } from './fake-connections.fixture.js';
import type { Lease } from './lease.js';
import { ConnectionPool, type PoolOptions } from './pool.js';

type Body = (pool: ConnectionPool<FakeConnection>, server: FakeServer) => Promise<void>;

/** A test with a pool; afterwards no connection may be left. */
function withPool(body: Body, options?: Partial<PoolOptions<FakeConnection>>): () => Promise<void> {
  return virtualTime(async () => {
    const server = new FakeServer();
    await ConnectionPool.use(server.options(options), (pool) => body(pool, server));
    expect(server.connections).toBe(0);
    expect(server.peak).toBeLessThanOrEqual(options?.maxSize ?? 2);
  });
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('lending', () => {
  test(
    'opens a connection when one is needed, and lends it again',
    withPool(async (pool, server) => {
      expect(pool.statistics()).toEqual({ size: 0, opening: 0, idle: 0, leased: 0, tasksWaiting: 0 });
      for (let i = 0; i < 3; i++) {
        using lease = await pool.acquire();
        expect(lease.connection.number).toBe(1);
        expect(currentTime()).toBe(10);
        expect(pool.statistics()).toEqual({ size: 1, opening: 0, idle: 0, leased: 1, tasksWaiting: 0 });
      }
      expect(pool.statistics()).toEqual({ size: 1, opening: 0, idle: 1, leased: 0, tasksWaiting: 0 });
      expect(server.events).toEqual(['opened 1']);
    }),
  );

  test(
    'the one that was used last comes first',
    withPool(async (pool) => {
      const one = await pool.acquire();
      const two = await pool.acquire();
      two.release();
      one.release();
      using again = await pool.acquire();
      expect(again.connection.number).toBe(1);
    }),
  );

  test(
    'who has waited longest is served first, and nobody gets more than there are',
    withPool(async (pool) => {
      const served: [string, number][] = [];
      await taskGroup((tg) => {
        for (const name of ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve']) {
          tg.startSoon(async () => {
            using _ = await pool.acquire();
            served.push([name, currentTime()]);
            expect(pool.statistics().leased).toBeLessThanOrEqual(2);
            await sleep(100);
          });
        }
      });
      expect(served).toEqual([
        ['Ada', 10],
        ['Ben', 10],
        ['Cleo', 110],
        ['Dan', 110],
        ['Eve', 210],
      ]);
    }),
  );

  test(
    'run() gives back, whether it goes well or not',
    withPool(async (pool) => {
      expect(await pool.run(({ number }) => number)).toBe(1);
      await expect(pool.run(() => Promise.reject(new RangeError('no')))).rejects.toThrow(RangeError);
      await moveOnAfter(1, () => pool.run(() => sleepForever()));
      expect(pool.statistics()).toMatchObject({ idle: 1, leased: 0 });
    }),
  );

  test(
    'a lease is given back once, and then shows no connection any more',
    withPool(async (pool) => {
      const lease = await pool.acquire();
      lease.release();
      using other = await pool.acquire();
      lease.release();
      lease.discard();
      expect(() => lease.connection).toThrow(InvalidStateError);
      expect(pool.statistics()).toMatchObject({ leased: 1, idle: 0 });
      expect(other.connection.number).toBe(1);
    }),
  );
});

describe('cancellation', () => {
  test(
    'who waits in the queue leaves no trace',
    withPool(
      async (pool) => {
        using lease = await pool.acquire();
        const scope = moveOnAfter(50);
        await scope.run(() => pool.acquire());
        expect(scope.cancelledCaught).toBe(true);
        expect(pool.statistics()).toEqual({ size: 1, opening: 0, idle: 0, leased: 1, tasksWaiting: 0 });
        lease.release();
        expect(pool.statistics()).toMatchObject({ leased: 0, idle: 1 });
      },
      { maxSize: 1 },
    ),
  );

  test(
    'who is cancelled while a connection is opened does not take it along',
    withPool(
      async (pool, server) => {
        await taskGroup((tg) => {
          tg.startSoon(() => moveOnAfter(4, () => pool.acquire()));
          tg.startSoon(async () => {
            await sleep(1);
            using lease = await pool.acquire();
            // Opened for the first, who is gone; else it would have begun at 4.
            expect([lease.connection.number, currentTime()]).toEqual([1, 10]);
          });
        });
        expect(server.events).toEqual(['opened 1']);
      },
      { maxSize: 1 },
    ),
  );

  test(
    'nobody else wants it: it is idle until somebody comes',
    withPool(async (pool) => {
      await moveOnAfter(4, () => pool.acquire());
      expect(pool.statistics()).toMatchObject({ opening: 1, idle: 0 });
      await sleep(6);
      await waitAllTasksBlocked();
      expect(pool.statistics()).toMatchObject({ opening: 0, idle: 1 });
    }),
  );

  test(
    'handed over, and cancelled in the same moment: it is had, and given back',
    withPool(
      async (pool) => {
        const lease = await pool.acquire();
        const scope = new CancelScope();
        await taskGroup(async (tg) => {
          tg.startSoon(() =>
            scope.run(async () => {
              using got = await pool.acquire();
              expect(got.connection.number).toBe(1);
              await sleepForever();
            }),
          );
          await waitAllTasksBlocked();
          lease.release();
          scope.cancel();
        });
        expect(scope.cancelledCaught).toBe(true);
        expect(pool.statistics()).toMatchObject({ leased: 0, idle: 1 });
      },
      { maxSize: 1 },
    ),
  );

  test(
    'cancelled, and given back in the same moment: the next one has it',
    withPool(
      async (pool) => {
        const lease = await pool.acquire();
        const scope = new CancelScope();
        await taskGroup(async (tg) => {
          tg.startSoon(() => scope.run(() => pool.acquire()));
          const next = tg.startSoon(() => pool.run(({ number }) => number));
          await waitAllTasksBlocked();
          scope.cancel();
          lease.release();
          expect(await next.result()).toBe(1);
        });
      },
      { maxSize: 1 },
    ),
  );

  test(
    'in a cancelled scope nothing is begun',
    withPool(async (pool) => {
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        expect(await failure(pool.acquire())).toSatisfy(isCancelled);
        expect(pool.statistics().size).toBe(0);
      });
    }),
  );

  test(
    'a foreign signal ends the wait with its reason',
    withPool(async (pool) => {
      const controller = new AbortController();
      const reasons = [
        failure(pool.acquire({ signal: controller.signal })),
        failure(pool.run(() => {}, { signal: controller.signal })),
      ];
      controller.abort('enough');
      expect(await Promise.all(reasons)).toEqual(['enough', 'enough']);
      expect(pool.statistics().tasksWaiting).toBe(0);
    }),
  );
});

describe('connections that fail', () => {
  test(
    'the one who waits is told, and others are not',
    withPool(
      async (pool, server) => {
        const error = new Error('connection refused');
        server.failures.push(error);
        const results = await Promise.all([failure(pool.acquire()), pool.run(({ number }) => number)]);
        expect(results).toEqual([error, 1]);
        expect(currentTime()).toBe(20);
      },
      { maxSize: 1 },
    ),
  );

  test(
    'nobody is told when another one is opened for each who waits',
    withPool(async (pool, server) => {
      server.failures.push(new Error('connection refused'));
      await taskGroup((tg) => {
        tg.startSoon(() => moveOnAfter(4, () => pool.acquire()));
        tg.startSoon(() => pool.run(({ number }) => expect(number).toBe(1)));
      });
      expect(pool.statistics()).toMatchObject({ size: 1, idle: 1 });
    }),
  );

  test(
    'and nobody at all when nobody waits any more',
    withPool(async (pool, server) => {
      server.failures.push(new Error('connection refused'));
      await moveOnAfter(4, () => pool.acquire());
      await sleep(20);
      expect(pool.statistics().size).toBe(0);
    }),
  );

  test(
    'one that became useless while it was out is replaced',
    withPool(
      async (pool, server) => {
        const lease = await pool.acquire();
        await taskGroup((tg) => {
          tg.startSoon(() => pool.run(({ number }) => expect(number).toBe(2)));
          tg.startSoon(() => {
            lease.connection.isUsable = false;
            lease.release();
          });
        });
        // Not before the first was closed: there is room for one.
        expect(currentTime()).toBe(25);
        expect(server.events).toEqual(['opened 1', 'closed 1', 'opened 2']);
      },
      { maxSize: 1 },
    ),
  );

  test(
    'one that became useless while it was idle, too',
    withPool(async (pool) => {
      const lease = await pool.acquire();
      const { connection } = lease;
      lease.release();
      connection.isUsable = false;
      expect(await pool.run(({ number }) => number)).toBe(2);
    }),
  );

  test(
    'one that is discarded is closed',
    withPool(async (pool, server) => {
      using lease = await pool.acquire();
      lease.discard();
      await sleep(5);
      await waitAllTasksBlocked();
      expect(server.events).toEqual(['opened 1', 'closed 1']);
      expect(pool.statistics().size).toBe(0);
    }),
  );
});

describe('idle connections', () => {
  test(
    'are closed after a while, each at its time',
    withPool(
      async (pool, server) => {
        const leases: Lease<FakeConnection>[] = [await pool.acquire(), await pool.acquire()];
        leases[0]!.release(); // at 20
        await sleep(30);
        leases[1]!.release(); // at 50
        await sleep(90); // until 140
        expect(server.events).toEqual(['opened 1', 'opened 2', 'closed 1']);
        await sleep(16);
        expect(server.events).toEqual(['opened 1', 'opened 2', 'closed 1', 'closed 2']);
        expect(pool.statistics().size).toBe(0);
      },
      { idleTimeout: 100 },
    ),
  );

  test(
    'and not if they are used in the meantime',
    withPool(
      async (pool, server) => {
        for (let i = 0; i < 10; i++) {
          await pool.run(() => sleep(10));
          await sleep(99);
        }
        expect(server.events).toEqual(['opened 1']);
      },
      { idleTimeout: 100 },
    ),
  );
});

describe('the end', () => {
  test(
    'close() waits for those that are out, and those who wait are told',
    withPool(
      async (pool, server) => {
        const lease = await pool.acquire();
        await taskGroup(async (tg) => {
          const waiting = tg.startSoon(() => failure(pool.acquire()));
          await waitAllTasksBlocked();
          tg.startSoon(async () => {
            await sleep(100);
            lease.release();
          });
          await pool.close();
          expect(currentTime()).toBe(115);
          expect(await waiting.result()).toBeInstanceOf(ClosedResourceError);
        });
        expect(server.connections).toBe(0);
        await expect(pool.acquire()).rejects.toThrow(ClosedResourceError);
        await pool.close();
      },
      { maxSize: 1 },
    ),
  );

  test(
    'close() of a pool that was never used',
    withPool(async (pool) => {
      await pool.close();
      expect(currentTime()).toBe(0);
    }),
  );

  test(
    'a connection that is being opened is not waited for',
    withPool(async (pool) => {
      const waiting = failure(pool.acquire());
      await sleep(1);
      await pool.close();
      expect(currentTime()).toBe(1);
      expect(await waiting).toBeInstanceOf(ClosedResourceError);
    }),
  );

  test(
    'a close() that is cancelled has closed the pool all the same',
    withPool(async (pool) => {
      const lease = await pool.acquire();
      const scope = moveOnAfter(10);
      await scope.run(() => pool.close());
      expect(scope.cancelledCaught).toBe(true);
      await expect(pool.acquire()).rejects.toThrow(ClosedResourceError);
      lease.release();
    }),
  );

  test(
    'when the body fails, those that are out are closed',
    virtualTime(async () => {
      const server = new FakeServer();
      let stray: Lease<FakeConnection> | undefined;
      const using = ConnectionPool.use(server.options(), async (pool) => {
        stray = await pool.acquire();
        throw new RangeError('no');
      });
      const error = await failure(using);
      expect(error).toBeInstanceOf(TaskGroupError);
      expect(flattenErrors(error)).toEqual([new RangeError('no')]);
      expect(server.events).toEqual(['opened 1', 'closed 1']);
      stray!.release(); // Nothing happens.
    }),
  );

  test(
    'when it is cancelled, too, and who waits from outside is told',
    virtualTime(async () => {
      const server = new FakeServer();
      let pool: ConnectionPool<FakeConnection> | undefined;
      await taskGroup(async (tg) => {
        const scope = moveOnAfter(5);
        tg.startSoon(async () => {
          await sleep(1);
          expect(await failure(pool!.acquire())).toBeInstanceOf(ClosedResourceError);
        });
        await scope.run(() =>
          ConnectionPool.use(server.options(), async (used) => {
            pool = used;
            using _ = await used.acquire();
          }),
        );
        expect(scope.cancelledCaught).toBe(true);
      });
      expect(server.connections).toBe(0);
    }),
  );

  test(
    'at once, even if the body takes its time to end',
    virtualTime(async () => {
      const server = new FakeServer();
      let pool: ConnectionPool<FakeConnection> | undefined;
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          await sleep(1);
          expect(await failure(pool!.acquire())).toBeInstanceOf(ClosedResourceError);
          expect(currentTime()).toBe(5);
        });
        await moveOnAfter(5, () =>
          ConnectionPool.use(server.options(), async (used) => {
            pool = used;
            try {
              await sleepForever();
            } finally {
              await cleanup(() => sleep(100));
            }
          }),
        );
      });
      expect(currentTime()).toBe(105);
    }),
  );

  test(
    'an error in closing is not lost',
    virtualTime(async () => {
      const error = new BrokenResourceError('no goodbye');
      const options = new FakeServer().options({ close: () => Promise.reject(error) });
      const using = ConnectionPool.use(options, (pool) => pool.run(() => {}));
      expect(flattenErrors(await failure(using))).toEqual([error]);
    }),
  );

  test(
    'a closing that hangs is given up after five seconds',
    virtualTime(async () => {
      const options = new FakeServer().options({ close: (_, { signal }) => sleepForever({ signal }) });
      await ConnectionPool.use(options, (pool) => pool.run(() => {}));
      expect(currentTime()).toBe(5_010);
    }),
  );

  test(
    'a foreign signal ends it all',
    virtualTime(async () => {
      const server = new FakeServer();
      const controller = new AbortController();
      const body = async (pool: ConnectionPool<FakeConnection>): Promise<string> => {
        using _ = await pool.acquire();
        controller.abort();
        await sleepForever();
        return 'never';
      };
      const { signal } = controller;
      expect(await ConnectionPool.use(server.options(), body, { signal })).toBeUndefined();
      expect(server.events).toEqual(['opened 1', 'closed 1']);
    }),
  );
});

test.each([
  [{ maxSize: 0 }, RangeError, 'maxSize'],
  [{ maxSize: 1.5 }, TypeError, 'maxSize'],
  [{ idleTimeout: Number.NaN }, RangeError, 'idleTimeout'],
])('bad options: %o', async (options, type, name) => {
  const using = ConnectionPool.use(new FakeServer().options(options), () => {});
  await expect(using).rejects.toThrow(type);
  await expect(using).rejects.toThrow(name);
});
