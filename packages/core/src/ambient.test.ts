import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { virtualTime } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import {
  all,
  Cancelled,
  CancelScope,
  checkpoint,
  currentSignal,
  currentTask,
  currentTime,
  detached,
  InvalidStateError,
  isCancelled,
  moveOnAfter,
  run,
  sleep,
  sleepForever,
  taskGroup,
} from './index.js';
import { bindToScope, currentScope, ParkingLot } from './lowlevel.js';
import { warningsDuring } from './process-events.fixture.js';

/** Calls a function in the async context of the time before any test ran: outside of every scope. */
const outside = AsyncLocalStorage.snapshot();

describe('the ambient scope', () => {
  test('is the innermost open scope, also deep in a chain of calls', async () => {
    const seen: unknown[] = [];
    const library = async (): Promise<void> => {
      await checkpoint();
      await nextTurn();
      seen.push(currentScope());
    };
    const outer = new CancelScope();
    const inner = new CancelScope();
    await outer.run(async () => {
      await inner.run(() => library());
      await library();
    });
    expect(seen[0]).toBe(inner);
    expect(seen[1]).toBe(outer);
  });

  test('is that of the body also for a promise that begins its work when then() is called', async () => {
    class Lazy<T> extends Promise<T> {
      static override get [Symbol.species](): PromiseConstructor {
        return Promise;
      }
      work: (() => Promise<T>) | undefined;
      // oxlint-disable-next-line unicorn/no-thenable -- as libraries for lazy promises do
      override then<A, B>(
        done?: ((value: T) => A | PromiseLike<A>) | null,
        failed?: ((error: unknown) => B | PromiseLike<B>) | null,
      ): Promise<A | B> {
        // oxlint-disable-next-line promise/no-callback-in-promise -- it is a promise itself
        return this.work!().then(done, failed);
      }
    }
    const lazy = <T>(work: () => Promise<T>): Lazy<T> => Object.assign(new Lazy<T>(() => {}), { work });
    type Body = () => Promise<unknown>;
    const outer = currentScope();
    const seen: unknown[] = [];
    for (const open of [
      (body: Body) => new CancelScope().run(body),
      (body: Body) => taskGroup(body),
      (body: Body) => all([body]),
      (body: Body) => run(body),
    ]) {
      await open(() => lazy(async () => void seen.push(currentScope())));
    }
    expect(seen.length).toBe(4);
    expect(seen).not.toContain(outer);
  });

  test('is the root outside of every scope', () => {
    const task = currentTask();
    expect([task.id, task.name, task.parentId]).toEqual([0, 'root', undefined]);
    expect(currentScope()).toBe(detached(() => currentScope()));
  });

  test('is the same object for everyone who asks', async () => {
    await taskGroup((tg) => {
      expect(currentScope()).toBe(tg.cancelScope);
      expect(currentScope()).toBe(currentScope());
    });
  });

  test('does not leak out of the call that opened it', async () => {
    const before = currentScope();
    const running = new CancelScope().run(() => sleepForever());
    expect(currentScope()).toBe(before);
    const task = taskGroup((tg) => {
      tg.startSoon(() => sleepForever());
      setImmediate(() => tg.cancel());
    });
    expect(currentScope()).toBe(before);
    await task;
    expect(currentScope()).toBe(before);
    void running;
  });

  test('of concurrent branches in one task are kept apart', async () => {
    const [a, b] = [new CancelScope(), new CancelScope()];
    const see = async (): Promise<unknown> => {
      await nextTurn();
      return currentScope();
    };
    const seen = await Promise.all([a.run(see), b.run(see), see()]);
    expect(seen[0]).toBe(a);
    expect(seen[1]).toBe(b);
    expect(seen[2]).toBe(currentScope());
  });

  test('of a child is below its group, wherever startSoon() is called, and values of the caller are inherited', async () => {
    const values = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    await taskGroup(async (tg) => {
      const child = async (): Promise<void> => {
        await checkpoint();
        seen.push(values.getStore(), currentTask().parentId);
      };
      await values.run('inherited', () => new CancelScope().run(() => void tg.startSoon(child)));
      await new Promise<void>((resolve) => {
        outside(() =>
          setImmediate(() => {
            expect(currentTask().id).toBe(0);
            tg.startSoon(child);
            resolve();
          }),
        );
      });
    });
    expect(seen).toEqual(['inherited', 0, undefined, 0]);
  });

  test('of a child started from a callback outside is cancelled with the group', async () => {
    let outcome = '';
    await taskGroup(async (tg) => {
      outside(() =>
        setImmediate(() => {
          tg.startSoon(async () => {
            try {
              await sleepForever();
            } catch (error) {
              outcome = isCancelled(error) ? 'cancelled' : 'failed';
              throw error;
            }
          });
          setImmediate(() => tg.cancel());
        }),
      );
      await sleepForever();
    });
    expect(outcome).toBe('cancelled');
  });

  test('is there when a lazy foreign thenable begins its work', async () => {
    const scope = new CancelScope();
    const lazy = {
      // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
      then(resolve: (value: unknown) => void): void {
        resolve(currentScope() === scope);
      },
    } as PromiseLike<boolean>;
    expect(await scope.run(() => lazy)).toBe(true);
  });

  test(
    'is cancelled, and a signal given as well ends the wait, too',
    virtualTime(async () => {
      const other = new CancelScope();
      await other.run(async () => {
        const lot = new ParkingLot();
        const scope = new CancelScope();
        const parked = scope.run(() => lot.park({ signal: other.signal }));
        scope.cancel();
        await parked;
        expect(scope.cancelledCaught).toBe(true);
        expect(lot.size).toBe(0);

        const controller = new AbortController();
        const sleeping = sleep(10, { signal: controller.signal });
        controller.abort('enough');
        await expect(sleeping).rejects.toBe('enough');
      });
    }),
  );
});

