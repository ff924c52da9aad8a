/** What is repeated millions of times, while what it might leave something behind in stays open. */

import { getEventListeners } from 'node:events';
import {
  CancelScope,
  checkpoint,
  failAfter,
  moveOnAfter,
  sleepForever,
  taskGroup,
  withSignal,
  type TaskHandle,
} from '@taskscope/core';
import { MessageRouter, type Subscription } from '@taskscope/streams';

export interface Loop {
  readonly name: string;
  readonly about: string;
  /** How often, unless something else is asked for. */
  readonly count: number;
  /** Runs that many rounds, each of so many operations, and tells after each. Resolves to the listeners that are left. */
  readonly run: (rounds: number, size: number, roundEnded: () => Promise<void>) => Promise<number>;
}

/** How many are under way at the same time. */
const BATCH = 1_000;
const DAY = 86_400_000;

function listeners(...signals: readonly AbortSignal[]): number {
  return signals.reduce((sum, signal) => sum + getEventListeners(signal, 'abort').length, 0);
}

/** Calls `each` so many times, in batches, and awaits each batch. */
async function inBatches(count: number, each: (n: number) => Promise<unknown>): Promise<void> {
  for (let begun = 0; begun < count; begun += BATCH) {
    const size = Math.min(BATCH, count - begun);
    await Promise.all(Array.from({ length: size }, (_, i) => each(begun + i)));
  }
}

export const loops: readonly Loop[] = [
  {
    name: 'tasks',
    about: 'short tasks through one group',
    count: 10_000_000,
    run: async (rounds, size, roundEnded) => {
      const left = await taskGroup(async (tg) => {
        const { signal } = tg.cancelScope;
        for (let round = 0; round < rounds; round++) {
          for (let begun = 0; begun < size; begun += BATCH) {
            const tasks: TaskHandle<unknown>[] = [];
            for (let n = begun; n < Math.min(begun + BATCH, size); n++)
              tasks.push(tg.startSoon(shortTask, n));
            // One in a hundred is cancelled before it began.
            for (let n = 0; n < tasks.length; n += 100) tasks[n]!.cancel();
            for (const task of tasks) await task.wait();
          }
          await roundEnded();
        }
        return listeners(signal);
      });
      return left ?? NaN;
    },
  },
  {
    name: 'timeouts',
    about: 'timeouts, of which a third happen',
    count: 1_000_000,
    run: async (rounds, size, roundEnded) => {
      const foreign = new AbortController().signal;
      const scope = new CancelScope();
      const left = await scope.run(async ({ signal }) => {
        const timeout = (n: number): Promise<unknown> => {
          switch (n % 3) {
            case 0:
              return moveOnAfter(n % 2, () => sleepForever({ signal: foreign }));
            case 1:
              return failAfter(DAY, () => checkpoint(), { signal: foreign });
            default:
              return moveOnAfter(DAY, () => withSignal(() => checkpoint(), { signal: foreign }));
          }
        };
        for (let round = 0; round < rounds; round++) {
          await inBatches(size, timeout);
          await roundEnded();
        }
        return listeners(signal, foreign);
      });
      return left ?? NaN;
    },
  },
  {
    name: 'subscriptions',
    about: 'subscriptions opened and closed',
    count: 1_000_000,
    run: async (rounds, size, roundEnded) => {
      const router = new MessageRouter<number>({ bufferSize: 2 });
      const foreign = new AbortController().signal;
      const listen = async (n: number): Promise<void> => {
        const subscription = router.subscribe({ filter: (message) => message % 2 === n % 2 });
        try {
          await leave(subscription, n, foreign);
        } finally {
          subscription.close();
        }
      };
      for (let round = 0; round < rounds; round++) {
        for (let begun = 0; begun < size; begun += BATCH) {
          const batch = inBatches(Math.min(BATCH, size - begun), listen);
          for (let n = 0; n < 6; n++) await router.publish(n);
          await batch;
        }
        await roundEnded();
      }
      const { subscribers } = router.statistics();
      if (subscribers > 0) throw new Error(`${subscribers} subscriptions are still open`);
      return listeners(foreign);
    },
  },
];

async function shortTask(n: number): Promise<number> {
  if (n % 2 === 0) await checkpoint();
  return n;
}

/** The ways of a subscriber: to hear something and go, to go at once, to be cancelled while it listens. */
async function leave(subscription: Subscription<number>, n: number, signal: AbortSignal): Promise<void> {
  switch (n % 4) {
    case 0:
      await subscription.receive({ signal });
      return;
    case 1:
      for await (const _message of subscription) break;
      return;
    case 2:
      return;
    default:
      await moveOnAfter(0, async () => {
        for (;;) await subscription.receive({ signal });
      });
  }
}
