/** Ctrl-C and SIGTERM. */

import { Event } from '@taskscope/sync';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * An event that is set at the first signal. After that the signals mean again what they usually mean, so a
 * second one kills the process, whatever it is doing.
 */
export function interruption(): Event {
  const interrupted = new Event();
  const interrupt = (): void => {
    for (const each of SIGNALS) process.off(each, interrupt);
    interrupted.set();
  };
  for (const each of SIGNALS) process.on(each, interrupt);
  return interrupted;
}
