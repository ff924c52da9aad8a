import {
  CancelScope,
  checkpoint,
  ClosedResourceError,
  EndOfStream,
  sleep,
  taskGroup,
  taskTree,
  type TaskNode,
  type WaitOptions,
} from '@taskscope/core';
import {
  cancelEverywhere,
  expectCheckpoint,
  fuzzSchedule,
  virtualTime,
  waitAllTasksBlocked,
} from '@taskscope/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { testCancellation } from '../../sync/src/cancellation.fixture.js';
import { errorOf, turns } from '../../core/src/observing.fixture.js';
import { createWatch, select, type WatchReceiver } from './index.js';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/** How many waits for a change there are below a node of the task tree. */
function waitsForChange(node: TaskNode = taskTree()): number {
  const own = node.waitingFor.filter((label) => label === 'a change').length;
  return node.children.reduce((sum, child) => sum + waitsForChange(child), own);
}

/** For what the tests of a fixture call. */
function expectEqual(actual: unknown, expected: unknown): void {
  expect(actual).toEqual(expected);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('a watched value', () => {
  test('is there from the beginning, and the latest at any time', () => {
    const [sender, receiver] = createWatch('cold');
    expect([sender.value, receiver.value]).toEqual(['cold', 'cold']);
    sender.set('warm');
    sender.set('hot');
    expect([sender.value, receiver.value]).toEqual(['hot', 'hot']);
  });

  test(
    'is still there when the watch is closed, and cannot be set any more',
    virtualTime(() => {
      const [sender, receiver] = createWatch(1);
      sender.set(2);
      sender.close();
      sender.close();
      expect([sender.value, receiver.value]).toEqual([2, 2]);
      expect(() => sender.set(3)).toThrow(ClosedResourceError);
      expect(() => sender.set(3)).toThrow('WatchSender.set(): this watch is closed');
      expect(receiver.value).toBe(2);
    }),
  );

  test('is closed by using', async () => {
    const [sender, receiver] = createWatch(1);
    {
      using _ = sender;
    }
    expect(() => sender.set(2)).toThrow(ClosedResourceError);
    expect(await errorOf(receiver.changed())).toBeInstanceOf(EndOfStream);
  });

  test('may be undefined', async () => {
    const [sender, receiver] = createWatch<number | undefined>(1);
    const changed = receiver.changed();
    sender.set(undefined);
    expect(await changed).toBeUndefined();
    sender.set(undefined);
    expect(await receiver.changed()).toBeUndefined();
  });
});

describe('changed()', () => {
  test(
    'waits for a change',
    virtualTime(async (clock) => {
      const [sender, receiver] = createWatch(0);
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          expect(await receiver.changed()).toBe(1);
          expect(clock.now()).toBe(10);
        });
        await sleep(10);
        sender.set(1);
      });
    }),
  );

  test(
    'does not wait when there was a change that was not seen, and is a checkpoint all the same',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      sender.set(1);
      sender.set(2);
      await expectCheckpoint(async () => expect(await receiver.changed()).toBe(2));
      const next = receiver.changed();
      expect(waitsForChange()).toBe(1);
      sender.set(3);
      expect(await next).toBe(3);
    }),
  );

  test(
    'takes setting the same value for a change',
    virtualTime(async () => {
      const [sender, receiver] = createWatch('same');
      const changed = receiver.changed();
      sender.set('same');
      expect(await changed).toBe('same');
    }),
  );

  test(
    'is not satisfied by looking at the value',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      sender.set(1);
      expect(receiver.value).toBe(1);
      expect(await receiver.changed()).toBe(1);
    }),
  );

  test(
    'gives the latest, also when it was set again before the task went on',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const changed = receiver.changed();
      sender.set(1);
      sender.set(2);
      expect(await changed).toBe(2);
      const next = receiver.changed();
      expect(waitsForChange()).toBe(1);
      sender.close();
      expect(await errorOf(next)).toBeInstanceOf(EndOfStream);
    }),
  );

  test(
    'wakes all receivers, and each knows by itself what it has seen',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const clone = receiver.clone();
      const seen: string[] = [];
      await taskGroup(async (tg) => {
        tg.startSoon(async () => seen.push(`a${await receiver.changed()}`));
        tg.startSoon(async () => seen.push(`b${await clone.changed()}`));
        await waitAllTasksBlocked();
        sender.set(1);
      });
      expect(seen.toSorted()).toEqual(['a1', 'b1']);
      sender.set(2);
      expect(await receiver.changed()).toBe(2);
      const late = receiver.clone();
      expect(await clone.changed()).toBe(2);
      // A clone has seen what the original has seen.
      const next = late.changed();
      expect(waitsForChange()).toBe(1);
      sender.set(3);
      expect(await next).toBe(3);
    }),
  );

  test(
    'wakes several who wait on one receiver',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const waits = [receiver.changed(), receiver.changed(), receiver.until((n) => n === 1)];
      const selected = select({ level: receiver.onChange() });
      const other = select({ level: receiver.onChange() });
      sender.set(1);
      expect(await Promise.all(waits)).toEqual([1, 1, 1]);
      expect([await selected, await other]).toEqual([
        { key: 'level', value: 1 },
        { key: 'level', value: 1 },
      ]);
    }),
  );

  test(
    'fails a selection with EndOfStream, whether it is closed before or during, but not before the last was seen',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const selected = errorOf(select({ level: receiver.onChange() }));
      sender.close();
      expect(await selected).toBeInstanceOf(EndOfStream);
      expect(await errorOf(select({ level: receiver.onChange() }))).toBeInstanceOf(EndOfStream);
      const [other, seeing] = createWatch(0);
      other.set(1);
      other.close();
      expect(await select({ level: seeing.onChange() })).toEqual({ key: 'level', value: 1 });
      expect(await errorOf(select({ level: seeing.onChange() }))).toBeInstanceOf(EndOfStream);
    }),
  );

  test(
    'rejects with EndOfStream when there will be no change, but not before the last was seen',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const clone = receiver.clone();
      const waits = [receiver.changed(), clone.until(() => false)];
      sender.close();
      for (const each of waits) {
        const error = await errorOf(each);
        expect(error).toBeInstanceOf(EndOfStream);
        expect((error as Error).message).toBe('the watch is closed: the value will not change any more');
      }
      const [again, end] = createWatch(0);
      again.set(1);
      again.close();
      expect(await end.changed()).toBe(1);
      expect(await errorOf(end.changed())).toBeInstanceOf(EndOfStream);
    }),
  );

  test(
    'sees a change that came just before the watch was closed',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const changed = receiver.changed();
      sender.set(1);
      sender.close();
      expect(await changed).toBe(1);
      expect(await errorOf(receiver.changed())).toBeInstanceOf(EndOfStream);
    }),
  );
});

