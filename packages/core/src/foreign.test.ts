import { exec, execFile, spawn } from 'node:child_process';
import { EventEmitter, on, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  setImmediate as immediate,
  setInterval as interval,
  setTimeout as delay,
} from 'node:timers/promises';
import { promisify } from 'node:util';

import { describe, expect, test } from 'vitest';

import { virtualTime } from '@taskscope/testing';

import {
  abandonOnCancel,
  all,
  Cancelled,
  CancelScope,
  checkpoint,
  currentSignal,
  currentTime,
  failAfter,
  isCancelled,
  moveOnAfter,
  run,
  ScopeExitedError,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  TimeoutError,
  withSignal,
} from './index.js';
import { currentScope } from './lowlevel.js';
import { errorOf, listeners, outcome, timers, turns, unhandledRejections } from './observing.fixture.js';

/** Work that ends when its signal aborts, with the error that `how` makes of it. */
function untilAborted(signal: AbortSignal, how: (signal: AbortSignal) => unknown): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(how(signal));
    else signal.addEventListener('abort', () => reject(how(signal)), { once: true });
  });
}

const bareAbort = (): DOMException => new DOMException('stopped', 'AbortError');
const abortWithCause = (signal: AbortSignal): Error =>
  Object.assign(new Error('stopped', { cause: signal.reason }), { name: 'AbortError', code: 'ABORT_ERR' });

