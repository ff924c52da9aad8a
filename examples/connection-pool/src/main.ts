/** Uses a pool of two connections, and tells what happens. See README.md for what to look at. */

import { currentTime, isCancelled, moveOnAfter, run, sleep, taskGroup } from '@taskscope/core';
import { DatabaseConnection } from './database.js';
import { ConnectionPool } from './pool.js';
import { startDatabase } from './server.js';

async function main(): Promise<void> {
  using database = await startDatabase({ accept: 50, answer: 100 });
  const options = {
    open: () => DatabaseConnection.open(database.port),
    close: (connection: DatabaseConnection) => connection.close(),
    isUsable: (connection: DatabaseConnection) => connection.isUsable,
    maxSize: 2,
    idleTimeout: 200,
  };
  const began = currentTime();
  const tell = (who: string, what: string): void => {
    console.log(`${(currentTime() - began).toFixed(0).padStart(5)} ms  ${who.padEnd(6)} ${what}`);
  };

  await ConnectionPool.use(options, async (pool) => {
    /** Someone who asks the database something, with a running commentary. */
    async function ask(who: string): Promise<void> {
      let state = 'waiting for a connection';
      try {
        tell(who, 'wants a connection');
        using lease = await pool.acquire();
        state = 'waiting for an answer';
        tell(who, 'has one, and asks');
        tell(who, `is answered: ${await lease.connection.query(`hello ${who}`)}`);
      } catch (error) {
        if (isCancelled(error)) tell(who, `is cancelled while ${state}`);
        throw error;
      }
    }
    const report = (): void => {
      const { size, idle, leased, opening } = pool.statistics();
      tell('', `POOL: ${size} of 2: ${leased} leased, ${idle} idle, ${opening} opening`);
    };

    await taskGroup(async (tg) => {
      // She is gone before the connection that is opened for her is there: it goes to Ben.
      tg.startSoon(() => moveOnAfter(30, () => ask('Ada')));
      tg.startSoon(ask, 'Ben');
      tg.startSoon(ask, 'Cleo');
      // He gives up while all are in use, and nothing is lost.
      tg.startSoon(() => moveOnAfter(100, () => ask('Dan')));
      tg.startSoon(ask, 'Eve');
      await sleep(10);
      report();
    });
    // He goes in the middle of a query. That connection is of no use to anybody any more.
    await moveOnAfter(50, () => ask('Finn'));
    await ask('Gina');
    report();
    await sleep(300);
    report();
  });
  tell('', `the pool is closed, and ${database.connections} connections are open`);
}

await run(main, { name: 'connection-pool' });
