/** A test for each export of `@taskscope/testing`. */

import { checkpoint, InvalidStateError, run, sleep, taskGroup } from '@taskscope/core';
import { Lock } from '@taskscope/sync';
import {
  cancelEverywhere,
  expectCheckpoint,
  expectNoCheckpoint,
  fuzzSchedule,
  MockClock,
  Sequencer,
  virtualTime,
  waitAllTasksBlocked,
} from '@taskscope/testing';
import type * as testing from '@taskscope/testing';
import { equal, rejects, type TestsOf } from './check.js';

const DAY = 86_400_000;

export const testingTests: TestsOf<typeof testing> = {
  async MockClock() {
    const clock = new MockClock({ autojump: true });
    await run(({ signal }) => sleep(DAY, { signal }), { clock });
    equal(clock.now(), DAY);
  },

  async virtualTime({ ambient }) {
    const test = virtualTime(async (clock) => {
      // In explicit mode nothing in there is told of the clock, but the clock can be moved.
      await (ambient ? sleep(DAY) : clock.advance(DAY));
      equal(clock.now(), DAY);
    });
    await test();
  },

  async waitAllTasksBlocked() {
    const log: string[] = [];
    await taskGroup(async (tg) => {
      tg.createTask(async ({ signal }) => {
        for (let i = 0; i < 5; i++) await checkpoint({ signal });
        log.push('blocked');
      });
      await waitAllTasksBlocked();
      log.push('idle');
    });
    equal(log, ['blocked', 'idle']);
  },

  async Sequencer() {
    const sequencer = new Sequencer();
    const log: number[] = [];
    await taskGroup((tg) => {
      for (const position of [2, 0, 1]) {
        tg.createTask(async () => {
          const turn = await sequencer.at(position);
          log.push(position);
          turn[Symbol.dispose]();
        });
      }
    });
    equal(log, [0, 1, 2]);
  },

  async expectCheckpoint() {
    await expectCheckpoint(() => checkpoint());
    await rejects(
      expectCheckpoint(() => {}),
      Error,
    );
  },

  async expectNoCheckpoint() {
    await expectNoCheckpoint(() => {});
    await rejects(
      expectNoCheckpoint(() => checkpoint()),
      Error,
    );
  },

  async cancelEverywhere({ ambient }) {
    await rejects(cancelEverywhere(5 as never), TypeError);
    const lock = new Lock();
    const careful = (): Promise<void> => lock.run(() => sleep(1));
    if (!ambient) {
      // It would not find the waits, and so prove nothing.
      await rejects(cancelEverywhere(careful), InvalidStateError);
      return;
    }
    equal((await cancelEverywhere(careful)).waits > 0, true);
    const careless = async (): Promise<void> => {
      await lock.acquire();
      await sleep(1);
      lock.release();
    };
    await rejects(cancelEverywhere(careless), Error);
  },

  async fuzzSchedule({ ambient }) {
    const orders = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      let order = '';
      await fuzzSchedule(seed, () =>
        taskGroup((tg) => {
          for (const name of ['a', 'b']) tg.startSoon(() => void (order += name));
        }),
      );
      orders.add(order);
    }
    // In explicit mode the group is not told its run, whose scheduler shuffles.
    equal([...orders].toSorted(), ambient ? ['ab', 'ba'] : ['ab']);
  },
};
