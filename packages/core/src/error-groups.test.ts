import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { throwing } from './failing.fixture.js';
import {
  any,
  Cancelled,
  CancelScope,
  catchErrors,
  checkpoint,
  cleanup,
  currentTime,
  flattenErrors,
  moveOnAfter,
  rethrowSingle,
  sleep,
  sleepForever,
  splitErrors,
  taskGroup,
  TaskGroupError,
} from './index.js';
import { errorOf, thrownBy } from './observing.fixture.js';

const group = (...errors: unknown[]): AggregateError => new AggregateError(errors, 'group');

/** `leaf` in groups 10,000 deep. */
function deep(leaf: unknown): unknown {
  let error = leaf;
  for (let i = 0; i < 10_000; i++) error = new AggregateError([error], 'nested');
  return error;
}

async function aCancellation(): Promise<Cancelled> {
  let cancelled: unknown;
  await moveOnAfter(0, () => checkpoint().catch((error: unknown) => void (cancelled = error)));
  return cancelled as Cancelled;
}

/** A TaskGroupError with these errors, made as users meet it. */
async function aTaskGroupError(...errors: unknown[]): Promise<TaskGroupError> {
  return (await errorOf(
    taskGroup(
      (tg) => {
        for (const error of errors) tg.startSoon(throwing(error));
      },
      { name: 'kitchen' },
    ),
  )) as TaskGroupError;
}

describe('splitErrors', () => {
  const [type, range, syntax] = [new TypeError('t'), new RangeError('r'), new SyntaxError('s')];

  test('keeps the nesting on both sides', () => {
    const [matched, rest] = splitErrors(group(type, group(range, syntax), group(type)), TypeError);
    expect(matched!.errors).toHaveLength(2);
    expect(matched!.errors[0]).toBe(type);
    expect((matched!.errors[1] as AggregateError).errors).toEqual([type]);
    expect(rest!.errors).toHaveLength(1);
    expect((rest!.errors[0] as AggregateError).errors).toEqual([range, syntax]);
  });

  test('a side with nothing in it is undefined, the other the very group', () => {
    const whole = group(type, group(range));
    expect(splitErrors(whole, Error)).toEqual([whole, undefined]);
    expect(splitErrors(whole, Error)[0]).toBe(whole);
    expect(splitErrors(whole, SyntaxError)[0]).toBeUndefined();
    expect(splitErrors(whole, SyntaxError)[1]).toBe(whole);
  });

  test('a group inside that is wholly on one side stays the same object', () => {
    const inner = group(range);
    const [matched, rest] = splitErrors(group(type, inner), TypeError);
    expect(rest!.errors[0]).toBe(inner);
    expect(matched!.errors).toEqual([type]);
  });

  test('an error that is no group is a group of one', () => {
    const [matched, rest] = splitErrors(type, TypeError);
    expect(matched!.errors).toEqual([type]);
    expect(rest).toBeUndefined();
    expect(splitErrors('text', (leaf) => leaf === 'text')[0]!.errors).toEqual(['text']);
    expect(splitErrors(undefined, TypeError)[1]!.errors).toEqual([undefined]);
  });

  test('a predicate is called with each leaf, and never with a group', () => {
    const seen: unknown[] = [];
    splitErrors(group(type, group(range, undefined)), (leaf) => {
      seen.push(leaf);
      return false;
    });
    expect(new Set(seen)).toEqual(new Set([type, range, undefined]));
  });

  test('subclasses match, and a class of the user', () => {
    class Tea extends RangeError {}
    const tea = new Tea();
    expect(splitErrors(group(tea, range), RangeError)[1]).toBeUndefined();
    expect(splitErrors(group(tea, range), Tea)[0]!.errors).toEqual([tea]);
  });

  test('a part of a group keeps its message and its cause', () => {
    const whole = new AggregateError([type, range], 'mine', { cause: syntax });
    for (const part of splitErrors(whole, TypeError)) {
      expect(part!.message).toBe('mine');
      expect(part!.cause).toBe(syntax);
    }
  });

  test('a part of a TaskGroupError is one of the same group', async () => {
    const [matched, rest] = splitErrors(await aTaskGroupError(type, range, syntax), TypeError);
    expect(matched).toBeInstanceOf(TaskGroupError);
    expect((matched as TaskGroupError).group).toBe('kitchen');
    expect(matched!.message).toBe('1 error in task group "kitchen": t');
    expect(matched!.cause).toBe(type);
    expect(rest).toBeInstanceOf(TaskGroupError);
    expect(rest!.errors).toEqual([range, syntax]);
    expect(rest!.cause).toBeUndefined();
  });

  test('a group without members is an error in its own right', async () => {
    const empty = await errorOf(any([]));
    const [matched, rest] = splitErrors(group(empty, type), TypeError);
    expect(matched!.errors).toEqual([type]);
    expect(rest!.errors).toHaveLength(1);
    expect(rest!.errors[0]).toBe(empty);
    expect(splitErrors(empty, TypeError)[0]).toBeUndefined();
    expect(splitErrors(empty, AggregateError)[0]!.errors[0]).toBe(empty);
  });

  test('10,000 deep', () => {
    const whole = deep(group(type, range));
    const [matched, rest] = splitErrors(whole, TypeError);
    expect(flattenErrors(matched)).toEqual([type]);
    expect(flattenErrors(rest)).toEqual([range]);
    let depth = 0;
    for (let each: unknown = matched; each instanceof AggregateError; each = each.errors[0]) depth++;
    expect(depth).toBe(10_001);
    expect(splitErrors(whole, SyntaxError)[1] === whole).toBe(true);
  });

  test('cancellations match only what names them', async () => {
    const cancelled = await aCancellation();
    const whole = group(cancelled, type);
    expect(splitErrors(whole, Error)[0]!.errors).toEqual([type]);
    expect(splitErrors(whole, Cancelled)[0]!.errors).toEqual([cancelled]);
    expect(splitErrors(whole, (leaf) => leaf === cancelled)[0]!.errors).toEqual([cancelled]);
  });

  test('a match that is neither a class nor a predicate is refused', () => {
    for (const match of [undefined, null, 'TypeError', type, {}]) {
      expect(() => splitErrors(type, match as never)).toThrow(TypeError);
      expect(() => splitErrors(type, match as never)).toThrow(/match must be an error class or a predicate/);
    }
  });
});

