/**
 * What the statements work on: a program that is being run, and its tasks.
 *
 * @module
 */
import {
  type CancelScope,
  currentTime,
  type TaskContext,
  type TaskGroup,
  type TaskStatus,
  type WaitOptions,
} from '@taskscope/core';
import type { Clock } from '@taskscope/core/lowlevel';
import type { MemoryObjectReceiveStream, MemoryObjectSendStream } from '@taskscope/streams';
import type { CapacityLimiter, Condition, Event, Lock, Semaphore } from '@taskscope/sync';
import { canonical } from './canonical.js';
import type { Body, Detail, Op, Statement, StatementOf, TraceEvent, Value } from './language.js';

/** How each statement is carried out. */
export type Statements = { readonly [O in Op]?: Handler<StatementOf<O>> };
export type Handler<S> = (task: Task, statement: S) => void | Promise<void>;

/** The names that a program has bound so far, and the traces that it has left. */
export class Environment {
  readonly scopes: Names<CancelScope> = new Names('scope or group');
  readonly groups: Names<TaskGroup> = new Names('group');
  readonly events: Names<Event> = new Names('event');
  readonly locks: Names<Lock> = new Names('lock');
  readonly semaphores: Names<Semaphore> = new Names('semaphore');
  readonly limiters: Names<CapacityLimiter> = new Names('limiter');
  readonly conditions: Names<Condition> = new Names('condition');
  readonly sendEnds: Names<MemoryObjectSendStream<Value>> = new Names('sending end');
  readonly receiveEnds: Names<MemoryObjectReceiveStream<Value>> = new Names('receiving end');
  /** What `stats` shows of an object. */
  readonly statistics: Names<() => Readonly<Record<string, unknown>>> = new Names('object');
  readonly traces: Record<string, TraceEvent[]> = {};
  readonly statements: Statements;
  /** In explicit mode nothing is ambient: each wait is told its scope, and the clock is asked for the time. */
  readonly explicit: boolean;
  readonly #clock: Clock | undefined;

  constructor(statements: Statements, explicitClock?: Clock) {
    this.statements = statements;
    this.explicit = explicitClock !== undefined;
    this.#clock = explicitClock;
  }

  now(): number {
    return this.#clock === undefined ? currentTime() : this.#clock.now();
  }
}

/** Things by their names in the program. */
export class Names<T> {
  readonly #kind: string;
  readonly #things = new Map<string, T>();

  constructor(kind: string) {
    this.#kind = kind;
  }

  bind(name: string, thing: T): void {
    this.#things.set(name, thing);
  }

  find(name: string): T | undefined {
    return this.#things.get(name);
  }

  get(name: string): T {
    const thing = this.find(name);
    if (thing === undefined) throw new Error(`the ${this.#kind} '${name}' is used before it is bound`);
    return thing;
  }
}

/** The task of the innermost `start` around a statement in the program text, and where it reports. */
export interface Starting {
  readonly task: string;
  readonly status: TaskStatus<Value>;
}

/** A task of the program, which runs statements and records events. */
export class Task {
  readonly env: Environment;
  readonly starting: Starting | undefined;
  /** What stands for the innermost scope that the task is in. */
  #place: TaskContext | undefined;
  readonly #events: TraceEvent[] = [];

  constructor(env: Environment, name: string, place: TaskContext | undefined, starting?: Starting) {
    this.env = env;
    this.#place = place;
    this.starting = starting;
    if (name in env.traces) throw new Error(`the program has two tasks '${name}'`);
    env.traces[name] = this.#events;
  }

  record(kind: string, ...details: Detail[]): void {
    this.#events.push([this.env.now(), kind, ...details]);
  }

  /** What a wait of the task is told, and a scope that it opens. */
  get options(): WaitOptions {
    return this.env.explicit ? { signal: this.#place?.signal } : {};
  }

  /** Runs a body in a scope that the task has opened. */
  async doIn(scope: CancelScope, body: Body): Promise<void> {
    const outer = this.#place;
    this.#place = scope;
    try {
      await this.do(body);
    } finally {
      this.#place = outer;
    }
  }

  /** The whole life of the task. What leaves its body leaves the task. */
  async live(body: Body): Promise<void> {
    this.record('begin');
    try {
      await this.do(body);
    } catch (error) {
      this.record('end', canonical(error));
      throw error;
    }
    this.record('end', 'ok');
  }

  /** Runs the statements of a body one after the other. */
  async do(body: Body): Promise<void> {
    for (const statement of body) {
      // The table pairs each op with the handler of its own statement, which the type checker cannot follow here.
      const carryOut = this.env.statements[statement.op] as Handler<Statement> | undefined;
      if (carryOut === undefined) throw new Error(`there is no statement '${statement.op}'`);
      await carryOut(this, statement);
    }
  }

  /**
   * Awaits the operation of a statement. Undefined when it failed, which is on record then: the statement is over,
   * and the next one follows.
   */
  async attempt<T>(
    op: Op,
    target: string,
    raise: boolean | undefined,
    operation: () => T,
  ): Promise<Done<T> | undefined> {
    try {
      return { value: await operation() };
    } catch (error) {
      this.fail(op, target, raise, error);
      return undefined;
    }
  }

  /** Awaits what can only be cancelled. */
  async wait(op: Op, operation: () => Promise<unknown>): Promise<void> {
    try {
      await operation();
    } catch (error) {
      if (canonical(error) === 'Cancelled') this.record('cancelled', op);
      throw error;
    }
  }

  /** Records that an operation failed. A cancellation goes on outward, an error only with `raise`. */
  fail(op: Op, target: string, raise: boolean | undefined, error: unknown): void {
    const how = canonical(error);
    if (how === 'Cancelled') this.record('cancelled', op, target);
    else this.record('error', op, target, how);
    if (how === 'Cancelled' || raise) throw error;
  }
}

/** What an operation that succeeded resolved to. */
export interface Done<T> {
  readonly value: Awaited<T>;
}