describe('until()', () => {
  test(
    'does not wait when the value is such already',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(1);
      await expectCheckpoint(async () => expect(await receiver.until((n) => n === 1)).toBe(1));
      sender.close();
      expect(await receiver.until((n) => n === 1)).toBe(1);
    }),
  );

  test(
    'waits until it is, and asks once for each value',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const asked: number[] = [];
      await taskGroup(async (tg) => {
        const waiting = tg.startSoon(() =>
          receiver.until((n) => {
            asked.push(n);
            return n >= 3;
          }),
        );
        for (const n of [1, 2, 3, 4]) {
          await waitAllTasksBlocked();
          sender.set(n);
        }
        expect(await waiting.result()).toBe(3);
      });
      expect(asked).toEqual([0, 1, 2, 3]);
      // That was the last that it saw.
      expect(await receiver.changed()).toBe(4);
    }),
  );

  test(
    'that begins with a change that was not seen asks once for that as well',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      sender.set(1);
      const asked: number[] = [];
      const reached = receiver.until((n) => {
        asked.push(n);
        return n === 2;
      });
      await waitAllTasksBlocked();
      expect(asked).toEqual([1]);
      sender.set(2);
      expect(await reached).toBe(2);
      expect(asked).toEqual([1, 2]);
    }),
  );

  test(
    'may miss values, never the latest',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const reached = receiver.until((n) => n === 2);
      sender.set(1);
      sender.set(2);
      expect(await reached).toBe(2);
      const missed = receiver.until((n) => n === 3);
      sender.set(3);
      sender.set(4);
      sender.close();
      expect(await errorOf(missed)).toBeInstanceOf(EndOfStream);
    }),
  );

  test(
    'rejects with what the predicate throws, at once and later',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const fussy = (n: number): boolean => {
        if (n === 1) throw new Error('not 1');
        return false;
      };
      const waiting = receiver.until(fussy);
      sender.set(1);
      expect(await errorOf(waiting)).toEqual(new Error('not 1'));
      expect(await errorOf(receiver.until(fussy))).toEqual(new Error('not 1'));
      expect(waitsForChange()).toBe(0);
    }),
  );

  test('refuses a predicate that is no function', async () => {
    const [, receiver] = createWatch(0);
    for (const predicate of [undefined, 1, null]) {
      const error = await errorOf(receiver.until(predicate as never));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(
        /^WatchReceiver\.until\(\): predicate must be a function, got /,
      );
    }
  });

  test(
    'refuses an async predicate, whose promise would be true at once',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const message =
        'WatchReceiver.until(): predicate must not be async: the promise that it returns counts as true. ' +
        'What takes time belongs in a loop around changed()';
      const failing = (): Promise<boolean> => Promise.reject(new Error('nobody waits for it'));
      for (const predicate of [() => Promise.resolve(false), failing]) {
        const error = await errorOf(receiver.until(predicate as never));
        expect(error).toEqual(new TypeError(message));
      }
      const later = errorOf(receiver.until(((n: number) => n > 0 && Promise.resolve(true)) as never));
      sender.set(1);
      expect(await later).toEqual(new TypeError(message));
      expect(waitsForChange()).toBe(0);
    }),
  );

  test(
    'goes through any number of changes without piling up promises',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const reached = receiver.until((n) => n === 20_000);
      for (let n = 1; n <= 20_000; n++) {
        sender.set(n);
        await checkpoint();
      }
      expect(await reached).toBe(20_000);
    }),
  );
});

