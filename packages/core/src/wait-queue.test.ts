import { describe, expect, test } from 'vitest';

import { CancelScope, run } from './index.js';
import { scopeOfWait, WaitQueue } from './lowlevel.js';

describe('a wait queue', () => {
  test('keeps no place for a wait that an instrument cancelled as it began', async () => {
    const queue = new WaitQueue<string>();
    const scope = new CancelScope();
    await run(() => scope.run(() => queue.wait('tea', scopeOfWait('test'), undefined)), {
      instruments: [{ waitStarted: () => scope.cancel() }],
    });
    expect(scope.cancelledCaught).toBe(true);
    expect([queue.size, queue.first]).toEqual([0, undefined]);
  });

  test('has a place for a wait already when an instrument is told of it', async () => {
    const queue = new WaitQueue<string>();
    const got = run(() => queue.wait('tea', scopeOfWait('test'), undefined), {
      instruments: [{ waitStarted: () => void queue.shift()?.resolve('a cup') }],
    });
    expect(await got).toBe('a cup');
    expect(queue.size).toBe(0);
  });

  test('keeps no place for a wait whose signal cannot be listened to', async () => {
    const queue = new WaitQueue<string>();
    const signal = AbortSignal.abort();
    Object.defineProperty(signal, 'aborted', { value: false });
    const broken = new Error('broken');
    signal.addEventListener = () => {
      throw broken;
    };
    await run(async () => {
      expect(() => queue.wait('tea', scopeOfWait('test'), undefined, { signal })).toThrow(broken);
    });
    expect(queue.size).toBe(0);
  });

  test('goes on to the next when some are taken out while it is iterated over', () => {
    const queue = new WaitQueue<void, string>();
    for (const name of ['a', 'b', 'c', 'd']) void queue.wait('tea', scopeOfWait('test'), name);
    const seen: string[] = [];
    for (const entry of queue) {
      seen.push(entry.data);
      if (entry.data !== 'a') continue;
      queue.shift()!.resolve();
      queue.shift()!.resolve();
    }
    expect(seen).toEqual(['a', 'c', 'd']);
    for (const entry of queue) {
      queue.remove(entry);
      entry.resolve();
    }
    expect(queue.size).toBe(0);
  });

  test('has a place for who listens elsewhere, too, until that leaves', () => {
    const queue = new WaitQueue<string, string>();
    const heard: unknown[] = [];
    const listener = {
      resolve: (value: string) => heard.push(value) > 0,
      reject: (error: unknown) => heard.push(error) > 0,
    };
    const leave = ['a', 'b', 'c'].map((name) => queue.enlist(name, listener));
    leave[1]!();
    expect([...queue].map(({ data }) => data)).toEqual(['a', 'c']);
    expect(queue.shift()?.resolve('tea')).toBe(true);
    const error = new Error('no milk');
    queue.rejectAll(error);
    expect(heard).toEqual(['tea', error]);
    // Who has been taken out has nothing to leave.
    queue.enlist('d', listener);
    for (const each of leave) each();
    expect(queue.first?.data).toBe('d');
    expect(queue.size).toBe(1);
  });

  test('passes the first on to the end of another queue, and says whether there was one', async () => {
    const [from, to] = [new WaitQueue<string, string>(), new WaitQueue<string, string>()];
    const waits = ['a', 'b'].map((name) => from.wait('tea', scopeOfWait('test'), name));
    const other = to.wait('milk', scopeOfWait('test'), 'c');
    expect([from.shiftTo(to), from.shiftTo(to), from.shiftTo(to)]).toEqual([true, true, false]);
    expect(from.size).toBe(0);
    const order: string[] = [];
    for (let next = to.shift(); next !== undefined; next = to.shift()) {
      order.push(next.data);
      next.resolve(`for ${next.data}`);
    }
    expect(order).toEqual(['c', 'a', 'b']);
    expect(await Promise.all([...waits, other])).toEqual(['for a', 'for b', 'for c']);
  });
});

test('scopeOfWait() refuses options that are none', () => {
  expect(() => scopeOfWait('brew()', null as never)).toThrow(
    new TypeError('brew(): options must be an object, got null'),
  );
});
