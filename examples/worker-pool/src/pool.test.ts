/** The pool in virtual time. */

import { currentTime, flattenErrors, moveOnAfter, sleep, sleepForever } from '@taskscope/core';
import { cancelEverywhere, fuzzSchedule, virtualTime } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';
import { DeliveryError } from './deliver.js';
import type { Job } from './jobs.js';
import { WorkerPool, type JobSource, type PoolOptions } from './pool.js';

function jobs(count: number, endpoint = 'orders'): Job[] {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  return numbers.map((n) => ({ id: `${n}`, endpoint, event: 'e', data: n, attempts: 0 }));
}

const ids = (list: readonly { readonly id: string }[]): string => list.map(({ id }) => id).join(' ');

const options: PoolOptions = {
  workers: 2,
  perEndpoint: 2,
  queueSize: 2,
  attempts: 3,
  timeout: 100,
  backoff: { base: 1_000, most: 60_000 },
  random: () => 0.5,
};

/** A pool, and how its attempts are going. */
class Setup {
  readonly pool: WorkerPool;
  /** When each attempt began. */
  readonly began: [string, number][] = [];
  atOnce = 0;
  peak = 0;

  constructor(attempt: (job: Job) => Promise<void>, more: Partial<PoolOptions> = {}) {
    this.pool = new WorkerPool(
      async (job) => {
        this.began.push([job.id, currentTime()]);
        this.peak = Math.max(this.peak, ++this.atOnce);
        try {
          await attempt(job);
        } finally {
          this.atOnce--;
        }
      },
      { ...options, ...more },
    );
  }
}

const busy = async (): Promise<void> => sleep(10);

describe('delivering', () => {
  test(
    'by as many workers as there are',
    virtualTime(async () => {
      const { pool, began, peak } = new Setup(busy);
      expect(peak).toBe(0);
      await pool.run(jobs(5).values());
      expect(ids(pool.delivered)).toBe('1 2 3 4 5');
      expect(pool.delivered.map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1, 1]);
      expect(began).toEqual([
        ['1', 0],
        ['2', 0],
        ['3', 10],
        ['4', 10],
        ['5', 20],
      ]);
      expect([pool.deadLetters, pool.givenBack]).toEqual([[], []]);
    }),
  );

  test(
    'no more attempts at one endpoint than it can take, and others are not held up',
    virtualTime(async () => {
      const setup = new Setup(busy, { workers: 6, perEndpoint: 2, queueSize: 10 });
      const mixed = [...jobs(4, 'slow'), ...jobs(2, 'other')];
      await setup.pool.run(mixed.values());
      expect(setup.peak).toBe(4);
      expect(setup.began.map(([, time]) => time)).toEqual([0, 0, 0, 0, 10, 10]);
    }),
  );

  test(
    'jobs are taken as there is room for them',
    virtualTime(async () => {
      let taken = 0;
      const endless: JobSource = {
        next: () => {
          const [job] = jobs(1);
          return { done: false, value: { ...job!, id: `${++taken}` } };
        },
      };
      const { pool } = new Setup(() => sleepForever(), { timeout: 1_000_000 });
      await moveOnAfter(10_000, () => pool.run(endless));
      // Two are in the hands of the workers, and two in the queue.
      expect(taken).toBe(4);
    }),
  );

  test(
    'from an asynchronous source as well',
    virtualTime(async () => {
      async function* source(): AsyncGenerator<Job> {
        for (const job of jobs(3)) {
          await sleep(1);
          yield job;
        }
      }
      const { pool } = new Setup(busy);
      await pool.run(source());
      expect(ids(pool.delivered)).toBe('1 2 3');
    }),
  );

  test(
    'no jobs',
    virtualTime(async () => {
      const { pool } = new Setup(busy);
      await pool.run(jobs(0).values());
      expect([pool.delivered, pool.deadLetters, pool.givenBack]).toEqual([[], [], []]);
    }),
  );
});

