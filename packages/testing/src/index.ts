/**
 * Testing programs that are built on taskscope: virtual time, waiting until everyone waits, making tasks
 * take turns, checking for checkpoints, cancelling everywhere, and shuffling schedules.
 *
 * @packageDocumentation
 */

export { MockClock, type MockClockOptions } from './mock-clock.js';
export { virtualTime, type VirtualTimeOptions } from './virtual-time.js';
export { waitAllTasksBlocked } from './wait-all-tasks-blocked.js';
export { Sequencer } from './sequencer.js';
export { expectCheckpoint, expectNoCheckpoint } from './checkpoints.js';
export { fuzzSchedule } from './fuzz-schedule.js';
export {
  cancelEverywhere,
  type CancelEverywhereOptions,
  type CancelEverywhereResult,
  type Cancellation,
  type Workload,
  type WorkloadContext,
} from './cancel-everywhere.js';
