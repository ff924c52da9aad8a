import { virtualTime } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { all } from './all.js';
import { throwing } from './failing.fixture.js';
import {
  BrokenResourceError,
  BusyResourceError,
  Cancelled,
  CancelScope,
  checkpoint,
  cleanup,
  ClosedResourceError,
  DelimiterNotFound,
  EndOfStream,
  FutureCancelled,
  IncompleteRead,
  InvalidStateError,
  moveOnAfter,
  ScopeExitedError,
  TaskCancelled,
  TaskFailed,
  taskGroup,
  TaskGroupError,
  TaskNotFinished,
  TimeoutError,
  WouldBlock,
  type TaskGroup,
} from './index.js';
import { errorOf } from './observing.fixture.js';

const ordinary = {
  BrokenResourceError,
  BusyResourceError,
  ClosedResourceError,
  DelimiterNotFound,
  EndOfStream,
  FutureCancelled,
  IncompleteRead,
  InvalidStateError,
  ScopeExitedError,
  TaskCancelled,
  TaskFailed,
  TaskNotFinished,
  TimeoutError,
  WouldBlock,
};

describe.each(Object.entries(ordinary))('%s', (name, ErrorClass) => {
  test('is an error with its name, a message and a cause', () => {
    const cause = new TypeError('because');
    const error = new ErrorClass('what happened', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(ErrorClass);
    expect(error.name).toBe(name);
    expect(error.message).toBe('what happened');
    expect(error.cause).toBe(cause);
    expect(String(error)).toBe(`${name}: what happened`);
    expect(error.stack).toMatch(new RegExp(`^${name}: what happened\n`));
    expect(Object.keys(error)).toEqual([]);
  });

  test('is told from the others by instanceof', () => {
    const error = new ErrorClass();
    const classes = [...Object.values(ordinary), Cancelled, TaskGroupError];
    expect(classes.filter((each) => error instanceof each)).toEqual([ErrorClass]);
  });

  test('may be extended', () => {
    class Mine extends ErrorClass {}
    expect(new Mine()).toBeInstanceOf(ErrorClass);
    expect(new ErrorClass()).not.toBeInstanceOf(Mine);
  });
});

describe('Cancelled', () => {
  test('is not constructed by users', () => {
    const Constructor = Cancelled as unknown as new (...args: unknown[]) => Error;
    for (const args of [[], ['message'], [Symbol('made by the runtime'), 'message', 'cancel', undefined]]) {
      expect(() => new Constructor(...args)).toThrow(TypeError);
      expect(() => new Constructor(...args)).toThrow(/not constructed by users: call cancel\(\)/);
    }
    class Mine extends Constructor {}
    expect(() => new Mine()).toThrow(TypeError);
  });

  test(
    'says what was cancelled, by whom and why',
    virtualTime(async () => {
      const seen: Cancelled[] = [];
      const look = (): Promise<void> =>
        checkpoint().catch((error: unknown) => {
          seen.push(error as Cancelled);
        });
      await new CancelScope({ name: 'tea' }).run(async (scope) => {
        scope.cancel('no milk');
        await look();
      });
      await moveOnAfter(0, look, { name: 'brief' });
      await taskGroup(
        async (tg) => {
          tg.startSoon(throwing(new Error('boom')));
          await new Promise((resolve) => setImmediate(resolve));
          await look();
        },
        { name: 'kitchen' },
      ).catch(() => {});
      await taskGroup(look, { name: 'abortable', signal: AbortSignal.abort(new Error('stop')) });
      expect(seen.map((each) => [each.source, each.message])).toEqual([
        ['cancel', 'cancel() was called on scope "tea": no milk'],
        ['deadline', 'the deadline of scope "brief" has passed'],
        ['task-failure', 'something in group "kitchen" failed: boom'],
        ['signal', 'a signal aborted group "abortable": stop'],
      ]);
      expect(seen.map((each) => each.name)).toEqual(Array(4).fill('Cancelled'));
      expect(seen[0]!.reason).toBe('no milk');
      expect(seen[1]!.reason).toBeUndefined();
      expect((seen[2]!.reason as Error).message).toBe('boom');
      for (const each of seen) {
        expect(each).toBeInstanceOf(Error);
        expect(each).toBeInstanceOf(Cancelled);
      }
    }),
  );

  test(
    'has a stack that tells who cancelled',
    virtualTime(async () => {
      let seen: Error | undefined;
      await new CancelScope().run(async (scope) => {
        (function theCulprit() {
          scope.cancel();
        })();
        await checkpoint().catch((error: unknown) => void (seen = error as Error));
      });
      expect(seen!.stack).toContain('theCulprit');
    }),
  );

  test(
    'a reason that cannot be made a string does no harm',
    virtualTime(async () => {
      const awkward = new Error('x');
      Object.defineProperty(awkward, 'message', { value: Symbol('tea') });
      for (const reason of [Object.create(null), Symbol('tea'), null, () => {}, awkward]) {
        const scope = new CancelScope();
        await scope.run(async () => {
          scope.cancel(reason);
          const error = await errorOf(checkpoint());
          expect((error as Cancelled).reason).toBe(reason);
        });
      }
    }),
  );

  test('instanceof says no to anything else', () => {
    for (const value of [undefined, null, 'Cancelled', 42, {}, new Error('Cancelled'), () => {}]) {
      expect(value instanceof Cancelled).toBe(false);
      expect(value instanceof TaskGroupError).toBe(false);
    }
  });
});

describe('TaskGroupError', () => {
  test('is not constructed by users', () => {
    const Constructor = TaskGroupError as unknown as new (...args: unknown[]) => Error;
    expect(() => new Constructor()).toThrow(TypeError);
    expect(() => new Constructor('key', 'group', [])).toThrow(
      /not constructed by users: it is what taskGroup\(\) throws/,
    );
  });

  test('names the group, the count and the first error; its cause is the error when there is one', async () => {
    const [a, b] = [new Error('a'), new Error('b')];
    const one = (await errorOf(taskGroup(throwing(a), { name: 'kitchen' }))) as TaskGroupError;
    expect(one.message).toBe('1 error in task group "kitchen": a');
    expect(one.cause).toBe(a);
    expect(one.group).toBe('kitchen');
    expect(String(one)).toBe('TaskGroupError: 1 error in task group "kitchen": a');
    const two = (await errorOf(
      taskGroup((tg) => {
        tg.startSoon(throwing(a));
        tg.startSoon(throwing(b));
      }),
    )) as TaskGroupError;
    expect(two.message).toBe('2 errors in a task group: a; b');
    expect(two.group).toBe('taskGroup');
    const five = (await errorOf(all(['a', 'b', 'c', 'd', 'e'].map(throwing)))) as TaskGroupError;
    expect(five.message).toBe('5 errors in task group "all": a; b; c; and 2 more');
    const refused = new Error('connection refused');
    const errors = [refused, new Error('a'), new Error('connection refused'), 'b', refused];
    const many = (await errorOf(all(errors.map(throwing)))) as TaskGroupError;
    expect(many.message).toBe('5 errors in task group "all": 3 × connection refused; a; b');
    const rest = (await errorOf(all(['a', 'b', 'c', 'd', 'b', 'd'].map(throwing)))) as TaskGroupError;
    expect(rest.message).toBe('6 errors in task group "all": a; 2 × b; c; and 2 more');
    // The frames would all be the runtime's.
    expect(five.stack).toBe(String(five));
    expect('cause' in two).toBe(false);
    expect(two.errors).toEqual([a, b]);
    expect(two).toBeInstanceOf(AggregateError);
    expect(two).toBeInstanceOf(Error);
    expect(new AggregateError([]) instanceof TaskGroupError).toBe(false);
  });

  test.each<[what: string, names: (string | undefined)[], message: string]>([
    ['groups without names', [undefined, undefined, undefined], '1 error in a task group: a'],
    ['a group with a name in others', [undefined, undefined, 'tea'], '1 error in task group "tea": a'],
    ['others in a group with a name', ['tea', undefined, undefined], '1 error in task group "tea": a'],
    [
      'others between groups with names',
      ['tea', undefined, 'cups'],
      '1 error in task group "tea": 1 error in task group "cups": a',
    ],
  ])('its message leaves out the groups without a name: %s', async (_what, names, message) => {
    const nested = names.reduceRight<() => unknown>(
      (body, name) => () => taskGroup(body, { name }),
      throwing(new Error('a')),
    );
    const error = await errorOf(nested() as Promise<unknown>);
    expect((error as Error).message).toBe(message);
    expect((error as Error).stack).toBe(String(error));
  });

  test('its message tells of a group without a name that has several errors, and of those beside it', async () => {
    const two = (tg: TaskGroup): void => {
      tg.startSoon(throwing('b'));
      tg.startSoon(throwing('c'));
    };
    const inner = await errorOf(taskGroup(() => taskGroup(two)));
    expect((inner as Error).message).toBe('2 errors in a task group: b; c');
    const outer = await errorOf(
      taskGroup((tg) => {
        tg.startSoon(throwing('a'));
        tg.startSoon(() => cleanup(() => taskGroup(throwing('d'))));
        tg.startSoon(() => cleanup(() => taskGroup(two)));
      }),
    );
    expect((outer as Error).message).toBe('3 errors in a task group: a; d; 2 errors in a task group: b; c');
  });
});
