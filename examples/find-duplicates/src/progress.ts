/** The line that tells how far things are. */

import { currentTime, sleep } from '@taskscope/core';
import type { Subscription } from '@taskscope/streams';
import type { Progress } from './findings.js';
import { formatBytes, formatCount, formatDuration } from './format.js';

const REDRAW_EVERY_MS = 100;
const ERASE_LINE = '\r\u001B[K';

const NOTHING_YET: Progress = {
  files: 0,
  candidates: 0,
  hashed: 0,
  duplicates: 0,
  wasted: 0,
  unreadableCount: 0,
};

/**
 * Draws a line, and draws it again and again until it is cancelled. Then the line is gone.
 *
 * Only the latest news count, so the subscription is best one with a buffer for one message, in which a new
 * message takes the place of the old (`drop-oldest`).
 */
export async function showProgress(
  news: Subscription<Progress>,
  terminal: { write(text: string): unknown; readonly columns?: number },
): Promise<void> {
  using _ = news;
  const began = currentTime();
  let progress = NOTHING_YET;
  try {
    for (;;) {
      const latest = news.tryReceive();
      if (latest.ok) progress = latest.value;
      const line = progressLine(progress, currentTime() - began);
      // A line that wraps could not be erased.
      terminal.write(ERASE_LINE + line.slice(0, (terminal.columns || 80) - 1));
      await sleep(REDRAW_EVERY_MS);
    }
  } finally {
    terminal.write(ERASE_LINE);
  }
}

export function progressLine(progress: Progress, elapsed: number): string {
  const { files, hashed, candidates, duplicates, wasted, unreadableCount } = progress;
  const parts = [
    formatDuration(elapsed),
    `${formatCount(files, 'file')} found`,
    `${formatCount(hashed)} of ${formatCount(candidates)} read`,
    `${formatCount(duplicates, 'duplicate')}, ${formatBytes(wasted)}`,
  ];
  if (unreadableCount > 0) parts.push(`${formatCount(unreadableCount)} unreadable`);
  return parts.join('  ·  ');
}
