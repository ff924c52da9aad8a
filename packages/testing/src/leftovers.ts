/** What is left behind when something should be over: seen from outside, in the whole process. */

import { taskTree } from '@taskscope/core';
import { inNextTurn } from '@taskscope/core/lowlevel';

/** What Node.js, Bun and Deno tell of themselves; browsers tell nothing. */
interface Process {
  on?(event: 'unhandledRejection', listener: (reason: unknown) => void): void;
  off?(event: 'unhandledRejection', listener: (reason: unknown) => void): void;
  getActiveResourcesInfo?(): string[];
  getBuiltinModule?(name: 'node:events'): {
    getEventListeners?(target: AbortSignal, event: 'abort'): unknown[];
  };
}

const { process = {} } = globalThis as { process?: Process };

/**
 * How often to look whether what is still ending has ended: after each of a few turns of the event loop, and
 * then of many milliseconds. Not for how long, since a busy machine can take any time for a turn.
 */
const TURNS = 10;
const MILLISECONDS = 500;

/** Notes from when it is made what is there, to tell later what has been added. */
export class Leftovers {
  readonly #before: readonly string[] = goingOn();
  readonly #rejections: unknown[] = [];
  readonly #note = (reason: unknown): void => void this.#rejections.push(reason);

  constructor() {
    process.on?.('unhandledRejection', this.#note);
  }

  /** Waits until nothing is left, for a while; then throws if something is. */
  async check(): Promise<void> {
    // Rejections are reported at the end of a turn.
    await nextTurn();
    let left = this.#left();
    for (let look = 0; left.length > 0 && look < TURNS + MILLISECONDS; look++) {
      await (look < TURNS ? nextTurn() : millisecond());
      left = this.#left();
    }
    if (this.#rejections.length > 0) {
      const reasons = this.#rejections.map(String).join('; ');
      throw new Error(`a promise was rejected and nobody handled it: ${reasons}`, {
        cause: this.#rejections[0],
      });
    }
    if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`);
  }

  #left(): string[] {
    const left = goingOn();
    for (const each of this.#before) {
      const index = left.indexOf(each);
      if (index !== -1) left.splice(index, 1);
    }
    return left;
  }

  [Symbol.dispose](): void {
    process.off?.('unhandledRejection', this.#note);
  }
}

/** What is going on outside of every scope, and what the platform has open. */
function goingOn(): string[] {
  const { children, waitingFor } = taskTree();
  return [
    ...children.map((node) => `${node.kind} "${node.name}" (task ${node.taskId})`),
    ...waitingFor.map((label) => `a wait that no scope holds (${label})`),
    ...(process.getActiveResourcesInfo?.() ?? []).map((resource) => `${resource} of the platform`),
  ];
}

/** How many listeners a signal has, where the platform tells. */
export function listenerCount(signal: AbortSignal): number {
  return process.getBuiltinModule?.('node:events').getEventListeners?.(signal, 'abort').length ?? 0;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => inNextTurn(resolve));
}

function millisecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(() => inNextTurn(resolve), 1));
}
