/** The client with real sockets. */

import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { checkpoint, moveOnAfter, run } from '@taskscope/core';
import { expect, onTestFinished, test } from 'vitest';
import { DatabaseConnection } from './database.js';
import { ConnectionPool } from './pool.js';
import { startDatabase, type Delays, type ToyDatabase } from './server.js';

const never = 60_000;

async function start(delays: Partial<Delays> = {}): Promise<ToyDatabase> {
  const database = await startDatabase({ accept: 0, answer: 0, ...delays });
  onTestFinished(() => database[Symbol.dispose]());
  return database;
}

test('asks, is answered, and says goodbye', async () => {
  const database = await start();
  const connection = await DatabaseConnection.open(database.port);
  expect(await connection.query('hello')).toBe('hello (connection 1)');
  expect(await connection.query('again')).toBe('again (connection 1)');
  expect(connection.isUsable).toBe(true);
  await connection.close();
  expect(connection.isUsable).toBe(false);
  await expect(connection.query('hello')).rejects.toThrow('the database has closed the connection');
  await connection.close();
  await expect.poll(() => database.connections).toBe(0);
});

test('a query that is cancelled destroys the connection', async () => {
  const database = await start({ answer: never });
  const connection = await DatabaseConnection.open(database.port);
  const scope = moveOnAfter(10);
  await scope.run(() => connection.query('hello'));
  expect(scope.cancelledCaught).toBe(true);
  expect(connection.isUsable).toBe(false);
  await expect.poll(() => database.connections).toBe(0);
});

test('connecting that is cancelled leaves no socket', async () => {
  const database = await start({ accept: never });
  const scope = moveOnAfter(20);
  await scope.run(() => DatabaseConnection.open(database.port));
  expect(scope.cancelledCaught).toBe(true);
  await expect.poll(() => database.connections).toBe(0);
});

test('a goodbye that is cancelled destroys the connection', async () => {
  // It does not hear, so it never says goodbye.
  const deaf = createServer({ allowHalfOpen: true }, (socket) => {
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {}).write('ready\n');
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void deaf.close());
  await once(deaf, 'listening');
  const connection = await DatabaseConnection.open((deaf.address() as AddressInfo).port);
  const scope = moveOnAfter(10);
  await scope.run(() => connection.close());
  expect(scope.cancelledCaught).toBe(true);
  expect(connection.isUsable).toBe(false);
});

test('the server goes in the middle of a query', async () => {
  const database = await start({ answer: never });
  const connection = await DatabaseConnection.open(database.port);
  const query = connection.query('hello');
  database[Symbol.dispose]();
  // Depending on what was on the way, the operating system says so itself.
  await expect(query).rejects.toThrow(/the database has closed the connection|ECONNRESET/);
  expect(connection.isUsable).toBe(false);
});

test('nobody listens', async () => {
  const database = await start();
  database[Symbol.dispose]();
  await expect(DatabaseConnection.open(database.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('the pool replaces a connection whose query was cancelled', async () => {
  const database = await start({ answer: 20 });
  const options = {
    maxSize: 1,
    open: () => DatabaseConnection.open(database.port),
    close: (connection: DatabaseConnection) => connection.close(),
    isUsable: (connection: DatabaseConnection) => connection.isUsable,
  };
  await ConnectionPool.use(options, async (pool) => {
    {
      using lease = await pool.acquire();
      const scope = moveOnAfter(1);
      await scope.run(() => lease.connection.query('never mind'));
      expect(scope.cancelledCaught).toBe(true);
    }
    // Its own answer, not that of the query before.
    expect(await pool.run((connection) => connection.query('hello'))).toMatch(/^hello/);
  });
});

test('what happens on a connection belongs to nobody who has used it', async () => {
  const database = await start();
  await run(
    async () => {
      const connection = await moveOnAfter(never, () => DatabaseConnection.open(database.port));
      // With `escapes: 'error'`, a wait in the scope that was left would fail.
      expect(await connection!.query('hello')).toMatch(/^hello/);
      await checkpoint();
      await connection!.close();
    },
    { escapes: 'error' },
  );
});
