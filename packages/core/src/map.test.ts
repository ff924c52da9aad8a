import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { errorsOf, throwing } from './failing.fixture.js';
import {
  CancelScope,
  checkpoint,
  cleanup,
  currentTask,
  currentTime,
  map,
  moveOnAfter,
  sleep,
  sleepForever,
  TaskCancelled,
  TaskGroupError,
  taskTree,
} from './index.js';
import { currentScope, ParkingLot } from './lowlevel.js';
import { errorOf } from './observing.fixture.js';

const children = (): number => taskTree().children.at(-1)!.children.length;

/** An async iterator that records what is asked of it. */
class Source implements AsyncIterableIterator<number> {
  readonly calls: string[] = [];
  reads = 0;
  readonly end: number;
  readonly step: (n: number) => unknown;
  constructor(end: number, step: (n: number) => unknown = () => {}) {
    this.end = end;
    this.step = step;
  }
  [Symbol.asyncIterator](): this {
    return this;
  }
  async next(): Promise<IteratorResult<number>> {
    const n = this.reads++;
    this.calls.push(`next ${n}`);
    await this.step(n);
    return n < this.end ? { done: false, value: n } : { done: true, value: undefined };
  }
  async return(): Promise<IteratorResult<number>> {
    this.calls.push('return');
    await sleep(5);
    this.calls.push('returned');
    return { done: true, value: undefined };
  }
}

describe('results', () => {
  test(
    'are in the order of the items, however they end',
    virtualTime(async () => {
      expect(await map([3, 2, 1], (n) => sleep(n).then(() => n * 2))).toEqual([6, 4, 2]);
      expect(currentTime()).toBe(3);
    }),
  );

  test(
    'tasks may end each other, in the reverse order',
    virtualTime(async () => {
      const lots = [new ParkingLot(), new ParkingLot(), new ParkingLot()];
      const results = map([0, 1, 2], async (i) => {
        await lots[i]!.park();
        lots[i - 1]?.unpark();
        return i * 2;
      });
      await waitAllTasksBlocked();
      lots[2]!.unpark();
      expect(await results).toEqual([0, 2, 4]);
    }),
  );

  test(
    'of nothing are nothing',
    virtualTime(async () => {
      const never = (): never => expect.fail('not called');
      expect(await map([], never)).toEqual([]);
      expect(await map(new Source(0), never)).toEqual([]);
    }),
  );

  test(
    'of every kind of source',
    virtualTime(async () => {
      const double = (n: number): number => n * 2;
      const generator = function* (): Generator<number> {
        yield* [1, 2, 3];
      };
      const asyncGenerator = async function* (): AsyncGenerator<number> {
        for (let i = 1; i <= 3; i++) {
          await sleep(1);
          yield i;
        }
      };
      expect(await map(new Set([1, 2, 3]), double)).toEqual([2, 4, 6]);
      expect(await map(generator(), double)).toEqual([2, 4, 6]);
      expect(await map(asyncGenerator(), double)).toEqual([2, 4, 6]);
      expect(await map('abc', (c) => c.toUpperCase())).toEqual(['A', 'B', 'C']);
      expect(await map(new Map([['a', 1]]), ([key, value]) => key + value)).toEqual(['a1']);
    }),
  );

  test(
    'fn is given the item, its index and the signal of its task, whose name is that of fn',
    virtualTime(async () => {
      const here = currentTask().id;
      const results = await map(['a', 'b'], function brew(item, index, { signal }) {
        return `${item}${index} ${currentTask().name} ${currentTask().parentId === here} ${signal.aborted}`;
      });
      expect(results).toEqual(['a0 brew true false', 'b1 brew true false']);
    }),
  );
});

