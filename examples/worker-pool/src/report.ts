/** What is printed at the end. */

import type { Job } from './jobs.js';
import type { DeadLetter } from './pool.js';
import type { ReceiverStatistics } from './receivers.js';

export interface Results {
  readonly delivered: readonly Job[];
  readonly deadLetters: readonly DeadLetter[];
  /** Those that were not done, because it was interrupted. */
  readonly left: readonly Job[];
}

export function report(
  { delivered, deadLetters, left }: Results,
  receivers: readonly ReceiverStatistics[],
): string {
  const retried = delivered.filter(({ attempts }) => attempts > 1).length;
  const lines = ['', 'receiver  requests  accepted'];
  for (const { name, requests, accepted } of receivers) {
    lines.push(`${name.padEnd(8)}  ${`${requests}`.padStart(8)}  ${`${accepted}`.padStart(8)}`);
  }
  lines.push('', `${delivered.length} delivered, ${retried} of them not at the first attempt.`);
  if (deadLetters.length > 0) lines.push(`${deadLetters.length} given up:`);
  for (const { job, error } of deadLetters) {
    lines.push(`  ${job.id} to ${job.endpoint}, at attempt ${job.attempts}: ${error.message}`);
  }
  if (left.length > 0) lines.push(`INTERRUPTED: ${left.length} are left.`);
  return `${lines.join('\n')}\n`;
}
