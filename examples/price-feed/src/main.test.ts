/** The program as its users see it. */

import { createServer, type AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ask, ignore, listen } from './client.fixture.js';
import { startProgram, type Program } from '../../program.fixture.js';

vi.setConfig({ testTimeout: 60_000 });

async function startService(...args: string[]): Promise<{ program: Program; url: string }> {
  const program = startProgram(import.meta.url, 'main.ts', '--port', '0', ...args);
  await program.printed('Ctrl-C ends.');
  const [, url] = /(http:\S+)\/\. Ctrl-C/.exec(program.stdout())!;
  return { program, url: url! };
}

// On Windows, kill() ends a process without asking.
const signals = process.platform === 'win32' ? [] : (['SIGTERM', 'SIGINT'] as const);

test.each(signals)('serves live prices, and says goodbye at %s', async (signal) => {
  const { program, url } = await startService('--speed', '100');
  const client = await listen(`${url}/prices`);
  await client.next('hello');
  const symbols = new Set<unknown>();
  while (symbols.size < 8) symbols.add((await client.next('price'))['symbol']);
  expect((await ask(url)).body).toContain('<title>Price feed</title>');

  program.kill(signal);
  expect(await client.next('bye')).toEqual({});
  const { code, stdout, stderr } = await program.ended;
  expect(stdout).toMatch(/Saying goodbye\.\nEverybody is gone\.\n$/);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test.skipIf(process.platform === 'win32')('who does not go within the grace is cut off', async () => {
  // So quick that the buffers of the operating system are full soon.
  const { program, url } = await startService('--speed', '1e9', '--grace', '100');
  await ignore(`${url}/prices`);
  const isStuck = async (): Promise<boolean> => {
    const { streams } = JSON.parse((await ask(`${url}/stats`)).body) as {
      streams: { tasksWaitingSend: number }[];
    };
    return streams[0]?.tasksWaitingSend === 1;
  };
  await expect.poll(isStuck, { timeout: 40_000, interval: 50 }).toBe(true);
  program.kill('SIGTERM');
  const { code, stdout, stderr } = await program.ended;
  expect(stdout).toMatch(/Saying goodbye\.\nSome clients were cut off\.\n$/);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test.skipIf(process.platform === 'win32')('a second signal kills', async () => {
  const { program, url } = await startService('--speed', '1e9', '--grace', '600000');
  await ignore(`${url}/prices`);
  const streams = async (): Promise<unknown> => JSON.parse((await ask(`${url}/stats`)).body).streams;
  await expect
    .poll(streams, { timeout: 40_000, interval: 50 })
    .toEqual([expect.objectContaining({ tasksWaitingSend: 1 })]);
  program.kill('SIGINT');
  await program.printed('Saying goodbye.');
  program.kill('SIGINT');
  expect(await program.ended).toMatchObject({ code: null, signal: 'SIGINT' });
});

test('a port that is in use', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await new Promise((resolve) => other.on('listening', resolve));
  const { port } = other.address() as AddressInfo;
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', '--port', `${port}`).ended;
  expect(stderr).toBe(`error: cannot listen on 127.0.0.1, port ${port}: something else listens there\n`);
  expect(stdout).toBe('');
  expect(code).toBe(1);
});

test('an address that is not ours', async () => {
  const { code, stderr } = await startProgram(
    import.meta.url,
    'main.ts',
    '--port',
    '0',
    '--host',
    '192.0.2.1',
  ).ended;
  expect(stderr).toMatch(/^error: cannot listen on 192\.0\.2\.1, port 0: listen EADDRNOTAVAIL/);
  expect(code).toBe(1);
});

test('--help', async () => {
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', '--help').ended;
  expect(stdout).toMatch(/^Usage: price-feed \[options\]/);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('bad arguments', async () => {
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', '--port', 'http').ended;
  expect(stderr).toMatch(/^error: .*argument 'http' is invalid/);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});
