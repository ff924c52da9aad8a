/**
 * Which scope does a callback see? The ambient scope goes where the platform's async context goes, and that is for each API
 * to decide. Every probe here asks one of them, and knows the expected answer for each runtime, so that a change in a runtime
 * is seen before users see it. docs/context-probes.md shows them as a table.
 */

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns';
import { EventEmitter, EventEmitterAsyncResource } from 'node:events';
import { stat } from 'node:fs';
import { Agent, createServer as createHttpServer, get, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PerformanceObserver } from 'node:perf_hooks';
import { PassThrough, pipeline, Readable, Transform, Writable } from 'node:stream';
import { BroadcastChannel, MessageChannel, Worker } from 'node:worker_threads';

import { CancelScope } from '@taskscope/core';
import { bindToScope, currentScope } from '@taskscope/core/lowlevel';
import { withResolvers } from './with-resolvers.fixture.js';

/** The runtimes whose answers are known; those of Node oldest first. */
export const runtimes = ['node20', 'node22', 'node24', 'node26', 'bun', 'deno'] as const;

export type Runtime = (typeof runtimes)[number];

/** The runtime of this process; for a Node that nobody has looked at yet, the newest known one before it. */
export function thisRuntime(): Runtime {
  if ('bun' in process.versions) return 'bun';
  if ('deno' in process.versions) return 'deno';
  const major = Number.parseInt(process.versions.node, 10);
  const known = runtimes.filter((runtime) => runtime.startsWith('node'));
  return known.findLast((runtime) => Number(runtime.slice('node'.length)) <= major) ?? 'node20';
}

export interface Probe {
  /** The callback. */
  readonly name: string;
  /** In whose scope it runs. */
  readonly expected: Readonly<Record<Runtime, string>>;
  /** Asks. Resolves to what it sees. */
  readonly ask: () => Promise<string>;
}

/** Somebody in a scope of their own, which stays open until the probe has ended. `as('who calls', fn)` calls `fn` in it. */
type As = <T>(who: string, fn: () => T) => T;

/** Outside of every scope. */
export const NOBODY = 'nobody';

/** Calls a function in the async context of the time before any probe ran. */
const outside = AsyncLocalStorage.snapshot();

function ask(probe: (as: As, tell: () => void) => unknown): () => Promise<string> {
  return () =>
    outside(async () => {
      const names = new Map<CancelScope, string>();
      const callers = new Map<string, (fn: () => unknown) => unknown>();
      const end = withResolvers<void>();
      const open: Promise<unknown>[] = [];
      const as: As = (who, fn) => {
        if (!callers.has(who)) {
          const scope = new CancelScope({ name: who });
          names.set(scope, who);
          open.push(
            scope.run(() => {
              callers.set(
                who,
                bindToScope((call: () => unknown) => call()),
              );
              return end.promise;
            }),
          );
        }
        return callers.get(who)!(fn) as ReturnType<typeof fn>;
      };
      const answer = withResolvers<string>();
      const tell = (): void => answer.resolve(names.get(currentScope()) ?? NOBODY);
      try {
        await Promise.all([answer.promise, probe(as, tell)]);
        return await answer.promise;
      } finally {
        end.resolve();
        await Promise.all(open);
      }
    });
}

function everywhere(who: string): Record<Runtime, string> {
  return Object.fromEntries(runtimes.map((runtime) => [runtime, who])) as Record<Runtime, string>;
}

/** Listens on a port of the loopback interface, and closes the server when the probe has ended. */
async function withServer(
  server: Server,
  listen: (start: () => void) => void,
  use: (port: number) => unknown,
): Promise<void> {
  const listening = withResolvers<void>();
  listen(() => server.listen(0, '127.0.0.1', listening.resolve));
  await listening.promise;
  try {
    await use((server.address() as AddressInfo).port);
  } finally {
    const closed = withResolvers<void>();
    server.close(() => closed.resolve());
    (server as { closeAllConnections?(): void }).closeAllConnections?.();
    await closed.promise;
  }
}

/** Sends a request, and resolves when it was answered. */
function request(port: number, options: { agent?: Agent; onResponse?: () => void } = {}): Promise<void> {
  const { promise, resolve, reject } = withResolvers<void>();
  get({ host: '127.0.0.1', port, agent: options.agent ?? false }, (response: IncomingMessage) => {
    options.onResponse?.();
    response.resume().on('end', resolve);
  }).on('error', reject);
  return promise;
}