describe('the limit', () => {
  test.each([1, 2, 3])('%i at a time, never more, and no idling', async (limit) => {
    const test = virtualTime(async () => {
      let running = 0;
      let most = 0;
      await map(
        [...Array(6).keys()],
        async () => {
          most = Math.max(most, ++running);
          await sleep(10);
          running--;
        },
        { limit },
      );
      expect(most).toBe(limit);
      expect(currentTime()).toBe((6 / limit) * 10);
    });
    await test();
  });

  test(
    'is how many items are read ahead',
    virtualTime(async () => {
      const source = new Source(100);
      const lot = new ParkingLot();
      await moveOnAfter(100, () => map(source, () => lot.park(), { limit: 3 }).finally(() => {}));
      expect(source.reads).toBe(3);
      const second = new Source(100);
      const work = map(second, () => lot.park(), { limit: 2 });
      await waitAllTasksBlocked();
      expect(second.reads).toBe(2);
      lot.unpark();
      await waitAllTasksBlocked();
      expect(second.reads).toBe(3);
      lot.unpark(2);
      await waitAllTasksBlocked();
      expect(second.reads).toBe(5);
      second.reads = 100;
      lot.unparkAll();
      await work;
    }),
  );

  test(
    'without one all items are read at once',
    virtualTime(async () => {
      const source = new Source(50);
      const lot = new ParkingLot();
      const work = map(source, () => lot.park());
      await waitAllTasksBlocked();
      expect(lot.size).toBe(50);
      expect(source.reads).toBe(51);
      lot.unparkAll();
      await work;
    }),
  );

  test('a bad one is refused', async () => {
    const never = (): never => expect.fail('not called');
    for (const [limit, error] of [
      [0, RangeError],
      [-1, RangeError],
      [Number.NaN, RangeError],
      [1.5, TypeError],
      ['2', TypeError],
      [null, TypeError],
    ] as const) {
      const failed = await errorOf(map([1], never, { limit: limit as never }));
      expect(failed).toBeInstanceOf(error);
      expect((failed as Error).message).toMatch(/map\(\): options\.limit must be/);
    }
    expect(await errorOf(map([1], never, 2 as never))).toEqual(
      new TypeError('map(): options must be an object, got 2. Write { limit: 2 }'),
    );
  });
});

