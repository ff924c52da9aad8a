/** Waiting for one of several things. */

import { currentTime, type WaitOptions } from '@taskscope/core';
import {
  callAt,
  checkTime,
  completed,
  describe,
  refusal,
  rejected,
  scopeOfWait,
  suspend,
  type Selectable,
} from '@taskscope/core/lowlevel';

/** What happened: the name of the case, and its value. */
export type Selected<C extends Record<string, Selectable<unknown>>> = {
  [K in keyof C & string]: {
    readonly key: K;
    readonly value: C[K] extends Selectable<infer T> ? T : never;
  };
}[keyof C & string];

/**
 * Which case is looked at first changes from call to call, so that none is starved by one that is always
 * ready: multiples of the golden ratio, as fractions of 2^32, since every so manieth of them are spread
 * evenly, too. Counting would let two tasks that take turns see the same order again and again.
 */
let place = 0;
const GOLDEN_RATIO = 0x9e3779b9;

function nextFirst(count: number): number {
  place = (place + GOLDEN_RATIO) >>> 0;
  return Math.floor((place / 2 ** 32) * count);
}

/**
 * Waits until one of several things is possible, and does it: receiving from a stream, sending into one,
 * that an event is set, that a future is done, that time has passed. Exactly one happens; the others leave
 * no trace.
 *
 * Cancelled before or during: rejects, and none happens. Cancelled after one has happened: it has happened.
 *
 * @param cases - By name: what `onReceive()`, `onSend()`, `onSet()`, `onDone()` and `onTimeout()` return.
 * @returns The name of the case that happened, and its value.
 * @throws What the case throws: a stream that has ended or is closed, an error of a future; Cancelled when
 * the scope is cancelled; `signal.reason` when a foreign signal aborts; RangeError when there are no cases;
 * TypeError for bad arguments.
 *
 * Semantics: Go's `select`.
 *
 * @example
 * ```ts
 * import { createMemoryObjectStream, onTimeout, select } from '@taskscope/streams';
 * import { Event } from '@taskscope/sync';
 * import assert from 'node:assert/strict';
 *
 * const [send, receive] = createMemoryObjectStream<string>(1);
 * const stop = new Event();
 * send.sendNowait('tea');
 * const first = await select({ order: receive.onReceive(), stop: stop.onSet(), idle: onTimeout(1) });
 * assert.deepEqual(first, { key: 'order', value: 'tea' });
 * const second = await select({ order: receive.onReceive(), stop: stop.onSet(), idle: onTimeout(1) });
 * assert.equal(second.key, 'idle');
 * ```
 */
export function select<C extends Record<string, Selectable<unknown>>>(
  cases: C,
  options?: WaitOptions,
): Promise<Selected<C>> {
  const where = 'select()';
  try {
    const entries = checkCases(where, cases);
    const scope = scopeOfWait(where, options);
    const refused = refusal(where, scope, options);
    if (refused !== undefined) return refused;
    const first = nextFirst(entries.length);
    const inTurn = [...entries.slice(first), ...entries.slice(0, first)];
    for (const [key, each] of inTurn) {
      const done = each.attempt();
      if (done !== undefined) return completed({ key, value: done.value } as Selected<C>);
    }
    return suspend<Selected<C>>(
      (resolve, reject) => {
        const enlisted = new Map<string, () => void>();
        let isDecided = false;
        /** Nothing else happens, whether it is a case that did or a cancellation. */
        const decide = (key?: string): boolean => {
          if (isDecided) return false;
          isDecided = true;
          for (const [other, leave] of enlisted) if (other !== key) leave();
          return true;
        };
        try {
          for (const [key, each] of inTurn) {
            let wasTold = false;
            const leave = each.enlist({
              selection: enlisted,
              resolve(value: unknown): boolean {
                wasTold = true;
                if (!decide(key)) return false;
                resolve({ key, value } as Selected<C>);
                return true;
              },
              reject(error: unknown): boolean {
                wasTold = true;
                if (!decide(key)) return false;
                reject(error);
                return true;
              },
            });
            if (!isDecided) {
              enlisted.set(key, leave);
              continue;
            }
            // That somebody waits for this case may have let in who brought about an earlier one.
            if (!wasTold) leave();
            break;
          }
        } catch (error) {
          decide();
          throw error;
        }
        return () => void decide();
      },
      { ...options, label: `one of ${entries.map(([key]) => key).join(', ')}` },
    );
  } catch (error) {
    return rejected(error);
  }
}

/**
 * As a case of `select()`: that time has passed since `select()` was called.
 *
 * @param ms - Milliseconds; Infinity for never.
 * @throws TypeError when `ms` is no number, RangeError when it is NaN.
 *
 * @example
 * ```ts
 * import { onTimeout, select } from '@taskscope/streams';
 * import assert from 'node:assert/strict';
 *
 * assert.equal((await select({ late: onTimeout(1) })).key, 'late');
 * ```
 */
export function onTimeout(ms: number): Selectable<void> {
  checkTime('onTimeout()', 'ms', ms);
  return {
    attempt: () => (ms <= 0 ? { value: undefined } : undefined),
    enlist(listener) {
      const timer = callAt(currentTime() + ms, () => listener.resolve(undefined));
      return () => timer[Symbol.dispose]();
    },
  };
}

function checkCases(
  where: string,
  cases: Record<string, Selectable<unknown>>,
): [string, Selectable<unknown>][] {
  if (typeof cases !== 'object' || cases === null) {
    throw new TypeError(`${where}: cases must be an object of cases by name, got ${describe(cases)}`);
  }
  const entries = Object.entries(cases);
  if (entries.length === 0)
    throw new RangeError(`${where}: cases must not be empty: nothing could ever happen`);
  for (const [key, each] of entries) {
    const { attempt, enlist } = Object(each) as Partial<Selectable<unknown>>;
    if (typeof attempt === 'function' && typeof enlist === 'function') continue;
    throw new TypeError(
      `${where}: the case "${key}" must be what onReceive(), onSend(), onChange(), onSet(), onDone() or onTimeout() returns, ` +
        `got ${describe(each)}${cureFor(each)}`,
    );
  }
  return entries;
}

const CASES = ['onReceive', 'onSend', 'onChange', 'onSet', 'onDone'];

/** What to write instead, if it is one of the usual mistakes. */
function cureFor(each: unknown): string {
  if (typeof each === 'function') return '. Call it: its result is the case';
  const methods = Object(each) as Record<string, unknown>;
  if (typeof methods['then'] === 'function') {
    return '. What has begun cannot be undone: use onReceive() instead of receive(), onSet() instead of wait(), and so on';
  }
  const method = CASES.find((name) => typeof methods[name] === 'function');
  return method === undefined ? '' : `. Use its ${method}()`;
}
