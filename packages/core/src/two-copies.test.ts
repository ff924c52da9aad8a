/** Two copies of the package in one process, as when a dependency brought its own version. */

import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';

import type * as Core from './index.js';
import type * as Lowlevel from './lowlevel.js';

type Copy = typeof Core & typeof Lowlevel;

const folder = mkdtempSync(join(tmpdir(), 'taskscope-copies-'));
const [first, second] = await Promise.all([loadCopy('first'), loadCopy('second')]);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function loadCopy(name: string): Promise<Copy> {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    stdin: {
      contents: "export * from './index.ts'; export * from './lowlevel.ts';",
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    bundle: true,
    outfile,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    conditions: ['@taskscope/source'],
    logLevel: 'silent',
  });
  return (await import(/* @vite-ignore */ pathToFileURL(outfile).href)) as Copy;
}

test('they really are two', () => {
  expect(first.CancelScope).not.toBe(second.CancelScope);
  expect(first.ParkingLot).not.toBe(second.ParkingLot);
});

describe.each([
  ['the first', 'the second', first, second],
  ['the second', 'the first', second, first],
])('with %s around %s', (_ours, _theirs, ours, theirs) => {
  test('the scope of one is the scope of the other', async () => {
    const scope = new ours.CancelScope({ timeout: 60_000 });
    await scope.run(() => {
      expect(theirs.currentScope()).toBe(scope);
      expect(theirs.currentEffectiveDeadline()).toBe(scope.deadline);
      expect(theirs.currentSignal()).toBe(scope.signal);
    });
    expect(theirs.detached(() => theirs.currentScope())).toBe(ours.detached(() => ours.currentScope()));
  });

  test('cancelling the scope of one cancels the waits of the other, at once and again', async () => {
    const lot = new theirs.ParkingLot();
    const scope = new ours.CancelScope();
    const caught: unknown[] = [];
    await scope.run(async () => {
      const parked = lot.park();
      scope.cancel('enough');
      expect(lot.size).toBe(0);
      await parked.catch((error: unknown) => caught.push(error));
      for (const wait of [theirs.checkpoint, theirs.sleepForever, theirs.checkpointIfCancelled]) {
        await wait().catch((error: unknown) => caught.push(error));
      }
      await theirs.sleep(1);
    });
    expect(scope.cancelledCaught).toBe(true);
    expect(caught).toHaveLength(4);
    for (const error of caught) {
      expect(error).toBeInstanceOf(ours.Cancelled);
      expect(error).toBeInstanceOf(theirs.Cancelled);
      expect(theirs.isCancelled(error)).toBe(true);
      expect(error).toMatchObject({ reason: 'enough', source: 'cancel' });
    }
  });

  test('a deadline of one ends a wait of the other', async () => {
    // Real time: the two share the system clock, and that is what is tested.
    expect(await ours.moveOnAfter(1, () => theirs.sleepForever())).toBeUndefined();
    await expect(ours.failAfter(1, () => theirs.sleepForever())).rejects.toBeInstanceOf(ours.TimeoutError);
  });

  test('a shield of one keeps out the cancellation of the other', async () => {
    const scope = new ours.CancelScope();
    let survived = false;
    await scope.run(async () => {
      scope.cancel();
      await theirs.shield(() => ours.checkpoint());
      await ours.shield(() => theirs.checkpoint());
      survived = true;
      await theirs.checkpoint();
    });
    expect(survived).toBe(true);
    expect(scope.cancelledCaught).toBe(true);
  });

  test('a group of one takes tasks that wait with the other, and is cancelled by it', async () => {
    const lot = new theirs.ParkingLot();
    const handles = await ours.taskGroup(async (tg) => {
      const tasks = [tg.startSoon(() => lot.park()), tg.startSoon(() => theirs.sleepForever())];
      await theirs.checkpoint();
      theirs.currentScope().cancel();
      return tasks;
    });
    expect(lot.size).toBe(0);
    expect(handles!.map((task) => task.status)).toEqual(['cancelled', 'cancelled']);
  });

  test('groups of both in each other fail as one', async () => {
    const failed = ours.taskGroup((outer) => {
      outer.startSoon(() =>
        theirs.taskGroup((inner) => {
          inner.startSoon(() => Promise.reject(new RangeError('no')));
          inner.startSoon(() => ours.sleepForever());
        }),
      );
      outer.startSoon(() => theirs.sleepForever());
    });
    const error: unknown = await failed.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ours.TaskGroupError);
    expect(error).toBeInstanceOf(theirs.TaskGroupError);
    expect(theirs.flattenErrors(error)).toEqual([new RangeError('no')]);
    expect(() => theirs.rethrowSingle(error)).toThrow(RangeError);
  });

  test('a task of one is awaited, and cancelled, in the other', async () => {
    await ours.taskGroup(async (tg) => {
      const task = tg.startSoon(() => theirs.sleepForever());
      await theirs.taskGroup(async (inner) => {
        const waiter = inner.startSoon(() => task.wait());
        await theirs.checkpoint();
        task.cancel();
        await waiter.wait();
        expect(waiter.status).toBe('finished');
      });
      expect(task.status).toBe('cancelled');
    });
  });

  test('the signal of a scope of one is recognised by the other: it needs no listener', async () => {
    const scope = new ours.CancelScope();
    await scope.run(() => {
      const lot = new theirs.ParkingLot();
      const parked = theirs.detached(() => lot.park({ signal: scope.signal }));
      expect(getEventListeners(scope.signal, 'abort')).toHaveLength(0);
      scope.cancel();
      expect(lot.size).toBe(0);
      return expect(parked).rejects.toBeInstanceOf(ours.Cancelled);
    });
  });

  test('combinators of one cancel what waits with the other', async () => {
    const winner = await ours.race([
      () => theirs.checkpoint().then(() => 'won'),
      () => theirs.sleepForever(),
    ]);
    expect(winner).toBe('won');
  });

  test('tasks, ids and the task tree are common', async () => {
    await ours.run(
      () => {
        expect(theirs.currentTask()).toBe(ours.currentTask());
        expect(theirs.formatTaskTree()).toBe(ours.formatTaskTree());
        expect(theirs.formatTaskTree()).toContain('run "common"');
        return theirs.taskGroup((tg) => {
          const ids = new Set<number>([ours.currentTask().id]);
          for (let i = 0; i < 3; i++) tg.startSoon(() => void ids.add(ours.currentTask().id));
          return ours
            .taskGroup((inner) => void inner.startSoon(() => void ids.add(theirs.currentTask().id)))
            .then(() => ours.checkpoint())
            .then(() => expect(ids.size).toBe(5));
        });
      },
      { name: 'common' },
    );
  });

  test('options of a run count for the other as well', async () => {
    const waits: string[] = [];
    await ours.run(
      async () => {
        let floating: Promise<unknown> | undefined;
        await theirs.moveOnAfter(60_000, () => {
          floating = theirs.sleepForever();
          floating.catch(() => {});
        });
        await expect(floating).rejects.toThrow(/has been left/);
      },
      { escapes: 'error', instruments: [{ waitStarted: (wait) => waits.push(wait.label) }] },
    );
    expect(waits).toContain('sleepForever');
  });

  test('the budget of a turn is common', async () => {
    let turned = false;
    setImmediate(() => (turned = true));
    let operations = 0;
    while (!turned && operations < 100_000) {
      operations++;
      await (operations % 2 === 0 ? ours : theirs).checkpoint();
    }
    // One budget is 4048 operations; two of them would be the double.
    expect(turned).toBe(true);
    expect(operations).toBeLessThanOrEqual(4_050);
  });

  test('a lock that is built on a lot of one may be owned by a task of the other', async () => {
    const lot = new theirs.ParkingLot();
    await ours.taskGroup(async (tg) => {
      tg.startSoon(() => void theirs.addParkingLotBreaker(ours.currentTask(), lot));
      await expect(lot.park()).rejects.toBeInstanceOf(theirs.BrokenResourceError);
    });
  });
});