describe('failing', () => {
  test(
    'an error of fn cancels the others, stops reading and closes the source, which is awaited',
    virtualTime(async () => {
      const source = new Source(10, (n) => (n === 3 ? sleepForever() : undefined));
      const failed = (await errorOf(
        map(source, async (n) => {
          await sleep(n + 1);
          if (n === 1) throw new Error('boom');
          await sleepForever();
        }),
      )) as TaskGroupError;
      expect(failed).toBeInstanceOf(TaskGroupError);
      expect(failed.errors.map((error) => (error as Error).message)).toEqual(['boom']);
      expect(source.calls).toEqual(['next 0', 'next 1', 'next 2', 'next 3', 'return', 'returned']);
      expect(currentTime()).toBe(7);
    }),
  );

  test(
    'also while it waits for a free place',
    virtualTime(async () => {
      const source = new Source(10);
      expect(
        await errorsOf(
          map(
            source,
            async (n) => {
              await sleep(1);
              if (n === 0) throwing('boom')();
              await sleepForever();
            },
            { limit: 2 },
          ),
        ),
      ).toEqual(['boom']);
      expect(source.calls.slice(-2)).toEqual(['return', 'returned']);
      expect(source.reads).toBeLessThanOrEqual(3);
    }),
  );

  test(
    'an error of the source cancels the tasks; a source that failed is not closed',
    virtualTime(async () => {
      const source = new Source(10, (n) => {
        if (n === 2) throw new Error('unreadable');
      });
      const ended: number[] = [];
      const errors = await errorsOf(map(source, (n) => sleepForever().finally(() => ended.push(n))));
      expect(errors.map((error) => (error as Error).message)).toEqual(['unreadable']);
      expect(ended.toSorted((a, b) => a - b)).toEqual([0, 1]);
      expect(source.calls).not.toContain('return');
    }),
  );

  test(
    'a synchronous source that fails, too',
    virtualTime(async () => {
      const failing = function* (): Generator<number> {
        yield 1;
        throw new Error('unreadable');
      };
      const errors = await errorsOf(map(failing(), () => sleepForever()));
      expect(errors.map((error) => (error as Error).message)).toEqual(['unreadable']);
    }),
  );

  test(
    'an error of return() is not lost, and hides no other',
    virtualTime(async () => {
      const source = new Source(10, (n) => (n === 1 ? sleepForever() : undefined));
      source.return = () => Promise.reject(new Error('unclosable'));
      const errors = await errorsOf(
        map(source, async () => {
          await sleep(1);
          throw new Error('boom');
        }),
      );
      expect(errors.map((error) => (error as Error).message)).toEqual(['boom', 'unclosable']);
    }),
  );

  test(
    'a generator learns of it in its finally block',
    virtualTime(async () => {
      const record: string[] = [];
      const generator = function* (): Generator<number> {
        try {
          for (let i = 0; ; i++) yield i;
        } finally {
          record.push('closed');
        }
      };
      await errorsOf(map(generator(), throwing('boom'), { limit: 1 }));
      expect(record).toEqual(['closed']);
    }),
  );

  test(
    'a source that was read to its end is not closed',
    virtualTime(async () => {
      const source = new Source(2);
      await errorsOf(
        map(source, async () => {
          await sleep(1);
          throwing('boom')();
        }),
      );
      expect(source.calls).toEqual(['next 0', 'next 1', 'next 2']);
    }),
  );

  test(
    'a task that cancels itself leaves no hole: there is no result',
    virtualTime(async () => {
      const failed = await errorOf(
        map([1, 2], async (n) => {
          if (n === 1) currentScope().cancel();
          await checkpoint();
          return n;
        }),
      );
      expect(failed).toBeInstanceOf(TaskCancelled);
    }),
  );

  test.each([1, 2, 3])('nobody takes up another item after that: %i at a time', (limit) =>
    virtualTime(async () => {
      const begun: number[] = [];
      let begunBefore = 0;
      const fail = (): void => {
        begunBefore = begun.length;
        throwing('boom')();
      };
      const ways: readonly ((n: number) => unknown)[] = [
        (n) => (n === 4 ? fail() : undefined),
        async (n) => (n === 4 ? fail() : undefined),
        (n) => checkpoint().then(() => (n === 4 ? fail() : undefined)),
        (n) => sleep(1).then(() => (n === 4 ? fail() : undefined)),
      ];
      for (const way of ways) {
        begun.length = 0;
        const items = Array.from({ length: 50 }, (_, n) => n);
        const work = (n: number): unknown => {
          begun.push(n);
          return way(n);
        };
        expect(await errorsOf(map(items, work, { limit }))).toEqual(['boom']);
        // At most one by each of the others, who were there before the error was.
        expect(begun.length - begunBefore).toBeLessThan(limit);
      }
    })(),
  );

  test(
    'a task that was cancelled alone and finished all the same takes up no other item',
    virtualTime(async () => {
      const mapped = map(
        [0, 1, 2, 3, 4],
        async (n) => {
          await sleep(1);
          if (n === 1) currentScope().cancel();
          return n;
        },
        { limit: 2 },
      );
      expect(await mapped).toEqual([0, 1, 2, 3, 4]);
    }),
  );

  test(
    'a cancellation that a task brought from elsewhere is an error',
    virtualTime(async () => {
      let stray: unknown;
      await moveOnAfter(0, () => checkpoint().catch((error: unknown) => void (stray = error)));
      const mapped = map([1, 2], (n) => (n === 1 ? throwing(stray)() : sleepForever()));
      expect(await errorOf(mapped)).toMatchObject({ cause: { name: 'InvalidStateError', cause: stray } });
    }),
  );
});

