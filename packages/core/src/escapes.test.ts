import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fuzzSchedule, MockClock, virtualTime } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import {
  abandonOnCancel,
  all,
  Cancelled,
  CancelScope,
  checkpoint,
  currentTask,
  detached,
  failAfter,
  isCancelled,
  moveOnAfter,
  race,
  run,
  ScopeExitedError,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  TaskGroupError,
  withSignal,
  type TaskGroup,
  type TaskHandle,
} from './index.js';
import { throwing } from './failing.fixture.js';
import {
  addInstrument,
  bindToScope,
  currentScope,
  onTaskExit,
  ParkingLot,
  scopeOfWait,
  suspend,
  type Instrument,
} from './lowlevel.js';
import { unhandledRejections } from './observing.fixture.js';
import { warningsDuring } from './process-events.fixture.js';
import { withResolvers } from './with-resolvers.fixture.js';

/** Runs `escaping` in the context of a scope which has been left by then, and inside of whatever is around now. */
async function afterLeaving<T>(name: string, escaping: () => T | PromiseLike<T>): Promise<T> {
  const left = withResolvers<void>();
  let late: Promise<T> | undefined;
  await new CancelScope({ name }).run(() => {
    late = left.promise.then(escaping);
  });
  left.resolve();
  return late!;
}

