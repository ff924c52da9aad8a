import { describe, expect, test } from 'vitest';

import { virtualTime } from '@taskscope/testing';

import {
  abandonOnCancel,
  Cancelled,
  CancelScope,
  checkpoint,
  moveOnAfter,
  run,
  ScopeExitedError,
  shield,
  sleep,
  sleepForever,
  sleepUntil,
  taskGroup,
  taskTree,
  withSignal,
  type WaitOptions,
} from './index.js';
import { suspend } from './lowlevel.js';
import { errorOf, HandClock, listeners, outcome, turns, unhandledRejections } from './observing.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';

/** A wait that is going on, and how the test can end it. */
interface Begun {
  readonly promise: Promise<unknown>;
  readonly value: unknown;
  /** Satisfies the wait. What it returns has to be awaited before the wait is satisfied. */
  readonly satisfy: () => void | Promise<void>;
  /** Whether nothing is left of the wait but its promise. */
  readonly isUndone: () => boolean;
}

interface Case {
  readonly name: string;
  readonly begin: (clock: HandClock, options?: WaitOptions) => Begun;
}

const never = (): void => {
  throw new Error('this wait is never satisfied');
};

/** Everything that waits, each with what it would be satisfied by. */
const everyWait: readonly Case[] = [
  {
    name: 'sleep',
    begin: (clock, options) => ({
      promise: sleep(10, options),
      value: undefined,
      satisfy: () => clock.moveTo(clock.now() + 10),
      isUndone: () => clock.pending === 0,
    }),
  },
  {
    name: 'sleepUntil',
    begin: (clock, options) => ({
      promise: sleepUntil(clock.now() + 10, options),
      value: undefined,
      satisfy: () => clock.moveTo(clock.now() + 10),
      isUndone: () => clock.pending === 0,
    }),
  },
  {
    name: 'suspend',
    begin(_clock, options) {
      let isUndone = true;
      let satisfy = never;
      const promise = suspend<string>((resolve) => {
        isUndone = false;
        satisfy = () => {
          isUndone = true;
          resolve('tea');
        };
        return () => {
          isUndone = true;
        };
      }, options);
      return { promise, value: 'tea', satisfy: () => satisfy(), isUndone: () => isUndone };
    },
  },
  {
    name: 'withSignal',
    begin(_clock, options) {
      let isUndone = true;
      let satisfy = never;
      const promise = withSignal((signal) => {
        isUndone = false;
        return new Promise<string>((resolve, reject) => {
          satisfy = () => {
            isUndone = true;
            resolve('tea');
          };
          signal.addEventListener('abort', () => {
            isUndone = true;
            reject(signal.reason);
          });
        });
      }, options);
      return { promise, value: 'tea', satisfy: () => satisfy(), isUndone: () => isUndone };
    },
  },
  {
    name: 'abandonOnCancel with a function',
    begin(_clock, options) {
      let isUndone = true;
      let satisfy = never;
      const promise = abandonOnCancel((signal) => {
        isUndone = false;
        signal.addEventListener('abort', () => (isUndone = true));
        return new Promise<string>((resolve) => {
          satisfy = () => {
            isUndone = true;
            resolve('tea');
          };
        });
      }, options);
      // The runtime learns of a foreign promise's value only when its reactions run.
      const heardOf = async (): Promise<void> => {
        satisfy();
        await Promise.resolve();
      };
      return { promise, value: 'tea', satisfy: heardOf, isUndone: () => isUndone };
    },
  },
  {
    name: 'abandonOnCancel with a promise',
    begin(_clock, options) {
      let resolve!: (value: string) => void;
      const foreign = new Promise<string>((settle) => (resolve = settle));
      const promise = abandonOnCancel(foreign, options);
      const heardOf = async (): Promise<void> => {
        resolve('tea');
        await Promise.resolve();
      };
      return { promise, value: 'tea', satisfy: heardOf, isUndone: () => true };
    },
  },
];

