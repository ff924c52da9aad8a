/**
 * Structured concurrency: task groups, cancel scopes, timeouts, shielding, and errors that come in groups.
 *
 * @packageDocumentation
 */

export { run, type RunOptions } from './run.js';
export { bindToScope, detached, type WaitOptions } from './ambient.js';
export { taskGroup, type TaskGroup, type TaskGroupOptions, type TaskOptions } from './task-group.js';
export type { TaskStatus } from './start.js';
export type { TaskContext, TaskHandle, TaskState } from './task.js';
export { CancelScope, type CancelScopeOptions, type ScopeOptions } from './cancel-scope.js';
export {
  currentEffectiveDeadline,
  failAfter,
  failAt,
  moveOnAfter,
  moveOnAt,
  shield,
  type FailOptions,
  type PlainFailOptions,
} from './timeouts.js';
export { cleanup, withResource, type CleanupOptions } from './cleanup.js';
export { currentTime, sleep, sleepForever, sleepUntil } from './sleep.js';
export { cancelShieldedCheckpoint, checkpoint, checkpointIfCancelled } from './checkpoint.js';
export { abandonOnCancel, currentSignal, withSignal } from './foreign.js';
export { all, allSettled, type AllResults, type AllSettledResults } from './all.js';
export { any, race } from './race.js';
export { map, type MapOptions } from './map.js';
export { asCompleted } from './as-completed.js';
export type { TaskFunction } from './task-functions.js';
export {
  BrokenResourceError,
  BusyResourceError,
  Cancelled,
  ClosedResourceError,
  DelimiterNotFound,
  EndOfStream,
  FutureCancelled,
  IncompleteRead,
  InvalidStateError,
  ScopeExitedError,
  TaskCancelled,
  TaskFailed,
  TaskGroupError,
  TaskNotFinished,
  TimeoutError,
  WouldBlock,
  type CancelSource,
} from './errors.js';
export { isCancelled } from './is-cancelled.js';
export { catchErrors, flattenErrors, rethrowSingle, splitErrors, type Match } from './error-groups.js';
export { currentTask, formatTaskTree, taskTree, type TaskNode } from './introspection.js';
export type { TaskInfo } from './instruments.js';
