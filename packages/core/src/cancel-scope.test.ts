import { describe, expect, test } from 'vitest';

import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';

import {
  cancelShieldedCheckpoint,
  Cancelled,
  CancelScope,
  checkpoint,
  currentEffectiveDeadline,
  currentTask,
  currentTime,
  failAfter,
  InvalidStateError,
  moveOnAfter,
  run,
  shield,
  sleep,
  sleepForever,
  TaskGroupError,
  taskGroup,
  TimeoutError,
  type TaskGroup,
  type TaskStatus,
} from './index.js';
import { currentScope } from './lowlevel.js';
import {
  errorOf,
  HandClock,
  listeners,
  outcome,
  thrownBy,
  timers,
  turns,
  unhandledRejections,
} from './observing.fixture.js';

describe('run', () => {
  test('a block that was cancelled, and so were its disposers, was cancelled', async () => {
    const scope = new CancelScope();
    await scope.run(async () => {
      scope.cancel();
      const slow = { [Symbol.asyncDispose]: () => sleepForever() };
      await using _first = slow;
      await using _second = slow;
      await sleepForever();
    });
    expect(scope.cancelledCaught).toBe(true);
    const failing = new CancelScope().run(async (inner) => {
      inner.cancel();
      await using _broken = { [Symbol.asyncDispose]: () => Promise.reject(new RangeError('cannot close')) };
      await sleepForever();
    });
    await expect(failing).rejects.toMatchObject({
      name: 'SuppressedError',
      error: { message: 'cannot close' },
    });
  });

  test(
    'resolves to what its body returns, whether or not that is a promise',
    virtualTime(async () => {
      expect(await new CancelScope().run(() => 'tea')).toBe('tea');
      expect(await new CancelScope().run(async () => 'tea')).toBe('tea');
      expect(await new CancelScope().run(() => sleep(1).then(() => 'tea'))).toBe('tea');
    }),
  );

  test(
    'gives the body the scope, which is also the current one in there',
    virtualTime(async () => {
      const around = currentScope();
      const scope = new CancelScope();
      await scope.run(async (given) => {
        expect(given).toBe(scope);
        expect(currentScope()).toBe(scope);
        await sleep(1);
        expect(currentScope()).toBe(scope);
      });
      expect(currentScope()).toBe(around);
    }),
  );

  test(
    'calls the body within the call',
    virtualTime(async () => {
      const order: string[] = [];
      const left = new CancelScope().run(() => order.push('body'));
      order.push('after');
      await left;
      expect(order).toEqual(['body', 'after']);
    }),
  );

  test(
    'rejects with what its body throws, at once or later',
    virtualTime(async () => {
      const error = new Error('out of tea');
      const scope = new CancelScope();
      await expect(
        scope.run(() => {
          throw error;
        }),
      ).rejects.toBe(error);
      await expect(new CancelScope().run(() => Promise.reject(error))).rejects.toBe(error);
      const nothing: unknown = undefined;
      await expect(new CancelScope().run(() => Promise.reject(nothing))).rejects.toBe(nothing);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'awaits a thenable of another make, whose work begins inside the scope',
    virtualTime(async () => {
      const scope = new CancelScope();
      let seen: unknown;
      const thenable = {
        // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
        then(resolve: (value: string) => void): void {
          seen = currentScope();
          resolve('tea');
        },
      };
      expect(await scope.run(() => thenable as PromiseLike<string>)).toBe('tea');
      expect(seen).toBe(scope);
    }),
  );

  test(
    'a scope is entered once: not again afterwards',
    virtualTime(async () => {
      const scope = new CancelScope({ name: 'tea time' });
      await scope.run(() => checkpoint());
      const error = await errorOf(scope.run(() => expect.unreachable()));
      expect(error).toBeInstanceOf(InvalidStateError);
      expect((error as Error).message).toMatch(/"tea time" was entered before.*Make a new one/);
      // A cancellation that comes too late does no harm.
      scope.cancel();
      await checkpoint();
      expect(scope.cancelCalled).toBe(true);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a scope is entered once: not from inside, and not by another task at the same time',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(async () => {
        await expect(scope.run(() => expect.unreachable())).rejects.toBeInstanceOf(InvalidStateError);
      });
      const shared = new CancelScope();
      await taskGroup(async (tg) => {
        tg.startSoon(() => shared.run(() => sleepForever()));
        await waitAllTasksBlocked();
        await expect(shared.run(() => expect.unreachable())).rejects.toBeInstanceOf(InvalidStateError);
        tg.cancel();
      });
    }),
  );

  test(
    'a body that is refused leaves the scope as it was',
    virtualTime(async () => {
      const scope = new CancelScope();
      await expect(scope.run('tea' as never)).rejects.toThrow(
        'CancelScope.run(): body must be a function, got "tea"',
      );
      expect(await scope.run(() => 'tea')).toBe('tea');
    }),
  );
});

