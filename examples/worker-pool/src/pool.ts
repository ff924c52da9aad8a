/**
 * The pool: a queue, and workers that take from it.
 *
 *     jobs ──▶ queue ──▶ worker × n ──▶ attempt ──▶ delivered
 *                          ▲   │            │
 *                          └───┴── backoff ─┴──────▶ dead letters
 *
 * Whatever happens, each job that was taken is in the end in one of three places: delivered, a dead letter,
 * or given back. For that only two things are needed, and there is no list of jobs that are under way:
 *
 * - a worker gives back the job that it has in hand, when it is cancelled;
 * - the queue gives back what is still in it, when nobody takes any more.
 *
 * So a shutdown is nothing but a cancellation. It ends everything that waits, at once: for jobs, for room
 * in the queue, for a token, for the next attempt. The one thing that it does not end is an attempt: that
 * is shielded, for it might have succeeded already without our knowing. It has a timeout, and so has the
 * shutdown.
 */

import { failAfter, sleep, taskGroup, TimeoutError } from '@taskscope/core';
import {
  createMemoryObjectStream,
  type MemoryObjectReceiveStream,
  type MemoryObjectSendStream,
} from '@taskscope/streams';
import { CapacityLimiter } from '@taskscope/sync';
import { delayAfter, type Backoff } from './backoff.js';
import { DeliveryError } from './deliver.js';
import type { Job } from './jobs.js';

export interface PoolOptions {
  /** How many jobs are in hand at the same time, those that wait for their next attempt included. */
  readonly workers: number;
  /** How many attempts there are at the same time at one endpoint. */
  readonly perEndpoint: number;
  /** How many jobs are read ahead. */
  readonly queueSize: number;
  /** After so many attempts, a job is a dead letter. */
  readonly attempts: number;
  /** How long an attempt may take, in milliseconds. */
  readonly timeout: number;
  readonly backoff: Backoff;
  /** From 0 up to 1. Default: Math.random. */
  readonly random?: () => number;
  /** Told of each attempt that fails. `delay` is the time to the next one; undefined when there is none. */
  readonly onFailure?: (job: Job, error: Error, delay: number | undefined) => void;
}

export interface DeadLetter {
  readonly job: Job;
  /** Why the last attempt failed. */
  readonly error: Error;
}

/** Where jobs come from. `next()` is not called before there is room for what it brings. */
export type JobSource = Iterator<Job> | AsyncIterator<Job>;

export class WorkerPool {
  readonly delivered: Job[] = [];
  readonly deadLetters: DeadLetter[] = [];
  /** Those that were taken, and then neither delivered nor given up. With how often they were attempted. */
  readonly givenBack: Job[] = [];
  readonly #attempt: (job: Job) => Promise<void>;
  readonly #options: PoolOptions;
  readonly #limiters = new Map<string, CapacityLimiter>();

  /**
   * @param attempt - Delivers a job, or throws a DeliveryError. Another error is one in the program, and ends
   * everything.
   */
  constructor(attempt: (job: Job) => Promise<void>, options: PoolOptions) {
    this.#attempt = attempt;
    this.#options = options;
  }

  /**
   * Works until all jobs are done. Cancelled: finishes the attempts that are under way, and gives back the
   * other jobs. Those that are still in `jobs` were never taken.
   */
  async run(jobs: JobSource): Promise<void> {
    const { workers, queueSize } = this.#options;
    const [send, queue] = createMemoryObjectStream<Job>(queueSize, {
      onUndelivered: (job) => this.givenBack.push(job),
    });
    // Closed after all tasks have ended: until then, somebody may still put a job into the queue.
    using _ = queue;
    await taskGroup(
      (tg) => {
        tg.startSoon(fill, send, jobs);
        for (let i = 0; i < workers; i++) tg.startSoon(() => this.#work(queue));
      },
      { name: 'worker pool' },
    );
  }

  /** A worker. The loop ends when all jobs have been taken. */
  async #work(queue: MemoryObjectReceiveStream<Job>): Promise<void> {
    for await (const job of queue) await this.#process(job);
  }

  /** From the first attempt to the last. */
  async #process(job: Job): Promise<void> {
    let current = job;
    try {
      for (;;) {
        const error = await this.#try(current);
        current = { ...job, attempts: current.attempts + 1 };
        if (error === undefined) {
          this.delivered.push(current);
          return;
        }
        const delay = this.#delayAfter(current.attempts, error);
        this.#options.onFailure?.(current, error, delay);
        if (delay === undefined) {
          this.deadLetters.push({ job: current, error });
          return;
        }
        await sleep(delay);
      }
    } catch (error) {
      this.givenBack.push(current);
      throw error;
    }
  }

  /** One attempt. Returns why it failed, if it did. */
  async #try(job: Job): Promise<DeliveryError | TimeoutError | undefined> {
    const { timeout } = this.#options;
    // Only what is limited is done with a token: who waits for the next attempt holds none.
    const attempt = (): Promise<void> =>
      failAfter(timeout, () => this.#attempt(job), { shield: true, reason: 'the attempt' });
    try {
      await this.#limiterOf(job.endpoint).run(attempt);
      return undefined;
    } catch (error) {
      if (error instanceof DeliveryError || error instanceof TimeoutError) return error;
      throw error;
    }
  }

  /** Undefined when there is to be no further attempt. */
  #delayAfter(attempts: number, error: DeliveryError | TimeoutError): number | undefined {
    const { backoff, random } = this.#options;
    const answer = error instanceof DeliveryError ? error : undefined;
    if (answer?.isPermanent === true || attempts >= this.#options.attempts) return undefined;
    return delayAfter(attempts, backoff, answer?.retryAfter, random);
  }

  #limiterOf(endpoint: string): CapacityLimiter {
    let limiter = this.#limiters.get(endpoint);
    if (limiter === undefined) {
      limiter = new CapacityLimiter(this.#options.perEndpoint);
      this.#limiters.set(endpoint, limiter);
    }
    return limiter;
  }
}

/** Puts jobs into the queue, as there is room for them. */
async function fill(queue: MemoryObjectSendStream<Job>, jobs: JobSource): Promise<void> {
  using _ = queue;
  for (;;) {
    // First the room, then the job: a job that has left its source is in the queue, with no wait in between.
    using room = await queue.reserve();
    const next = await jobs.next();
    if (next.done === true) return;
    room.send(next.value);
  }
}