describe('flattenErrors', () => {
  test('gives the leaves, from left to right', () => {
    expect(flattenErrors(group(1, group(2, group(3), 4), 5))).toEqual([1, 2, 3, 4, 5]);
  });

  test('an error that is no group is its own only leaf', () => {
    const error = new Error('leaf');
    expect(flattenErrors(error)[0]).toBe(error);
    expect(flattenErrors('text')).toEqual(['text']);
    expect(flattenErrors(undefined)).toEqual([undefined]);
  });

  test('a group without members is a leaf: no error gets lost', () => {
    const empty = group();
    expect(flattenErrors(empty)).toHaveLength(1);
    expect(flattenErrors(empty)[0]).toBe(empty);
    expect(flattenErrors(group(1, empty))).toHaveLength(2);
  });

  test('10,000 deep, and 100,000 wide', () => {
    expect(flattenErrors(deep('leaf'))).toEqual(['leaf']);
    const wide = group(...Array.from({ length: 100_000 }, (_, i) => i));
    expect(flattenErrors(wide)).toHaveLength(100_000);
  });
});

describe('rethrowSingle', () => {
  test('throws the only leaf, however deep it is', async () => {
    const error = new RangeError('out of tea');
    expect(thrownBy(() => rethrowSingle(error))).toBe(error);
    expect(thrownBy(() => rethrowSingle(group(group(error))))).toBe(error);
    expect(thrownBy(() => rethrowSingle(deep(error)))).toBe(error);
    expect(thrownBy(() => rethrowSingle(undefined))).toBeUndefined();
    expect(thrownBy(() => rethrowSingle(group(undefined)))).toBeUndefined();
    const failing = taskGroup((tg) => void tg.startSoon(throwing(error)));
    expect(await errorOf(failing.catch(rethrowSingle))).toBe(error);
  });

  test('throws anything else as it is', () => {
    const two = group(1, group(2));
    expect(thrownBy(() => rethrowSingle(two))).toBe(two);
    const empty = group();
    expect(thrownBy(() => rethrowSingle(empty))).toBe(empty);
  });
});