describe('attempts that fail', () => {
  test(
    'are repeated, with exponential delays',
    virtualTime(async () => {
      const failures: unknown[] = [];
      const setup = new Setup(
        async ({ attempts }) => {
          if (attempts < 2) throw new DeliveryError('503');
        },
        { onFailure: (job, error, delay) => failures.push([job.attempts, error.message, delay]) },
      );
      await setup.pool.run(jobs(1).values());
      expect(setup.began).toEqual([
        ['1', 0],
        ['1', 500],
        ['1', 1_500],
      ]);
      expect(failures).toEqual([
        [1, '503', 500],
        [2, '503', 1_000],
      ]);
      expect(setup.pool.delivered).toEqual([{ ...jobs(1)[0], attempts: 3 }]);
    }),
  );

  test(
    'until there were too many: a dead letter',
    virtualTime(async () => {
      const error = new DeliveryError('503');
      const { pool, began } = new Setup(() => Promise.reject(error));
      await pool.run(jobs(2).values());
      expect(began).toHaveLength(6);
      expect(ids(pool.deadLetters.map(({ job }) => job))).toBe('1 2');
      expect(pool.deadLetters[0]).toEqual({ job: { ...jobs(1)[0], attempts: 3 }, error });
    }),
  );

  test(
    'or there is no point: a dead letter at once',
    virtualTime(async () => {
      const delays: unknown[] = [];
      const { pool } = new Setup(() => Promise.reject(new DeliveryError('410', { isPermanent: true })), {
        onFailure: (_job, _error, delay) => delays.push(delay),
      });
      await pool.run(jobs(1).values());
      expect(pool.deadLetters).toMatchObject([{ job: { attempts: 1 } }]);
      expect(delays).toEqual([undefined]);
    }),
  );

  test(
    'later, if the receiver asks for that',
    virtualTime(async () => {
      const { pool, began } = new Setup(async ({ attempts }) => {
        if (attempts === 0) throw new DeliveryError('429', { retryAfter: 7_000 });
      });
      await pool.run(jobs(1).values());
      expect(began.map(([, time]) => time)).toEqual([0, 7_000]);
    }),
  );

  test(
    'one that takes too long has failed',
    virtualTime(async () => {
      const { pool, began } = new Setup(() => sleepForever());
      await pool.run(jobs(1).values());
      expect(began.map(([, time]) => time)).toEqual([0, 600, 1_700]);
      expect(pool.deadLetters[0]!.error.message).toBe('the attempt timed out after 100 ms');
    }),
  );

  test(
    'who waits for the next attempt holds no token',
    virtualTime(async () => {
      const { pool, began } = new Setup(
        async ({ id }) => {
          if (id === '1') throw new DeliveryError('503');
          await sleep(10);
        },
        { perEndpoint: 1, attempts: 2 },
      );
      await pool.run(jobs(3).values());
      expect(began).toEqual([
        ['1', 0],
        ['2', 0],
        ['3', 10],
        ['1', 500],
      ]);
    }),
  );

  test(
    'what an earlier run has attempted counts',
    virtualTime(async () => {
      const { pool, began } = new Setup(() => Promise.reject(new DeliveryError('503')));
      await pool.run([{ ...jobs(1)[0]!, attempts: 2 }].values());
      expect(began).toHaveLength(1);
      expect(pool.deadLetters).toMatchObject([{ job: { attempts: 3 } }]);
    }),
  );

  test(
    'an error in the program ends everything, and every job is accounted for',
    virtualTime(async () => {
      const { pool } = new Setup(async ({ id }) => {
        await sleep(Number(id));
        if (id === '1') throw new RangeError('a mistake');
      });
      const source = jobs(10).values();
      const error: unknown = await pool.run(source).catch((e: unknown) => e);
      expect(flattenErrors(error)).toEqual([new RangeError('a mistake')]);
      expect(ids(pool.delivered)).toBe('2');
      expect(ids(pool.givenBack)).toBe('1 3 4');
      expect(ids([...source])).toBe('5 6 7 8 9 10');
    }),
  );
});

