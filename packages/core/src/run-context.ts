/** What all scopes of one run share. */

import { systemClock } from './clock.js';
import { DeadlineQueue } from './deadlines.js';
import { observers, observing, type Observers } from './instruments.js';
import { shared } from './shared.js';

/**
 * Decides when a task that became ready goes on. For testing: shuffling the order shows what relies on it.
 */
export interface WakeScheduler {
  /** Called instead of waking a task; must call `wake` soon, and once. */
  ready(wake: () => void): void;
}

export interface RunContext {
  readonly deadlines: DeadlineQueue;
  readonly observers: Observers;
  readonly escapes: 'adopt' | 'warn' | 'error';
  readonly lostContext: 'ignore' | 'warn' | 'error';
  readonly scheduler: WakeScheduler | undefined;
  /** How many waits are going on that something outside the runtime will end. */
  foreignWaits: number;
  /** See `leftUnwatched`. */
  leftUnwatched: Left | undefined;
}

/** What is known of a scope, or section, that was left. */
export interface Left {
  readonly name: string;
  readonly context: RunContext;
  /** Whether somebody was warned of code that is still running in it. */
  reported: boolean;
}

/** What is kept of a scope, or section, that is left. */
export function leftOf(scope: { readonly name: string }, context: RunContext): Left {
  // Mostly nobody will want to know, and a task takes 15 % less without a record and a name for each.
  const isReported = context.escapes !== 'adopt' || observing.count > 0;
  return isReported ? { name: scope.name, context, reported: false } : leftUnwatched(context);
}

/** What stands for all that were left while nobody was to hear of what outlives them: only an instrument that is added later may. */
function leftUnwatched(context: RunContext): Left {
  return (context.leftUnwatched ??= { name: 'left unwatched', context, reported: false });
}

/** The context outside every run: real time, and nothing is reported. */
export const rootContext: RunContext = shared('context', () => ({
  deadlines: new DeadlineQueue(systemClock),
  observers: observers(),
  escapes: 'adopt',
  lostContext: 'ignore',
  scheduler: undefined,
  foreignWaits: 0,
  leftUnwatched: undefined,
}));
