/** What is ambient: waits that are told nothing belong to the scope around them. Where the platform keeps the context. */

import {
  all,
  checkpoint,
  CancelScope,
  currentSignal,
  currentTask,
  failAfter,
  moveOnAfter,
  race,
  run,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  TimeoutError,
} from '@taskscope/core';
import { createMemoryObjectStream } from '@taskscope/streams';
import { Lock } from '@taskscope/sync';
import { MockClock } from '@taskscope/testing';
import type { Test } from '../suite.js';
import { equal, nextTurn, rejects } from './check.js';

/** A scope that is cancelled in the next turn, and that catches what its body waits for. */
async function catches(body: () => Promise<unknown>): Promise<void> {
  const scope = new CancelScope();
  await scope.run(() => {
    setTimeout(() => scope.cancel(), 0);
    return body();
  });
  equal(scope.cancelledCaught, true);
}

export const ambientTests: Readonly<Record<string, Test>> = {
  async 'a wait belongs to the scope around it'() {
    await catches(() => sleepForever());
    await catches(() => createMemoryObjectStream()[1].receive());
    await catches(() => taskGroup((tg) => void tg.startSoon(() => sleepForever())));
  },

  async 'after an await, a promise, a timer and a microtask'() {
    await catches(async () => {
      await nextTurn();
      await Promise.resolve();
      await sleepForever();
    });
    await catches(() => Promise.resolve().then(() => sleepForever()));
    for (const later of [setTimeout, queueMicrotask]) {
      await catches(() => new Promise((_resolve, reject) => later(() => void sleepForever().catch(reject))));
    }
  },

  async 'in an async generator'() {
    async function* ticks(): AsyncGenerator<number> {
      for (let n = 0; ; n++) {
        await sleep(0);
        yield n;
      }
    }
    await catches(async () => {
      for await (const _tick of ticks());
    });
  },

  async 'a timeout reaches what is called without being told'() {
    const deeper = (depth: number): Promise<never> => (depth === 0 ? sleepForever() : deeper(depth - 1));
    equal(await moveOnAfter(1, () => deeper(10)), undefined);
    await rejects(
      failAfter(1, () => deeper(10)),
      TimeoutError,
    );
  },

  async 'tasks of a group are cancelled when one fails'() {
    let stopped = 0;
    const wait = (): Promise<never> => sleepForever().finally(() => stopped++);
    await rejects(
      all([wait, wait, () => sleep(1).then(() => Promise.reject(new Error('no')))]),
      AggregateError,
    );
    equal(stopped, 2);
    equal(await race<unknown>([wait, () => sleep(1).then(() => 'won')]), 'won');
    equal(stopped, 3);
  },

  async 'a shield keeps out the scope around'() {
    const scope = new CancelScope();
    let slept = false;
    await scope.run(async () => {
      scope.cancel();
      await shield(() => sleep(1));
      slept = true;
      await checkpoint();
    });
    equal([slept, scope.cancelledCaught], [true, true]);
  },

  async 'tasks know their names, and locks their owners'() {
    const lock = new Lock();
    await run(
      () =>
        taskGroup((tg) => {
          tg.createTask(
            () =>
              lock.run(() =>
                equal([currentTask().name, lock.statistics().owner?.name], ['kettle', 'kettle']),
              ),
            { name: 'kettle' },
          );
        }),
      { name: 'main' },
    );
  },

  async 'a signal for everything that takes one'() {
    const scope = new CancelScope();
    await scope.run(async () => {
      const signal = currentSignal();
      equal(signal === scope.signal, true);
      scope.cancel('enough');
      equal([signal.aborted, signal.reason === undefined], [true, false]);
    });
  },

  async 'ten thousand tasks'() {
    let sum = 0;
    await taskGroup((tg) => {
      for (let n = 0; n < 10_000; n++) {
        tg.startSoon(async () => {
          await sleep(n % 3);
          sum += n;
        });
      }
    });
    equal(sum, 49_995_000);
  },

  async 'virtual time'() {
    const clock = new MockClock({ autojump: true });
    const log: string[] = [];
    await run(
      () =>
        taskGroup((tg) => {
          for (const [name, ms] of [
            ['late', 2_000_000],
            ['early', 1_000_000],
          ] as const) {
            tg.startSoon(async () => {
              await sleep(ms);
              log.push(`${name} ${clock.now()}`);
            });
          }
        }),
      { clock },
    );
    equal(log, ['early 1000000', 'late 2000000']);
  },

  async 'a wait that escaped from its scope is reported'({ node }) {
    const { process } = node!;
    const warning = new Promise<Error>((resolve) => process.once('warning', resolve));
    const escape = async (): Promise<void> => {
      let forgotten: Promise<void> | undefined;
      await new CancelScope({ name: 'kitchen' }).run(() => void (forgotten = sleep(1)));
      await forgotten;
    };
    await run(escape, { escapes: 'warn' });
    const { name, message } = await warning;
    equal([name, message.includes('kitchen')], ['TaskscopeWarning', true]);
  },
};
