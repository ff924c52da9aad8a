/**
 * The language of the programs: small structured-concurrency programs as JSON, each with the trace that Trio
 * recorded when it ran them. Names are unique within a program, and bound by the time they are used. Times are
 * milliseconds on the program's clock, which starts at 0.
 *
 * @module
 */

/** One line of a corpus file. */
export interface Program {
  readonly id: string;
  /** What a random program was made from; `null` for one written by hand. */
  readonly seed: number | null;
  /** The point that a hand-written program is about. */
  readonly about?: string;
  /** Made before `main` begins, in this order. */
  readonly objects: Readonly<Record<string, ObjectSpec>>;
  readonly main: Body;
  readonly expected: Trace;
}

/** What a run of a program shows. */
export interface Trace {
  /** `"ok"`, or the exception that left `main`. */
  readonly outcome: How;
  /** When `main` ended. */
  readonly end: number;
  /** One entry for each task that ran, with its events in its own order. */
  readonly traces: Readonly<Record<string, readonly TraceEvent[]>>;
}

export type TraceEvent = readonly [time: number, kind: string, ...details: Detail[]];
export type Detail = How | number | boolean | null | readonly How[] | Readonly<Record<string, unknown>>;

/** `"ok"`, or an exception: its name, or the members of a group. */
export type How = string | { readonly group: readonly How[] };

export type Amount = number | 'inf';
export type Value = string | number;

export type ObjectSpec =
  | { readonly type: 'event' }
  | { readonly type: 'lock' }
  | { readonly type: 'semaphore'; readonly value: number }
  | { readonly type: 'limiter'; readonly total: Amount }
  | { readonly type: 'condition'; readonly lock?: string }
  | { readonly type: 'channel'; readonly capacity: Amount }
  | { readonly type: 'scope'; readonly deadline?: number; readonly shield?: boolean };

/** Statements, run in order. */
export type Body = readonly Statement[];

/** The fields of each statement, by its `op`. */
interface Fields {
  // Plain
  log: { label: string };
  sleep: { ms: number };
  sleep_until: { at: number };
  sleep_forever: object;
  checkpoint: object;
  checkpoint_if_cancelled: object;
  shielded_checkpoint: object;
  deadline: object;
  raise: { error: string };

  // Tasks and groups
  group: { id: string; body: Body };
  spawn: { group: string; task: string; body: Body } & Raise;
  start: { group: string; task: string; body: Body } & Raise;
  started: { value: Value } & Raise;

  // Scopes
  scope: { id: string; body: Body; timeout?: number; deadline?: number; shield?: boolean };
  enter: { id: string; body: Body } & Raise;
  move_on_after: { id: string; ms: number; body: Body; shield?: boolean };
  move_on_at: { id: string; at: number; body: Body; shield?: boolean };
  fail_after: { id: string; ms: number; body: Body; shield?: boolean };
  fail_at: { id: string; at: number; body: Body; shield?: boolean };
  cancel: { target: string; reason?: string };
  set_shield: { target: string; value: boolean };
  set_deadline: { target: string; ms: number | null };
  scope_state: { target: string };

  // Errors
  try: { body: Body; catch?: CatchKind; handler?: Body; rethrow?: boolean; finally?: Body };
  catch_errors: { errors: readonly string[]; body: Body; handler?: Body };

  // Events, locks, semaphores, limiters, conditions
  wait_event: { event: string };
  set_event: { event: string };
  acquire: { object: string } & Borrower & Raise;
  acquire_nowait: { object: string } & Borrower & Raise;
  release: { object: string } & Borrower & Raise;
  with: { object: string; body: Body } & Borrower & Raise;
  with_nowait: { object: string; body: Body } & Borrower & Raise;
  set_total: { object: string; total: Amount };
  cond_wait: { object: string } & Raise;
  notify: { object: string; n?: number } & Raise;
  notify_all: { object: string } & Raise;

  // Channels
  send: { end: string; value: Value } & Raise;
  send_nowait: { end: string; value: Value } & Raise;
  receive: { end: string } & Raise;
  receive_nowait: { end: string } & Raise;
  for_each: { end: string; body?: Body } & Raise;
  clone: { end: string; as: string } & Raise;
  close: { end: string };

  // Statistics
  stats: { object: string };
}

/** Whether an error of the operation goes on outward after it was recorded, or is dropped. */
interface Raise {
  raise?: boolean;
}

/** On whose behalf a limiter's token is borrowed; the task itself if absent. */
interface Borrower {
  borrower?: string;
}

/** What `try` catches: cancellations, groups of errors, single errors, or anything. */
export type CatchKind = 'cancelled' | 'group' | 'error' | 'all';

export type Op = keyof Fields;
export type StatementOf<O extends Op> = { readonly op: O } & Readonly<Fields[O]>;
export type Statement = { [O in Op]: StatementOf<O> }[Op];