/** Runs `body` on a clock that the test moves by hand. */
function byHand(body: (clock: HandClock) => Promise<void>): () => Promise<void> {
  const clock = new HandClock();
  return () => run(() => body(clock), { clock, escapes: 'error' });
}

describe.each(everyWait)('$name', ({ begin }) => {
  test(
    'resolves when it is satisfied',
    byHand(async (clock) => {
      const { promise, value, satisfy, isUndone } = begin(clock);
      await satisfy();
      expect(isUndone()).toBe(true);
      expect(await promise).toBe(value);
    }),
  );

  test(
    'in a scope that was cancelled before, rejects at once and leaves nothing behind',
    byHand(async (clock) => {
      const scope = new CancelScope();
      await scope.run(async () => {
        scope.cancel('before');
        const { promise, isUndone } = begin(clock);
        expect(isUndone()).toBe(true);
        const error = await errorOf(promise);
        expect(error).toBeInstanceOf(Cancelled);
        expect(error).toMatchObject({ reason: 'before', source: 'cancel' });
        throw error;
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(clock.scheduled).toBe(0);
    }),
  );

  test(
    'is taken out in the very call that cancels its scope',
    byHand(async (clock) => {
      const scope = new CancelScope();
      let error: unknown;
      await scope.run(async () => {
        const { promise, isUndone } = begin(clock);
        scope.cancel('during');
        expect(isUndone()).toBe(true);
        error = await errorOf(promise);
        throw error;
      });
      expect(error).toMatchObject({ name: 'Cancelled', reason: 'during', source: 'cancel' });
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'is taken out in the very call that cancels a scope far above',
    byHand(async (clock) => {
      const top = new CancelScope();
      const scopes = Array.from({ length: 5 }, () => new CancelScope());
      let error: unknown;
      const nested = scopes.reduceRight<() => Promise<unknown>>(
        (body, scope) => () => scope.run(body),
        async () => {
          const { promise, isUndone } = begin(clock);
          top.cancel('above');
          expect(isUndone()).toBe(true);
          error = await errorOf(promise);
          throw error;
        },
      );
      await top.run(nested);
      expect(error).toMatchObject({ name: 'Cancelled', reason: 'above' });
      expect(top.cancelledCaught).toBe(true);
      expect(scopes.some((scope) => scope.cancelledCaught || scope.cancelCalled)).toBe(false);
    }),
  );

  test(
    'is cancelled by a deadline',
    byHand(async (clock) => {
      let error: unknown;
      const scope = moveOnAfter(5);
      await scope.run(async () => {
        const { promise, isUndone } = begin(clock);
        clock.moveTo(5);
        expect(isUndone()).toBe(true);
        error = await errorOf(promise);
        throw error;
      });
      expect(error).toMatchObject({ name: 'Cancelled', source: 'deadline' });
      expect(scope.cancelledCaught).toBe(true);
      expect(clock.pending).toBe(0);
    }),
  );

  test(
    'rejects with the reason of a foreign signal, and takes its listener away',
    byHand(async (clock) => {
      const controller = new AbortController();
      const { promise, isUndone } = begin(clock, { signal: controller.signal });
      expect(listeners(controller.signal)).toBe(1);
      const reason = new Error('enough');
      controller.abort(reason);
      expect(isUndone()).toBe(true);
      expect(await errorOf(promise)).toBe(reason);
      expect(listeners(controller.signal)).toBe(0);
    }),
  );

  test(
    'rejects with the reason of a foreign signal that has aborted before, and begins nothing',
    byHand(async (clock) => {
      const signal = AbortSignal.abort('too late');
      const { promise, isUndone } = begin(clock, { signal });
      expect(isUndone()).toBe(true);
      expect(await errorOf(promise)).toBe('too late');
      expect(listeners(signal)).toBe(0);
      expect(clock.scheduled).toBe(0);
    }),
  );

  test(
    'is cancelled with another scope, given its signal, on which it puts no listener',
    byHand(async (clock) => {
      const other = new CancelScope();
      const { promise, isUndone } = begin(clock, { signal: other.signal });
      expect(listeners(other.signal)).toBe(0);
      other.cancel('other');
      expect(isUndone()).toBe(true);
      expect(await errorOf(promise)).toMatchObject({ name: 'Cancelled', reason: 'other' });
    }),
  );

  test(
    'is not even begun when another scope, given by its signal, is cancelled already',
    byHand(async (clock) => {
      const other = new CancelScope();
      const { signal } = other;
      other.cancel('other');
      const { promise, isUndone } = begin(clock, { signal });
      expect(isUndone()).toBe(true);
      expect(await errorOf(promise)).toMatchObject({ name: 'Cancelled', reason: 'other' });
      expect(clock.scheduled).toBe(0);
    }),
  );

  test(
    'keeps its value when the cancellation comes right after; that meets the task at its next wait',
    byHand(async (clock) => {
      for (const which of ['its scope', 'the scope around']) {
        for (const signal of [undefined, new AbortController().signal, new CancelScope().signal]) {
          const around = new CancelScope();
          const inner = new CancelScope();
          let kept = false;
          await around.run(() =>
            inner.run(async () => {
              const { promise, satisfy, value } = begin(clock, { signal });
              await satisfy();
              (which === 'its scope' ? inner : around).cancel();
              expect(signal === undefined ? 0 : listeners(signal)).toBe(0);
              kept = (await promise) === value;
              await checkpoint();
            }),
          );
          expect(kept).toBe(true);
          expect(inner.cancelledCaught).toBe(which === 'its scope');
          expect(around.cancelledCaught).toBe(which === 'the scope around');
        }
      }
    }),
  );

  test(
    'keeps its value when a signal aborts right after',
    byHand(async (clock) => {
      const controller = new AbortController();
      const first = begin(clock, { signal: controller.signal });
      await first.satisfy();
      controller.abort();
      expect(await first.promise).toBe(first.value);
      const other = new CancelScope();
      const second = begin(clock, { signal: other.signal });
      await second.satisfy();
      other.cancel();
      expect(await second.promise).toBe(second.value);
    }),
  );

  test(
    'leaves no listener behind when it is cancelled by its scope rather than by the signal',
    byHand(async (clock) => {
      const { signal } = new AbortController();
      const scope = new CancelScope();
      await scope.run(async () => {
        const { promise } = begin(clock, { signal });
        scope.cancel();
        await outcome(promise);
        expect(listeners(signal)).toBe(0);
      });
    }),
  );

  test(
    'does not mind a cancellation outside its shield, until the shield is lowered',
    byHand(async (clock) => {
      const outer = new CancelScope();
      const shielded = new CancelScope({ shield: true });
      await outer.run(() =>
        shielded.run(async () => {
          outer.cancel();
          const first = begin(clock);
          await first.satisfy();
          expect(await first.promise).toBe(first.value);
          const second = begin(clock);
          shielded.shield = false;
          expect(second.isUndone()).toBe(true);
          await second.promise;
        }),
      );
      expect(outer.cancelledCaught).toBe(true);
      expect(shielded.cancelledCaught).toBe(false);
    }),
  );

  test('when it is cancelled and nobody awaits it, nothing is heard of it', async () => {
    const rejections = await unhandledRejections(
      byHand(async (clock) => {
        const scope = new CancelScope();
        const other = new CancelScope();
        const controller = new AbortController();
        await scope.run(() => {
          void begin(clock);
          scope.cancel();
          void begin(clock);
        });
        void begin(clock, { signal: other.signal });
        other.cancel();
        void begin(clock, { signal: other.signal });
        void begin(clock, { signal: controller.signal });
        controller.abort(new Error('enough'));
        void begin(clock, { signal: controller.signal });
        await turns(2);
      }),
    );
    expect(rejections).toEqual([]);
  });
});

describe('suspend', () => {
  test(
    'calls start within the call, and lets the first of resolve and reject win',
    virtualTime(async () => {
      const calls: string[] = [];
      const promise = suspend<number>((resolve, reject) => {
        calls.push('start');
        resolve(1);
        resolve(2);
        reject(new Error('too late'));
        return () => calls.push('undo');
      });
      calls.push('after');
      expect(await promise).toBe(1);
      expect(calls).toEqual(['start', 'after']);
    }),
  );

  test(
    'is undone before instruments are told that it has ended',
    virtualTime(async () => {
      const events: string[] = [];
      const main = (): Promise<void> =>
        run(
          async () => {
            const scope = new CancelScope();
            await scope.run(() => {
              const waiting = suspend(() => () => void events.push('undone'));
              scope.cancel();
              return waiting;
            });
          },
          { instruments: [{ waitEnded: () => void events.push('ended') }] },
        );
      await main();
      expect(events).toEqual(['undone', 'ended']);
    }),
  );

  test(
    'rejects with what it is rejected with',
    virtualTime(async () => {
      const error = new Error('out of tea');
      await expect(
        suspend((_resolve, reject) => {
          reject(error);
          return () => {};
        }),
      ).rejects.toBe(error);
    }),
  );

  test(
    'rejects with what start throws, and nothing stays pending',
    virtualTime(async () => {
      const error = new Error('out of tea');
      await expect(
        suspend(() => {
          throw error;
        }),
      ).rejects.toBe(error);
      expect(JSON.stringify(taskTree())).not.toContain('"suspend"');
    }),
  );

  test(
    'when start throws after it resolved, the value stands',
    virtualTime(async () => {
      const promise = suspend<string>((resolve) => {
        resolve('tea');
        throw new Error('too late');
      });
      expect(await promise).toBe('tea');
    }),
  );

  test(
    'calls undo once, with the cancellation, and never after the wait is over',
    virtualTime(async () => {
      const undone: unknown[] = [];
      const scope = new CancelScope();
      await scope.run(async () => {
        const cancelled = suspend(() => (cancellation) => undone.push(cancellation));
        const satisfied = suspend<void>((resolve) => {
          resolve();
          return (cancellation) => undone.push(cancellation);
        });
        scope.cancel();
        await satisfied;
        await cancelled;
      });
      expect(undone).toHaveLength(1);
      expect(undone[0]).toBeInstanceOf(Cancelled);
    }),
  );

  test(
    'tells undo the reason of a foreign signal',
    virtualTime(async () => {
      const controller = new AbortController();
      const undone: unknown[] = [];
      const promise = suspend(() => (reason) => undone.push(reason), { signal: controller.signal });
      controller.abort('enough');
      await expect(promise).rejects.toBe('enough');
      expect(undone).toEqual(['enough']);
    }),
  );

  test(
    'rejects with what undo throws',
    virtualTime(async () => {
      const scope = new CancelScope();
      const broken = new Error('the undo function is broken');
      const left = scope.run(() => {
        const promise = suspend(() => () => {
          throw broken;
        });
        scope.cancel();
        return promise;
      });
      await expect(left).rejects.toBe(broken);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a broken undo function keeps the cancellation from nobody else',
    virtualTime(async () => {
      const scope = new CancelScope();
      let next: unknown;
      await expect(
        scope.run(async () => {
          const broken = suspend(() => () => {
            throw new Error('broken');
          });
          const sleeping = sleepForever();
          scope.cancel('all');
          next = await errorOf(sleeping);
          await broken;
        }),
      ).rejects.toThrow('broken');
      expect(next).toMatchObject({ reason: 'all' });
    }),
  );

  test(
    'a wait whose scope is cancelled by its own start is undone',
    virtualTime(async () => {
      const scope = new CancelScope();
      const undone: unknown[] = [];
      await scope.run(() =>
        suspend(() => {
          scope.cancel('from within');
          return (cancellation) => undone.push(cancellation);
        }),
      );
      expect(undone).toHaveLength(1);
      expect(undone[0]).toMatchObject({ reason: 'from within' });
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a wait that is cancelled by its own start rejects with what its undo function throws',
    virtualTime(async () => {
      const scope = new CancelScope();
      const broken = new Error('the undo function is broken');
      await expect(
        scope.run(() =>
          suspend(() => {
            scope.cancel();
            return () => {
              throw broken;
            };
          }),
        ),
      ).rejects.toBe(broken);
    }),
  );

  test(
    'undo may cancel other scopes, and end other waits',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const first = new CancelScope();
      const second = new CancelScope();
      const order: string[] = [];
      await taskGroup((tg) => {
        tg.startSoon(() =>
          first.run(() =>
            suspend(() => () => {
              order.push('first');
              second.cancel();
              order.push('first has cancelled the second');
            }),
          ),
        );
        tg.startSoon(() => second.run(() => suspend(() => () => order.push('second'))));
        tg.startSoon(() => first.cancel());
      });
      expect(order).toEqual(['first', 'second', 'first has cancelled the second']);
    }),
  );

  test(
    'an undo function that resolves its own wait is too late',
    virtualTime(async () => {
      const scope = new CancelScope();
      const result = await scope.run(() => {
        const promise = suspend<string>((resolve) => () => resolve('tea'));
        scope.cancel();
        return promise;
      });
      expect(result).toBeUndefined();
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'waits that cannot be interrupted simply wait in a shield, and meet the cancellation afterwards',
    virtualTime(async () => {
      const record: string[] = [];
      const scope = new CancelScope();
      await taskGroup((tg) => {
        tg.startSoon(() =>
          scope.run(async () => {
            await shield(() => sleep(10));
            record.push('woke');
            await checkpoint();
            record.push('not reached');
          }),
        );
        tg.startSoon(async () => {
          await sleep(5);
          scope.cancel();
          record.push('cancelled');
        });
      });
      expect(record).toEqual(['cancelled', 'woke']);
    }),
  );

  test(
    'undo is called once when two scopes around are cancelled and a shield goes up meanwhile',
    virtualTime(async () => {
      const record: string[] = [];
      const outer1 = new CancelScope();
      const outer2 = new CancelScope();
      await outer1.run(() =>
        outer2.run(() =>
          taskGroup(async (tg) => {
            tg.startSoon(async () => {
              await errorOf(suspend(() => () => record.push('undone')));
              record.push('cancelled');
              await checkpoint(); // shielded by now
              record.push('done');
            });
            await sleep(1);
            outer1.cancel();
            outer2.cancel();
            tg.cancelScope.shield = true;
          }),
        ),
      );
      expect(record).toEqual(['undone', 'cancelled', 'done']);
      expect(outer1.cancelledCaught || outer2.cancelledCaught).toBe(false);
    }),
  );

  test(
    'has its label in the task tree while it waits, and not afterwards',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        let boil!: () => void;
        tg.startSoon(() =>
          suspend<void>(
            (resolve) => {
              boil = resolve;
              return () => {};
            },
            { label: 'the kettle' },
          ),
        );
        await sleep(1);
        expect(JSON.stringify(taskTree())).toContain('the kettle');
        boil();
        expect(JSON.stringify(taskTree())).not.toContain('the kettle');
      });
    }),
  );

  test('an error that is no cancellation, of a wait that nobody awaits, is heard of', async () => {
    const error = new Error('out of tea');
    const undo = (): void => {};
    const rejections = await unhandledRejections(
      virtualTime(() => {
        void suspend((_resolve, reject) => {
          reject(error);
          return undo;
        });
        void suspend(
          (_resolve, reject) => {
            reject(error);
            return undo;
          },
          { foreign: true },
        );
      }),
    );
    expect(rejections).toEqual([error, error]);
  });

  test('a wait that is given the aborted signal of a scope that was left is refused', async () => {
    const scope = new CancelScope();
    const { signal } = scope;
    await scope.run(() => scope.cancel('enough'));
    const refused: unknown = await suspend(() => () => {}, { signal }).catch((error: unknown) => error);
    expect(refused).toBe(signal.reason);
  });

  test('a pending wait whose scope is left passes on to the scope around, and is cancelled with that', async () => {
    await run(
      async () => {
        const outer = new CancelScope();
        let undone = 0;
        let floating: Promise<unknown> | undefined;
        await outer.run(async () => {
          await new CancelScope().run(() => {
            floating = suspend(() => () => undone++);
          });
          expect(undone).toBe(0);
          outer.cancel('the scope around');
          expect(undone).toBe(1);
        });
        expect(await errorOf(floating!)).toMatchObject({ reason: 'the scope around' });
      },
      { escapes: 'adopt' },
    );
  });

  test('a pending wait whose scope is left is cancelled at once if the scope around is cancelled', async () => {
    await run(
      async () => {
        const outer = new CancelScope();
        let floating: Promise<unknown> | undefined;
        await outer.run(async () => {
          await new CancelScope({ shield: true }).run(() => {
            outer.cancel('the scope around');
            floating = sleepForever();
          });
          expect(await errorOf(floating!)).toMatchObject({ reason: 'the scope around' });
        });
      },
      { escapes: 'adopt' },
    );
  });

  test('a pending wait whose scope is left is undone and fails where escapes are errors', async () => {
    let undone = 0;
    let floating: Promise<unknown> | undefined;
    await run(
      async () => {
        await new CancelScope({ name: 'tea time' }).run(() => {
          floating = suspend(() => () => undone++);
        });
        expect(undone).toBe(1);
        const error = await errorOf(floating!);
        expect(error).toBeInstanceOf(ScopeExitedError);
        expect((error as Error).message).toMatch(/began in the scope "tea time".*Await it inside the scope/);
      },
      { escapes: 'error' },
    );
  });

  test('a wait that an instrument cancels as it is told of it has not begun', async () => {
    const clock = new HandClock();
    let started = 0;
    const start = (): (() => void) => {
      started++;
      return () => {};
    };
    for (const wait of [() => suspend(start), () => sleep(10), () => sleepForever()]) {
      const scope = new CancelScope();
      const instrument = { waitStarted: () => scope.cancel() };
      await run(() => scope.run(wait), { clock, instruments: [instrument] });
      expect(scope.cancelledCaught).toBe(true);
    }
    expect([started, clock.scheduled]).toEqual([0, 0]);
    await run(
      async () => {
        const slept = sleep(5);
        await new CancelScope().run((scope) =>
          run(() => sleep(10), { instruments: [{ waitStarted: () => scope.cancel() }] }),
        );
        expect(clock.pending).toBe(1);
        clock.moveTo(5);
        await slept;
      },
      { clock },
    );
  });

  test('wrong arguments reject, and say what is wrong', async () => {
    const promise = Promise.resolve();
    await expect(suspend(promise as never)).rejects.toThrow(
      /^suspend\(\): start must be a function, got a Promise\. Pass the function itself/,
    );
    await expect(suspend(() => 5 as never)).rejects.toThrow(
      /^suspend\(\): start must return the function that undoes the wait/,
    );
    await expect(suspend(() => () => {}, null as never)).rejects.toThrow(
      'suspend(): options must be an object, got null',
    );
    await expect(suspend(() => () => {}, { signal: 'stop' as never })).rejects.toThrow(
      'suspend(): options.signal must be an AbortSignal, got "stop"',
    );
    await expect(suspend(() => 5 as never)).rejects.toBeInstanceOf(TypeError);
  });

  test('start that has resolved need not return anything', async () => {
    const start = (resolve: (value: string) => void): never => resolve('tea') as never;
    expect(await suspend<string>(start)).toBe('tea');
  });
});