describe('cancelling', () => {
  test(
    'before: nothing is read, and the source is closed',
    virtualTime(async () => {
      const source = new Source(10);
      const scope = new CancelScope();
      await scope.run(async () => {
        scope.cancel();
        await map(source, () => expect.fail('not called'));
        expect.fail('not reached');
      });
      expect(source.calls).toEqual(['return', 'returned']);
    }),
  );

  test(
    'during: a pending foreign next() is abandoned, then return() is called and awaited',
    virtualTime(async () => {
      const source = new Source(10, (n) => (n === 1 ? new Promise(() => {}) : undefined));
      await moveOnAfter(10, () => map(source, () => sleepForever()));
      expect(source.calls).toEqual(['next 0', 'next 1', 'return', 'returned']);
      expect(currentTime()).toBe(15);
      expect(children()).toBe(0);
    }),
  );

  test(
    'a generator that waits with our own functions is told, cleans up, and is awaited',
    virtualTime(async () => {
      const record: string[] = [];
      const generator = async function* (): AsyncGenerator<number> {
        try {
          yield 1;
          await sleep(1_000);
        } finally {
          await cleanup(() => sleep(5));
          record.push(`closed at ${currentTime()}`);
        }
      };
      await moveOnAfter(10, () => map(generator(), () => {}));
      expect(record).toEqual(['closed at 15']);
    }),
  );

  test(
    'a generator that is stuck for ever is given up after the grace period',
    virtualTime(async () => {
      const generator = async function* (): AsyncGenerator<number> {
        yield 1;
        await new Promise(() => {});
      };
      expect(await moveOnAfter(10, () => map(generator(), () => {}))).toBeUndefined();
      expect(currentTime()).toBe(5_010);
    }),
  );

  test(
    'the late error of an abandoned next() is swallowed',
    virtualTime(async () => {
      let reject: ((error: unknown) => void) | undefined;
      const source = new Source(
        10,
        () =>
          new Promise((_, no) => {
            reject = no;
          }),
      );
      await moveOnAfter(1, () => map(source, () => {}));
      reject!(new Error('too late'));
      await sleep(0);
    }),
  );

  test(
    'between the items of a source that is always ready it is noticed',
    virtualTime(async () => {
      const scope = new CancelScope();
      let read = 0;
      await scope.run(() =>
        map(
          (function* () {
            for (;;) yield read++;
          })(),
          (n) => {
            if (n === 10) scope.cancel();
          },
          { limit: 2 },
        ),
      );
      expect(scope.cancelledCaught).toBe(true);
      expect(read).toBeLessThanOrEqual(14);
    }),
  );

  test(
    'right after: the results are kept',
    virtualTime(async () => {
      const scope = new CancelScope();
      const value = await scope.run(async () => {
        const results = await map([1, 2], (n) => sleep(n).then(() => n));
        scope.cancel();
        return results;
      });
      expect(value).toEqual([1, 2]);
    }),
  );

  test(
    'by a foreign signal: rejects with its reason, and the source is closed',
    virtualTime(async () => {
      const controller = new AbortController();
      const source = new Source(10, (n) => (n === 2 ? sleepForever() : undefined));
      const mapped = errorOf(map(source, () => sleepForever(), { signal: controller.signal }));
      await waitAllTasksBlocked();
      const reason = new Error('stop');
      controller.abort(reason);
      expect(await mapped).toBe(reason);
      expect(source.calls.slice(-2)).toEqual(['return', 'returned']);
    }),
  );
});

describe.each([undefined, 1, 3])('an endless source keeps nobody waiting, with the limit %s', (limit) => {
  test.each([
    ['are done at once', () => {}],
    ['wait', () => sleepForever()],
  ])('while its tasks %s', async (_name, work) => {
    let count = 0;
    const endless = function* (): Generator<number> {
      // Not for ever, so that the test fails and does not hang.
      while (count < 50_000) yield ++count;
    };
    await moveOnAfter(60_000, async (scope) => {
      setImmediate(() => scope.cancel());
      await map(endless(), work, { limit });
    });
    expect(count).toBeLessThan(50_000);
  });
});

test(
  'bad arguments are refused, and nothing is read',
  virtualTime(async () => {
    const source = new Source(1);
    const fn = (): void => {};
    expect(await errorOf(map(source, Promise.resolve() as never))).toBeInstanceOf(TypeError);
    expect(await errorOf(map(source, fn, null as never))).toBeInstanceOf(TypeError);
    expect(await errorOf(map(source, fn, { signal: {} as never }))).toBeInstanceOf(TypeError);
    for (const items of [undefined, null, 42, {}, () => {}]) {
      const error = await errorOf(map(items as never, fn));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/map\(\): items must be iterable or async iterable/);
    }
    expect(source.calls).toEqual([]);
  }),
);
