/**
 * Synchronisation between tasks: every wait is cancel-scope aware, served first come first served, and
 * leaves no trace when it is cancelled.
 *
 * @packageDocumentation
 */

export { Event, type EventStatistics } from './event.js';
export { Lock, type LockStatistics } from './lock.js';
export { ReentrantLock } from './reentrant-lock.js';
export { Semaphore, type SemaphoreOptions, type SemaphoreStatistics } from './semaphore.js';
export { CapacityLimiter, type CapacityLimiterStatistics } from './capacity-limiter.js';
export { Condition, type ConditionStatistics } from './condition.js';
export { ResourceGuard } from './resource-guard.js';
export { Future, type FutureState } from './future.js';
export type { Releaser } from './releaser.js';