describe('the root', () => {
  test.each<[string, () => void, RegExp]>([
    ['cancelled', () => currentScope().cancel(), /root scope cannot be cancelled.*run\(\)/],
    ['given a deadline', () => (currentScope().deadline = 0), /root scope cannot be given a deadline/],
    ['shielded', () => (currentScope().shield = true), /root scope cannot be shielded/],
  ])('cannot be %s, and is none the worse for it', async (_what, refuse, message) => {
    const root = detached(() => currentScope());
    const attempt = (): void => detached(refuse);
    expect(attempt).toThrow(InvalidStateError);
    expect(attempt).toThrow(message);
    expect([root.cancelCalled, root.deadline, root.shield]).toEqual([false, Infinity, false]);
    expect(root.signal.aborted).toBe(false);
    await detached(() => checkpoint());
  });

  test('cannot be entered', async () => {
    const root = detached(() => currentScope());
    await expect(root.run(() => {})).rejects.toThrow(InvalidStateError);
  });

  test('has a signal that serves everyone', () => {
    expect(detached(() => currentSignal())).toBe(detached(() => currentSignal()));
  });
});

describe('detached()', () => {
  test('runs a function outside every scope and returns what it returns', async () => {
    await new CancelScope().run((scope) => {
      const result = detached(() => currentTask().name);
      expect(result).toBe('root');
      expect(currentScope()).toBe(scope);
    });
  });

  test('throws what the function throws', async () => {
    await new CancelScope().run((scope) => {
      const error = new Error('no');
      expect(() =>
        detached(() => {
          throw error;
        }),
      ).toThrow(error);
      expect(currentScope()).toBe(scope);
    });
  });

  test('what begins in it is not cancelled with the caller, before, during or after', async () => {
    const lot = new ParkingLot();
    let parked: Promise<void> | undefined;
    const scope = new CancelScope();
    await scope.run(async () => {
      parked = detached(() => lot.park());
      scope.cancel();
      expect(lot.size).toBe(1);
      await detached(() => checkpoint());
    });
    expect(lot.size).toBe(1);
    lot.unpark();
    await parked;
  });

  test('leaves the values of other storages as they are', async () => {
    const values = new AsyncLocalStorage<string>();
    await new CancelScope().run(() =>
      values.run('kept', () => expect(detached(() => values.getStore())).toBe('kept')),
    );
  });

  test('takes a set-up of something that outlives its first user', async () => {
    const emitter = new EventEmitter();
    let seen: unknown;
    await run(
      async () => {
        detached(() => {
          const timer = setInterval(() => {
            seen = currentTask().name;
            clearInterval(timer);
            emitter.emit('tick');
          }, 0);
        });
        await once(emitter, 'tick');
      },
      { name: 'first user' },
    );
    expect(seen).toBe('root');
  });

  test.each([undefined, null, Promise.resolve(), 'fn', {}])('refuses %o', (fn) => {
    expect(() => detached(fn as never)).toThrow(TypeError);
    expect(() => detached(fn as never)).toThrow(/detached\(\): fn must be a function/);
  });

  test('says what to do about a promise', () => {
    expect(() => detached(Promise.resolve() as never)).toThrow(/Pass the function itself/);
  });
});