export const probes: readonly Probe[] = [
  {
    name: 'setTimeout()',
    expected: everywhere('who set it'),
    ask: ask((as, tell) => void as('who set it', () => setTimeout(tell, 0))),
  },
  {
    name: 'setInterval()',
    expected: everywhere('who set it'),
    ask: ask((as, tell) => {
      const timer = as('who set it', () =>
        setInterval(() => {
          clearInterval(timer);
          tell();
        }, 0),
      );
    }),
  },
  {
    name: 'setImmediate()',
    expected: everywhere('who set it'),
    ask: ask((as, tell) => void as('who set it', () => setImmediate(tell))),
  },
  {
    name: 'queueMicrotask()',
    expected: everywhere('who queued it'),
    ask: ask((as, tell) => as('who queued it', () => queueMicrotask(tell))),
  },
  {
    name: 'process.nextTick()',
    expected: everywhere('who queued it'),
    ask: ask((as, tell) => as('who queued it', () => process.nextTick(tell))),
  },
  {
    name: 'promise.then()',
    expected: everywhere('who called then()'),
    ask: ask((as, tell) => {
      const { promise, resolve } = as('who made the promise', () => withResolvers<void>());
      void as('who called then()', () => promise.then(tell));
      as('who resolves', () => resolve());
    }),
  },
  {
    name: 'after `await`',
    expected: everywhere('who awaits'),
    ask: ask((as, tell) => {
      const { promise, resolve } = as('who made the promise', () => withResolvers<void>());
      const waiting = as('who awaits', async () => {
        await promise;
        tell();
      });
      as('who resolves', () => resolve());
      return waiting;
    }),
  },
  {
    name: '`then` of a foreign thenable that is awaited',
    expected: everywhere('who awaits'),
    ask: ask((as, tell) => {
      const thenable = as('who made it', () => ({
        // oxlint-disable-next-line unicorn/no-thenable -- that is what is probed
        then(resolve: () => void): void {
          tell();
          resolve();
        },
      }));
      return as('who awaits', async () => {
        await (thenable as PromiseLike<unknown>);
      });
    }),
  },
  {
    name: 'body of an async generator, first step',
    expected: everywhere('who called next()'),
    ask: ask(async (as, tell) => {
      const generator = as('who made it', () =>
        (async function* () {
          tell();
          yield 1;
        })(),
      );
      await as('who called next()', () => generator.next());
      await generator.return();
    }),
  },
  {
    name: 'body of an async generator, after a `yield`',
    expected: everywhere('who called next()'),
    ask: ask(async (as, tell) => {
      const generator = as('who made it', () =>
        (async function* () {
          yield 1;
          tell();
          yield 2;
        })(),
      );
      await as('who called next() before', () => generator.next());
      await as('who called next()', () => generator.next());
      await generator.return();
    }),
  },
  {
    name: '`finally` of an async generator that is left',
    expected: everywhere('who called return()'),
    ask: ask(async (as, tell) => {
      const generator = as('who made it', () =>
        (async function* () {
          try {
            yield 1;
          } finally {
            tell();
          }
        })(),
      );
      await as('who called next()', () => generator.next());
      await as('who called return()', () => generator.return());
    }),
  },
  {
    name: 'listener of an EventEmitter',
    expected: everywhere('who emits'),
    ask: ask((as, tell) => {
      const emitter = as('who made it', () => new EventEmitter());
      as('who listens', () => emitter.on('event', tell));
      as('who emits', () => emitter.emit('event'));
    }),
  },
  {
    name: 'listener of an EventEmitterAsyncResource',
    expected: everywhere('who made it'),
    ask: ask((as, tell) => {
      const emitter = as('who made it', () => new EventEmitterAsyncResource({ name: 'probe' }));
      as('who listens', () => emitter.on('event', tell));
      as('who emits', () => emitter.emit('event'));
    }),
  },
  {
    name: 'listener of an EventTarget',
    expected: everywhere('who dispatches'),
    ask: ask((as, tell) => {
      const target = as('who made it', () => new EventTarget());
      as('who listens', () => target.addEventListener('event', tell));
      as('who dispatches', () => target.dispatchEvent(new Event('event')));
    }),
  },
  {
    name: 'abort listener of an AbortSignal',
    expected: everywhere('who aborts'),
    ask: ask((as, tell) => {
      const controller = as('who made it', () => new AbortController());
      as('who listens', () => controller.signal.addEventListener('abort', tell));
      as('who aborts', () => controller.abort());
    }),
  },
  {
    name: 'abort listener of AbortSignal.any()',
    expected: everywhere('who aborts'),
    ask: ask((as, tell) => {
      const controller = as('who made the source', () => new AbortController());
      const signal = as('who made it', () => AbortSignal.any([controller.signal]));
      as('who listens', () => signal.addEventListener('abort', tell));
      as('who aborts', () => controller.abort());
    }),
  },
  {
    name: 'abort listener of AbortSignal.timeout()',
    expected: { ...everywhere('who made it'), bun: NOBODY, deno: NOBODY },
    ask: ask((as, tell) => {
      const signal = as('who made it', () => AbortSignal.timeout(1));
      as('who listens', () => signal.addEventListener('abort', tell));
    }),
  },
  {
    name: 'abort listener of the signal of a scope',
    expected: everywhere('who cancels'),
    ask: ask((as, tell) => {
      const scope = new CancelScope();
      const running = as('who runs the scope', () =>
        scope.run((inner) => {
          inner.signal.addEventListener('abort', tell);
          return new Promise<void>((resolve) => inner.signal.addEventListener('abort', () => resolve()));
        }),
      );
      as('who cancels', () => scope.cancel());
      return running;
    }),
  },
  {
    name: 'abort listener of the signal of a scope whose deadline passes',
    expected: everywhere(NOBODY),
    ask: ask((as, tell) =>
      as('who runs the scope', () =>
        new CancelScope({ timeout: 1 }).run((inner) => {
          inner.signal.addEventListener('abort', tell);
          return new Promise<void>((resolve) => inner.signal.addEventListener('abort', () => resolve()));
        }),
      ),
    ),
  },
  {
    name: 'handler of `unhandledRejection`',
    expected: {
      ...everywhere('who rejects'),
      node20: 'who made the promise',
      node22: 'who made the promise',
      bun: NOBODY,
    },
    ask: ask(async (as, tell) => {
      const others = process.listeners('unhandledRejection');
      process.removeAllListeners('unhandledRejection');
      try {
        const told = withResolvers<void>();
        as('who listens', () =>
          process.once('unhandledRejection', () => {
            tell();
            told.resolve();
          }),
        );
        const { reject } = as('who made the promise', () => withResolvers<void>());
        as('who rejects', () => reject(new Error('probe')));
        await told.promise;
      } finally {
        for (const other of others) process.on('unhandledRejection', other);
      }
    }),
  },
  {
    name: 'callback of a FinalizationRegistry',
    expected: everywhere(NOBODY),
    ask: ask(async (as, tell) => {
      const told = withResolvers<void>();
      const registry = as(
        'who made it',
        () =>
          new FinalizationRegistry(() => {
            tell();
            told.resolve();
          }),
      );
      as('who registers', () => registry.register({}, undefined));
      let isTold = false;
      void told.promise.then(() => (isTold = true));
      while (!isTold) {
        await new Promise((resolve) => void setImmediate(resolve));
        globalThis.gc!();
      }
    }),
  },
  {
    name: 'AsyncResource.bind()',
    expected: everywhere('who bound it'),
    ask: ask((as, tell) => {
      const bound = as('who bound it', () => AsyncResource.bind(tell));
      as('who calls', () => bound());
    }),
  },
  {
    name: 'AsyncLocalStorage.snapshot()',
    expected: everywhere('who took it'),
    ask: ask((as, tell) => {
      const snapshot = as('who took it', () => AsyncLocalStorage.snapshot());
      as('who calls', () => snapshot(tell));
    }),
  },
  {
    name: 'bindToScope()',
    expected: everywhere('who bound it'),
    ask: ask((as, tell) => {
      const bound = as('who bound it', () => bindToScope(tell));
      as('who calls', () => bound());
    }),
  },
  {
    name: 'callback of fs.stat()',
    expected: everywhere('who calls'),
    ask: ask((as, tell) => as('who calls', () => stat('.', tell))),
  },
  {
    name: 'callback of dns.lookup()',
    expected: everywhere('who calls'),
    ask: ask((as, tell) => as('who calls', () => lookup('127.0.0.1', tell))),
  },
  {
    name: 'callback of crypto.randomBytes()',
    expected: everywhere('who calls'),
    ask: ask((as, tell) => as('who calls', () => randomBytes(8, tell))),
  },
  {
    name: '`exit` of a child process',
    expected: everywhere('who spawned it'),
    ask: ask((as, tell) => {
      const child = as('who spawned it', () => spawn(process.execPath, ['--version'], { stdio: 'ignore' }));
      as('who listens', () => child.on('exit', tell));
    }),
  },
  {
    name: '`message` of a MessagePort',
    expected: { ...everywhere('who made the channel'), bun: NOBODY, deno: 'who listens' },
    ask: ask((as, tell) => {
      const { port1, port2 } = as('who made the channel', () => new MessageChannel());
      as('who listens', () =>
        port2.on('message', () => {
          tell();
          port2.close();
        }),
      );
      as('who posts', () => port1.postMessage('hello'));
    }),
  },
  {
    name: '`message` of a BroadcastChannel',
    expected: { ...everywhere('who made the channel'), bun: NOBODY, deno: 'who posts' },
    ask: ask(async (as, tell) => {
      const told = withResolvers<void>();
      const channel = as('who made the channel', () => new BroadcastChannel('probe'));
      as('who listens', () => {
        channel.onmessage = () => {
          tell();
          told.resolve();
        };
      });
      const other = as('who made the other end', () => new BroadcastChannel('probe'));
      as('who posts', () => other.postMessage('hello'));
      await told.promise;
      channel.close();
      other.close();
    }),
  },
  {
    name: '`message` of a Worker',
    expected: { ...everywhere('who made it'), bun: NOBODY },
    ask: ask(async (as, tell) => {
      const worker = as(
        'who made it',
        () =>
          new Worker(
            "const { parentPort } = require('node:worker_threads'); parentPort.once('message', (m) => parentPort.postMessage(m));",
            { eval: true, execArgv: [] },
          ),
      );
      as('who listens', () => worker.on('message', tell));
      as('who posts', () => worker.postMessage('hello'));
      await new Promise((resolve) => worker.once('exit', resolve));
    }),
  },
  {
    name: 'callback of a PerformanceObserver',
    expected: { ...everywhere('who marks'), bun: NOBODY },
    ask: ask((as, tell) => {
      const observer = as(
        'who made it',
        () =>
          new PerformanceObserver(() => {
            tell();
            observer.disconnect();
          }),
      );
      as('who observes', () => observer.observe({ entryTypes: ['mark'] }));
      as('who marks', () => performance.mark('probe'));
    }),
  },
  {
    name: 'connection listener of a net.Server',
    expected: everywhere('who called listen()'),
    ask: ask((as, tell) => {
      const server = as('who made the server', () => createServer());
      as('who listens', () =>
        server.on('connection', (socket) => {
          tell();
          socket.end();
        }),
      );
      return withServer(
        server,
        (start) => as('who called listen()', start),
        (port) =>
          as('who connects', () => {
            const closed = withResolvers<void>();
            connect(port, '127.0.0.1').resume().on('close', closed.resolve);
            return closed.promise;
          }),
      );
    }),
  },
  {
    name: 'request handler of an http.Server',
    expected: { ...everywhere('who called listen()'), deno: NOBODY },
    ask: ask((as, tell) => {
      const server = as('who made the server', () => createHttpServer());
      as('who listens', () =>
        server.on('request', (_request, response) => {
          tell();
          response.end();
        }),
      );
      return withServer(
        server,
        (start) => as('who called listen()', start),
        (port) => as('who sends the request', () => request(port)),
      );
    }),
  },
  {
    name: 'request handler of an http.Server, second request of a connection',
    expected: { ...everywhere('who called listen()'), deno: NOBODY },
    ask: ask((as, tell) => {
      const server = as('who made the server', () => createHttpServer());
      let requests = 0;
      as('who listens', () =>
        server.on('request', (_request, response) => {
          if (++requests === 2) tell();
          response.end();
        }),
      );
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      return withServer(
        server,
        (start) => as('who called listen()', start),
        async (port) => {
          await as('who sends the first request', () => request(port, { agent }));
          await as('who sends the second request', () => request(port, { agent }));
          agent.destroy();
        },
      );
    }),
  },
  {
    name: '`data` of the body of a request to an http.Server',
    expected: { ...everywhere('who called listen()'), deno: NOBODY },
    ask: ask((as, tell) => {
      const server = as('who made the server', () => createHttpServer());
      server.on('request', (incoming, response) => {
        incoming.on('data', tell).on('end', () => response.end());
      });
      return withServer(
        server,
        (start) => as('who called listen()', start),
        (port) =>
          as('who sends the request', () => fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: 'x' })),
      );
    }),
  },
  {
    name: 'pull() of the body of a request of fetch()',
    expected: { ...everywhere('who calls fetch()'), bun: 'who made the body', deno: 'who made the body' },
    ask: ask((as, tell) => {
      const server = createHttpServer(
        (incoming, response) => void incoming.resume().on('end', () => response.end()),
      );
      return withServer(
        server,
        (start) => start(),
        async (port) => {
          const body = as(
            'who made the body',
            () =>
              new ReadableStream(
                {
                  pull(controller) {
                    tell();
                    controller.close();
                  },
                },
                { highWaterMark: 0 },
              ),
          );
          await as('who calls fetch()', () =>
            fetch(`http://127.0.0.1:${port}`, { method: 'POST', body, duplex: 'half' }),
          );
        },
      );
    }),
  },
  {
    name: 'response callback of http.get(), on a connection that is used again',
    expected: everywhere('who sends the request'),
    ask: ask((as, tell) => {
      const server = createHttpServer((_request, response) => void response.end('answer'));
      const agent = as('who made the agent', () => new Agent({ keepAlive: true, maxSockets: 1 }));
      return withServer(
        server,
        (start) => start(),
        async (port) => {
          await as('who used it first', () => request(port, { agent }));
          await as('who sends the request', () => request(port, { agent, onResponse: tell }));
          agent.destroy();
        },
      );
    }),
  },
  {
    name: '`data` of a socket in a pool',
    expected: { ...everywhere('who connected'), deno: NOBODY },
    ask: ask((as, tell) => {
      const server = createServer((socket) => void socket.pipe(socket));
      return withServer(
        server,
        (start) => start(),
        async (port) => {
          const connected = withResolvers<void>();
          const echoed = withResolvers<void>();
          const socket: Socket = as('who connected', () => connect(port, '127.0.0.1', connected.resolve));
          await connected.promise;
          as('who listens', () =>
            socket.on('data', () => {
              tell();
              echoed.resolve();
            }),
          );
          as('who writes', () => socket.write('question'));
          await echoed.promise;
          const closed = withResolvers<void>();
          socket.on('close', closed.resolve).destroy();
          await closed.promise;
        },
      );
    }),
  },
  {
    name: '`data` of a Node stream',
    expected: everywhere('who pushes'),
    ask: ask(async (as, tell) => {
      const readable = as('who made it', () => new Readable({ read() {} }));
      as('who listens', () => readable.on('data', tell));
      await new Promise((resolve) => void setImmediate(resolve));
      as('who pushes', () => readable.push('chunk'));
    }),
  },
  {
    name: '`data` of a Node stream that holds data already',
    expected: everywhere('who listens'),
    ask: ask(async (as, tell) => {
      const readable = as('who made it', () => new Readable({ read() {} }));
      as('who pushes', () => readable.push('chunk'));
      await new Promise((resolve) => void setImmediate(resolve));
      as('who listens', () => readable.on('data', tell));
    }),
  },
  {
    name: 'transform() in a pipeline()',
    expected: everywhere('who pushes'),
    ask: ask(async (as, tell) => {
      const source = as('who made the source', () => new PassThrough());
      const transform = as(
        'who made it',
        () =>
          new Transform({
            transform(chunk, _encoding, done) {
              tell();
              done(null, chunk);
            },
          }),
      );
      const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
      const piped = withResolvers<void>();
      as('who calls pipeline()', () => pipeline(source, transform, sink, () => piped.resolve()));
      await new Promise((resolve) => void setImmediate(resolve));
      as('who pushes', () => source.end('chunk'));
      await piped.promise;
    }),
  },
  {
    name: 'start() of a ReadableStream',
    expected: everywhere('who made it'),
    ask: ask((as, tell) => void as('who made it', () => new ReadableStream({ start: tell }))),
  },
  {
    name: 'pull() of a ReadableStream, to fill its buffer',
    expected: everywhere('who made it'),
    ask: ask((as, tell) => void as('who made it', () => new ReadableStream({ pull: tell }))),
  },
  {
    name: 'pull() of a ReadableStream, for a read()',
    expected: { ...everywhere('who reads'), bun: 'who made it' },
    ask: ask(async (as, tell) => {
      const stream = as(
        'who made it',
        () =>
          new ReadableStream(
            {
              pull(controller) {
                tell();
                controller.enqueue('chunk');
              },
            },
            { highWaterMark: 0 },
          ),
      );
      await new Promise((resolve) => void setImmediate(resolve));
      const reader = stream.getReader();
      await as('who reads', () => reader.read());
    }),
  },
  {
    name: 'cancel() of a ReadableStream',
    expected: { ...everywhere('who cancels'), bun: 'who made it' },
    ask: ask(async (as, tell) => {
      const stream = as('who made it', () => new ReadableStream({ cancel: tell }));
      await as('who cancels', () => stream.cancel());
    }),
  },
  {
    name: 'write() of a WritableStream',
    expected: everywhere('who writes'),
    ask: ask(async (as, tell) => {
      const stream = as('who made it', () => new WritableStream({ write: tell }));
      const writer = stream.getWriter();
      await writer.ready;
      await as('who writes', () => writer.write('chunk'));
    }),
  },
  {
    name: 'transform() of a TransformStream',
    expected: everywhere('who made it'),
    ask: ask(async (as, tell) => {
      const stream = as(
        'who made it',
        () => new TransformStream({ transform: tell }, {}, { highWaterMark: 1 }),
      );
      const writer = stream.writable.getWriter();
      await writer.ready;
      await as('who writes', () => writer.write('chunk'));
    }),
  },
  {
    name: 'transform() of a TransformStream in pipeThrough()',
    expected: everywhere('who enqueues'),
    ask: ask(async (as, tell) => {
      let enqueue = (): void => {};
      const source = as(
        'who made the source',
        () =>
          new ReadableStream<string>({
            start(controller) {
              enqueue = () => controller.enqueue('chunk');
            },
          }),
      );
      const transform = as('who made it', () => new TransformStream<string, string>({ transform: tell }));
      const piped = as('who calls pipeThrough()', () => source.pipeThrough(transform));
      await new Promise((resolve) => void setImmediate(resolve));
      const reader = piped.getReader();
      as('who reads', () => void reader.read().catch(() => {}));
      await new Promise((resolve) => void setImmediate(resolve));
      as('who enqueues', () => enqueue());
    }),
  },
];

/** The table as the page of the documentation shows it: one column where all runtimes agree. */
export function renderTable(): string {
  const lines = ['| callback | runs in the scope of |', '| --- | --- |'];
  for (const { name, expected } of probes) {
    const answers = new Map<string, Runtime[]>();
    for (const runtime of runtimes)
      answers.set(expected[runtime], [...(answers.get(expected[runtime]) ?? []), runtime]);
    const text = [...answers].map(([who, where]) =>
      answers.size === 1 ? who : `${who} (${labels(where).join(', ')})`,
    );
    lines.push(`| ${name} | ${text.join('; ')} |`);
  }
  return lines.join('\n');
}

/** What people call them. */
function labels(where: readonly Runtime[]): string[] {
  const nodes = runtimes.filter((runtime) => runtime.startsWith('node'));
  const others = where.filter((runtime) => !nodes.includes(runtime));
  const isEveryNode = nodes.every((runtime) => where.includes(runtime));
  const versions = isEveryNode ? ['Node'] : where.filter((runtime) => nodes.includes(runtime));
  return [...versions, ...others].map((runtime) => {
    const name = runtime.replace('node', 'Node ');
    return name.charAt(0).toUpperCase() + name.slice(1);
  });
}
