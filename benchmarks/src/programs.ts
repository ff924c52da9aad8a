/**
 * What a peer can be asked to do.
 *
 * A program is described once, here: what it is given, how many operations that makes, and which number it must end with.
 * So every peer does the same amount of work, and is checked in the same way. What differs is only how it is done.
 */

/** What each program is given. */
export interface Programs {
  /** `rounds` times: spawns `tasks` tasks that do nothing but add their index to the result, and joins them. */
  spawn: { tasks: number; rounds: number };
  /**
   * Passes the numbers below `items` through a channel, from producers that await each send to consumers that await
   * each receive. The result is the sum of what was received.
   */
  channel: { buffer: number; producers: number; consumers: number; items: number };
  /**
   * Sends the numbers below `items`, awaiting each send, and ends the stream; consumed by `for await`, or what a peer
   * has in its place. The result is a digest of what was received, which depends on the order.
   */
  iterate: { buffer: number; items: number };
  /** Each task takes the lock, adds 1 to the result, and releases it, `turns` times; `hold` awaits while it has it. */
  lock: { tasks: number; turns: number; hold: boolean };
  /** The same with a semaphore. */
  semaphore: { tasks: number; turns: number; hold: boolean; permits: number };
  /** The same, by handing an async function to something that runs at most `permits` of them at a time. */
  limiter: { tasks: number; turns: number; hold: boolean; permits: number };
  /** Does work under a timeout that does not strike, and goes on without a result if it does. */
  moveOn: TimedWork;
  /** Does work under a timeout that does not strike, and throws if it does. */
  fail: TimedWork;
  /** `count` waits at once, each ended by its timeout after a millisecond. The result is how many were. */
  expire: { count: number };
  /** Enters `depth` scopes one in the other, and leaves them. The result is how often the innermost was reached. */
  nestedScopes: { depth: number; rounds: number };
  /** The same with task groups (or whatever joins tasks), each with one task that opens the next. */
  nestedGroups: { depth: number; rounds: number };
  /** Begins tasks that sleep for an hour. */
  sleepers: { tasks: number };
  /** Publishes to subscribers that take every message, each from a buffer of its own. Counts the deliveries. */
  fanOut: { subscribers: number; messages: number; buffer: number };
  /** The publishing alone: to subscribers that have room for all messages. Counts what they find in their buffers. */
  fanOutRoom: { subscribers: number; messages: number; buffer: number };
  /** Publishes to subscribers with full buffers that take nothing. Counts what was not delivered. */
  fanOutFull: { subscribers: number; messages: number; buffer: number };
  /** Waits for all of `tasks` async functions at once; the result is the sum of theirs. */
  all: { tasks: number; rounds: number };
  /** Waits for the first of `tasks` async functions. The result is the sum of the winners' indices. */
  race: { tasks: number; rounds: number };
  /** Maps the numbers below `items` by an async function, `limit` at a time. The result is the sum of its results. */
  map: { items: number; limit: number; rounds: number };
  /** Hands a lock from one task to the next, all of which wait for it. Counts the turns; the handing alone is timed. */
  handOver: { count: number };
  /** Cancels tasks that wait for a lock, all over the queue. Counts those that ended by it; this alone is timed. */
  giveUp: { count: number };
  /**
   * Begins sleeps of many lengths, lets all of them become due, and then end. Counts those that ended. What is timed is
   * both but not the time in between.
   */
  timers: { count: number };
  /** Waits, all at once, each under a timeout of another length that does not strike. Counts what ended in time. */
  deadlines: { count: number };
  /** Adds subscribers, and takes them away in another order. Counts those that were there. */
  subscribe: { count: number };
}

/** `count` times work that ends at once, one after the other; or `count` waits of a millisecond, all at once. */
export interface TimedWork {
  count: number;
  work: 'ends at once' | 'waits';
}

/** What ends with a number, and may have measured the part of itself that counts. */
export interface Timed {
  readonly value: number;
  /** In milliseconds. */
  readonly elapsed: number;
}

/** Sleeping tasks. */
export interface Sleepers {
  /** How many have begun to sleep. */
  readonly begun: () => number;
  /** Cancels them, waits until they have ended, and returns how many ended by that. */
  readonly stop: () => Promise<number>;
}

export type ProgramName = keyof Programs;
export type Result<P extends ProgramName> = P extends 'sleepers' ? Sleepers : Promise<number | Timed>;

