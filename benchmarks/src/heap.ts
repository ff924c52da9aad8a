import process from 'node:process';
import { setFlagsFromString } from 'node:v8';

interface Bun {
  readonly gc: (force: boolean) => void;
}

const collector = findCollector();

/** Whether garbage can be collected on demand: Node and Deno need `--expose-gc` for it. */
export const canCollectGarbage: boolean = collector !== undefined;

// V8 takes compiled code along that has not run for a few collections. Between two turns of a contender there are more, far
// more often than in a program, so each turn would measure the compiler, the longer the more code a contender has.
setFlagsFromString('--no-flush-bytecode');

export function collectGarbage(): void {
  collector?.();
}

/** Bytes in use, after everything that is garbage has gone. */
export async function heapUsed(): Promise<number> {
  // What finalisers and weak references hold goes in later turns.
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function findCollector(): (() => void) | undefined {
  const { gc, Bun: bun } = globalThis as { gc?: () => void; Bun?: Bun };
  if (bun !== undefined) return () => bun.gc(true);
  return typeof gc === 'function' ? () => gc() : undefined;
}
