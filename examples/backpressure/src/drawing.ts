/** Showing what is in the buffers. */

import { currentTime, sleep } from '@taskscope/core';
import type { WatchReceiver } from '@taskscope/streams';
import type { Experiment } from './experiment.js';

export interface Terminal {
  write(text: string): unknown;
  readonly columns?: number;
}

const FRAME_MS = 40;
const LINE_MS = 250;
const LONGEST_BAR = 30;

/**
 * Draws a bar for each experiment, again and again in the same place, until there are no more changes. It
 * draws when something has changed, but not more often than anybody can see: `changes` keeps only the
 * latest.
 */
export async function drawBars(
  experiments: readonly Experiment[],
  changes: WatchReceiver<unknown>,
  terminal: Terminal,
): Promise<void> {
  let moveUp = '';
  // A line that wraps would take two.
  const width = (terminal.columns || 80) - 1;
  for await (const _ of changes) {
    const lines = experiments.map((experiment) => `${bar(experiment).slice(0, width)}\u001B[K\n`);
    terminal.write(moveUp + lines.join(''));
    moveUp = `\u001B[${lines.length}A`;
    await sleep(FRAME_MS);
  }
}

/** The same for a pipe: a line, and after a while another one. */
export async function printLines(
  experiments: readonly Experiment[],
  changes: WatchReceiver<unknown>,
  output: Terminal,
): Promise<void> {
  const began = currentTime();
  for await (const _ of changes) {
    const time = ((currentTime() - began) / 1000).toFixed(2);
    output.write(`${time} s  ${experiments.map(summary).join('  ')}\n`);
    await sleep(LINE_MS);
  }
}

/** `bounded     ██████░░░░    6 of 10    14 made, 8 used`, in not more than 80 columns. */
export function bar(experiment: Experiment): string {
  const { name, produced, consumed } = experiment;
  const { currentBufferUsed: used, maxBufferSize: size } = experiment.statistics();
  const full = Math.min(used, LONGEST_BAR);
  const free = Math.max(Math.min(size === Infinity ? 0 : size, LONGEST_BAR) - full, 0);
  const drawn = '█'.repeat(full) + '░'.repeat(free);
  // There is more than can be drawn.
  const cut = used > LONGEST_BAR ? `${drawn.slice(0, -1)}▶` : drawn;
  const counts = `${produced} made, ${consumed} used`;
  return [
    name.padEnd(10),
    cut.padEnd(LONGEST_BAR),
    fill(experiment).padStart(10),
    counts.padStart(16),
    state(experiment),
  ]
    .join('  ')
    .trimEnd();
}

function summary(experiment: Experiment): string {
  const text = `${experiment.name} ${fill(experiment)}`;
  return state(experiment) === '' ? text : `${text} (${state(experiment)})`;
}

function fill(experiment: Experiment): string {
  const { currentBufferUsed: used, maxBufferSize: size } = experiment.statistics();
  return size === Infinity ? `${used}` : `${used} of ${size}`;
}

function state(experiment: Experiment): string {
  if (experiment.done !== undefined) return 'done';
  // The producer does.
  return experiment.statistics().tasksWaitingSend > 0 ? 'waits' : '';
}
