import { Cancelled, CancelScope, InvalidStateError, isCancelled, taskGroup } from '@taskscope/core';
import { describe, expect, test } from 'vitest';

import { Sequencer, virtualTime, waitAllTasksBlocked } from './index.js';

describe('Sequencer', () => {
  test(
    'lets pieces of different tasks happen in order',
    virtualTime(async () => {
      const sequencer = new Sequencer();
      const record: [string, number][] = [];
      const visit = async (name: string, ...positions: number[]): Promise<void> => {
        for (const position of positions) {
          using _turn = await sequencer.at(position);
          record.push([name, position]);
        }
      };
      await taskGroup(async (tg) => {
        tg.startSoon(visit, 'a', 1, 3, 4);
        tg.startSoon(visit, 'b', 0, 2);
        using _turn = await sequencer.at(5);
        await waitAllTasksBlocked();
        expect(record).toEqual([
          ['b', 0],
          ['a', 1],
          ['b', 2],
          ['a', 3],
          ['a', 4],
        ]);
      });
    }),
  );

  test('holds a turn until it is given back', async () => {
    const sequencer = new Sequencer();
    await taskGroup(async (tg) => {
      const first = await sequencer.at(0);
      const second = tg.startSoon(() => sequencer.at(1));
      await waitAllTasksBlocked();
      expect(second.status).toBe('pending');
      first[Symbol.dispose]();
      await second.wait();
      expect(second.status).toBe('finished');
    });
  });

  test('takes a turn that is given back twice for one', async () => {
    const sequencer = new Sequencer();
    await taskGroup(async (tg) => {
      const first = await sequencer.at(0);
      const second = tg.startSoon(() => sequencer.at(1));
      const third = tg.startSoon(() => sequencer.at(2));
      first[Symbol.dispose]();
      first[Symbol.dispose]();
      await second.wait();
      first[Symbol.dispose]();
      await waitAllTasksBlocked();
      expect(third.status).toBe('pending');
      second.returnValue[Symbol.dispose]();
    });
  });

  test('takes each position once', async () => {
    const sequencer = new Sequencer();
    (await sequencer.at(0))[Symbol.dispose]();
    const again = sequencer.at(0);
    await expect(again).rejects.toBeInstanceOf(InvalidStateError);
    await expect(again).rejects.toThrow(/position 0 was taken before/);
    await taskGroup(async (tg) => {
      tg.startSoon(() => sequencer.at(2));
      await waitAllTasksBlocked();
      await expect(sequencer.at(2)).rejects.toBeInstanceOf(InvalidStateError);
      // That was a mistake of the one who asked; the sequence goes on.
      (await sequencer.at(1))[Symbol.dispose]();
    });
  });

  test('is broken for everyone when one who waits is cancelled', async () => {
    const sequencer = new Sequencer();
    const outcomes: string[] = [];
    await taskGroup(async (tg) => {
      const visit = async (position: number): Promise<void> => {
        try {
          (await sequencer.at(position))[Symbol.dispose]();
        } catch (error) {
          outcomes.push(`${position}: ${isCancelled(error) ? 'cancelled' : (error as Error).name}`);
          if (isCancelled(error)) throw error;
        }
      };
      const cancelled = tg.startSoon(visit, 1);
      tg.startSoon(visit, 2);
      tg.startSoon(visit, 3);
      await waitAllTasksBlocked();
      cancelled.cancel();
    });
    expect(outcomes.toSorted()).toEqual(['1: cancelled', '2: InvalidStateError', '3: InvalidStateError']);
    const late = sequencer.at(4);
    await expect(late).rejects.toBeInstanceOf(InvalidStateError);
    await expect(late).rejects.toThrow(/sequence is broken/);
  });

  test.each([0, 1])(
    'is broken by one who is cancelled already and asks for position %i',
    async (position) => {
      const sequencer = new Sequencer();
      const scope = new CancelScope();
      scope.cancel();
      await scope.run(() => expect(sequencer.at(position)).rejects.toBeInstanceOf(Cancelled));
      await expect(sequencer.at(2)).rejects.toBeInstanceOf(InvalidStateError);
    },
  );

  test('is not broken by one who is cancelled during its turn', async () => {
    const sequencer = new Sequencer();
    await taskGroup(async (tg) => {
      const scope = new CancelScope();
      const next = tg.startSoon(() => sequencer.at(1));
      await scope.run(async () => {
        using _turn = await sequencer.at(0);
        scope.cancel();
      });
      await next.wait();
      expect(next.status).toBe('finished');
    });
  });

  test.each([
    [-1, RangeError, /at least 0/],
    [Number.NaN, RangeError, /at least 0/],
    [0.5, TypeError, /whole number/],
    [Infinity, TypeError, /whole number/],
    ['0', TypeError, /whole number/],
    [undefined, TypeError, /whole number/],
    [null, TypeError, /whole number/],
  ])('refuses the position %o', async (position, type, message) => {
    const sequencer = new Sequencer();
    await expect(sequencer.at(position as never)).rejects.toThrow(type);
    await expect(sequencer.at(position as never)).rejects.toThrow(message);
    (await sequencer.at(0))[Symbol.dispose]();
  });
});