describe('cancel', () => {
  test(
    'ends what waits in the scope, which catches it: undefined comes out',
    virtualTime(async () => {
      const scope = new CancelScope();
      const result = await scope.run(async () => {
        scope.cancel();
        await checkpoint();
        return 'not reached';
      });
      expect(result).toBeUndefined();
      expect(scope.cancelCalled).toBe(true);
      expect(scope.cancelledCaught).toBe(true);
      await checkpoint(); // out here nothing is cancelled
    }),
  );

  test(
    'is idempotent, and the first reason stands',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(async () => {
        scope.cancel('first');
        scope.cancel('second');
        const error = await errorOf(checkpoint());
        expect(error).toMatchObject({ reason: 'first', source: 'cancel' });
        throw error;
      });
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'is a level, not an edge: every further wait rejects as well, with the same error',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(async () => {
        scope.cancel();
        const first = await errorOf(sleepForever());
        const second = await errorOf(sleepForever());
        const third = await errorOf(checkpoint());
        expect(first).toBeInstanceOf(Cancelled);
        expect(second).toBe(first);
        expect(third).toBe(first);
      });
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'before run() it is honoured at the first wait, and the body begins nevertheless',
    virtualTime(async () => {
      const scope = new CancelScope();
      scope.cancel('before');
      expect(scope.cancelCalled).toBe(true);
      const record: string[] = [];
      await scope.run(async () => {
        record.push('begun');
        await sleep(1);
        record.push('not reached');
      });
      expect(record).toEqual(['begun']);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a body that finishes in spite of it keeps its result',
    virtualTime(async () => {
      const scope = new CancelScope();
      const result = await scope.run(async () => {
        scope.cancel();
        await cancelShieldedCheckpoint();
        return 'tea';
      });
      expect(result).toBe('tea');
      expect(scope.cancelCalled).toBe(true);
      expect(scope.cancelledCaught).toBe(false);
      await checkpoint();
      const synchronous = new CancelScope();
      expect(await synchronous.run(() => (synchronous.cancel(), 'tea'))).toBe('tea');
      expect(synchronous.cancelledCaught).toBe(false);
    }),
  );

  test(
    'may come from another task, and ends that scope alone',
    virtualTime(async () => {
      const scope = new CancelScope();
      const record: string[] = [];
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          await scope.run(async () => {
            await sleep(2_000);
            record.push('not reached');
          });
          record.push('the child goes on');
        });
        await waitAllTasksBlocked();
        scope.cancel();
        await sleep(100);
        record.push('so does the host');
        expect(tg.cancelScope.cancelCalled).toBe(false);
      });
      expect(record).toEqual(['the child goes on', 'so does the host']);
      expect(currentTime()).toBe(100);
    }),
  );

  test(
    'may come from a plain callback',
    virtualTime(async () => {
      const scope = new CancelScope();
      setImmediate(() => scope.cancel('from a callback'));
      await scope.run(() => new CancelScope().run(() => sleepForever()));
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'reaches every task and scope below, in the call itself',
    virtualTime(async () => {
      const record: string[] = [];
      const leaf = async (name: string): Promise<void> => {
        const error = await errorOf(sleepForever());
        record.push(name);
        throw error;
      };
      const worker = (name: string): Promise<unknown> =>
        taskGroup((tg) => {
          tg.startSoon(leaf, `${name}1`);
          tg.startSoon(leaf, `${name}2`);
        });
      await taskGroup(async (tg) => {
        tg.startSoon(worker, 'a');
        tg.startSoon(worker, 'b');
        await waitAllTasksBlocked();
        tg.cancel();
      });
      expect(record.toSorted()).toEqual(['a1', 'a2', 'b1', 'b2']);
    }),
  );

  test(
    'reaches a child although its parent waits in a shield',
    virtualTime(async () => {
      const record: string[] = [];
      const outer = new CancelScope();
      await outer.run(() =>
        taskGroup(async (tg) => {
          const child = tg.startSoon(async () => {
            const error = await errorOf(sleepForever());
            record.push('child cancelled');
            throw error;
          });
          await waitAllTasksBlocked();
          await shield(async () => {
            outer.cancel();
            await child.wait();
            record.push('waited for it');
          });
        }),
      );
      expect(record).toEqual(['child cancelled', 'waited for it']);
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test(
    'two cancelled scopes around: the outer one catches',
    virtualTime(async () => {
      const [first, second, third] = [new CancelScope(), new CancelScope(), new CancelScope()];
      await first.run(() =>
        second.run(() =>
          third.run(async () => {
            third.cancel();
            second.cancel();
            await sleepForever();
          }),
        ),
      );
      expect(third.cancelCalled).toBe(true);
      expect(third.cancelledCaught).toBe(false);
      expect(second.cancelledCaught).toBe(true);
      expect(first.cancelCalled).toBe(false);
      expect(first.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a scope that is cancelled inside of a cancelled one passes the cancellation on',
    virtualTime(async () => {
      const outer = new CancelScope();
      const inner = new CancelScope();
      await outer.run(async () => {
        outer.cancel();
        await inner.run(async () => {
          inner.cancel();
          await sleepForever();
        });
        expect.unreachable();
      });
      expect(inner.cancelledCaught).toBe(false);
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test(
    'an outer cancellation that comes while the inner one is on its way out takes over',
    virtualTime(async () => {
      const outer = new CancelScope();
      const inner = new CancelScope();
      await outer.run(async () => {
        await inner.run(async () => {
          inner.cancel();
          try {
            await checkpoint();
          } finally {
            outer.cancel();
          }
        });
        expect.unreachable();
      });
      expect(inner.cancelledCaught).toBe(false);
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a shielded scope catches its own cancellation although the outer scope is cancelled meanwhile',
    virtualTime(async () => {
      const outer = new CancelScope();
      const inner = new CancelScope({ shield: true });
      let between = false;
      await outer.run(async () => {
        await inner.run(async () => {
          inner.cancel();
          try {
            await checkpoint();
          } finally {
            outer.cancel();
          }
        });
        between = true;
      });
      expect(between).toBe(true);
      expect(inner.cancelledCaught).toBe(true);
      expect(outer.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a cancellation of the scope around is not caught by a scope that is cancelled only after it was left',
    virtualTime(async () => {
      const outer = new CancelScope();
      await outer.run(async () => {
        await moveOnAfter(100, () => sleep(1_000));
        outer.cancel();
      });
      expect(outer.cancelledCaught).toBe(false);
      expect(currentTime()).toBe(100);
    }),
  );

  test(
    'a Cancelled that was thrown by hand from elsewhere is no business of a scope that is not cancelled',
    virtualTime(async () => {
      const other = new CancelScope();
      other.cancel('other');
      const cancelled = await errorOf(sleepForever({ signal: other.signal }));
      const scope = new CancelScope();
      await expect(scope.run(() => Promise.reject(cancelled as Error))).rejects.toBe(cancelled);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'replacing the Cancelled by one of another scope on the way out is still a cancellation',
    virtualTime(async () => {
      const other = new CancelScope();
      other.cancel();
      const foreign = await errorOf(sleepForever({ signal: other.signal }));
      const scope = new CancelScope();
      const result = await scope.run(async () => {
        scope.cancel();
        await checkpoint().catch(() => {
          throw foreign;
        });
      });
      expect(result).toBeUndefined();
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'the same task can be cancelled again, in another scope',
    virtualTime(async () => {
      for (let round = 0; round < 2; round++) {
        await taskGroup(async (tg) => {
          tg.startSoon(async () => {
            await waitAllTasksBlocked();
            tg.cancel();
          });
          await sleep(1_000);
          expect.unreachable();
        });
      }
      expect(currentTime()).toBe(0);
    }),
  );

  test(
    'of a parent that is cancelled, a child that is begun afterwards still begins, and ends at its first wait',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          await errorOf(waitAllTasksBlocked());
          tg.startSoon(async () => {
            record.push('begun');
            await new CancelScope().run(() => sleep(1));
            record.push('not reached');
          });
        });
        tg.cancel();
      });
      expect(record).toEqual(['begun']);
    }),
  );

  test(
    'a checkpoint built of a scope that cancels itself is cancelled with the scope around',
    virtualTime(async () => {
      const ownCheckpoint = (): Promise<unknown> =>
        new CancelScope().run((scope) => {
          scope.cancel();
          return sleepForever();
        });
      await ownCheckpoint();
      const outer = new CancelScope();
      await outer.run(async () => {
        outer.cancel();
        await ownCheckpoint();
        expect.unreachable();
      });
      expect(outer.cancelledCaught).toBe(true);
    }),
  );

  test('a scope that was cancelled, and whose promise nobody looks at, is silent', async () => {
    const rejections = await unhandledRejections(async () => {
      const outer = new CancelScope();
      await run(async () => {
        await outer.run(async () => {
          void new CancelScope().run(() => sleepForever());
          void new CancelScope().run(async () => {
            await errorOf(sleepForever());
            throw new DOMException('stopped', 'AbortError');
          });
          outer.cancel();
          await turns(2);
        });
      });
    });
    // The second scope had not handed out its signal, so that AbortError may be anybody's.
    expect(rejections).toEqual([new DOMException('stopped', 'AbortError')]);
  });

  test('a bare AbortError on its way out of a cancelled scope travels as a Cancelled, and is silent as such', async () => {
    let passedOn: unknown;
    const rejections = await unhandledRejections(async () => {
      const outer = new CancelScope();
      await outer.run(async () => {
        const inner = new CancelScope();
        const floating = inner.run(async () => {
          void inner.signal;
          await errorOf(sleepForever());
          throw new DOMException('stopped', 'AbortError');
        });
        outer.cancel('outer');
        await turns(2);
        passedOn = await errorOf(floating);
      });
      const again = new CancelScope();
      await again.run(async () => {
        const inner = new CancelScope();
        void inner.run(async () => {
          void inner.signal;
          await errorOf(sleepForever());
          throw new DOMException('stopped', 'AbortError');
        });
        again.cancel();
        await turns(2);
      });
    });
    expect(passedOn).toMatchObject({ name: 'Cancelled', reason: 'outer' });
    expect(rejections).toEqual([]);
  });

  test('an error that is no cancellation, in a scope that nobody awaits, is heard of', async () => {
    const error = new Error('out of tea');
    const rejections = await unhandledRejections(() => {
      void new CancelScope().run(() => Promise.reject(error));
      void new CancelScope().run(() => {
        throw error;
      });
    });
    expect(rejections).toEqual([error, error]);
  });
});

describe('the Cancelled error', () => {
  test(
    'says who cancelled what, and why',
    virtualTime(async () => {
      const message = async (scope: CancelScope, cancel: () => void): Promise<string> => {
        let error: unknown;
        await scope.run(async () => {
          cancel();
          error = await errorOf(checkpoint());
        });
        expect(error).toBeInstanceOf(Cancelled);
        return (error as Error).message;
      };
      const named = new CancelScope({ name: 'tea time' });
      expect(await message(named, () => named.cancel('out of tea'))).toBe(
        'cancel() was called on scope "tea time": out of tea',
      );
      const withError = new CancelScope();
      expect(await message(withError, () => withError.cancel(new Error('no milk')))).toBe(
        'cancel() was called on scope "scope": no milk',
      );
      const withObject = new CancelScope();
      expect(await message(withObject, () => withObject.cancel({ any: 'thing' }))).toBe(
        'cancel() was called on scope "scope"',
      );
      const late = new CancelScope({ name: 'tea time' });
      expect(await message(late, () => (late.deadline = -Infinity))).toBe(
        'the deadline of scope "tea time" has passed',
      );
      const controller = new AbortController();
      const linked = new CancelScope({ signal: controller.signal });
      expect(await message(linked, () => controller.abort('enough'))).toBe(
        'a signal aborted scope "scope": enough',
      );
    }),
  );

  test(
    'has the source deadline for a deadline that had passed at the beginning',
    virtualTime(async () => {
      const scope = new CancelScope({ deadline: -Infinity });
      await scope.run(async () => {
        expect(await errorOf(checkpoint())).toMatchObject({ source: 'deadline', reason: undefined });
      });
    }),
  );

  test(
    'a deadline that passes after cancel() changes neither source nor reason',
    virtualTime(async () => {
      await new CancelScope().run(async (scope) => {
        scope.cancel('asked');
        scope.deadline = -Infinity;
        expect(await errorOf(checkpoint())).toMatchObject({ source: 'cancel', reason: 'asked' });
      });
    }),
  );

  test(
    'a cancel() after the deadline has passed changes neither source nor reason',
    virtualTime(async () => {
      await new CancelScope().run(async (scope) => {
        scope.deadline = -Infinity;
        const first = await errorOf(checkpoint());
        expect(first).toMatchObject({ source: 'deadline' });
        scope.cancel('too late');
        expect(await errorOf(checkpoint())).toBe(first);
      });
    }),
  );

  test(
    'stays the same object when the scope around is cancelled as well',
    virtualTime(async () => {
      const outer = new CancelScope();
      await outer.run(() =>
        new CancelScope().run(async (inner) => {
          inner.cancel('inner');
          const first = await errorOf(checkpoint());
          outer.cancel('outer');
          expect(await errorOf(checkpoint())).toBe(first);
        }),
      );
    }),
  );

  test(
    'one object serves all who are cancelled together, and its stack tells who cancelled',
    virtualTime(async () => {
      const errors: unknown[] = [];
      await taskGroup(async (tg) => {
        for (let i = 0; i < 3; i++) {
          tg.startSoon(async () => void errors.push(await errorOf(sleepForever())));
        }
        await waitAllTasksBlocked();
        const theOneWhoCancelled = (): void => tg.cancel('all');
        theOneWhoCancelled();
      });
      expect(new Set(errors).size).toBe(1);
      expect(errors[0]).toMatchObject({ source: 'cancel', reason: 'all' });
      expect((errors[0] as Error).stack).toContain('theOneWhoCancelled');
    }),
  );
});

describe('the Cancelled error in a task group that fails', () => {
  /** Waits until it is cancelled, and fails with something else then. */
  const seeing = (seen: unknown[]) => async (): Promise<void> => {
    seen.push(await errorOf(sleepForever()));
    throw new RangeError('out of milk');
  };
  const tea = new Error('out of tea');
  const cause = { source: 'task-failure', reason: tea };

  test(
    'names the failure of a child to its siblings and to the body',
    virtualTime(async () => {
      const seen: unknown[] = [];
      const error = await errorOf(
        taskGroup(
          async (tg) => {
            tg.startSoon(seeing(seen));
            tg.startSoon(async () => {
              await sleep(5);
              throw tea;
            });
            const ofTheBody = await errorOf(sleepForever());
            seen.push(ofTheBody);
            throw ofTheBody;
          },
          { name: 'tea time' },
        ),
      );
      expect(seen).toEqual([expect.objectContaining(cause), expect.objectContaining(cause)]);
      expect((seen[0] as Error).message).toBe('something in group "tea time" failed: out of tea');
      expect((error as AggregateError).errors).toEqual([tea, new RangeError('out of milk')]);
    }),
  );

  test(
    'names it to a task that begins only afterwards',
    virtualTime(async () => {
      const seen: unknown[] = [];
      const error = await errorOf(
        taskGroup(async (tg) => {
          await tg.start((status: TaskStatus) => {
            status.started();
            throw tea;
          });
          seen.push(await errorOf(checkpoint()));
          await shield(async () => {
            tg.startSoon(seeing(seen));
          });
        }),
      );
      expect(seen).toEqual([expect.objectContaining(cause), expect.objectContaining(cause)]);
      expect((error as AggregateError).errors).toEqual([tea, new RangeError('out of milk')]);
    }),
  );

  test(
    'names the failure of the body to the children, also if it comes from a child that it was starting',
    virtualTime(async () => {
      for (const fail of [
        () => Promise.reject(tea),
        (tg: TaskGroup) => tg.start((_status: TaskStatus) => Promise.reject(tea)),
      ]) {
        const seen: unknown[] = [];
        await errorOf(
          taskGroup(async (tg) => {
            tg.startSoon(seeing(seen));
            await waitAllTasksBlocked();
            await fail(tg);
          }),
        );
        expect(seen).toEqual([expect.objectContaining(cause)]);
      }
    }),
  );
});

describe('what a scope catches', () => {
  test(
    'the cancellations in a group of errors are filtered out, and the other errors go on',
    virtualTime(async () => {
      const scope = new CancelScope();
      const tea = new Error('out of tea');
      const error = await errorOf(
        scope.run(async () => {
          scope.cancel();
          const cancelled = await errorOf(checkpoint());
          throw new AggregateError([tea, cancelled], 'both');
        }),
      );
      expect(error).toBeInstanceOf(AggregateError);
      expect(error).toMatchObject({ message: 'both', errors: [tea] });
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'nesting is kept, and groups that had nothing but cancellations disappear',
    virtualTime(async () => {
      const scope = new CancelScope();
      const [tea, milk] = [new Error('out of tea'), new Error('out of milk')];
      const error = await errorOf(
        scope.run(async () => {
          scope.cancel();
          const cancelled = await errorOf(checkpoint());
          throw new AggregateError(
            [
              new AggregateError([cancelled, tea], 'inner'),
              new AggregateError([cancelled, new AggregateError([cancelled])]),
              milk,
            ],
            'outer',
          );
        }),
      );
      expect(error).toMatchObject({ message: 'outer', errors: [{ message: 'inner', errors: [tea] }, milk] });
      expect((error as AggregateError).errors).toHaveLength(2);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a group of nothing but cancellations is caught as a whole',
    virtualTime(async () => {
      const scope = new CancelScope();
      const result = await scope.run(async () => {
        scope.cancel();
        const cancelled = await errorOf(sleepForever());
        throw new AggregateError([cancelled, new AggregateError([cancelled])]);
      });
      expect(result).toBeUndefined();
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a group without a cancellation passes as it is, and nothing counts as caught',
    virtualTime(async () => {
      const scope = new CancelScope();
      const group = new AggregateError([new Error('out of tea'), new Error('out of milk')], 'test');
      await expect(
        scope.run(() => {
          scope.cancel();
          throw group;
        }),
      ).rejects.toBe(group);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a group of errors in a cancelled scope that does not catch keeps its cancellations',
    virtualTime(async () => {
      const outer = new CancelScope();
      const inner = new CancelScope();
      const tea = new Error('out of tea');
      let between: unknown;
      const error = await errorOf(
        outer.run(async () => {
          outer.cancel();
          between = await errorOf(
            inner.run(async () => {
              throw new AggregateError([tea, await errorOf(checkpoint())]);
            }),
          );
          throw between;
        }),
      );
      expect((between as AggregateError).errors).toHaveLength(2);
      expect((error as AggregateError).errors).toEqual([tea]);
    }),
  );

  test(
    'of a task group below, cancelled from two sides and failing, only the failure goes on',
    virtualTime(async () => {
      const outer = new CancelScope();
      const error = await errorOf(
        outer.run(() =>
          taskGroup(async (tg) => {
            tg.startSoon(() => sleepForever());
            tg.startSoon(() => sleepForever());
            tg.cancel();
            await shield(() => waitAllTasksBlocked());
            tg.startSoon(() => sleepForever());
            outer.cancel();
            tg.startSoon(() => {
              throw new RangeError('out of tea');
            });
          }),
        ),
      );
      expect(error).toBeInstanceOf(TaskGroupError);
      expect((error as AggregateError).errors).toEqual([new RangeError('out of tea')]);
    }),
  );

  test(
    'of a task group below that has nothing but cancellations, a single Cancelled comes',
    virtualTime(async () => {
      const outer = new CancelScope();
      let error: unknown;
      await outer.run(async () => {
        error = await errorOf(
          taskGroup(async (tg) => {
            tg.startSoon(() => sleep(5_000));
            await waitAllTasksBlocked();
            outer.cancel('outer');
            await sleep(5_000);
          }),
        );
        throw error;
      });
      expect(error).toBeInstanceOf(Cancelled);
      expect(error).toMatchObject({ reason: 'outer' });
      expect(outer.cancelledCaught).toBe(true);
    }),
  );
});

describe('shield', () => {
  test(
    'is raised and lowered while the scope runs',
    virtualTime(async () => {
      const outer = new CancelScope();
      const inner = new CancelScope();
      await outer.run(async () => {
        await inner.run(async () => {
          await checkpoint();
          outer.cancel();
          await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
          expect(inner.shield).toBe(false);
          inner.shield = true;
          expect(inner.shield).toBe(true);
          await checkpoint();
          const innermost = new CancelScope();
          await innermost.run(async () => {
            innermost.cancel();
            await checkpoint(); // no protection from a scope inside
          });
          expect(innermost.cancelledCaught).toBe(true);
          await checkpoint();
          inner.shield = false;
          await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
          inner.shield = true;
          await checkpoint();
          inner.cancel(); // no protection from the scope itself
          await checkpoint();
          expect.unreachable();
        });
        expect(inner.cancelledCaught).toBe(true);
      });
    }),
  );

  test(
    'may be raised before run()',
    virtualTime(async () => {
      const outer = new CancelScope();
      const scope = new CancelScope();
      scope.shield = true;
      await outer.run(() =>
        scope.run(async () => {
          outer.cancel();
          await checkpoint();
          scope.shield = false;
          await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
        }),
      );
    }),
  );

  test(
    'lowering it interrupts in the very call what waits inside',
    virtualTime(async () => {
      const record: string[] = [];
      const outer = new CancelScope();
      await outer.run(() =>
        taskGroup(async (tg) => {
          outer.cancel();
          tg.cancelScope.shield = true;
          tg.startSoon(async () => {
            record.push('sleeping');
            await errorOf(sleepForever());
            record.push('cancelled');
          });
          await waitAllTasksBlocked();
          expect(record).toEqual(['sleeping']);
          tg.cancelScope.shield = false;
          await shield(() => waitAllTasksBlocked());
          expect(record).toEqual(['sleeping', 'cancelled']);
        }),
      );
    }),
  );

  test(
    'keeps out a cancellation of the task group around, which meets the task afterwards',
    virtualTime(async () => {
      const record: string[] = [];
      const inner = new CancelScope({ shield: true, timeout: 10_000 });
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          await sleep(50);
          tg.cancel();
        });
        await inner.run(async () => {
          await sleep(100);
          record.push('inner');
        });
        await sleep(1_000);
        record.push('not reached');
      });
      expect(record).toEqual(['inner']);
      expect(inner.cancelCalled).toBe(false);
      expect(currentTime()).toBe(100);
    }),
  );

  test(
    'is no protection from a cancellation of the scope itself, out of another task',
    virtualTime(async () => {
      const scope = new CancelScope({ shield: true });
      await taskGroup(async (tg) => {
        await scope.run(async () => {
          tg.startSoon(async () => {
            await waitAllTasksBlocked();
            scope.cancel();
          });
          await sleep(500);
          expect.unreachable();
        });
      });
      expect(currentTime()).toBe(0);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'inside, nothing is pending and no deadline applies; outside, both are back',
    virtualTime(async () => {
      const outer = new CancelScope({ timeout: 500 });
      await outer.run(async () => {
        outer.cancel();
        await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
        expect(currentEffectiveDeadline()).toBe(-Infinity);
        expect(currentTask().hasPendingCancellation()).toBe(true);
        await shield(async () => {
          expect(currentEffectiveDeadline()).toBe(Infinity);
          expect(currentTask().hasPendingCancellation()).toBe(false);
          await checkpoint();
        });
        expect(currentEffectiveDeadline()).toBe(-Infinity);
        expect(currentTask().hasPendingCancellation()).toBe(true);
        await expect(sleep(10)).rejects.toBeInstanceOf(Cancelled);
        await expect(sleep(10)).rejects.toBeInstanceOf(Cancelled);
      });
    }),
  );

  test(
    'a shielded scope that is cancelled itself has a pending cancellation',
    virtualTime(async () => {
      const scope = new CancelScope({ shield: true });
      await scope.run(async () => {
        scope.cancel();
        expect(currentEffectiveDeadline()).toBe(-Infinity);
        expect(currentTask().hasPendingCancellation()).toBe(true);
        await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
      });
    }),
  );

  test(
    'raised while a cancellation from around is on its way out, it does not catch that',
    virtualTime(async () => {
      const outer = new CancelScope();
      const inner = new CancelScope();
      await outer.run(() =>
        inner.run(async () => {
          outer.cancel();
          try {
            await checkpoint();
          } finally {
            inner.shield = true;
          }
        }),
      );
      expect(outer.cancelledCaught).toBe(true);
      expect(inner.cancelledCaught).toBe(false);
    }),
  );

  test(
    'three deep: what was cancelled outside of the shield is met right after it, in the outermost scope',
    virtualTime(async () => {
      const [first, second] = [new CancelScope(), new CancelScope()];
      let isPast = false;
      await first.run(async () => {
        await second.run(() =>
          shield(async () => {
            first.cancel();
            second.cancel();
            await checkpoint();
          }),
        );
        await checkpoint();
        isPast = true;
      });
      expect(isPast).toBe(false);
      expect(first.cancelledCaught).toBe(true);
      expect(second.cancelledCaught).toBe(false);
    }),
  );

  test(
    'three deep: what was cancelled outside of the shield is met right after it, in the middle scope',
    virtualTime(async () => {
      const first = new CancelScope();
      let isPast = false;
      await first.run(() =>
        new CancelScope().run(async () => {
          await shield(async () => {
            first.cancel();
            await checkpoint();
          });
          await checkpoint();
          isPast = true;
        }),
      );
      expect(isPast).toBe(false);
      expect(first.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a child that starts in a shield is kept from the cancellation of the starter until the shield ends',
    virtualTime(async () => {
      const record: string[] = [];
      const outer = new CancelScope();
      await outer.run(() =>
        taskGroup(async (tg) => {
          const ready = new CancelScope();
          tg.startSoon(() =>
            tg.start(async (_status: TaskStatus) => {
              await shield(() => ready.run(() => sleepForever()));
              record.push('the shield has ended');
              await checkpoint();
              record.push('not reached');
            }),
          );
          await waitAllTasksBlocked();
          outer.cancel();
          ready.cancel();
        }),
      );
      expect(record).toEqual(['the shield has ended']);
    }),
  );

  test(
    'lowered in a child while the group is cancelled: the rest of the child is cancelled',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup(async (tg) => {
        await tg.start(async (status: TaskStatus) => {
          await new CancelScope().run(async (scope) => {
            await sleep(100);
            scope.shield = true;
            status.started();
            await sleep(100);
            record.push('shielded');
            scope.shield = false;
            await sleep(1_000);
          });
          record.push('not reached');
        });
        tg.cancel();
      });
      expect(record).toEqual(['shielded']);
      expect(currentTime()).toBe(200);
    }),
  );

  test('waiting for one that does not mind costs nothing: no wait is woken and no timer is set meanwhile', async () => {
    const clock = new HandClock();
    await run(
      () =>
        taskGroup(async (tg) => {
          const stubborn = new CancelScope({ shield: true });
          tg.startSoon(() => stubborn.run(() => sleep(200)));
          await turns(1);
          tg.cancel();
          const { scheduled } = clock;
          await turns(20);
          expect(clock.scheduled).toBe(scheduled);
          expect(stubborn.cancelCalled).toBe(false);
          clock.moveTo(200);
        }),
      { clock },
    );
  });
});

describe('deadline', () => {
  test(
    'cancels the scope when it has passed',
    virtualTime(async () => {
      const scope = new CancelScope({ deadline: 1_000 });
      await scope.run(() => sleepForever());
      expect(currentTime()).toBe(1_000);
      expect(scope.cancelCalled).toBe(true);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'Infinity means none, and one that never came is forgotten when the scope is left',
    virtualTime(async () => {
      const scope = new CancelScope();
      expect(scope.deadline).toBe(Infinity);
      await scope.run(async () => {
        scope.deadline = 1_000;
        expect(scope.deadline).toBe(1_000);
      });
      await sleep(2_000);
      expect(scope.cancelCalled).toBe(false);
    }),
  );

  test(
    'may be moved later and earlier while the scope runs',
    virtualTime(async () => {
      const later = new CancelScope({ deadline: 100 });
      await later.run(async () => {
        later.deadline += 300;
        await sleep(200);
      });
      expect(later.cancelCalled).toBe(false);
      const earlier = new CancelScope({ deadline: 10_000 });
      await earlier.run(async () => {
        earlier.deadline = 250;
        await sleepForever();
      });
      expect(currentTime()).toBe(250);
      const none = new CancelScope({ deadline: 300 });
      await none.run(async () => {
        none.deadline = Infinity;
        await sleep(1_000);
      });
      expect(none.cancelCalled).toBe(false);
    }),
  );

  test(
    'moved into the past it cancels in that call',
    virtualTime(async () => {
      const scope = new CancelScope();
      await sleep(5);
      await scope.run(async () => {
        await checkpoint();
        scope.deadline = 15;
        await sleep(5);
        await checkpoint();
        const sleeping = sleepForever();
        scope.deadline = 1;
        expect(scope.cancelCalled).toBe(true);
        await expect(sleeping).rejects.toBeInstanceOf(Cancelled);
        await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
      });
    }),
  );

  test(
    'moving it never undoes a cancellation',
    virtualTime(async () => {
      const scope = new CancelScope({ deadline: currentTime() + 1 });
      expect(scope.cancelCalled).toBe(false);
      scope.deadline -= 1;
      expect(scope.cancelCalled).toBe(true);
      scope.deadline += 1;
      expect(scope.cancelCalled).toBe(true);
      await scope.run(() => sleepForever());
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test('cancelCalled is true as soon as the deadline has passed, although the event loop is late', async () => {
    const clock = new HandClock();
    await run(
      async () => {
        const scope = new CancelScope({ deadline: 10 });
        await scope.run(async () => {
          const sleeping = sleep(10);
          clock.slip(9);
          expect(scope.cancelCalled).toBe(false);
          clock.slip(20);
          expect(scope.cancelCalled).toBe(true);
          // It was due first: the scope was entered before.
          await expect(sleeping).rejects.toBeInstanceOf(Cancelled);
        });
        const left = new CancelScope({ deadline: 30 });
        await left.run(() => {});
        clock.slip(40);
        expect(left.cancelCalled).toBe(false);
      },
      { clock },
    );
  });

  test('a sleep that was due before the deadline has been slept, even when both are noticed late', async () => {
    const clock = new HandClock();
    await run(
      async () => {
        const scope = new CancelScope({ deadline: 10 });
        const record: string[] = [];
        await scope.run(async () => {
          const sleeping = sleep(5).then(() => record.push('slept'));
          clock.slip(20);
          expect(scope.cancelCalled).toBe(true);
          await sleeping;
          await checkpoint();
        });
        expect(record).toEqual(['slept']);
        expect(scope.cancelledCaught).toBe(true);
      },
      { clock },
    );
  });

  test(
    'a checkpoint after the deadline has passed is cancelled',
    virtualTime(async (clock) => {
      const scope = new CancelScope({ deadline: 5 });
      await scope.run(async () => {
        await checkpoint();
        await clock.advance(10).catch(() => {});
        await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
      });
    }),
  );

  test('moved many times, it leaves no more than one timer, and takes the last time', async () => {
    const clock = new HandClock();
    await run(
      async () => {
        const scope = new CancelScope();
        await scope.run(async () => {
          for (let i = 0; i < 5_000; i++) {
            scope.deadline = 9_998;
            scope.deadline = 9_999;
          }
          expect(clock.pending).toBe(1);
          const sleeping = sleepForever();
          clock.moveTo(9_998);
          expect(scope.cancelCalled).toBe(false);
          clock.moveTo(9_999);
          await expect(sleeping).rejects.toBeInstanceOf(Cancelled);
        });
      },
      { clock },
    );
  });

  test(
    'of a shielded scope applies to it, and those around do not',
    virtualTime(async () => {
      await moveOnAfter(10, () =>
        new CancelScope({ shield: true, timeout: 50 }).run(async () => {
          await sleep(20);
          expect(currentTime()).toBe(20);
          await sleepForever();
        }),
      );
      expect(currentTime()).toBe(50);
    }),
  );

  // Real time, for once: that the platform's clock and timers are used as they should.
  test('in real time, sleeps and deadlines come neither early nor very late', async () => {
    const before = performance.now();
    const scope = new CancelScope();
    await scope.run(() => {
      scope.deadline = currentTime() + 40;
      return sleepForever();
    });
    await sleep(40);
    const took = performance.now() - before;
    expect(took).toBeGreaterThanOrEqual(80);
    expect(took).toBeLessThan(5_000);
  });

  test('a scope with a deadline that is left leaves no timer of the platform behind', async () => {
    const before = timers();
    const scope = new CancelScope({ timeout: 3_600_000 });
    await scope.run(() => {
      expect(timers()).toBe(before + 1);
    });
    expect(timers()).toBe(before);
    const cancelled = new CancelScope({ timeout: 3_600_000 });
    await cancelled.run(async () => {
      cancelled.cancel();
      expect(timers()).toBe(before);
    });
  });

  test('one timer of the platform serves many deadlines', async () => {
    const before = timers();
    await taskGroup(async (tg) => {
      for (let i = 0; i < 100; i++) tg.startSoon(() => moveOnAfter(3_600_000 - i, () => sleepForever()));
      await turns(1);
      expect(timers()).toBe(before + 1);
      tg.cancel();
    });
    expect(timers()).toBe(before);
  });

  test('a timeout beyond what the timers of the platform take does not fire at once', async () => {
    const scope = new CancelScope({ timeout: 2 ** 31 + 1_000 });
    await scope.run(async () => {
      // Real time: a timer that overflowed would fire within a millisecond.
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(scope.cancelCalled).toBe(false);
      await checkpoint();
    });
  });
});

describe('timeout', () => {
  test(
    'counts from run(), and until then the deadline reads Infinity',
    virtualTime(async () => {
      const scope = new CancelScope({ timeout: 5 });
      await sleep(3);
      expect(scope.deadline).toBe(Infinity);
      await scope.run(async () => {
        expect(scope.deadline).toBe(8);
        await sleepForever();
      });
      expect(currentTime()).toBe(8);
    }),
  );

  test(
    'a deadline that is set before run() takes its place',
    virtualTime(async () => {
      const scope = new CancelScope({ timeout: 5 });
      scope.deadline = 7;
      expect(scope.deadline).toBe(7);
      await scope.run(() => sleepForever());
      expect(currentTime()).toBe(7);
    }),
  );

  test(
    'may be replaced while the scope runs',
    virtualTime(async () => {
      await sleep(3);
      const scope = new CancelScope({ timeout: 5 });
      await scope.run(async () => {
        scope.deadline = currentTime() + 3;
        expect(scope.deadline).toBe(6);
        await sleepForever();
      });
      expect(currentTime()).toBe(6);
    }),
  );

  test(
    'a negative one means that the time is over already',
    virtualTime(async () => {
      const scope = new CancelScope({ timeout: -3 });
      await scope.run(() => sleepForever());
      expect(currentTime()).toBe(0);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );
});

describe('signal (the option)', () => {
  test(
    'cancels the scope when it aborts, and has no listener afterwards',
    virtualTime(async () => {
      const controller = new AbortController();
      const scope = new CancelScope({ signal: controller.signal });
      expect(listeners(controller.signal)).toBe(0);
      let error: unknown;
      await scope.run(async () => {
        expect(listeners(controller.signal)).toBe(1);
        const sleeping = sleepForever();
        controller.abort('enough');
        error = await errorOf(sleeping);
        throw error;
      });
      expect(error).toMatchObject({ source: 'signal', reason: 'enough' });
      expect(scope.cancelCalled).toBe(true);
      expect(scope.cancelledCaught).toBe(true);
      expect(listeners(controller.signal)).toBe(0);
    }),
  );

  test(
    'has no listener left after a scope that it did not cancel',
    virtualTime(async () => {
      const { signal } = new AbortController();
      await new CancelScope({ signal }).run(() => sleep(1));
      await outcome(new CancelScope({ signal }).run(() => Promise.reject(new Error('out of tea'))));
      await new CancelScope({ signal, timeout: 1 }).run(() => sleepForever());
      expect(listeners(signal)).toBe(0);
    }),
  );

  test(
    'that has aborted before cancels the scope at its beginning',
    virtualTime(async () => {
      const signal = AbortSignal.abort('too late');
      const scope = new CancelScope({ signal });
      expect(scope.cancelCalled).toBe(false);
      await scope.run(async () => {
        expect(scope.cancelCalled).toBe(true);
        await sleepForever();
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(listeners(signal)).toBe(0);
    }),
  );

  test(
    'of another scope links the two without a listener, and passes the reason on',
    virtualTime(async () => {
      const other = new CancelScope();
      const scope = new CancelScope({ signal: other.signal });
      let error: unknown;
      await scope.run(async () => {
        expect(listeners(other.signal)).toBe(0);
        const sleeping = sleepForever();
        other.cancel('other');
        error = await errorOf(sleeping);
        throw error;
      });
      expect(error).toMatchObject({ source: 'signal', reason: 'other' });
      expect(scope.cancelledCaught).toBe(true);
      const late = new CancelScope({ signal: other.signal });
      await late.run(() => sleepForever());
      expect(late.cancelledCaught).toBe(true);
    }),
  );

  test(
    'of another scope that is left first means nothing any more',
    virtualTime(async () => {
      const other = new CancelScope();
      const { signal } = other;
      const scope = new CancelScope({ signal });
      await taskGroup(async (tg) => {
        tg.startSoon(() => other.run(() => sleep(5)));
        await scope.run(() => sleep(10));
      });
      other.cancel();
      expect(scope.cancelCalled).toBe(false);
    }),
  );

  test(
    "of the scope around is no link: the scope catches nothing of that one's",
    virtualTime(async () => {
      const outer = new CancelScope();
      const inner = new CancelScope({ signal: outer.signal });
      await outer.run(() =>
        inner.run(async () => {
          outer.cancel();
          await checkpoint();
        }),
      );
      expect(inner.cancelCalled).toBe(false);
      expect(outer.cancelledCaught).toBe(true);
    }),
  );
});

describe('signal (the property)', () => {
  test(
    'aborts with the Cancelled, in the call that cancels',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(async () => {
        const { signal } = scope;
        expect(scope.signal).toBe(signal);
        expect(signal.aborted).toBe(false);
        scope.cancel('enough');
        expect(signal.aborted).toBe(true);
        expect(signal.reason).toBeInstanceOf(Cancelled);
        expect(signal.reason).toMatchObject({ reason: 'enough' });
        expect(await errorOf(checkpoint())).toBe(signal.reason);
      });
    }),
  );

  test(
    'has aborted when it is first asked for in a cancelled scope',
    virtualTime(async () => {
      const scope = new CancelScope();
      scope.cancel();
      expect(scope.signal.aborted).toBe(true);
      await scope.run(async () => {
        expect(scope.signal.aborted).toBe(true);
        await new CancelScope().run((inner) => expect(inner.signal.aborted).toBe(true));
      });
    }),
  );

  test(
    'aborts when a scope around is cancelled, and not if a shield is between',
    virtualTime(async () => {
      const outer = new CancelScope();
      await outer.run(() =>
        new CancelScope({ shield: true }).run((shielded) =>
          new CancelScope().run(async (inner) => {
            const { signal } = inner;
            outer.cancel('outer');
            expect(signal.aborted).toBe(false);
            shielded.shield = false;
            expect(signal.aborted).toBe(true);
            expect(signal.reason).toMatchObject({ reason: 'outer' });
          }),
        ),
      );
    }),
  );

  test(
    'aborts when the deadline has passed, and when the scope is entered below a cancelled one',
    virtualTime(async () => {
      const scope = new CancelScope({ timeout: 5 });
      const { signal } = scope;
      await scope.run(() => sleepForever());
      expect(signal.aborted).toBe(true);
      expect(signal.reason).toMatchObject({ source: 'deadline' });
      const outer = new CancelScope();
      const inner = new CancelScope();
      const early = inner.signal;
      await outer.run(async () => {
        outer.cancel();
        expect(early.aborted).toBe(false);
        await inner.run(() => expect(early.aborted).toBe(true));
      });
    }),
  );

  test(
    'is a fresh one once the scope is no longer effectively cancelled',
    virtualTime(async () => {
      const outer = new CancelScope();
      const inner = new CancelScope();
      await outer.run(() =>
        inner.run(async () => {
          const first = inner.signal;
          outer.cancel('outer');
          expect(first.aborted).toBe(true);
          expect(inner.signal).toBe(first);
          inner.shield = true;
          const second = inner.signal;
          expect(second).not.toBe(first);
          expect(second.aborted).toBe(false);
          expect(inner.signal).toBe(second);
          inner.shield = false;
          expect(second.aborted).toBe(true);
          expect(second.reason).toBe(first.reason);
        }),
      );
    }),
  );

  test(
    'a signal of the scope that has aborted follows the scope, not its own past, when a wait is given it',
    virtualTime(async () => {
      const outer = new CancelScope();
      const inner = new CancelScope();
      await outer.run(() =>
        inner.run(async () => {
          const { signal } = inner;
          outer.cancel();
          await expect(sleep(1, { signal })).rejects.toBeInstanceOf(Cancelled);
          inner.shield = true;
          await sleep(1, { signal });
          expect(currentTime()).toBe(1);
        }),
      );
    }),
  );

  test(
    'a listener may cancel other scopes, and read signals, in the middle of a cancellation',
    virtualTime(async () => {
      const other = new CancelScope();
      const scope = new CancelScope();
      await taskGroup(async (tg) => {
        const waiting = tg.startSoon(() => other.run(() => sleepForever()));
        await scope.run(async () => {
          scope.signal.addEventListener('abort', () => {
            other.cancel('from a listener');
            expect(scope.signal.aborted).toBe(true);
          });
          const sleeping = sleepForever();
          scope.cancel();
          await sleeping;
        });
        await waiting.wait();
      });
      expect(other.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a listener that raises the shield keeps the cancellation from those who have not been told yet',
    virtualTime(async () => {
      const outer = new CancelScope();
      const first = new CancelScope();
      const second = new CancelScope();
      let slept = false;
      await outer.run(async () => {
        await taskGroup(async (tg) => {
          tg.startSoon(() => first.run(() => sleepForever()));
          tg.startSoon(() =>
            second.run(async () => {
              await sleep(5);
              slept = true;
            }),
          );
          await waitAllTasksBlocked();
          first.signal.addEventListener('abort', () => (second.shield = true));
          outer.cancel();
        });
      });
      expect(slept).toBe(true);
    }),
  );
});

describe('without an ambient scope', () => {
  test('a scope works outside of every run', async () => {
    const scope = new CancelScope();
    const left = scope.run(() => sleepForever());
    scope.cancel();
    expect(await left).toBeUndefined();
    expect(scope.cancelledCaught).toBe(true);
  });

  test("a wait that is given a scope's signal is that scope's, also before it is entered", async () => {
    const scope = new CancelScope();
    const waiting = sleepForever({ signal: scope.signal });
    scope.cancel('enough');
    await expect(waiting).rejects.toMatchObject({ name: 'Cancelled', reason: 'enough' });
  });

  test('a wait on the signal of a scope that was not entered is cancelled by what the scope is entered into', async () => {
    const scope = new CancelScope();
    const waiting = sleepForever({ signal: scope.signal });
    const outer = new CancelScope();
    await outer.run(async () => {
      outer.cancel('outer');
      await scope.run(async () => {
        await expect(waiting).rejects.toMatchObject({ reason: 'outer' });
      });
    });
  });

  test("a scope that is given a scope's signal is opened below that scope", async () => {
    const outer = new CancelScope();
    const inner = new CancelScope({ signal: outer.signal });
    const { signal } = outer;
    const around = outer.run(() => sleepForever());
    const left = inner.run(() => sleepForever({ signal: inner.signal }));
    await turns(1);
    expect(signal.aborted).toBe(false);
    outer.cancel('outer');
    await expect(left).rejects.toMatchObject({ name: 'Cancelled', reason: 'outer' });
    expect(inner.cancelCalled).toBe(false);
    await around;
  });

  test('the root scope can be neither cancelled nor shielded, nor given a deadline', () => {
    const root = currentScope();
    for (const misuse of [() => root.cancel(), () => (root.shield = true), () => (root.deadline = 5)]) {
      const error = thrownBy(misuse);
      expect(error).toBeInstanceOf(InvalidStateError);
      expect((error as Error).message).toMatch(
        /the root scope cannot be (cancelled|shielded|given a deadline).*Run your program with run\(\)/,
      );
    }
    expect(root.cancelCalled).toBe(false);
    expect(root.deadline).toBe(Infinity);
    expect(root.shield).toBe(false);
    expect(root.signal.aborted).toBe(false);
  });
});

describe('currentScope', () => {
  test(
    'is the scope of the group, the task or the run, always as the same object',
    virtualTime(async () => {
      const ofTheRun = currentScope();
      expect(ofTheRun).toBeInstanceOf(CancelScope);
      expect(currentScope()).toBe(ofTheRun);
      await taskGroup(async (tg) => {
        expect(currentScope()).toBe(tg.cancelScope);
        tg.startSoon(async () => {
          const ofTheTask = currentScope();
          expect(ofTheTask).not.toBe(tg.cancelScope);
          await sleep(1);
          expect(currentScope()).toBe(ofTheTask);
        });
      });
      expect(currentScope()).toBe(ofTheRun);
    }),
  );

  test(
    'of a task, cancels that task alone',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const task = tg.startSoon(async () => {
          currentScope().cancel();
          await checkpoint();
        });
        await task.wait();
        expect(task.status).toBe('cancelled');
        await checkpoint();
      });
    }),
  );
});

describe('errors and time limits together', () => {
  test(
    'a failure in a scope with a time limit inside of a shield inside of a cancelled scope is heard of',
    virtualTime(async () => {
      const outer = new CancelScope();
      const error = await errorOf(
        taskGroup(async (tg) => {
          await outer.run(() =>
            shield(async () => {
              tg.startSoon(async () => {
                await waitAllTasksBlocked();
                outer.cancel();
              });
              await failAfter(200, () => sleep(2_000));
            }),
          );
        }),
      );
      expect(error).toBeInstanceOf(TaskGroupError);
      expect((error as AggregateError).errors[0]).toBeInstanceOf(TimeoutError);
    }),
  );
});

describe('wrong arguments', () => {
  test.each([
    [null, TypeError, 'options must be an object, got null'],
    [5, TypeError, 'options must be an object, got 5'],
    [{ deadline: '5' }, TypeError, 'options.deadline must be a number of milliseconds, got "5"'],
    [{ deadline: null }, TypeError, 'options.deadline must be a number of milliseconds, got null'],
    [{ deadline: Number.NaN }, RangeError, 'options.deadline must be a number of milliseconds, got NaN'],
    [{ timeout: Number.NaN }, RangeError, 'options.timeout must be a number of milliseconds, got NaN'],
    [{ timeout: {} }, TypeError, 'options.timeout must be a number of milliseconds, got an object'],
    [{ deadline: 7, timeout: 3 }, TypeError, 'give options.deadline or options.timeout, not both'],
    [{ shield: 'yes' }, TypeError, 'options.shield must be a boolean, got "yes"'],
    [{ shield: null }, TypeError, 'options.shield must be a boolean, got null'],
    [{ name: 5 }, TypeError, 'options.name must be a string, got 5'],
    [{ signal: new AbortController() }, TypeError, 'options.signal must be an AbortSignal, got an object'],
  ])('of the constructor: %j', (options, type, message) => {
    const error = thrownBy(() => new CancelScope(options as never));
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toBe(`new CancelScope(): ${message}`);
  });

  test('of the properties throw, and change nothing', () => {
    const scope = new CancelScope({ deadline: 5 });
    expect(() => (scope.deadline = Number.NaN)).toThrow(
      new RangeError('CancelScope: deadline must be a number of milliseconds, got NaN'),
    );
    expect(() => (scope.deadline = 'soon' as never)).toThrow(
      new TypeError('CancelScope: deadline must be a number of milliseconds, got "soon"'),
    );
    expect(() => (scope.shield = 'hello' as never)).toThrow(
      new TypeError('CancelScope: shield must be a boolean, got "hello"'),
    );
    expect(scope.deadline).toBe(5);
    expect(scope.shield).toBe(false);
  });

  test('of run() reject, and name the cure', async () => {
    const error = await errorOf(new CancelScope().run(sleep(0) as never));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toBe(
      'CancelScope.run(): body must be a function, got a Promise. ' +
        'Pass the function itself rather than the promise that calling it gave: `() => work(x)` instead of `work(x)`',
    );
  });

  test('a signal of another make will do', async () => {
    class OtherSignal extends EventTarget {
      aborted = false;
      reason: unknown = undefined;
    }
    const signal = new OtherSignal();
    const scope = new CancelScope({ signal: signal as unknown as AbortSignal });
    await scope.run(() => {
      const sleeping = sleepForever();
      signal.aborted = true;
      signal.reason = 'enough';
      signal.dispatchEvent(new Event('abort'));
      return sleeping;
    });
    expect(scope.cancelledCaught).toBe(true);
  });
});