describe('for await over a watch', () => {
  test(
    'gives the value as it is, then its changes, and ends when it is closed',
    virtualTime(async () => {
      const [sender, receiver] = createWatch('a');
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => collect(receiver));
        for (const value of ['b', 'c']) {
          await waitAllTasksBlocked();
          sender.set(value);
        }
        await waitAllTasksBlocked();
        sender.close();
        expect(await task.result()).toEqual(['a', 'b', 'c']);
      });
      expect(await collect(receiver)).toEqual(['c']);
    }),
  );

  test(
    'of a slow reader misses what was in between, never the latest, and delays nobody',
    virtualTime(async (clock) => {
      const [sender, receiver] = createWatch(0);
      const seen: number[] = [];
      await taskGroup(async (tg) => {
        tg.startSoon(async () => {
          for await (const n of receiver) {
            seen.push(n);
            await sleep(10);
          }
        });
        for (let n = 1; n <= 25; n++) {
          await sleep(1);
          sender.set(n);
        }
        expect(clock.now()).toBe(25);
        sender.close();
      });
      expect(seen[0]).toBe(0);
      expect(seen.at(-1)).toBe(25);
      expect(seen.length).toBeLessThan(6);
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    }),
  );

  test(
    'can be left and taken up again',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      for await (const n of receiver) {
        expect(n).toBe(0);
        break;
      }
      sender.set(1);
      expect(await receiver.changed()).toBe(1);
      for await (const n of receiver) {
        expect(n).toBe(1);
        break;
      }
    }),
  );

  test(
    'passes on what is no end, a cancellation for instance',
    virtualTime(async () => {
      const [, receiver] = createWatch(0);
      const scope = new CancelScope();
      const seen: number[] = [];
      await scope.run(async () => {
        for await (const n of receiver) {
          seen.push(n);
          scope.cancel();
        }
      });
      expect(scope.cancelledCaught).toBe(true);
      expect(seen).toEqual([0]);
    }),
  );
});

const waits: readonly (readonly [
  string,
  (receiver: WatchReceiver<number>, options?: WaitOptions) => Promise<unknown>,
])[] = [
  ['changed()', (receiver, options) => receiver.changed(options)],
  [
    'until()',
    (receiver, options) => {
      const { value } = receiver;
      return receiver.until((n) => n > value, options);
    },
  ],
  [
    'a step of values()',
    (receiver, options) => {
      const iterator = receiver.values(options)[Symbol.asyncIterator]();
      iterator.next().catch(() => {}); // the value as it is
      return iterator.next();
    },
  ],
];
for (const [name, begin] of waits) {
  testCancellation(name, () => {
    const [sender, receiver] = createWatch(0);
    let version = 0;
    return {
      begin: (options) => begin(receiver, options),
      satisfy: () => sender.set(++version),
      end(got) {
        const value = typeof got === 'object' ? (got as IteratorYieldResult<number>).value : got;
        if (got !== undefined) expectEqual(value, version);
      },
      waiting: () => waitsForChange(),
      out: () => 0,
    };
  });
}

