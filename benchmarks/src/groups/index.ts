import type { Group } from '../workload.js';
import { cancel } from './cancel.js';
import { channel } from './channel.js';
import { combinators } from './combinators.js';
import { iterate } from './iterate.js';
import { limiter, lock, semaphore } from './locks.js';
import { memory } from './memory.js';
import { nested } from './nested.js';
import { router } from './router.js';
import { spawn } from './spawn.js';
import { timeouts } from './timeouts.js';

/** Every group, in the order in which they run. */
export const groups: readonly Group[] = [
  spawn,
  channel,
  iterate,
  lock,
  semaphore,
  limiter,
  timeouts,
  nested,
  cancel,
  router,
  combinators,
  memory,
];
