import { describe, expect, test } from 'vitest';

import { expectCheckpoint, expectNoCheckpoint, virtualTime, waitAllTasksBlocked } from '@taskscope/testing';

import {
  cancelShieldedCheckpoint,
  Cancelled,
  CancelScope,
  checkpoint,
  checkpointIfCancelled,
  moveOnAfter,
  shield,
  sleep,
  sleepForever,
  taskGroup,
} from './index.js';
import { addProbe } from './lowlevel.js';
import { errorOf, listeners, turns, unhandledRejections } from './observing.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';

/** Runs `body` while nothing may complete at once: every checkpoint waits for the next turn. */
async function withoutBudget(body: () => Promise<void>): Promise<void> {
  const probe = addProbe({ operation: () => false, cancelPoint() {} });
  try {
    await body();
  } finally {
    probe[Symbol.dispose]();
  }
}

describe('checkpoint', () => {
  test(
    'lets those run who are ready',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const order: string[] = [];
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          order.push('first begins');
          await checkpoint();
          order.push('first ends');
        });
        tg.startSoon(() => order.push('second'));
      });
      expect(order).toEqual(['first begins', 'second', 'first ends']);
    }),
  );

  test.each([false, true])('in a group that is cancelled (%s), both tasks begin', async (isCancelled) => {
    await inPlainOrder('tasks begin in the order in which they were started', async () => {
      const record: string[] = [];
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          record.push('first');
          await checkpoint();
          record.push('past the checkpoint');
        });
        tg.startSoon(() => record.push('second'));
        if (isCancelled) tg.cancel();
      });
      expect(record).toEqual(isCancelled ? ['first', 'second'] : ['first', 'second', 'past the checkpoint']);
    })();
  });

  test(
    'rejects in a cancelled scope, each time',
    virtualTime(async () => {
      await new CancelScope().run(async (scope) => {
        await checkpoint();
        scope.cancel();
        const first = await errorOf(checkpoint());
        expect(first).toBeInstanceOf(Cancelled);
        expect(await errorOf(checkpoint())).toBe(first);
      });
    }),
  );

  test(
    'rejects in a task whose group is cancelled: what comes after it does not happen',
    virtualTime(async () => {
      const record: string[] = [];
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          record.push('begun');
          await checkpoint();
          record.push('not reached');
        });
        tg.cancel();
      });
      expect(record).toEqual(['begun']);
    }),
  );

  test(
    'passes in a shield',
    virtualTime(async () => {
      const outer = new CancelScope();
      await outer.run(async () => {
        outer.cancel();
        await shield(() => checkpoint());
      });
      expect(outer.cancelledCaught).toBe(false);
    }),
  );

  test(
    'rejects with the reason of a foreign signal that has aborted, and puts no listener on one that has not',
    virtualTime(async () => {
      await expect(checkpoint({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
      const { signal } = new AbortController();
      await checkpoint({ signal });
      expect(listeners(signal)).toBe(0);
    }),
  );

  test(
    'completes at once while there is budget, with a signal or without',
    inPlainOrder('what can be done at once is done at once', async () => {
      await sleep(0); // a turn begins, with the whole budget
      let turned = false;
      setImmediate(() => (turned = true));
      await checkpoint();
      await checkpoint({ signal: new AbortController().signal });
      await checkpoint({ signal: new CancelScope().signal });
      expect(turned).toBe(false);
      await turns(1);
    }),
  );

  test(
    'rejects when another scope, given by its signal, is cancelled',
    virtualTime(async () => {
      const other = new CancelScope();
      await checkpoint({ signal: other.signal });
      other.cancel('other');
      await expect(checkpoint({ signal: other.signal })).rejects.toMatchObject({ reason: 'other' });
    }),
  );

  test('outside of every scope it belongs to the scope whose signal it is given', async () => {
    const scope = new CancelScope();
    await checkpoint();
    await checkpoint({ signal: scope.signal });
    scope.cancel('enough');
    await expect(checkpoint({ signal: scope.signal })).rejects.toMatchObject({ reason: 'enough' });
    await checkpoint();
  });

  test(
    'in a loop of nothing else, lets the event loop turn now and then',
    virtualTime(async () => {
      let turned = 0;
      const count = (): void => {
        turned++;
        if (turned < 5) setImmediate(count);
      };
      setImmediate(count);
      for (let round = 0; turned < 5; round++) {
        expect(round).toBeLessThan(100_000);
        await checkpoint();
      }
    }),
  );

  test('a loop of nothing else is ended by a deadline', async () => {
    // Real time: whether the platform's own timer gets its chance is the question.
    let rounds = 0;
    const before = performance.now();
    await moveOnAfter(5, async () => {
      for (;;) {
        rounds++;
        await checkpoint();
      }
    });
    expect(rounds).toBeGreaterThan(10);
    expect(performance.now() - before).toBeLessThan(2_000);
  });

  describe('while the budget of the turn is used up', () => {
    test(
      'waits for the next turn',
      virtualTime(() =>
        withoutBudget(async () => {
          let turned = false;
          await turns(1);
          setImmediate(() => (turned = true));
          await checkpoint();
          expect(turned).toBe(true);
        }),
      ),
    );

    test(
      'is cancelled in the call that cancels its scope, or that of a signal',
      virtualTime(() =>
        withoutBudget(async () => {
          const scope = new CancelScope();
          await scope.run(async () => {
            const waiting = checkpoint();
            scope.cancel('during');
            await expect(waiting).rejects.toMatchObject({ reason: 'during' });
          });
          const controller = new AbortController();
          const onSignal = checkpoint({ signal: controller.signal });
          expect(listeners(controller.signal)).toBe(1);
          controller.abort('enough');
          await expect(onSignal).rejects.toBe('enough');
          expect(listeners(controller.signal)).toBe(0);
          const other = new CancelScope();
          const onScope = checkpoint({ signal: other.signal });
          other.cancel('other');
          await expect(onScope).rejects.toMatchObject({ reason: 'other' });
          await turns(2); // their turn comes, and nothing happens
        }),
      ),
    );

    test(
      'puts no listener on a signal that outlives it',
      virtualTime(() =>
        withoutBudget(async () => {
          const { signal } = new AbortController();
          await checkpoint({ signal });
          expect(listeners(signal)).toBe(0);
        }),
      ),
    );

    test('cancelled and not awaited, is silent', async () => {
      const rejections = await unhandledRejections(
        virtualTime(() =>
          withoutBudget(async () => {
            const scope = new CancelScope();
            const controller = new AbortController();
            await scope.run(async () => {
              void checkpoint();
              void checkpoint({ signal: controller.signal });
              controller.abort('enough');
              scope.cancel();
              void checkpoint();
              void checkpoint({ signal: controller.signal });
            });
          }),
        ),
      );
      expect(rejections).toEqual([]);
    });
  });
});

describe('checkpointIfCancelled', () => {
  test(
    'resolves at once in a scope that is not cancelled',
    virtualTime(async () => {
      await new CancelScope().run(async (scope) => {
        await checkpointIfCancelled();
        scope.cancel();
        await expect(checkpointIfCancelled()).rejects.toBeInstanceOf(Cancelled);
        await expect(checkpointIfCancelled()).rejects.toBeInstanceOf(Cancelled);
      });
    }),
  );

  test.each([false, true])('in a group that is cancelled (%s)', async (isCancelled) => {
    await virtualTime(async () => {
      const record: string[] = [];
      await taskGroup((tg) => {
        tg.startSoon(async () => {
          tg.startSoon(() => record.push('second'));
          if (isCancelled) tg.cancel();
          await checkpointIfCancelled();
          record.push('past it');
        });
      });
      expect(record.toSorted()).toEqual(isCancelled ? ['second'] : ['past it', 'second']);
    })();
  });

  test(
    'takes nothing from the budget of the turn',
    virtualTime(() =>
      withoutBudget(async () => {
        let turned = false;
        setImmediate(() => (turned = true));
        await checkpointIfCancelled();
        expect(turned).toBe(false);
        await turns(1);
      }),
    ),
  );

  test(
    'minds signals',
    virtualTime(async () => {
      await expect(checkpointIfCancelled({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
      const { signal } = new AbortController();
      await checkpointIfCancelled({ signal });
      expect(listeners(signal)).toBe(0);
      const other = new CancelScope();
      await checkpointIfCancelled({ signal: other.signal });
      other.cancel('other');
      await expect(checkpointIfCancelled({ signal: other.signal })).rejects.toMatchObject({
        reason: 'other',
      });
    }),
  );
});

describe('cancelShieldedCheckpoint', () => {
  test(
    'does not mind a cancellation, which is met at the next wait',
    virtualTime(async () => {
      const scope = new CancelScope();
      await scope.run(async () => {
        scope.cancel();
        await cancelShieldedCheckpoint();
        await cancelShieldedCheckpoint();
        await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
      });
    }),
  );

  test.each([false, true])(
    'in a group that is cancelled (%s), lets others run and goes on',
    async (isCancelled) => {
      await virtualTime(async () => {
        const order: string[] = [];
        await taskGroup((tg) => {
          tg.startSoon(async () => {
            await cancelShieldedCheckpoint();
            order.push('first');
          });
          tg.startSoon(() => order.push('second'));
          if (isCancelled) tg.cancel();
        });
        expect(order).toEqual(['second', 'first']);
      })();
    },
  );

  test(
    'is put off with everything else when the budget of the turn is used up, and not cancelled then',
    virtualTime(() =>
      withoutBudget(async () => {
        const scope = new CancelScope();
        const result = await scope.run(async () => {
          const waiting = cancelShieldedCheckpoint();
          scope.cancel();
          await waiting;
          return 'tea';
        });
        expect(result).toBe('tea');
      }),
    ),
  );
});

describe('what is a checkpoint', () => {
  test(
    'checkpoint() is, and so is the pair of the two others',
    virtualTime(async () => {
      await expectCheckpoint(() => checkpoint());
      await expectCheckpoint(async () => {
        await checkpointIfCancelled();
        await cancelShieldedCheckpoint();
      });
      await expectCheckpoint(() => waitAllTasksBlocked());
      await expect(expectNoCheckpoint(() => checkpointIfCancelled())).rejects.toThrow(/passed a checkpoint/);
      await expect(expectNoCheckpoint(() => cancelShieldedCheckpoint())).rejects.toThrow(
        /passed a checkpoint/,
      );
      await expect(expectCheckpoint(() => cancelShieldedCheckpoint())).rejects.toThrow(
        /passed no checkpoint/,
      );
    }),
  );

  test(
    'entering and leaving a scope is none, and does not by itself notice a cancellation',
    virtualTime(async () => {
      await expectNoCheckpoint(() => new CancelScope().run(() => {}));
      const scope = new CancelScope();
      await scope.run(async () => {
        scope.cancel();
        await new CancelScope().run(() => {});
        await shield(() => {});
      });
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'entering and leaving a task group lets others run, and does not by itself notice a cancellation',
    virtualTime(async () => {
      const scope = new CancelScope();
      const record: string[] = [];
      await scope.run(async () => {
        scope.cancel();
        await taskGroup(() => {});
        await taskGroup((tg) => void tg.startSoon(() => record.push('child')));
        record.push('after');
      });
      expect(record).toEqual(['child', 'after']);
      expect(scope.cancelledCaught).toBe(false);
      await expect(
        scope.cancelCalled &&
          new CancelScope().run((again) => {
            again.cancel();
            return taskGroup(() => {
              throw new RangeError('out of tea');
            });
          }),
      ).rejects.toMatchObject({ errors: [new RangeError('out of tea')] });
    }),
  );
});

describe('wrong arguments', () => {
  test('reject', async () => {
    for (const [name, fn] of [
      ['checkpoint()', checkpoint],
      ['checkpointIfCancelled()', checkpointIfCancelled],
    ] as const) {
      await expect(fn(null as never)).rejects.toThrow(
        new TypeError(`${name}: options must be an object, got null`),
      );
      await expect(fn({ signal: 5 as never })).rejects.toThrow(
        new TypeError(`${name}: options.signal must be an AbortSignal, got 5`),
      );
    }
  });
});

test(
  'nothing is left waiting when a scope around the three of them is left',
  virtualTime(async () => {
    const scope = new CancelScope();
    await scope.run(async () => {
      scope.cancel();
      await Promise.allSettled([checkpoint(), checkpointIfCancelled(), cancelShieldedCheckpoint()]);
      await sleepForever();
    });
    expect(scope.cancelledCaught).toBe(true);
  }),
);
