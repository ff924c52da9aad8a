/** Ctrl-C. */

import { constants } from 'node:os';

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

/**
 * An AbortSignal for `run()` that aborts at the first Ctrl-C. After that the signals mean again what they
 * usually mean, so a second Ctrl-C kills the process, whatever it is doing.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => {
    for (const each of SIGNALS) process.off(each, interrupt);
    controller.abort(new Interrupted(signal));
  };
  for (const each of SIGNALS) process.on(each, interrupt);
  return controller.signal;
}
