/** Ctrl-C and SIGTERM. */

import { constants } from 'node:os';
import { Event } from '@taskscope/sync';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Why a run was interrupted. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: NodeJS.Signals;
  /** What a shell says of a program that a signal ended: 130 for Ctrl-C. */
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** An AbortSignal for `run()` that aborts at the first Ctrl-C. A second one kills the process. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  atFirstSignal((signal) => controller.abort(new Interrupted(signal)));
  return controller.signal;
}

/** An event that is set at the first Ctrl-C, for a service that then ends by itself. A second one kills the process. */
export function interruptionEvent(): Event {
  const interrupted = new Event();
  atFirstSignal(() => interrupted.set());
  return interrupted;
}

/** After the first, the signals mean again what they usually mean: the end of the process, whatever it is doing. */
function atFirstSignal(act: (signal: NodeJS.Signals) => void): void {
  const interrupt = (signal: NodeJS.Signals): void => {
    for (const each of SIGNALS) process.off(each, interrupt);
    act(signal);
  };
  for (const each of SIGNALS) process.on(each, interrupt);
}
