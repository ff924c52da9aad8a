import {
  cancelShieldedCheckpoint,
  CancelScope,
  checkpoint,
  checkpointIfCancelled,
  Cancelled,
  shield,
  sleep,
  taskGroup,
} from '@taskscope/core';
import { ParkingLot } from '@taskscope/core/lowlevel';
import { describe, expect, test } from 'vitest';

import { expectCheckpoint, expectNoCheckpoint } from './index.js';

const passed = async (assertion: Promise<void>): Promise<boolean> => {
  try {
    await assertion;
    return true;
  } catch (error) {
    expect(error).toMatchObject({ name: 'AssertionError' });
    return false;
  }
};

/** Whether both assertions say the same about `body`, and what. */
async function isCheckpoint(body: () => unknown): Promise<boolean> {
  const one = await passed(expectCheckpoint(body));
  const other = await passed(expectNoCheckpoint(body));
  expect(other).toBe(!one);
  return one;
}

describe('expectCheckpoint() and expectNoCheckpoint()', () => {
  const parked = async (): Promise<void> => {
    const lot = new ParkingLot();
    setImmediate(() => lot.unpark());
    await lot.park();
  };

  test.each<[string, () => unknown]>([
    ['checkpoint()', () => checkpoint()],
    ['a sleep of no time', () => sleep(0)],
    ['a sleep', () => sleep(1)],
    ['a wait', parked],
    ['a shielded checkpoint', () => shield(() => checkpoint())],
    ['a checkpoint after other things', async () => [await Promise.resolve(), await checkpoint()]],
    [
      'a point to be cancelled at and one to let others run',
      async () => {
        await checkpointIfCancelled();
        await cancelShieldedCheckpoint();
      },
    ],
    [
      'the same two the other way round',
      async () => {
        await cancelShieldedCheckpoint();
        await checkpointIfCancelled();
      },
    ],
  ])('take %s for a checkpoint', async (_name, body) => {
    expect(await isCheckpoint(body)).toBe(true);
  });

  test.each<[string, () => unknown]>([
    ['a plain function', () => 1 + 1],
    ['a promise that the runtime does not know', () => Promise.resolve()],
    ['an async function', async () => [await Promise.resolve()]],
    ['opening a scope', () => new CancelScope().run(() => {})],
  ])('take %s for none', async (_name, body) => {
    expect(await isCheckpoint(body)).toBe(false);
  });

  test.each<[string, () => unknown]>([
    ['checkpointIfCancelled(), which lets nobody run', () => checkpointIfCancelled()],
    ['cancelShieldedCheckpoint(), which does not mind being cancelled', () => cancelShieldedCheckpoint()],
  ])('are both not content with %s', async (_name, body) => {
    expect(await passed(expectCheckpoint(body))).toBe(false);
    expect(await passed(expectNoCheckpoint(body))).toBe(false);
  });

  test('look at their own task only', async () => {
    await taskGroup(async (tg) => {
      let done = false;
      tg.startSoon(async () => {
        while (!done) await checkpoint();
      });
      const ticks = async (): Promise<void> => {
        for (let i = 0; i < 10; i++) await Promise.resolve();
      };
      await expectNoCheckpoint(ticks);
      expect(await passed(expectCheckpoint(ticks))).toBe(false);
      done = true;
    });
  });

  test('count what the body does, and nothing before or after it', async () => {
    await checkpoint();
    const nothing = expectNoCheckpoint(() => {});
    await nothing;
    await checkpoint();
    await expectNoCheckpoint(() => {});
  });

  test('may be used in each other', async () => {
    await expectCheckpoint(async () => {
      await expectNoCheckpoint(() => Promise.resolve());
      await expectCheckpoint(() => checkpoint());
    });
  });

  test('pass on what the body throws, and look no further', async () => {
    const error = new Error('no');
    const fail = (): never => {
      throw error;
    };
    await expect(expectCheckpoint(fail)).rejects.toBe(error);
    await expect(expectNoCheckpoint(fail)).rejects.toBe(error);
    await expectNoCheckpoint(() => {});
  });

  test('pass on a cancellation, before and during the body', async () => {
    const scope = new CancelScope();
    await scope.run(async () => {
      scope.cancel();
      await expect(expectCheckpoint(() => checkpoint())).rejects.toBeInstanceOf(Cancelled);
      await expect(expectNoCheckpoint(() => sleep(1))).rejects.toBeInstanceOf(Cancelled);
    });
    const other = new CancelScope();
    await other.run(async () => {
      const asserted = expectCheckpoint(() => sleep(60_000));
      other.cancel();
      await expect(asserted).rejects.toBeInstanceOf(Cancelled);
    });
  });

  test('say what to do', async () => {
    await expect(expectCheckpoint(() => {})).rejects.toThrow(/passed no checkpoint. Await checkpoint\(\)/);
    await expect(expectNoCheckpoint(() => checkpoint())).rejects.toThrow(/passed a checkpoint/);
  });

  test.each([undefined, null, 1, 'body', Promise.resolve()])('refuse %o', async (body) => {
    for (const assertion of [expectCheckpoint, expectNoCheckpoint]) {
      await expect(assertion(body as never)).rejects.toThrow(TypeError);
      await expect(assertion(body as never)).rejects.toThrow(/body must be a function/);
    }
  });
});
