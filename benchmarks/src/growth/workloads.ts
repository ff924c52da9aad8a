import { workload, type Workload } from '../workload.js';

/** Something of which there may be very many at once. */
export interface Growth {
  /** What to give to `--only`. */
  readonly name: string;
  readonly title: string;
  /** What the floor does in its place. */
  readonly floor: string;
  readonly at: (size: number) => Workload;
}

const name = (size: number): string => size.toLocaleString('en-US');

/** From how many to how many. */
export const SIZES = [1000, 10_000, 100_000, 1_000_000] as const;

export const growths: readonly Growth[] = [
  {
    name: 'tasks',
    title: 'Tasks spawned and joined',
    floor: 'Promise.all of async functions',
    at: (tasks) => workload(name(tasks), 'spawn', { tasks, rounds: 1 }, []),
  },
  {
    name: 'sleepers',
    title: 'Sleeping tasks cancelled at once',
    floor: 'a timer cleared and a promise rejected for each',
    at: (tasks) => workload(name(tasks), 'sleepers', { tasks }, []),
  },
  {
    name: 'waiters',
    title: 'Waiters of a lock, served in turn',
    floor: 'the bare mutex',
    at: (count) => workload(name(count), 'handOver', { count }, []),
  },
  {
    name: 'quitters',
    title: 'Waiters of a lock, cancelled all over the queue',
    floor: 'a promise rejected for each, without a queue',
    at: (count) => workload(name(count), 'giveUp', { count }, []),
  },
  {
    name: 'timers',
    title: 'Timers that strike',
    floor: 'setTimeout',
    at: (count) => workload(name(count), 'timers', { count }, []),
  },
  {
    name: 'deadlines',
    title: 'Timeouts that do not strike, around waits',
    floor: 'Promise.race against a timer that is cleared',
    at: (count) => workload(name(count), 'deadlines', { count }, []),
  },
  {
    name: 'deliveries',
    title: 'Publishing to subscribers',
    floor: 'a list of bare channels',
    at: (subscribers) =>
      workload(name(subscribers), 'fanOutRoom', { subscribers, messages: 3, buffer: 3 }, []),
  },
  {
    name: 'subscribers',
    title: 'Subscribers that come and go',
    floor: 'a Set of bare channels',
    at: (count) => workload(name(count), 'subscribe', { count }, []),
  },
];
