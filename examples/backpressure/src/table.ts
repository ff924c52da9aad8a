/** What came of it. */

import type { Experiment } from './experiment.js';

const HEAD = ['', 'buffer', 'peak used', 'producer waited', 'producer done', 'all done'];

/** A row for each experiment; they have ended. */
export function table(experiments: readonly Experiment[]): string {
  const rows = experiments.map((experiment) => {
    const { maxBufferSize, peakBufferUsed } = experiment.statistics();
    return [
      experiment.name,
      maxBufferSize === Infinity ? '∞' : `${maxBufferSize}`,
      `${peakBufferUsed}`,
      seconds(experiment.waited),
      seconds(experiment.producerDone!),
      seconds(experiment.done!),
    ];
  });
  const widths = HEAD.map((_, column) => Math.max(...[HEAD, ...rows].map((row) => row[column]!.length)));
  return [HEAD, ...rows]
    .map((row) => {
      const [name, ...numbers] = row.map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      );
      return `${[name, ...numbers].join('  ')}\n`;
    })
    .join('');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