describe('a cancelled wait for a change', () => {
  test(
    'leaves the change to be seen',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      sender.set(1);
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        expect(await errorOf(receiver.changed())).toMatchObject({ name: 'Cancelled' });
        expect(await errorOf(receiver.until(() => true))).toMatchObject({ name: 'Cancelled' });
      });
      expect(await receiver.changed()).toBe(1);
      const scope = new CancelScope();
      await scope.run(async () => {
        const changed = receiver.changed();
        scope.cancel();
        sender.set(2);
        await changed;
      });
      expect(await receiver.changed()).toBe(2);
    }),
  );

  test(
    'as it ends has seen it, if it did',
    virtualTime(async () => {
      const [sender, receiver] = createWatch(0);
      const scope = new CancelScope();
      let seen: number | undefined;
      await scope.run(async () => {
        const changed = receiver.changed();
        sender.set(1);
        scope.cancel();
        seen = await changed;
      });
      expect(seen).toBe(1);
      const next = receiver.changed();
      expect(waitsForChange()).toBe(1);
      sender.set(2);
      expect(await next).toBe(2);
    }),
  );

  test('at every step of a workload keeps nobody from the latest value', async () => {
    const { waits } = await cancelEverywhere(() => {
      const [sender, receiver] = createWatch(0);
      const last: number[] = [];
      const watcher = (index: number) => {
        const end = receiver.clone();
        return async (): Promise<void> => {
          for await (const n of end) last[index] = n;
        };
      };
      const setter = async (): Promise<void> => {
        using _ = sender;
        for (const n of [1, 2, 3]) {
          await sleep(1);
          sender.set(n);
        }
      };
      return {
        tasks: [watcher(0), setter, watcher(1), () => receiver.clone().until((n) => n === 0 || n === 2)],
        check(cancelled) {
          for (const index of [0, 1]) {
            if (!cancelled[index === 0 ? 0 : 2]) expect(last[index]).toBe(sender.value);
          }
          expect(waitsForChange()).toBe(0);
        },
      };
    });
    expect(waits).toBeGreaterThan(5);
  });
});

test('every watcher ends with the latest value, in whatever order they are woken', async () => {
  for (const seed of SEEDS) {
    await fuzzSchedule(seed, async () => {
      const [sender, receiver] = createWatch(0);
      const seen: number[][] = [[], [], []];
      await taskGroup(async (tg) => {
        for (const own of seen) {
          const end = receiver.clone();
          tg.startSoon(async () => {
            for await (const n of end) {
              own.push(n);
              if (own.length % 2 === 0) await checkpoint();
            }
          });
        }
        for (let n = 1; n <= 10; n++) {
          sender.set(n);
          if (n % 3 === 0) await sleep(1);
        }
        sender.close();
      });
      for (const own of seen) {
        expect(own.at(-1)).toBe(10);
        expect(own).toEqual([...new Set(own)].toSorted((a, b) => a - b));
      }
    });
  }
});

test('with random operations, a receiver sees each change once or a later one instead', async () => {
  const operations = fc.array(fc.constantFrom('set', 'changed', 'cancel', 'clone', 'close'), {
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(operations, async (list) => {
      const [sender, receiver] = createWatch(0);
      let [version, isClosed] = [0, false];
      /** Each receiver: what it has seen, and the wait that it has going on. */
      const receivers = [{ end: receiver, seen: 0, waits: [] as { scope: CancelScope; result: unknown }[] }];
      const expected: unknown[] = [];
      const actual: { result: unknown }[] = [];
      for (const [index, operation] of list.entries()) {
        const own = receivers[index % receivers.length]!;
        if (operation === 'set' && !isClosed) {
          sender.set(++version);
          for (const each of receivers) {
            if (each.waits.length > 0) each.seen = version;
            for (const wait of each.waits.splice(0)) expected[actual.indexOf(wait)] = version;
          }
        } else if (operation === 'close') {
          sender.close();
          isClosed = true;
          for (const each of receivers) {
            for (const wait of each.waits.splice(0)) expected[actual.indexOf(wait)] = 'EndOfStream';
          }
        } else if (operation === 'changed') {
          const wait: { scope: CancelScope; result: unknown } = {
            scope: new CancelScope(),
            result: 'pending',
          };
          own.end.changed({ signal: wait.scope.signal }).then(
            (value) => (wait.result = value),
            (error: unknown) => (wait.result = (error as Error).name),
          );
          actual.push(wait);
          if (own.seen < version) expected.push(version);
          else if (isClosed) expected.push('EndOfStream');
          else {
            expected.push('pending');
            own.waits.push(wait);
          }
          own.seen = version;
        } else if (operation === 'cancel') {
          const wait = own.waits.pop();
          wait?.scope.cancel();
          if (wait !== undefined) expected[actual.indexOf(wait)] = 'Cancelled';
        } else if (operation === 'clone') {
          receivers.push({ end: own.end.clone(), seen: own.seen, waits: [] });
        }
        await turns();
        expect(actual.map(({ result }) => result)).toEqual(expected);
      }
    }),
    { numRuns: 100 },
  );
});
