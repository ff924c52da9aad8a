/** The program as its users see it. */

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startProgram, type Program } from '../../program.fixture.js';

vi.setConfig({ testTimeout: 60_000 });

test('shows all cases, and ends', async () => {
  // Other times than by default, for machines that are busy with other things.
  const args = ['--timeout', '1500', '--hedge-after', '10'];
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', ...args).ended;
  expect(stderr).toBe('');
  const cases = new Map(
    stdout
      .replaceAll(/^ *\d+ ms {2}(\w+) +/gm, '$1 ')
      .split('\n\n')
      .map((part) => part.trim().split('\n'))
      .map(([title, ...lines]) => [title!.split(':')[0]!, lines]),
  );
  const said = (title: string): string[] => cases.get(title)!;

  expect(said('GET /steady')).toContain('client has read: hello from steady');
  expect(said('GET /hedged')).toContain('sluggish is cancelled');
  expect(said('GET /hedged')).toContain('client has read: hello from steady');
  expect(said('GET /failover')).toEqual([
    'gone is asked',
    'gone fails',
    'steady is asked',
    'steady answers 200',
    'client is answered 200',
    'client has read: hello from steady',
  ]);
  expect(said('GET /hanging')).toContain('client is answered 504');
  expect(said('GET /hanging')).toContain('hanging sees that it was cancelled');
  expect(said('GET /broken')).toContain('client is answered 502');
  expect(said('GET /stalling')).toContain('client sees the answer break off');
  expect(said('POST /steady')).toContain('client has read: steady received 1000000 bytes');
  expect(said('GET /sluggish')).toContain('client is gone');
  expect(said('GET /sluggish')).toContain('sluggish sees that it was cancelled');
  expect(said('GET /large')).toContain('large sees that it was cancelled');
  expect(said('GET /sluggish while the proxy shuts down')).toContain('client has read: hello from sluggish');
  expect(stdout).toMatch(/\nNo request was cut off\.\n$/);
  expect(code).toBe(0);
});

async function startProxy(...args: string[]): Promise<{ program: Program; url: string }> {
  const program = startProgram(import.meta.url, 'main.ts', '--serve', '0', ...args);
  await program.printed('Ctrl-C ends.');
  return { program, url: /http:\S+(?=\/,)/.exec(program.stdout())![0] };
}

async function ask(url: string): Promise<string> {
  const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
  return text(response);
}

// On Windows, kill() ends a process without asking.
const signals = process.platform === 'win32' ? [] : (['SIGTERM', 'SIGINT'] as const);

test.each(signals)('%s: who has asked is answered', async (signal) => {
  const { program, url } = await startProxy('--grace', '50000');
  expect(await ask(`${url}/steady`)).toBe('hello from steady\n');
  const answer = ask(`${url}/sluggish`);
  await program.printed('sluggish  is asked');
  program.kill(signal);
  expect(await answer).toBe('hello from sluggish\n');
  const { code, stdout, stderr } = await program.ended;
  expect(stdout).toMatch(/\nNo request was cut off\.\n$/);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test.skipIf(process.platform === 'win32')('who is not answered within the grace is cut off', async () => {
  const { program, url } = await startProxy('--grace', '100', '--timeout', '600000');
  const answer = ask(`${url}/hanging`).catch((error: unknown) => error);
  await program.printed('hanging   is asked');
  program.kill('SIGTERM');
  expect(await answer).toMatchObject({ code: 'ECONNRESET' });
  const { code, stdout, stderr } = await program.ended;
  expect(stdout).toContain('hanging   is cancelled');
  expect(stdout).toMatch(/\nSome requests were cut off\.\n$/);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test.skipIf(process.platform === 'win32')('SIGTERM in the middle of the cases ends them', async () => {
  const program = startProgram(import.meta.url, 'main.ts', '--timeout', '600000');
  await program.printed('hanging   is asked');
  program.kill('SIGTERM');
  const { code, stdout, stderr } = await program.ended;
  expect(stdout).not.toContain('/broken');
  expect(stdout).toMatch(/\nNo request was cut off\.\n$/);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('a port that is in use', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await startProgram(import.meta.url, 'main.ts', '--serve', `${port}`).ended;
  expect(stderr).toBe(`error: cannot listen on 127.0.0.1, port ${port}: something else listens there\n`);
  expect(code).toBe(1);
});

test('bad arguments', async () => {
  const { code, stdout, stderr } = await startProgram(import.meta.url, 'main.ts', '--serve', 'http').ended;
  expect(stderr).toMatch(/^error: .*argument 'http' is invalid/);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});
