import type { Timed } from './programs.js';
import type { Contender, Workload } from './workload.js';

/** A peer did not do what it was asked: there is nothing to measure. */
export class WrongResult extends Error {
  override name = 'WrongResult';

  constructor(workload: Workload, { peer }: Contender, value: number) {
    super(`${peer.name}, "${workload.name}": the result is ${value}, and should be ${workload.expected}`);
  }
}

/** Runs it once, and checks the result. Resolves to the milliseconds that count, if it has measured them itself. */
export async function runOnce(workload: Workload, contender: Contender): Promise<number | undefined> {
  if (workload.measure !== 'time') return await cancelOnce(workload, contender);
  const result: number | Timed = await contender.run();
  const { value, elapsed } = typeof result === 'number' ? { value: result, elapsed: undefined } : result;
  if (value !== workload.expected) throw new WrongResult(workload, contender, value);
  return elapsed;
}

/** Puts tasks to sleep, calls `whileAsleep`, and cancels them. Resolves to the milliseconds that the latter took. */
export async function cancelOnce(
  workload: Workload,
  contender: Contender,
  whileAsleep?: () => void | Promise<void>,
): Promise<number> {
  const sleepers = contender.sleep();
  while (sleepers.begun() < workload.operations) await inNextTurn();
  await inNextTurn(); // who has begun gets to sleep
  await whileAsleep?.();
  const begun = performance.now();
  const value = await sleepers.stop();
  const elapsed = performance.now() - begun;
  if (value !== workload.expected) throw new WrongResult(workload, contender, value);
  return elapsed;
}

const inNextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