/** Runs `body` against a server on the loopback that accepts every request and answers none. */
async function withSilentServer(body: (url: string, requests: () => number) => Promise<void>): Promise<void> {
  let requests = 0;
  const server = createServer(() => requests++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    await body(`http://127.0.0.1:${port}/`, () => requests);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('withSignal', () => {
  test(
    'gives the work a signal of its own and resolves to what it returns, a promise or not',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(async () => {
        const seen: AbortSignal[] = [];
        const work = (signal: AbortSignal): string => {
          seen.push(signal);
          return 'tea';
        };
        expect(await withSignal(work)).toBe('tea');
        expect(await withSignal(async (signal) => work(signal))).toBe('tea');
        expect(seen[0]).toBeInstanceOf(AbortSignal);
        expect(seen[0]).not.toBe(seen[1]);
        expect(seen).not.toContain(scope.signal);
      });
    }),
  );

  test(
    'awaits the work to its end although it was told to stop',
    virtualTime(async () => {
      const record: string[] = [];
      const scope = new CancelScope();
      await scope.run(async () => {
        const working = withSignal(async (signal) => {
          const error = await errorOf(untilAborted(signal, bareAbort));
          record.push('told to stop');
          await turns(3);
          record.push('stopped');
          throw error;
        });
        scope.cancel();
        await working.finally(() => record.push('left'));
      });
      expect(record).toEqual(['told to stop', 'stopped', 'left']);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'work that finishes all the same keeps its result, and the cancellation meets the task at its next wait',
    virtualTime(async () => {
      const scope = new CancelScope();
      let result: unknown;
      await scope.run(async () => {
        const working = withSignal(async (signal) => {
          await errorOf(untilAborted(signal, bareAbort));
          return 'tea';
        });
        scope.cancel();
        result = await working;
        await checkpoint();
      });
      expect(result).toBe('tea');
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test.each([
    ['the reason of its signal', (signal: AbortSignal) => signal.reason as unknown],
    ['an AbortError whose cause is that reason', abortWithCause],
    ['a bare AbortError', bareAbort],
  ])('work that fails with %s was cancelled', async (_name, how) => {
    await virtualTime(async () => {
      const scope = new CancelScope();
      let error: unknown;
      await scope.run(async () => {
        const working = withSignal((signal) => untilAborted(signal, how));
        scope.cancel('enough');
        error = await errorOf(working);
        throw error;
      });
      expect(error).toBeInstanceOf(Cancelled);
      expect(error).toMatchObject({ reason: 'enough' });
      expect(scope.cancelledCaught).toBe(true);
    })();
  });

  test.each([
    ['the reason', (signal: AbortSignal) => signal.reason as unknown],
    ['an AbortError with the reason as its cause', abortWithCause],
    ['a bare AbortError', bareAbort],
  ])('ended by a foreign signal, work that fails with %s rejects with the reason', async (_name, how) => {
    await virtualTime(async () => {
      const controller = new AbortController();
      const working = withSignal((signal) => untilAborted(signal, how), { signal: controller.signal });
      const reason = new Error('enough');
      controller.abort(reason);
      await expect(working).rejects.toBe(reason);
      expect(listeners(controller.signal)).toBe(0);
    })();
  });

  test(
    'a reason that is undefined or no error is passed on as it is',
    virtualTime(async () => {
      const controller = new AbortController();
      const working = withSignal((signal) => untilAborted(signal, (own) => own.reason), {
        signal: controller.signal,
      });
      controller.abort(null);
      await expect(working).rejects.toBe(null);
    }),
  );

  test(
    'another failure is the one that counts, also after a cancellation',
    virtualTime(async () => {
      const scope = new CancelScope();
      const tea = new Error('out of tea');
      await expect(
        scope.run(async () => {
          const working = withSignal((signal) => untilAborted(signal, () => tea));
          scope.cancel();
          await working;
        }),
      ).rejects.toBe(tea);
      expect(scope.cancelledCaught).toBe(false);
      const foreignAbort = Object.assign(new Error('stopped', { cause: 'something else' }), {
        name: 'AbortError',
      });
      const again = new CancelScope();
      await expect(
        again.run(async () => {
          const working = withSignal((signal) => untilAborted(signal, () => foreignAbort));
          again.cancel();
          await working;
        }),
      ).rejects.toBe(foreignAbort);
    }),
  );

  test(
    'an AbortError of work that nobody told to stop is an error like any other',
    virtualTime(async () => {
      const abort = bareAbort();
      await expect(withSignal(() => Promise.reject(abort))).rejects.toBe(abort);
      const scope = new CancelScope();
      await expect(scope.run(() => withSignal(() => Promise.reject(abort)))).rejects.toBe(abort);
    }),
  );

  test(
    'rejects with what the work throws within the call',
    virtualTime(async () => {
      const tea = new Error('out of tea');
      const thrower = (): never => {
        throw tea;
      };
      await expect(withSignal(thrower)).rejects.toBe(tea);
    }),
  );

  test(
    'is not begun in a cancelled scope',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(async () => {
        scope.cancel();
        await withSignal(() => expect.unreachable());
      });
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'work that cancels its own scope is told to stop',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(() =>
        withSignal((signal) => {
          scope.cancel();
          expect(signal.aborted).toBe(true);
          return untilAborted(signal, bareAbort);
        }),
      );
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'the work runs in the scope, and its waits are cancelled as usual',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(() =>
        withSignal(async () => {
          expect(currentScope()).toBe(scope);
          setImmediate(() => scope.cancel());
          await sleepForever();
        }),
      );
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a shield keeps the cancellation from the work, until it is lowered',
    virtualTime(async () => {
      const outer = new CancelScope();
      await outer.run(() =>
        shield(async (shielded) => {
          let aborted = false;
          const working = withSignal((signal) => {
            signal.addEventListener('abort', () => (aborted = true));
            return untilAborted(signal, bareAbort);
          });
          outer.cancel();
          await turns(2);
          expect(aborted).toBe(false);
          shielded.shield = false;
          expect(aborted).toBe(true);
          await working;
        }),
      );
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test('leaves nothing behind in a scope that lives long', async () => {
    await run(async () => {
      const { signal } = new AbortController();
      const own = currentSignal();
      for (let i = 0; i < 100; i++)
        await withSignal((given) => delay(0, undefined, { signal: given }), { signal });
      expect(listeners(own)).toBe(0);
      expect(listeners(signal)).toBe(0);
    });
  });

  test(
    'cancelled by two sides, the first counts',
    virtualTime(async () => {
      const controller = new AbortController();
      const scope = new CancelScope();
      let error: unknown;
      await scope.run(async () => {
        const working = withSignal((signal) => untilAborted(signal, (own) => own.reason), {
          signal: controller.signal,
        });
        controller.abort('first');
        scope.cancel('second');
        error = await errorOf(working);
      });
      expect(error).toBe('first');
      expect(listeners(controller.signal)).toBe(0);
    }),
  );

  test('an error that nobody looks at is heard of, an abort is not', async () => {
    const tea = new Error('out of tea');
    const rejections = await unhandledRejections(
      virtualTime(async () => {
        const controller = new AbortController();
        const scope = new CancelScope();
        await scope.run(async () => {
          void withSignal(() => Promise.reject(tea));
          void withSignal((signal) => untilAborted(signal, bareAbort));
          void withSignal((signal) => untilAborted(signal, abortWithCause), { signal: controller.signal });
          void withSignal((signal) => untilAborted(signal, (own) => own.reason), {
            signal: controller.signal,
          });
          controller.abort(new Error('enough'));
          scope.cancel();
          await turns(2);
        });
      }),
    );
    expect(rejections).toEqual([tea]);
  });

  test('work that outlives its scope goes on in the scope around, and is told to stop with that', async () => {
    await run(async () => {
      const outer = new CancelScope();
      let aborted: unknown;
      let floating: Promise<unknown> | undefined;
      await outer.run(async () => {
        await new CancelScope().run(() => {
          floating = withSignal((signal) =>
            untilAborted(signal, (own) => {
              aborted = own.reason;
              return own.reason;
            }),
          );
        });
        expect(aborted).toBeUndefined();
        outer.cancel('outer');
        expect(aborted).toMatchObject({ reason: 'outer' });
        await outcome(floating!);
      });
    });
  });

  test('work that outlives its scope is told to stop where escapes are errors', async () => {
    let floating: Promise<unknown> | undefined;
    await run(
      async () => {
        await new CancelScope({ name: 'tea time' }).run(() => {
          floating = withSignal((signal) => untilAborted(signal, bareAbort));
        });
        expect(await errorOf(floating!)).toBeInstanceOf(ScopeExitedError);
      },
      { escapes: 'error' },
    );
  });

  test('work that outlives its scope where escapes are errors is heard of', async () => {
    const rejections = await unhandledRejections(() =>
      run(
        async () => {
          await new CancelScope().run(() => {
            void withSignal((signal) => untilAborted(signal, bareAbort));
          });
          await turns(2);
        },
        { escapes: 'error' },
      ),
    );
    expect(rejections).toEqual([expect.any(ScopeExitedError)]);
  });
});

describe('abandonOnCancel', () => {
  test(
    'resolves and rejects as the work does',
    virtualTime(async () => {
      const tea = new Error('out of tea');
      expect(await abandonOnCancel(Promise.resolve('tea'))).toBe('tea');
      await expect(abandonOnCancel(Promise.reject(tea))).rejects.toBe(tea);
      expect(await abandonOnCancel(async () => 'tea')).toBe('tea');
      expect(await abandonOnCancel(() => 'tea')).toBe('tea');
      await expect(abandonOnCancel(() => Promise.reject(tea))).rejects.toBe(tea);
      const thrower = (): never => {
        throw tea;
      };
      await expect(abandonOnCancel(thrower)).rejects.toBe(tea);
      // oxlint-disable-next-line unicorn/no-thenable -- any thenable will do
      const thenable = { then: (resolve: (value: string) => void) => resolve('tea') } as PromiseLike<string>;
      expect(await abandonOnCancel(thenable)).toBe('tea');
    }),
  );

  test('a thenable that begins its work when then() is called begins it once', async () => {
    let begun = 0;
    // oxlint-disable-next-line unicorn/no-thenable -- a query builder, say
    const query = { then: (resolve: (rows: number) => void) => resolve(++begun) } as PromiseLike<number>;
    expect(await abandonOnCancel(query)).toBe(1);
    expect(begun).toBe(1);
    // oxlint-disable-next-line unicorn/no-thenable -- brings a promise, which a native one never does
    const nested = { then: (resolve: (value: unknown) => void) => resolve(new Promise(() => {})) };
    const result = await moveOnAfter(1, () => abandonOnCancel(() => nested as PromiseLike<unknown>));
    expect(result).toBeUndefined();
  });

  test(
    'when cancelled, does not wait for the work',
    virtualTime(async () => {
      const scope = new CancelScope();
      let isOver = false;
      const work = turns(5).then(() => (isOver = true));
      await scope.run(async () => {
        const waiting = abandonOnCancel(work);
        scope.cancel();
        await waiting;
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(isOver).toBe(false);
      await work;
    }),
  );

  test(
    'tells work that it began itself to stop, with the cancellation as the reason',
    virtualTime(async () => {
      const scope = new CancelScope();
      let given: AbortSignal | undefined;
      await scope.run(async () => {
        const waiting = abandonOnCancel((signal) => {
          given = signal;
          return new Promise<never>(() => {});
        });
        expect(given?.aborted).toBe(false);
        scope.cancel('enough');
        expect(given?.reason).toMatchObject({ reason: 'enough' });
        await waiting;
      });
      const finished = abandonOnCancel((signal) => {
        given = signal;
        return 'tea';
      });
      await finished;
      expect(given?.aborted).toBe(false);
    }),
  );

  test(
    'work that cancels its own scope is told to stop',
    virtualTime(async () => {
      const scope = new CancelScope();
      let given: AbortSignal | undefined;
      await scope.run(() =>
        abandonOnCancel((signal) => {
          given = signal;
          scope.cancel();
          return new Promise<never>(() => {});
        }),
      );
      expect(given?.aborted).toBe(true);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test('in a cancelled scope it does not begin the work, and swallows the error of a promise that it was given', async () => {
    const rejections = await unhandledRejections(
      virtualTime(async () => {
        const scope = new CancelScope();
        await scope.run(async () => {
          scope.cancel();
          await errorOf(abandonOnCancel(() => expect.unreachable()));
          await abandonOnCancel(Promise.reject(new Error('late')));
        });
        expect(scope.cancelledCaught).toBe(true);
      }),
    );
    expect(rejections).toEqual([]);
  });

  test('the late error of work that was let go is swallowed', async () => {
    const rejections = await unhandledRejections(
      virtualTime(async () => {
        const scope = new CancelScope();
        await scope.run(async () => {
          const late = (): Promise<never> => turns(2).then(() => Promise.reject(new Error('late')));
          void abandonOnCancel(late());
          void abandonOnCancel(late);
          scope.cancel();
        });
        await turns(5);
      }),
    );
    expect(rejections).toEqual([]);
  });

  test('an error of the work, when nobody awaits it and nothing was cancelled, is heard of', async () => {
    const tea = new Error('out of tea');
    const rejections = await unhandledRejections(
      virtualTime(async () => {
        void abandonOnCancel(Promise.reject(tea));
        await turns(2);
      }),
    );
    expect(rejections).toEqual([tea]);
  });
});

describe('foreign work under a virtual clock', () => {
  test('is no deadlock while it goes on, and none is left over when it has ended', async () => {
    await virtualTime(async () => {
      await withSignal(() => turns(10));
      await abandonOnCancel(() => turns(10));
      await abandonOnCancel(turns(10));
      await Promise.allSettled([
        withSignal(() => Promise.reject(new Error('tea'))),
        abandonOnCancel(() => Promise.reject(new Error('tea'))),
        moveOnAfter(0, () => abandonOnCancel(() => turns(3))),
        moveOnAfter(1, () => abandonOnCancel(() => new Promise(() => {}))),
      ]);
    })();
    // All are counted off again: a deadlock is noticed.
    await expect(
      virtualTime(async () => {
        await withSignal(() => turns(2));
        await abandonOnCancel(() => turns(2));
        await moveOnAfter(1, () => abandonOnCancel(() => new Promise(() => {})));
        await sleepForever();
      })(),
    ).rejects.toThrow(/deadlock/);
  });
});

describe('currentSignal', () => {
  test(
    'is the signal of the innermost scope',
    virtualTime(async () => {
      await new CancelScope().run(async (outer) => {
        expect(currentSignal()).toBe(outer.signal);
        await taskGroup(async (tg) => {
          expect(currentSignal()).toBe(tg.cancelScope.signal);
          tg.startSoon(() => {
            expect(currentSignal()).not.toBe(tg.cancelScope.signal);
          });
        });
      });
    }),
  );

  test(
    'aborts with the scopes around, and in a shield does not',
    virtualTime(async () => {
      const outer = new CancelScope();
      await outer.run(async () => {
        const signal = await new CancelScope().run(() => currentSignal());
        await shield(async () => {
          const shielded = currentSignal();
          outer.cancel();
          expect(shielded.aborted).toBe(false);
          expect(currentSignal()).toBe(shielded);
        });
        expect(currentSignal().aborted).toBe(true);
        // That scope was left: its signal is nobody's any more.
        expect(signal?.aborted).toBe(false);
      });
    }),
  );

  test('outside of every scope never aborts', () => {
    expect(currentSignal().aborted).toBe(false);
    expect(currentSignal()).toBe(currentSignal());
  });
});

// Everything from here on takes real time: sockets, child processes and the platform's timers know no other.
describe('APIs that take a signal', () => {
  /** A program that does nothing for longer than any test takes. It ends by itself, should only its shell have been killed. */
  const IDLE = 'setTimeout(() => {}, 15000)';

  /** What each API does for ever until its signal aborts. */
  const apis: [name: string, use: (signal: AbortSignal) => Promise<unknown>][] = [
    ['setTimeout of node:timers/promises', (signal) => delay(3_600_000, undefined, { signal })],
    [
      'setInterval of node:timers/promises',
      async (signal) => {
        for await (const _ of interval(3_600_000, undefined, { signal })) expect.unreachable();
      },
    ],
    ['once of node:events', (signal) => once(new EventEmitter(), 'tea', { signal })],
    [
      'on of node:events',
      async (signal) => {
        for await (const _ of on(new EventEmitter(), 'tea', { signal })) expect.unreachable();
      },
    ],
    [
      'exec of node:child_process',
      (signal) =>
        // Where the shell can, it becomes the program, so that nothing is left of it.
        promisify(exec)(`${process.platform === 'win32' ? '' : 'exec '}"${process.execPath}" -e "${IDLE}"`, {
          signal,
          windowsHide: true,
        }),
    ],
    [
      'execFile of node:child_process',
      (signal) => promisify(execFile)(process.execPath, ['-e', IDLE], { signal }),
    ],
    [
      'spawn of node:child_process',
      (signal) =>
        new Promise((resolve, reject) => {
          const child = spawn(process.execPath, ['-e', IDLE], { signal, stdio: 'ignore' });
          child.once('error', reject);
          child.once('exit', resolve);
        }),
    ],
    [
      'pipeline of node:stream/promises',
      (signal) => pipeline(new Readable({ read() {} }), new PassThrough(), new Writable(), { signal }),
    ],
    ['a function that throws a bare AbortError', (signal) => untilAborted(signal, bareAbort)],
    ['a function that throws an AbortError with a cause', (signal) => untilAborted(signal, abortWithCause)],
    ['a function that throws the reason', (signal) => untilAborted(signal, (own) => own.reason)],
  ];

  /** The ways in which a signal reaches an API. */
  const ways: [name: string, begin: (use: (signal: AbortSignal) => Promise<unknown>) => Promise<unknown>][] =
    [
      ['scope.signal', (use) => use(currentScope().signal)],
      ['currentSignal()', (use) => use(currentSignal())],
      ['withSignal()', (use) => withSignal(use)],
    ];

  describe.each(apis)('%s', (_name, use) => {
    test.each(ways)('given %s, ends with a cancel() and counts as the cancellation', async (_way, begin) => {
      const scope = new CancelScope();
      let error: unknown;
      const result = await scope.run(async () => {
        const waiting = begin(use);
        await immediate();
        scope.cancel('enough');
        error = await errorOf(waiting);
        expect(isCancelled(error)).toBe(true);
        throw error;
      });
      expect(result).toBeUndefined();
      expect(scope.cancelledCaught).toBe(true);
    });

    test.each(ways)(
      'given %s, ends with the time limit around, which makes a TimeoutError of it',
      async (_way, begin) => {
        await expect(failAfter(5, () => begin(use))).rejects.toBeInstanceOf(TimeoutError);
      },
    );

    test.each(ways)(
      'given %s in a task, ends with the group, of which nothing but that comes out',
      async (_way, begin) => {
        const outer = new CancelScope();
        await outer.run(() =>
          taskGroup(async (tg) => {
            tg.startSoon(() => begin(use));
            tg.startSoon(() => new CancelScope().run(() => begin(use)));
            await immediate();
            outer.cancel();
          }),
        );
        expect(outer.cancelledCaught).toBe(true);
      },
    );

    test.each(ways)(
      'given %s in a scope that is cancelled already, does not go on either',
      async (_way, begin) => {
        const scope = new CancelScope();
        await scope.run(async () => {
          scope.cancel();
          await begin(use);
          expect.unreachable();
        });
        expect(scope.cancelledCaught).toBe(true);
      },
    );
  });

  describe('fetch', () => {
    test.each(ways)('given %s, ends with a cancel() and counts as the cancellation', async (_way, begin) => {
      await withSilentServer(async (url, requests) => {
        const scope = new CancelScope();
        let error: unknown;
        await scope.run(async () => {
          const waiting = begin((signal) => fetch(url, { signal }));
          while (requests() === 0) await delay(1);
          scope.cancel('enough');
          error = await errorOf(waiting);
          throw error;
        });
        expect(error).toBeInstanceOf(Cancelled);
        expect(scope.cancelledCaught).toBe(true);
      });
    });

    test.each(ways)('given %s, ends with a time limit', async (_way, begin) => {
      await withSilentServer(async (url) => {
        await expect(failAfter(30, () => begin((signal) => fetch(url, { signal })))).rejects.toBeInstanceOf(
          TimeoutError,
        );
        const scope = moveOnAfter(30);
        expect(await scope.run(() => begin((signal) => fetch(url, { signal })))).toBeUndefined();
        expect(scope.cancelledCaught).toBe(true);
      });
    });

    test('several in tasks end together', async () => {
      await withSilentServer(async (url) => {
        const scope = moveOnAfter(50);
        await scope.run(() =>
          all(Array.from({ length: 5 }, () => () => withSignal((signal) => fetch(url, { signal })))),
        );
        expect(scope.cancelledCaught).toBe(true);
      });
    });

    test('a body that is being read is given up', async () => {
      const server = createServer((_request, response) => void response.write('one cup'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      try {
        const { port } = server.address() as AddressInfo;
        const scope = new CancelScope();
        await scope.run(async () => {
          const response = await fetch(`http://127.0.0.1:${port}/`, { signal: currentSignal() });
          const reading = response.text();
          await immediate();
          scope.cancel();
          await reading;
        });
        expect(scope.cancelledCaught).toBe(true);
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    });
  });

  test('a child process that was told to stop has stopped when withSignal ends', async () => {
    const scope = new CancelScope();
    let child: ReturnType<typeof spawn> | undefined;
    await scope.run(async () => {
      const working = withSignal(
        (signal) =>
          new Promise<void>((_resolve, reject) => {
            child = spawn(process.execPath, ['-e', IDLE], { signal, stdio: 'ignore' });
            let error: unknown;
            child.once('error', (aborted) => (error = aborted));
            child.once('exit', () => reject(error));
          }),
      );
      await once(child!, 'spawn');
      scope.cancel();
      await working;
    });
    expect(scope.cancelledCaught).toBe(true);
    expect(child?.signalCode ?? child?.exitCode).not.toBeNull();
  });

  test('an AbortError of a signal of somebody else is an error like any other', async () => {
    const scope = new CancelScope();
    const controller = new AbortController();
    const error = await errorOf(
      scope.run(async () => {
        const waiting = delay(3_600_000, undefined, { signal: controller.signal });
        controller.abort('somebody else');
        await waiting;
      }),
    );
    expect(error).toMatchObject({ name: 'AbortError', cause: 'somebody else' });
    expect(isCancelled(error)).toBe(false);
    expect(scope.cancelledCaught).toBe(false);
  });

  test('a bare AbortError is no cancellation of a scope that is not cancelled, or did not hand out its signal', async () => {
    const scope = new CancelScope();
    void scope.signal;
    await expect(scope.run(() => Promise.reject(bareAbort()))).rejects.toThrow('stopped');
    const another = new CancelScope();
    await expect(
      another.run(() => {
        another.cancel();
        return Promise.reject(bareAbort());
      }),
    ).rejects.toThrow('stopped');
    expect(another.cancelledCaught).toBe(false);
  });

  test('an AbortError of the signal of a scope further out is caught there', async () => {
    const outer = new CancelScope();
    const inner = new CancelScope();
    await outer.run((scope) =>
      inner.run(async () => {
        const waiting = untilAborted(scope.signal, bareAbort);
        outer.cancel();
        await waiting;
      }),
    );
    expect(outer.cancelledCaught).toBe(true);
    expect(inner.cancelledCaught).toBe(false);
  });

  test('foreign signals end a scope, a group, a run and a single wait, and have no listener afterwards', async () => {
    const before = timers();
    const controller = new AbortController();
    const { signal } = controller;
    const scope = new CancelScope({ signal });
    const ends = [
      scope.run(() => sleep(3_600_000)),
      taskGroup((tg) => void tg.startSoon(() => sleep(3_600_000)), { signal }),
      outcome(run(() => sleep(3_600_000), { signal })),
      outcome(sleep(3_600_000, { signal })),
      outcome(withSignal((own) => delay(3_600_000, undefined, { signal: own }), { signal })),
    ];
    expect(listeners(signal)).toBe(1);
    await turns(1);
    controller.abort('enough');
    expect(listeners(signal)).toBe(0);
    const [, , ofTheRun, ofTheWait, ofTheWork] = await Promise.all(ends);
    expect([ofTheRun, ofTheWait, ofTheWork]).toEqual(Array.from({ length: 3 }, () => ({ error: 'enough' })));
    expect(scope.cancelledCaught).toBe(true);
    expect(timers()).toBe(before);
  });

  test('AbortSignal.timeout() ends a wait with its own reason', async () => {
    await expect(sleepForever({ signal: AbortSignal.timeout(5) })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    const scope = new CancelScope({ signal: AbortSignal.timeout(5) });
    await scope.run(() => sleepForever());
    expect(scope.cancelledCaught).toBe(true);
  });
});

describe('wrong arguments', () => {
  test('of withSignal reject', async () => {
    await expect(withSignal(Promise.resolve() as never)).rejects.toThrow(
      /^withSignal\(\): work must be a function, got a Promise\. Pass the function itself/,
    );
    await expect(withSignal(undefined as never)).rejects.toThrow(
      new TypeError('withSignal(): work must be a function, got undefined'),
    );
    await expect(withSignal(() => {}, null as never)).rejects.toThrow(
      new TypeError('withSignal(): options must be an object, got null'),
    );
    await expect(withSignal(() => {}, { signal: 'stop' as never })).rejects.toThrow(
      new TypeError('withSignal(): options.signal must be an AbortSignal, got "stop"'),
    );
  });

  test('of abandonOnCancel reject', async () => {
    for (const [given, what] of [
      [5, '5'],
      [null, 'null'],
      [undefined, 'undefined'],
      [{}, 'an object'],
    ] as const) {
      await expect(abandonOnCancel(given as never)).rejects.toThrow(
        new TypeError(`abandonOnCancel(): work must be a promise or a function that begins it, got ${what}`),
      );
    }
    await expect(abandonOnCancel(() => 'tea', 5 as never)).rejects.toThrow(
      new TypeError('abandonOnCancel(): options must be an object, got 5'),
    );
    await expect(abandonOnCancel(() => 'tea', null as never)).rejects.toThrow(
      new TypeError('abandonOnCancel(): options must be an object, got null'),
    );
    await expect(abandonOnCancel(() => 'tea', { signal: {} as never })).rejects.toThrow(
      new TypeError('abandonOnCancel(): options.signal must be an AbortSignal, got an object'),
    );
  });
});

test(
  'time that passes while foreign work goes on is the time of the run',
  virtualTime(async (clock) => {
    const result = await moveOnAfter(10, async () => {
      const working = withSignal((signal) => untilAborted(signal, bareAbort));
      await shield(() => clock.advance(10));
      await working;
    });
    expect(result).toBeUndefined();
    expect(currentTime()).toBe(10);
  }),
);