describe('cancelled', () => {
  test(
    'during an attempt: that is finished, and nothing else is begun',
    virtualTime(async () => {
      const { pool, began } = new Setup(busy);
      const source = jobs(10).values();
      const scope = moveOnAfter(15);
      await scope.run(() => pool.run(source));
      expect(scope.cancelledCaught).toBe(true);
      expect(currentTime()).toBe(20);
      // Two end at the same time each.
      expect(ids(pool.delivered.toSorted((a, b) => Number(a.id) - Number(b.id)))).toBe('1 2 3 4');
      expect(began).toHaveLength(4);
      expect(ids(pool.givenBack)).toBe('5 6');
      expect(ids([...source])).toBe('7 8 9 10');
    }),
  );

  test(
    'an attempt that hangs is given its time, and then the job is given back',
    virtualTime(async () => {
      const { pool } = new Setup(() => sleepForever(), { workers: 1, queueSize: 0 });
      await moveOnAfter(50, () => pool.run(jobs(1).values()));
      expect(currentTime()).toBe(100);
      expect(pool.givenBack).toEqual([{ ...jobs(1)[0], attempts: 1 }]);
    }),
  );

  test(
    'between two attempts: at once, and what was attempted is remembered',
    virtualTime(async () => {
      const { pool } = new Setup(() => Promise.reject(new DeliveryError('503')));
      await moveOnAfter(700, () => pool.run(jobs(1).values()));
      expect(currentTime()).toBe(700);
      expect(pool.givenBack).toEqual([{ ...jobs(1)[0], attempts: 2 }]);
    }),
  );

  test(
    'while waiting for a token: at once',
    virtualTime(async () => {
      const { pool, began } = new Setup(busy, { perEndpoint: 1 });
      await moveOnAfter(5, () => pool.run(jobs(2).values()));
      expect(began).toEqual([['1', 0]]);
      expect(ids(pool.delivered)).toBe('1');
      expect(pool.givenBack).toEqual([jobs(2)[1]]);
    }),
  );

  test(
    'before it begins: nothing is taken',
    virtualTime(async () => {
      const { pool } = new Setup(busy);
      const source = jobs(3).values();
      await moveOnAfter(0, () => pool.run(source));
      expect(ids([...source])).toBe('1 2 3');
    }),
  );

  test(
    'while the source is asked: what it brings is not lost',
    virtualTime(async () => {
      const { pool } = new Setup(busy);
      async function* source(): AsyncGenerator<Job> {
        // In its own time: it does not know of our cancellation.
        await new Promise((resolve) => setTimeout(resolve, 20));
        yield* jobs(2);
      }
      const running = source();
      await moveOnAfter(5, () => pool.run(running));
      const rest: Job[] = [];
      for await (const job of running) rest.push(job);
      expect(ids([...pool.givenBack, ...rest])).toBe('1 2');
    }),
  );

  /** Some of everything: twelve jobs, of which some fail at first, and one for good. */
  async function attempt({ id, attempts }: Job): Promise<void> {
    await sleep(Number(id) * 7);
    if (Number(id) % 3 === 0 && attempts === 0) throw new DeliveryError('503');
    if (id === '10') throw new DeliveryError('410', { isPermanent: true });
  }

  function expectEachInOnePlace({ pool }: Setup, source: Iterable<Job>): void {
    const dead = pool.deadLetters.map(({ job }) => job);
    const all = [...pool.delivered, ...dead, ...pool.givenBack, ...source];
    expect(all.map(({ id }) => Number(id)).toSorted((a, b) => a - b)).toEqual(
      jobs(12).map(({ data }) => data),
    );
  }

  test('at every wait, every job is in one place', async () => {
    const { waits } = await cancelEverywhere(async () => {
      const source = jobs(12).values();
      const setup = new Setup(attempt);
      try {
        await setup.pool.run(source);
      } finally {
        expectEachInOnePlace(setup, source);
      }
    });
    expect(waits).toBeGreaterThan(30);
  }, 60_000);

  const moments = Array.from({ length: 40 }, (_, index) => index * 25);
  test.each(moments)('and under shuffled schedules, after %i ms', async (ms) => {
    const source = jobs(12).values();
    const setup = new Setup(attempt, { backoff: { base: 100, most: 100 } });
    await fuzzSchedule(ms, async () => {
      await moveOnAfter(ms, () => setup.pool.run(source));
    });
    expectEachInOnePlace(setup, source);
  });
});
