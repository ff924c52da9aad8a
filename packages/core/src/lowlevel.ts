/**
 * For authors of primitives, drivers and tools: what everything else is built from.
 *
 * @packageDocumentation
 */

export { suspend, type SuspendOptions } from './suspend.js';
export {
  addParkingLotBreaker,
  ParkingLot,
  type ParkingLotStatistics,
  type ParkOptions,
} from './parking-lot.js';
export { WaitQueue, type Linked, type QueueEntry, type Selectable, type WaitListener } from './wait-queue.js';
export { completed, nowOrNextTurn, refusal, scopeOfWait, type WaitScope } from './operations.js';
export { chain, rejected, silence } from './promises.js';
export { ExitWatch, onTaskExit } from './task-exit.js';
export { checkCount, checkFunction, checkOptions, checkTime, describe } from './arguments.js';
export { currentScope } from './cancel-scope.js';
export { findSection, Section } from './section.js';
export { bindToScope, type WaitOptions } from './ambient.js';
export type { Clock, RunMonitor } from './clock.js';
export { callAt } from './sleep.js';
export { readIterable, type IterableReader } from './iterable-reader.js';
export {
  addInstrument,
  type Instrument,
  type ScopeInfo,
  type TaskInfo,
  type WaitInfo,
} from './instruments.js';
export type { WakeScheduler } from './run-context.js';
export {
  activityCount,
  addProbe,
  inNextTurn,
  isTurnPending,
  putOff,
  type Operation,
  type Probe,
} from './turn.js';
