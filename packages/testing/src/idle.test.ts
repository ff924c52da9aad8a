import { setImmediate as nextTurn } from 'node:timers/promises';
import { sleep, taskGroup } from '@taskscope/core';
import { describe, expect, test } from 'vitest';

import { addIdleListener, type IdleListener } from './idle.js';

/** Adds listeners that note when they are told; each is told once. Resolves when all were. */
async function told(
  listeners: readonly (Pick<IdleListener, 'cushion' | 'changesThings'> & { name: string })[],
): Promise<string[]> {
  const record: string[] = [];
  await new Promise<void>((resolve) => {
    for (const { name, cushion, changesThings } of listeners) {
      const listening = addIdleListener({
        cushion,
        changesThings,
        onIdle() {
          listening[Symbol.dispose]();
          if (record.push(name) === listeners.length) resolve();
          return true;
        },
      });
    }
  });
  return record;
}

describe('addIdleListener()', () => {
  test('tells those who only look before those who change something', async () => {
    const order = await told([
      { name: 'changes', cushion: 0, changesThings: true },
      { name: 'looks', cushion: 0, changesThings: false },
      { name: 'looks later', cushion: 5, changesThings: false },
      { name: 'looks, too', cushion: 0, changesThings: false },
    ]);
    expect(order).toEqual(['looks', 'looks, too', 'looks later', 'changes']);
  });

  test('tells one who changes something at a time, the shortest cushion first', async () => {
    const order = await told([
      { name: 'late', cushion: 4, changesThings: true },
      { name: 'early', cushion: 2, changesThings: true },
      { name: 'at once', cushion: 0, changesThings: true },
    ]);
    expect(order).toEqual(['at once', 'early', 'late']);
  });

  test('tells nobody while something happens', async () => {
    let isIdle = false;
    const listening = addIdleListener({
      cushion: 0,
      changesThings: false,
      onIdle() {
        isIdle = true;
        return false;
      },
    });
    await taskGroup(async (tg) => {
      tg.startSoon(async () => {
        for (let i = 0; i < 50; i++) await sleep(0);
        expect(isIdle).toBe(false);
      });
    });
    while (!isIdle) await nextTurn();
    listening[Symbol.dispose]();
  });

  test('asks again while nothing was set going, and stops when disposed of', async () => {
    let calls = 0;
    const listening = addIdleListener({
      cushion: 0,
      changesThings: true,
      onIdle() {
        calls++;
        return false;
      },
    });
    while (calls < 3) await nextTurn();
    listening[Symbol.dispose]();
    listening[Symbol.dispose]();
    for (let i = 0; i < 10; i++) await nextTurn();
    expect(calls).toBe(3);
  });

  test('lets the process end when nobody listens any more', async () => {
    await told([{ name: 'only', cushion: 0, changesThings: false }]);
    await nextTurn();
    await nextTurn();
    const resources = process.getActiveResourcesInfo().filter((name) => name === 'Immediate');
    expect(resources).toEqual([]);
  });
});
