/** What a process says of itself while a test runs. */

import { setImmediate as nextTurn } from 'node:timers/promises';

/** The errors that nobody caught while `body` runs, and in the turn after it. */
export async function uncaughtDuring(body: () => unknown): Promise<unknown[]> {
  const errors: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const note = (error: unknown): void => void errors.push(error);
  process.on('uncaughtException', note);
  try {
    await body();
    await nextTurn();
  } finally {
    process.off('uncaughtException', note);
    for (const listener of others) process.on('uncaughtException', listener);
  }
  return errors;
}

/** The warnings of the runtime that are emitted while `body` runs, and in the turn after it. */
export async function warningsDuring(body: () => unknown): Promise<string[]> {
  const messages: string[] = [];
  const note = (warning: Error): void => {
    if (warning.name === 'TaskscopeWarning') messages.push(warning.message);
  };
  process.on('warning', note);
  try {
    await body();
    // process.emitWarning() emits in a later tick.
    await nextTurn();
  } finally {
    process.off('warning', note);
  }
  return messages;
}
