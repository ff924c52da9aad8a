/**
 * What taskscope pays to the platform, whatever it does itself: the operations that it cannot do without.
 *
 * Each runs in an async context that holds one value, since that is where a program with scopes runs.
 */

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/** An operation, done `count` times. */
export interface Operation {
  readonly name: string;
  /** Returns how often it was done, for a check. */
  readonly repeat: (count: number) => Promise<number>;
}

/** Something that a lock or a queue hands over. */
class Item {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

const storage = new AsyncLocalStorage<Item>();
const RESOLVED = Promise.resolve();

/** Runs `fn` in a context with a value. */
export function inContext<T>(fn: () => T): T {
  return storage.run(new Item(0), fn);
}

/** Into what is left soon: a resource, or a microtask. */
function enter<T>(item: Item, fn: () => T): T {
  storage.enterWith(item);
  return fn();
}

export const operations: readonly Operation[] = [
  {
    name: 'await of a promise that is there',
    repeat: async (count) => {
      let done = 0;
      for (; done < count; done++) await RESOLVED;
      return done;
    },
  },
  {
    name: 'await of a promise made for an object',
    repeat: async (count) => {
      let done = 0;
      for (let i = 0; i < count; i++) {
        const item = await Promise.resolve(new Item(1));
        done += item.value;
      }
      return done;
    },
  },
  {
    name: 'calling an async function, and awaiting it',
    repeat: async (count) => {
      const one = async (): Promise<number> => 1;
      let done = 0;
      for (let i = 0; i < count; i++) done += await one();
      return done;
    },
  },
  {
    name: 'looking up the context: getStore()',
    repeat: async (count) => {
      let done = 0;
      for (let i = 0; i < count; i++) if (storage.getStore() !== undefined) done++;
      return done;
    },
  },
  {
    name: 'entering a context: AsyncLocalStorage.run()',
    repeat: async (count) => {
      let done = 0;
      const value = (): number => storage.getStore()!.value;
      for (let i = 0; i < count; i++) done += storage.run(new Item(1), value);
      return done;
    },
  },
  {
    name: 'entering a context: enterWith() in a resource',
    repeat: async (count) => {
      let done = 0;
      const value = (): number => storage.getStore()!.value;
      for (let i = 0; i < count; i++) {
        done += new AsyncResource('item').runInAsyncScope(enter<number>, undefined, new Item(1), value);
      }
      return done;
    },
  },
  {
    name: 'a microtask',
    repeat: async (count) => {
      let done = 0;
      let last = RESOLVED;
      for (let i = 0; i < count; i++) last = RESOLVED.then(() => void done++);
      await last;
      return done;
    },
  },
  {
    name: 'entering a context: a microtask with enterWith()',
    repeat: async (count) => {
      let done = 0;
      let last = RESOLVED;
      const addValue = (): void => {
        done += storage.getStore()!.value;
      };
      for (let i = 0; i < count; i++) last = RESOLVED.then(() => enter(new Item(1), addValue));
      await last;
      return done;
    },
  },
];

/** Something that takes memory while it is pending. */
export interface Pending {
  readonly name: string;
  /** Begins `count` of them; returns what ends them. */
  readonly begin: (count: number) => () => Promise<number>;
}

async function sleeper(resolvers: (() => void)[]): Promise<number> {
  await new Promise<void>((resolve) => {
    resolvers.push(resolve);
  });
  return 1;
}

function beginSleepers(count: number, call: typeof sleeper): () => Promise<number> {
  const resolvers: (() => void)[] = [];
  const promises = Array.from({ length: count }, () => call(resolvers));
  return async () => {
    for (const resolve of resolvers) resolve();
    const ended = await Promise.all(promises);
    return ended.length;
  };
}

export const pending: readonly Pending[] = [
  {
    name: 'an async function that awaits a promise',
    begin: (count) => beginSleepers(count, sleeper),
  },
  {
    name: 'the same in a context of its own',
    begin: (count) => beginSleepers(count, (resolvers) => storage.run(new Item(1), sleeper, resolvers)),
  },
];