describe('bindToScope()', () => {
  test('ties a callback to the scope that was current when it was bound', async () => {
    const scope = new CancelScope();
    await scope.run(() => {
      const bound = bindToScope(() => currentScope());
      expect(detached(() => bound())).toBe(scope);
      return new CancelScope().run(() => expect(bound()).toBe(scope));
    });
  });

  test('passes on this, arguments, result and error', () => {
    const bound = bindToScope(function (this: unknown, ...args: unknown[]) {
      if (args.length === 0) throw new RangeError('none');
      return [this, args];
    });
    const target = { bound };
    expect(target.bound(1, 'two')).toEqual([target, [1, 'two']]);
    expect(() => target.bound()).toThrow(new RangeError('none'));
  });

  test('its waits are cancelled with the scope, and not with that of the caller', async () => {
    const lot = new ParkingLot();
    const scope = new CancelScope();
    let parked: Promise<void> | undefined;
    await scope.run(async () => {
      const bound = bindToScope(() => lot.park());
      const caller = new CancelScope();
      await caller.run(() => {
        parked = bound();
        caller.cancel();
      });
      expect(lot.size).toBe(1);
      scope.cancel();
      expect(lot.size).toBe(0);
    });
    await expect(parked).rejects.toBeInstanceOf(Cancelled);
  });

  test('goes to the nearest open scope around when the scope was left', async () => {
    let bound: () => CancelScope = () => expect.fail('not bound');
    const outer = new CancelScope();
    await outer.run(async () => {
      await new CancelScope().run(() =>
        new CancelScope().run(() => {
          bound = bindToScope(() => currentScope());
        }),
      );
      expect(detached(bound)).toBe(outer);
    });
    expect(bound()).toBe(detached(() => currentScope()));
  });

  test('outside of every scope binds to the root', async () => {
    const bound = detached(() => bindToScope(() => currentTask().id));
    await run(() => expect(bound()).toBe(0));
  });

  test.each([undefined, null, Promise.resolve(), 'fn', {}])('refuses %o', (fn) => {
    expect(() => bindToScope(fn as never)).toThrow(TypeError);
    expect(() => bindToScope(fn as never)).toThrow(/bindToScope\(\): fn must be a function/);
  });
});

describe('a lost context', () => {
  test('is nothing to speak of by default: the wait merely cannot be cancelled', async () => {
    const lot = new ParkingLot();
    let parked: Promise<void> | undefined;
    const messages = await warningsDuring(() =>
      moveOnAfter(1_000, async (scope) => {
        await run(() => void (parked = outside(() => lot.park())));
        scope.cancel();
      }),
    );
    expect(messages).toEqual([]);
    expect(lot.size).toBe(1);
    lot.unpark();
    await parked;
  });

  test('is warned of with `warn`, and the wait goes on', async () => {
    const messages = await warningsDuring(() =>
      run(() => outside(() => checkpoint()), { lostContext: 'warn' }),
    );
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatch(
      /^checkpoint\(\) has no ambient scope although a run is open.*bindToScope\(\), or detached\(\)/s,
    );
  });

  test('is an error with `error`: for waits, scopes and groups', async () => {
    await run(
      async () => {
        for (const lost of [
          () => checkpoint(),
          () => sleep(0),
          () => sleepForever(),
          () => new ParkingLot().park(),
          () => new CancelScope().run(() => expect.fail('was entered')),
          () => moveOnAfter(1_000, () => expect.fail('was entered')),
          () => taskGroup(() => expect.fail('was entered')),
        ]) {
          const refused = outside(lost);
          await expect(refused).rejects.toBeInstanceOf(InvalidStateError);
          await expect(refused).rejects.toThrow(/no ambient scope although a run is open/);
        }
      },
      { lostContext: 'error' },
    );
  });

  test('may be looked at without an error', async () => {
    await run(
      () => {
        expect(outside(() => currentTask().id)).toBe(0);
        expect(outside(() => currentTime())).toBeGreaterThan(0);
      },
      { lostContext: 'error' },
    );
  });

  test('is none where a program begins or detaches itself, nor when the run is over', async () => {
    await run(
      async () => {
        await detached(() => checkpoint());
        await outside(() => run(() => checkpoint()));
      },
      { lostContext: 'error' },
    );
    await outside(() => checkpoint());
  });

  test('is watched for until the run has ended, however it ends', async () => {
    await expect(
      run(
        async () => {
          await checkpoint();
          throw new Error('main failed');
        },
        { lostContext: 'error' },
      ),
    ).rejects.toThrow('main failed');
    await outside(() => checkpoint());
    await expect(
      run(
        () => {
          throw new Error('main failed at once');
        },
        { lostContext: 'error' },
      ),
    ).rejects.toThrow('main failed at once');
    await outside(() => checkpoint());
  });

  test('is an error while any open run says so', async () => {
    const messages = await warningsDuring(() =>
      run(
        () =>
          run(() => expect(outside(() => checkpoint())).rejects.toThrow(InvalidStateError), {
            lostContext: 'error',
          }),
        { lostContext: 'warn' },
      ),
    );
    expect(messages).toEqual([]);
  });

  test('is still watched for when a run inside has ended', async () => {
    await run(
      async () => {
        await run(() => expect(outside(() => checkpoint())).rejects.toThrow(InvalidStateError));
        await expect(outside(() => checkpoint())).rejects.toThrow(InvalidStateError);
      },
      { lostContext: 'error' },
    );
  });

  test.each(['never', 1, null, true])('cannot be treated as %o', async (lostContext) => {
    await expect(run(() => {}, { lostContext: lostContext as never })).rejects.toThrow(TypeError);
    await expect(run(() => {}, { lostContext: lostContext as never })).rejects.toThrow(
      /options\.lostContext must be one of "ignore", "warn", "error"/,
    );
  });
});