/** A library, or a part of the platform, and how it does what it is asked. */
export interface Peer {
  /** For tables. */
  readonly name: string;
  /** The npm packages that it consists of; none if it is part of the platform. */
  readonly packages: readonly string[];
  readonly programs: { readonly [P in ProgramName]?: (parameters: Programs[P]) => Result<P> };
}

interface Description<T> {
  /** What is counted. */
  readonly operation: string;
  readonly operations: (parameters: T) => number;
  readonly expected: (parameters: T) => number;
  /** Parameters for a run that only shows whether it works. */
  readonly tiny: (parameters: T) => T;
}

/** The sum of the numbers below `n`. */
const sumBelow = (n: number): number => (n * (n - 1)) / 2;

/** What `iterate` computes of what comes, item by item. */
export const digest = (before: number, item: number): number => (Math.imul(before, 31) + item) | 0;

const exclusion = {
  operation: 'turn',
  operations: ({ tasks, turns }: { tasks: number; turns: number }): number => tasks * turns,
  expected: ({ tasks, turns }: { tasks: number; turns: number }): number => tasks * turns,
  tiny: <T extends { tasks: number }>(parameters: T): T => ({ ...parameters, turns: 3 }),
};

const timed: Description<TimedWork> = {
  operation: 'timeout',
  operations: ({ count }) => count,
  expected: ({ count }) => count,
  tiny: (parameters) => ({ ...parameters, count: 3 }),
};

const nested = (operation: string): Description<{ depth: number; rounds: number }> => ({
  operation,
  operations: ({ depth, rounds }) => depth * rounds,
  expected: ({ rounds }) => rounds,
  tiny: (parameters) => ({ ...parameters, rounds: 2 }),
});

const counting = (operation: string): Description<{ count: number }> => ({
  operation,
  operations: ({ count }) => count,
  expected: ({ count }) => count,
  tiny: () => ({ count: 5 }),
});

const fanning = (operation: string): Description<Programs['fanOut']> => ({
  operation,
  operations: ({ subscribers, messages }) => subscribers * messages,
  expected: ({ subscribers, messages }) => subscribers * messages,
  tiny: (parameters) => ({ ...parameters, subscribers: Math.min(parameters.subscribers, 10), messages: 5 }),
});

/** Each program, described. */
export const programs: { readonly [P in ProgramName]: Description<Programs[P]> } = {
  spawn: {
    operation: 'task',
    operations: ({ tasks, rounds }) => tasks * rounds,
    expected: ({ tasks, rounds }) => rounds * sumBelow(tasks),
    tiny: ({ tasks }) => ({ tasks: Math.min(tasks, 5), rounds: 2 }),
  },
  channel: {
    operation: 'item',
    operations: ({ items }) => items,
    expected: ({ items }) => sumBelow(items),
    tiny: (parameters) => ({ ...parameters, items: 10 * parameters.producers }),
  },
  iterate: {
    operation: 'item',
    operations: ({ items }) => items,
    expected: ({ items }) => {
      let value = 0;
      for (let item = 0; item < items; item++) value = digest(value, item);
      return value;
    },
    tiny: (parameters) => ({ ...parameters, items: 10 }),
  },
  lock: exclusion,
  semaphore: exclusion,
  limiter: exclusion,
  moveOn: timed,
  fail: timed,
  expire: counting('timeout'),
  nestedScopes: nested('scope'),
  nestedGroups: nested('group'),
  sleepers: {
    operation: 'task',
    operations: ({ tasks }) => tasks,
    expected: ({ tasks }) => tasks,
    tiny: () => ({ tasks: 5 }),
  },
  fanOut: fanning('delivery'),
  fanOutRoom: fanning('delivery'),
  fanOutFull: fanning('message not delivered'),
  all: {
    operation: 'function',
    operations: ({ tasks, rounds }) => tasks * rounds,
    expected: ({ tasks, rounds }) => rounds * sumBelow(tasks),
    tiny: ({ tasks }) => ({ tasks, rounds: 2 }),
  },
  race: {
    operation: 'function',
    operations: ({ tasks, rounds }) => tasks * rounds,
    expected: () => 0,
    tiny: ({ tasks }) => ({ tasks, rounds: 2 }),
  },
  map: {
    operation: 'item',
    operations: ({ items, rounds }) => items * rounds,
    expected: ({ items, rounds }) => rounds * 2 * sumBelow(items),
    tiny: ({ items, limit }) => ({ items: Math.min(items, 20), limit, rounds: 1 }),
  },
  handOver: counting('turn'),
  giveUp: counting('task'),
  timers: counting('timer'),
  deadlines: counting('timeout'),
  subscribe: counting('subscriber'),
};
