/** Runs a producer and a consumer over three kinds of buffers at once. See README.md for what to look at. */

import { run, taskGroup } from '@taskscope/core';
import { createWatch } from '@taskscope/streams';
import { CommanderError } from 'commander';
import { parseArguments, type Arguments } from './arguments.js';
import { drawBars, printLines } from './drawing.js';
import { Experiment } from './experiment.js';
import { table } from './table.js';

async function main({ buffer, ...pace }: Arguments): Promise<void> {
  const experiments = [
    new Experiment('rendezvous', 0),
    new Experiment('bounded', buffer),
    new Experiment('unbounded', Infinity),
  ];
  const [change, changes] = createWatch(0);
  const draw = process.stdout.isTTY ? drawBars : printLines;

  await taskGroup(async (tg) => {
    tg.startSoon(draw, experiments, changes, process.stdout);
    await taskGroup((all) => {
      for (const experiment of experiments) {
        all.startSoon(() => experiment.run(pace, () => change.set(change.value + 1)));
      }
    });
    // With that the drawing ends, too, when it has drawn the last change.
    change.close();
  });
  process.stdout.write(`\n${table(experiments)}`);
}

try {
  const args = parseArguments(process.argv.slice(2));
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', () => process.exit());
  await run(() => main(args), { name: 'backpressure' });
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