/** How a promise ended, without waiting for it longer than a turn of the event loop. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = 'pending';
  promise.then(
    () => (state = 'resolved'),
    (error: unknown) => (state = isCancelled(error) ? 'cancelled' : `rejected: ${String(error)}`),
  );
  await nextTurn();
  return state;
}

describe('work that outlives its scope is adopted by the nearest open scope around', () => {
  test('a wait that was pending when the scope was left', async () => {
    const lot = new ParkingLot();
    const outer = new CancelScope();
    await outer.run(async () => {
      let floating: Promise<void> | undefined;
      await new CancelScope().run(() => void (floating = lot.park()));
      expect(lot.size).toBe(1);
      expect(await stateOf(floating!)).toBe('pending');
      outer.cancel();
      expect(lot.size).toBe(0);
      await expect(floating).rejects.toBeInstanceOf(Cancelled);
    });
  });

  test('a wait that begins when the scope has been left', async () => {
    const lot = new ParkingLot();
    const outer = new CancelScope();
    await outer.run(async () => {
      const floating = afterLeaving('inner', () => lot.park());
      await nextTurn();
      expect(lot.size).toBe(1);
      outer.cancel();
      expect(lot.size).toBe(0);
      await expect(floating).rejects.toBeInstanceOf(Cancelled);
    });
  });

  test('past all scopes that were left as well, up to the root', async () => {
    const lot = new ParkingLot();
    const scopes = [new CancelScope(), new CancelScope(), new CancelScope()] as const;
    const goOn = withResolvers<void>();
    let late: Promise<unknown> | undefined;
    await scopes[0].run(async () => {
      await scopes[1].run(() =>
        scopes[2].run(() => {
          late = goOn.promise.then(() => [currentScope(), lot.park()]);
        }),
      );
    });
    for (const scope of scopes) scope.cancel();
    goOn.resolve();
    const [adopter, parked] = (await late) as [CancelScope, Promise<void>];
    expect(adopter).toBe(currentScope());
    expect(currentTask().id).toBe(0);
    lot.unpark();
    await parked;
  });

  test('is cancelled at once when that scope is cancelled', async () => {
    const lot = new ParkingLot();
    const outer = new CancelScope();
    await outer.run(async () => {
      let floating: Promise<void> | undefined;
      await shield(() => {
        outer.cancel();
        floating = lot.park();
        expect(lot.size).toBe(1);
      });
      expect(lot.size).toBe(0);
      await expect(floating).rejects.toBeInstanceOf(Cancelled);
      const late = afterLeaving('inner', () => lot.park());
      await expect(late).rejects.toBeInstanceOf(Cancelled);
    });
  });

  test('a wait with a signal still minds its signal', async () => {
    const controller = new AbortController();
    let floating: Promise<never> | undefined;
    await new CancelScope().run(() => void (floating = sleepForever({ signal: controller.signal })));
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort('enough');
    await expect(floating).rejects.toBe('enough');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  test('work with a signal', async () => {
    const outer = new CancelScope();
    await outer.run(async () => {
      let seen: AbortSignal | undefined;
      let floating: Promise<string> | undefined;
      await new CancelScope().run(() => {
        floating = withSignal(
          (signal) =>
            new Promise<string>((resolve) => {
              seen = signal;
              signal.addEventListener('abort', () => resolve('told to end'));
            }),
        );
      });
      expect(seen!.aborted).toBe(false);
      outer.cancel();
      expect(seen!.aborted).toBe(true);
      expect(await floating).toBe('told to end');
    });
  });

  test('a scope that was open, with everything below it', async () => {
    const lot = new ParkingLot();
    const outer = new CancelScope();
    const inner = new CancelScope();
    await outer.run(async () => {
      let floating: Promise<unknown> | undefined;
      await new CancelScope().run(() => {
        floating = inner.run(() => new CancelScope().run(() => lot.park()));
      });
      expect(lot.size).toBe(1);
      outer.cancel();
      expect(lot.size).toBe(0);
      await expect(floating).rejects.toBeInstanceOf(Cancelled);
      expect(inner.cancelledCaught).toBe(false);
    });
  });

  test('a task group that was open, and one that is opened later', async () => {
    const lot = new ParkingLot();
    const handles: TaskHandle<void>[] = [];
    const group = (): Promise<unknown> =>
      taskGroup((tg) => void handles.push(tg.startSoon(() => lot.park())));
    const outer = new CancelScope();
    await outer.run(async () => {
      let floating: Promise<unknown> | undefined;
      await new CancelScope().run(() => void (floating = group()));
      const late = afterLeaving('inner', group);
      await nextTurn();
      expect(lot.size).toBe(2);
      outer.cancel();
      expect(lot.size).toBe(0);
      await expect(floating).rejects.toBeInstanceOf(Cancelled);
      await expect(late).rejects.toBeInstanceOf(Cancelled);
    });
    expect(handles.map((handle) => handle.status)).toEqual(['cancelled', 'cancelled']);
  });

  test('a task group that was cancelled just before, which is no stray cancellation', async () => {
    const scope = new CancelScope();
    let floating: Promise<unknown> | undefined;
    await scope.run(() => {
      floating = taskGroup(() => sleepForever());
      scope.cancel();
    });
    expect(await floating).toBeUndefined();
  });

  test('work with a signal, which is told to end if its adopter is cancelled already', async () => {
    let seen: AbortSignal | undefined;
    const outer = new CancelScope();
    await outer.run(async () => {
      await shield(() => {
        const floating = withSignal((signal) => {
          seen = signal;
          return new Promise<never>(() => {});
        });
        floating.catch(() => {});
        outer.cancel();
        expect(seen!.aborted).toBe(false);
      });
      expect(seen!.aborted).toBe(true);
      expect(isCancelled(seen!.reason)).toBe(true);
    });
  });

  test('a deadline of the scope that was left no longer counts, but that of its adopter does', async () => {
    const lot = new ParkingLot();
    const clock = new MockClock();
    await run(
      async () => {
        let floating: Promise<void> | undefined;
        const adopter = moveOnAfter(20);
        await adopter.run(async () => {
          await moveOnAfter(10, () => void (floating = lot.park()));
          await clock.advance(15);
          expect(lot.size).toBe(1);
          await clock.advance(5);
          expect(lot.size).toBe(0);
          await floating;
        });
        expect(adopter.cancelledCaught).toBe(true);
      },
      { clock },
    );
  });

  test('and instruments are told what it was, which scope it was in, and who adopted', async () => {
    const lot = new ParkingLot();
    const told: string[] = [];
    const instrument: Instrument = {
      scopeEscaped: (scope, adoptedBy, what) => void told.push(`${what}: ${scope} → ${adoptedBy.name}`),
    };
    await run(
      () =>
        new CancelScope({ name: 'adopter' }).run(async () => {
          await afterLeaving('left', () => checkpoint());
          await afterLeaving('left too', () => checkpoint());
          await new CancelScope({ name: 'left with a wait' }).run(() => void lot.park());
          lot.unpark();
        }),
      { instruments: [instrument] },
    );
    expect(told).toEqual([
      'checkpoint(): left → adopter',
      'checkpoint(): left too → adopter',
      'park: left with a wait → adopter',
    ]);
  });

  test('an instrument that comes after a scope was left is not told its name', async () => {
    const told: string[] = [];
    const left = withResolvers<void>();
    let late: Promise<void> | undefined;
    await new CancelScope({ name: 'a scope' }).run(() => {
      late = left.promise.then(() => checkpoint());
    });
    using _ = addInstrument({ scopeEscaped: (scope) => void told.push(scope) });
    left.resolve();
    await late;
    expect(told).toEqual(['left unwatched']);
  });
});

describe('escapes: warn', () => {
  test('warns once a scope, names it, and lets the wait go on', async () => {
    const messages = await warningsDuring(() =>
      run(
        async () => {
          for (const name of ['first', 'second']) {
            const done = await afterLeaving(name, async () => {
              await checkpoint();
              await checkpoint();
              await new CancelScope().run(() => checkpoint());
              return 'done';
            });
            expect(done).toBe('done');
          }
        },
        { escapes: 'warn' },
      ),
    );
    expect(messages).toEqual([
      expect.stringMatching(/scope "first", which has been left.*detached\(\) or bindToScope\(\)/s),
      expect.stringMatching(/scope "second"/),
    ]);
  });

  test.each<[what: string, escaping: () => unknown]>([
    ['checkpoint()', () => checkpoint()],
    ['sleep()', () => sleep(1)],
    ['suspend()', () => suspend((resolve) => (resolve(undefined), () => {}))],
    ['Lock.acquire()', () => scopeOfWait('Lock.acquire()')],
    ['CancelScope.run()', () => new CancelScope().run(() => {})],
    ['taskGroup()', () => taskGroup(() => {})],
  ])('says which call began too late: %s', async (what, escaping) => {
    const messages = await warningsDuring(() =>
      run(() => afterLeaving('left', escaping), { escapes: 'warn' }),
    );
    expect(messages).toEqual([
      expect.stringContaining(`${what} began in the scope "left", which has been left`),
    ]);
  });

  test('warns once of all waits, scopes and groups that were pending', async () => {
    const lot = new ParkingLot();
    const floating: Promise<unknown>[] = [];
    const messages = await warningsDuring(() =>
      run(
        async () => {
          await new CancelScope({ name: 'left' }).run(() => {
            floating.push(
              lot.park(),
              lot.park(),
              new CancelScope().run(() => lot.park()),
              taskGroup(() => lot.park()),
            );
          });
          lot.unparkAll();
          await Promise.all(floating);
        },
        { escapes: 'warn' },
      ),
    );
    expect(messages).toEqual([expect.stringMatching(/scope "left"/)]);
  });

  test('warns of work with a signal that was pending', async () => {
    const work = withResolvers<string>();
    const messages = await warningsDuring(() =>
      run(
        async () => {
          let floating: Promise<string> | undefined;
          await new CancelScope({ name: 'left' }).run(() => void (floating = withSignal(() => work.promise)));
          work.resolve('finished');
          expect(await floating).toBe('finished');
        },
        { escapes: 'warn' },
      ),
    );
    expect(messages).toEqual([expect.stringMatching(/scope "left"/)]);
  });

  test('says nothing where nothing escapes', async () => {
    const messages = await warningsDuring(() =>
      run(
        async () => {
          await taskGroup(async (tg) => {
            tg.startSoon(() => new CancelScope().run(() => checkpoint()));
            await moveOnAfter(0, () => sleepForever());
            tg.startSoon(() => sleepForever());
            tg.startService(() => sleepForever());
            await checkpoint();
            tg.cancel();
          });
          await race([() => checkpoint(), () => sleepForever()]);
        },
        { escapes: 'warn' },
      ),
    );
    expect(messages).toEqual([]);
  });

  test('is inherited by a run inside, unless that says otherwise', async () => {
    const messages = await warningsDuring(() =>
      run(
        async () => {
          await run(() => afterLeaving('heard of', () => checkpoint()));
          await run(() => afterLeaving('not heard of', () => checkpoint()), { escapes: 'adopt' });
        },
        { escapes: 'warn' },
      ),
    );
    expect(messages).toEqual([expect.stringMatching(/scope "heard of"/)]);
  });
});

describe('escapes: error', () => {
  const strictly = <T>(body: () => Promise<T>): Promise<T> => run(body, { escapes: 'error' });

  test('a wait whose undoing throws rejects with that, and keeps nothing from being left', async () => {
    const broken = new Error('broken');
    const rejections = await unhandledRejections(() =>
      strictly(async () => {
        await taskGroup((tg) => {
          tg.startSoon(() => {
            void suspend(() => throwing(broken));
            void sleepForever();
          });
        });
      }),
    );
    expect(rejections).toEqual([broken, expect.any(ScopeExitedError)]);
  });

  test('what begins in a scope that was left rejects, whatever it is', async () => {
    await strictly(async () => {
      for (const late of [
        () => checkpoint(),
        () => sleep(0),
        () => sleepForever(),
        () => new ParkingLot().park(),
        () => suspend(() => expect.fail('was begun')),
        () => withSignal(() => expect.fail('was begun')),
        () => abandonOnCancel(() => expect.fail('was begun')),
        () => new CancelScope().run(() => expect.fail('was entered')),
        () => new CancelScope({ shield: true }).run(() => expect.fail('was entered')),
        () => moveOnAfter(10, () => expect.fail('was entered')),
        () => failAfter(10, () => expect.fail('was entered')),
        () => taskGroup(() => expect.fail('was entered')),
        () => all([() => expect.fail('was begun')]),
        () => run(() => expect.fail('was begun')),
      ]) {
        const escaped = afterLeaving('left', late);
        await expect(escaped).rejects.toBeInstanceOf(ScopeExitedError);
        await expect(escaped).rejects.toThrow(
          /scope "left", which has been left: is an await missing\? Await it inside/,
        );
      }
    });
  });

  test('what a failed task sets off, by the signal of its group, is no escape from the task', async () => {
    const broken = new Error('broken');
    let swept: Promise<unknown> | undefined;
    const group = strictly(() =>
      taskGroup((tg) => {
        tg.startSoon(() => Promise.reject(broken));
        tg.cancelScope.signal.addEventListener('abort', () => {
          swept = new CancelScope({ shield: true }).run(() => 'swept');
        });
      }),
    );
    await expect(group).rejects.toMatchObject({ errors: [broken] });
    expect(await swept).toBe('swept');
  });

  describe('what the end of a task sets off is no escape from it, nor from the task that began it:', () => {
    const sweep = async (): Promise<string> => {
      await shield(() => checkpoint());
      return 'swept';
    };
    /** Has `ending` run as a task that was begun by one which has ended by then. */
    const beginBehind = (tg: TaskGroup, ending: () => unknown): void => {
      tg.startSoon(() => void tg.startSoon(ending));
    };

    test('listeners of the signals of services', async () => {
      let swept: Promise<string> | undefined;
      await strictly(async () => {
        await taskGroup((tg) => {
          const service = tg.startService(() => sleepForever());
          service.signal.addEventListener('abort', () => void (swept = sweep()));
          beginBehind(tg, () => nextTurn());
        });
        expect(await swept).toBe('swept');
      });
    });

    test('listeners of the signals of others, when it ends with a cancellation that was taken back', async () => {
      let swept: Promise<string> | undefined;
      await strictly(async () => {
        await moveOnAfter(Infinity, (outer) =>
          taskGroup((tg) => {
            const other = tg.startSoon(async () => shield(() => nextTurn()));
            beginBehind(tg, async () => {
              outer.cancel();
              const cancelled = checkpoint();
              tg.cancelScope.shield = true;
              other.signal.addEventListener('abort', () => void (swept = sweep()));
              await cancelled;
            });
          }),
        );
        expect(await swept).toBe('swept');
      });
    });

    test('what was to be done at its end', async () => {
      let swept: Promise<string> | undefined;
      await strictly(async () => {
        await taskGroup((tg) =>
          beginBehind(tg, async () => {
            onTaskExit('test', currentTask(), () => void (swept = sweep()));
            await nextTurn();
          }),
        );
        expect(await swept).toBe('swept');
      });
    });

    test.each<[string, () => unknown]>([
      ['at once', () => undefined],
      ['later', () => nextTurn()],
      ['with an error at once', throwing(new Error('broken'))],
      ['with an error later', () => nextTurn().then(throwing(new Error('broken')))],
    ])('listeners of the signals of scopes that it leaves open, when it ends %s', async (_how, ending) => {
      let swept: Promise<string> | undefined;
      const body = (): Promise<unknown> =>
        taskGroup((tg) =>
          beginBehind(tg, () => {
            const left = new CancelScope();
            left.signal.addEventListener('abort', () => void (swept = sweep()));
            left.run(() => sleepForever()).catch(() => {});
            return ending();
          }),
        );
      await strictly(async () => {
        await body().catch(() => {});
        expect(await swept).toBe('swept');
      });
    });

    test('instruments that are told of its scope', async () => {
      const swept: Promise<string>[] = [];
      const instrument: Instrument = {
        scopeExited: ({ name }) => void (name === 'last' && swept.push(sweep())),
      };
      await run(
        async () => {
          await taskGroup((tg) => beginBehind(tg, async function last() {}));
          expect(await Promise.all(swept)).toEqual(['swept']);
        },
        { escapes: 'error', instruments: [instrument] },
      );
    });

    test('instruments', async () => {
      const swept: Promise<string>[] = [];
      const instrument: Instrument = {
        taskExited: ({ name }) => void (name === 'last' && swept.push(sweep())),
      };
      await run(
        async () => {
          await taskGroup((tg) => beginBehind(tg, async function last() {}));
          expect(await Promise.all(swept)).toEqual(['swept']);
        },
        { escapes: 'error', instruments: [instrument] },
      );
    });
  });

  test('a wait that was pending is taken out of its queue and rejects', async () => {
    const lot = new ParkingLot();
    const controller = new AbortController();
    const undone: unknown[] = [];
    await strictly(async () => {
      const floating: Promise<unknown>[] = [];
      await new CancelScope({ name: 'left' }).run(() => {
        floating.push(
          lot.park(),
          sleep(60_000),
          sleepForever({ signal: controller.signal }),
          suspend(() => (error) => undone.push(error)),
        );
        // Handlers come before the scope is left: what nobody awaits is an unhandled rejection on purpose.
        for (const promise of floating) promise.catch(() => {});
      });
      expect(lot.size).toBe(0);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
      expect(undone).toEqual([expect.any(ScopeExitedError)]);
      for (const promise of floating) await expect(promise).rejects.toThrow(/scope "left"/);
    });
  });

  test('work with a signal that was pending is told to end, and rejects', async () => {
    await strictly(async () => {
      let seen: AbortSignal | undefined;
      let floating: Promise<unknown> | undefined;
      await new CancelScope({ name: 'left' }).run(() => {
        floating = withSignal(
          (signal) =>
            new Promise((_resolve, reject) => {
              seen = signal;
              signal.addEventListener('abort', () => reject(signal.reason));
            }),
        );
        floating.catch(() => {});
      });
      expect(seen!.aborted).toBe(true);
      await expect(floating).rejects.toBeInstanceOf(ScopeExitedError);
    });
  });

  test('a scope that was open is cancelled with that error, which it does not catch', async () => {
    const lot = new ParkingLot();
    const inner = new CancelScope();
    await strictly(async () => {
      let floating: Promise<unknown> | undefined;
      await new CancelScope({ name: 'left' }).run(() => {
        floating = inner.run(() => lot.park());
        floating.catch(() => {});
      });
      expect(lot.size).toBe(0);
      await expect(floating).rejects.toBeInstanceOf(ScopeExitedError);
      expect(inner.cancelledCaught).toBe(false);
    });
  });

  test('a task group that was open ends with that error', async () => {
    const lot = new ParkingLot();
    await strictly(async () => {
      let floating: Promise<unknown> | undefined;
      await new CancelScope({ name: 'left' }).run(() => {
        floating = taskGroup(async (tg) => {
          tg.startSoon(() => lot.park());
          await lot.park();
        });
        floating.catch(() => {});
        expect(lot.size).toBe(1);
      });
      const error: unknown = await floating!.catch((reason: unknown) => reason);
      expect(lot.size).toBe(0);
      expect(error).toBeInstanceOf(TaskGroupError);
      expect((error as TaskGroupError).errors).toEqual([
        expect.any(ScopeExitedError),
        expect.any(ScopeExitedError),
      ]);
    });
  });

  test('a task group that was open, and ends with nothing but a cancellation, catches that', async () => {
    const lot = new ParkingLot();
    await strictly(async () => {
      let shared: Promise<unknown> | undefined;
      await new CancelScope().run((scope) => {
        shared = sleepForever();
        shared.catch(() => {});
        scope.cancel();
      });
      let floating: Promise<unknown> | undefined;
      await new CancelScope({ name: 'left' }).run(() => {
        floating = taskGroup(() => lot.park().catch(() => shared));
      });
      expect(await floating).toBeUndefined();
    });
  });

  test('the scope that would adopt is not touched', async () => {
    await strictly(async () => {
      const outer = new CancelScope();
      const result = await outer.run(async () => {
        await expect(afterLeaving('left', () => checkpoint())).rejects.toBeInstanceOf(ScopeExitedError);
        await checkpoint();
        return 'unharmed';
      });
      expect(result).toBe('unharmed');
      expect(outer.cancelCalled).toBe(false);
    });
  });

  test('looking is allowed', async () => {
    await strictly(async () => {
      const [task, scope] = [currentTask(), currentScope()];
      expect(await afterLeaving('left', () => [currentTask().id, currentScope() === scope])).toEqual([
        task.id,
        true,
      ]);
    });
  });

  test('counts for the run itself as well: what it leaves behind is refused', async () => {
    const left = withResolvers<void>();
    let late: Promise<unknown> | undefined;
    let pending: Promise<unknown> | undefined;
    await run(
      async () => {
        late = left.promise.then(() => checkpoint());
        late.catch(() => {});
        pending = sleepForever();
        pending.catch(() => {});
      },
      { escapes: 'error', name: 'program' },
    );
    left.resolve();
    await expect(pending).rejects.toThrow(/scope "program"/);
    await expect(late).rejects.toThrow(/scope "program"/);
  });

  test('detached() is the cure for what shall live on', async () => {
    const lot = new ParkingLot();
    await strictly(async () => {
      let pool: Promise<void> | undefined;
      await new CancelScope().run(() => {
        pool = detached(() => lot.park());
      });
      lot.unpark();
      await pool;
    });
  });

  test('bindToScope() to a scope around is, too', async () => {
    await strictly(async () => {
      const here = bindToScope(() => checkpoint());
      await afterLeaving('left', () => here());
    });
  });

  test('is how virtualTime() and fuzzSchedule() run a test', async () => {
    const careless = (): Promise<void> => afterLeaving('careless', () => checkpoint());
    await expect(virtualTime(careless)()).rejects.toBeInstanceOf(ScopeExitedError);
    await expect(fuzzSchedule(1, careless)).rejects.toThrow(/scope "careless"/);
  });

  test('a run inside may be more lenient', async () => {
    await strictly(() => run(() => afterLeaving('left', () => checkpoint()), { escapes: 'adopt' }));
  });
});

test.each(['ignore', 1, null, true])('escapes cannot be treated as %o', async (escapes) => {
  await expect(run(() => {}, { escapes: escapes as never })).rejects.toThrow(TypeError);
  await expect(run(() => {}, { escapes: escapes as never })).rejects.toThrow(
    /options\.escapes must be one of "adopt", "warn", "error"/,
  );
});