describe('catchErrors', () => {
  test('gives the result of a body that does not throw, and calls no handler', async () => {
    const never = (): never => expect.fail('not called');
    expect(await catchErrors(() => 1, [Error, never])).toBe(1);
    expect(await catchErrors(async () => 2, [Error, never])).toBe(2);
    expect(await catchErrors(() => 3)).toBe(3);
  });

  test('each handler gets what matches, as one group, in the order of the handlers', async () => {
    const [type, range, syntax] = [new TypeError(), new RangeError(), new SyntaxError()];
    const record: unknown[] = [];
    const result = await catchErrors(
      throwing(group(range, group(type, syntax), range)),
      [TypeError, ({ errors }) => record.push(['type', flattenErrors(group(...errors))])],
      [(leaf) => leaf === range, ({ errors }) => record.push(['range', errors])],
      [Error, ({ errors }) => record.push(['rest', flattenErrors(group(...errors))])],
    );
    expect(result).toBeUndefined();
    expect(record).toEqual([
      ['type', [type]],
      ['range', [range, range]],
      ['rest', [syntax]],
    ]);
  });

  test('each leaf goes to the first that matches, and each handler is called once', async () => {
    const calls: string[] = [];
    await catchErrors(
      throwing(group(new TypeError(), new TypeError())),
      [Error, ({ errors }) => calls.push(`first ${errors.length}`)],
      [TypeError, () => calls.push('second')],
    );
    expect(calls).toEqual(['first 2']);
  });

  test('an error that is no group is wrapped for the handler', async () => {
    const error = new TypeError();
    let seen: AggregateError | undefined;
    await catchErrors(throwing(error), [TypeError, (found) => void (seen = found)]);
    expect(seen).toBeInstanceOf(AggregateError);
    expect(seen!.errors).toEqual([error]);
    await catchErrors(throwing('text'), [(leaf) => leaf === 'text', (found) => void (seen = found)]);
    expect(seen!.errors).toEqual(['text']);
    await catchErrors(throwing(undefined), [(leaf) => leaf === undefined, (found) => void (seen = found)]);
    expect(seen!.errors).toEqual([undefined]);
  });

  test('what nobody takes is thrown: unchanged if nobody took anything, else the rest with its nesting', async () => {
    const error = new TypeError();
    const never = (): never => expect.fail('not called');
    expect(await errorOf(catchErrors(throwing(error), [RangeError, never]))).toBe(error);
    expect(await errorOf(catchErrors(throwing(undefined), [Error, never]))).toBeUndefined();
    const whole = group(error, group(error));
    expect(await errorOf(catchErrors(throwing(whole), [RangeError, never]))).toBe(whole);
    const rest = await errorOf(catchErrors(throwing(group(new RangeError(), whole)), [RangeError, () => {}]));
    expect((rest as AggregateError).errors).toHaveLength(1);
    expect((rest as AggregateError).errors[0]).toBe(whole);
  });

  test('no handler is called for a group without members that it does not match', async () => {
    const empty = group();
    const never = (): never => expect.fail('not called');
    expect(await errorOf(catchErrors(throwing(empty), [TypeError, never]))).toBe(empty);
    let seen: unknown;
    await catchErrors(throwing(empty), [AggregateError, ({ errors }) => void (seen = errors[0])]);
    expect(seen).toBe(empty);
  });

  test('what handlers throw is combined with what nobody took', async () => {
    const [type, range, syntax] = [new TypeError(), new RangeError(), new SyntaxError()];
    const replaced = new Error('replaced');
    const failed = (await errorOf(
      catchErrors(
        throwing(new AggregateError([type, range, syntax], 'the rest')),
        [TypeError, throwing(replaced)],
        [RangeError, async () => throwing('second')()],
      ),
    )) as AggregateError;
    expect(failed.errors.slice(0, 2)).toEqual([replaced, 'second']);
    expect(failed.message).toBe(
      'errors raised by handlers of catchErrors(), and what no handler took: replaced; second; the rest',
    );
    expect((failed.errors[2] as AggregateError).errors).toEqual([syntax]);
    const rethrown = (await errorOf(
      catchErrors(throwing(group(type)), [
        TypeError,
        (found) => {
          throw found;
        },
      ]),
    )) as AggregateError;
    expect(flattenErrors(rethrown)).toEqual([type]);
    const single = await errorOf(catchErrors(throwing(type), [TypeError, throwing(replaced)]));
    expect((single as Error).message).toBe('errors raised by handlers of catchErrors(): replaced');
  });

  test(
    'handlers may be async, one after the other, and are awaited',
    virtualTime(async () => {
      const record: string[] = [];
      await catchErrors(
        throwing(group(new TypeError(), new RangeError())),
        [
          TypeError,
          async () => {
            await sleep(5);
            record.push(`first at ${currentTime()}`);
          },
        ],
        [RangeError, () => void record.push(`second at ${currentTime()}`)],
      );
      expect(record).toEqual(['first at 5', 'second at 5']);
    }),
  );

  test(
    'cancellations go only to handlers that name them',
    virtualTime(async () => {
      const never = (): never => expect.fail('not called');
      const scope = new CancelScope({ timeout: 1 });
      await scope.run(() => catchErrors(() => sleepForever(), [Error, never]));
      expect(scope.cancelledCaught).toBe(true);

      let seen: unknown;
      const named = new CancelScope({ timeout: 1 });
      await named.run(() =>
        catchErrors(() => sleepForever(), [Cancelled, ({ errors }) => void (seen = errors[0])]),
      );
      expect(seen).toBeInstanceOf(Cancelled);
      expect(named.cancelledCaught).toBe(false);
    }),
  );

  test(
    'an AbortError that counts as the cancellation is treated as one, whether or not it says why',
    virtualTime(async () => {
      const never = (): never => expect.fail('not called');
      for (const withCause of [true, false]) {
        const scope = new CancelScope();
        await scope.run((own) => {
          const { signal } = own;
          own.cancel();
          const abort = new Error('aborted', withCause ? { cause: signal.reason } : undefined);
          abort.name = 'AbortError';
          return catchErrors(throwing(abort), [Error, never]);
        });
        expect(scope.cancelledCaught).toBe(true);
      }
    }),
  );

  test(
    'errors beside a cancellation are handled, and the cancellation goes on',
    virtualTime(async () => {
      const handled: unknown[] = [];
      const scope = new CancelScope();
      await scope.run(async () => {
        await catchErrors(async () => {
          scope.cancel();
          const cancelled = await errorOf(checkpoint());
          throw group(new TypeError(), cancelled);
        }, [Error, ({ errors }) => handled.push(...errors)]);
        expect.fail('not reached');
      });
      expect(handled).toHaveLength(1);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'cancelled while a handler waits: the handler is told, and its cancellation goes on',
    virtualTime(async () => {
      const scope = new CancelScope();
      let cleaned = false;
      const work = scope.run(() =>
        catchErrors(throwing(new TypeError()), [
          TypeError,
          async () => {
            try {
              await sleepForever();
            } finally {
              await cleanup(() => sleep(1));
              cleaned = true;
            }
          },
        ]),
      );
      await waitAllTasksBlocked();
      scope.cancel();
      expect(await work).toBeUndefined();
      expect(cleaned).toBe(true);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test('10,000 deep', async () => {
    let seen: unknown[] = [];
    await catchErrors(throwing(deep(new TypeError('deep'))), [
      TypeError,
      (found) => void (seen = flattenErrors(found)),
    ]);
    expect(seen.map((error) => (error as Error).message)).toEqual(['deep']);
  });

  test('bad arguments are refused before the body is called', async () => {
    let called = false;
    const body = (): void => {
      called = true;
    };
    for (const [handler, message] of [
      [TypeError, /handler 0 must be a pair \[match, handler\]/],
      [[TypeError], /the second part of handler 0 must be a function/],
      [['TypeError', () => {}], /match must be an error class or a predicate/],
      [undefined, /handler 0 must be a pair/],
    ] as const) {
      const error = await errorOf(catchErrors(body, handler as never));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(message);
    }
    const promise = await errorOf(catchErrors(Promise.resolve() as never));
    expect((promise as Error).message).toMatch(/body must be a function, got a Promise/);
    expect(called).toBe(false);
  });
});

describe('cancellations in groups', () => {
  test(
    'a scope filters them out of a group that leaves it, nesting kept',
    virtualTime(async () => {
      const error = new Error('body');
      for (const nested of [false, true]) {
        const scope = new CancelScope();
        const cause = new TypeError('cause');
        const failed = (await errorOf(
          scope.run(async () => {
            scope.cancel();
            const cancelled = await errorOf(checkpoint());
            const both = new AggregateError([error, cancelled], 'both', { cause });
            throw nested ? new AggregateError([both, cancelled], 'outer') : both;
          }),
        )) as AggregateError;
        const inner = nested ? (failed.errors[0] as AggregateError) : failed;
        expect(failed.errors).toHaveLength(1);
        expect(inner.errors).toEqual([error]);
        expect(inner.message).toBe('both');
        expect(inner.cause).toBe(cause);
        expect(scope.cancelledCaught).toBe(true);
      }
    }),
  );

  test(
    'a group that is nothing but cancellations is caught',
    virtualTime(async () => {
      const scope = new CancelScope();
      const value = await scope.run(async () => {
        scope.cancel();
        throw group(await errorOf(sleepForever()));
      });
      expect(value).toBeUndefined();
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    'a group without any cancellation leaves unchanged, and nothing was caught',
    virtualTime(async () => {
      const scope = new CancelScope();
      const whole = group(new Error('a'), new Error('b'));
      const failed = await errorOf(
        scope.run(() => {
          scope.cancel();
          throw whole;
        }),
      );
      expect(failed).toBe(whole);
      expect(scope.cancelledCaught).toBe(false);
    }),
  );

  test(
    'a bare AbortError that is none for the scopes inside is one for the scope whose signal was handed out',
    virtualTime(async () => {
      const error = new Error('beside');
      const abort = new DOMException('aborted', 'AbortError');
      for (const thrown of [
        group(error, abort),
        group(error, group(abort)),
        group(group(group(abort)), error),
      ]) {
        const scope = new CancelScope();
        const failed = await errorOf(
          scope.run(() => {
            void scope.signal;
            scope.cancel();
            return taskGroup(() => new CancelScope().run(throwing(thrown)));
          }),
        );
        expect(flattenErrors(failed)).toEqual([error]);
        expect(scope.cancelledCaught).toBe(true);
      }
    }),
  );

  test(
    'a group that went through many scopes without any is still searched for those that come later',
    virtualTime(async () => {
      const scope = new CancelScope();
      const failed = await errorOf(
        scope.run(async () => {
          const inner = await errorOf(new CancelScope().run(throwing(group('error', group('nested')))));
          scope.cancel();
          throw group(inner, await errorOf(checkpoint()));
        }),
      );
      expect((failed as AggregateError).errors).toHaveLength(1);
      expect(flattenErrors(failed)).toEqual(['error', 'nested']);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );

  test(
    '10,000 deep',
    virtualTime(async () => {
      const scope = new CancelScope();
      const error = new Error('deep');
      const failed = await errorOf(
        scope.run(async () => {
          scope.cancel();
          throw deep(group(error, await errorOf(checkpoint())));
        }),
      );
      expect(flattenErrors(failed)).toEqual([error]);
      expect(scope.cancelledCaught).toBe(true);
    }),
  );
});

test('a group that contains itself is a leaf in there', () => {
  const group = new AggregateError([new RangeError('a')]);
  group.errors.push(group);
  expect(flattenErrors(group)).toEqual([group.errors[0], group]);
  const [ranges, rest] = splitErrors(group, RangeError);
  expect(ranges?.errors).toEqual([group.errors[0]]);
  expect(rest?.errors).toEqual([group]);
});
