/** Finds duplicate files below a folder. See README.md for what to look at. */

import { rethrowSingle, run, taskGroup } from '@taskscope/core';
import { MessageRouter } from '@taskscope/streams';
import { CommanderError } from 'commander';
import { parseArguments, type Arguments } from './arguments.js';
import { findDuplicates } from './find-duplicates.js';
import { Findings, type Progress } from './findings.js';
import { Interrupted, interruption } from '../../interruption.js';
import { showProgress } from './progress.js';
import { jsonReport, textReport } from './report.js';

/** Resolves to the exit code. */
async function main(args: Arguments): Promise<number> {
  const { root, limit, fileTimeout, json, top, progress: isShown = process.stderr.isTTY } = args;
  const findings = new Findings();
  // Only the latest news count.
  const progress = new MessageRouter<Progress>({ bufferSize: 1, overflow: 'drop-oldest' });
  const signal = interruption();
  const began = performance.now();

  const work = (): Promise<unknown> =>
    taskGroup((tg) => {
      // A service: nobody has to end it. It is cancelled when the others have ended, for whatever reason.
      if (isShown) tg.startService(showProgress, progress.subscribe(), process.stderr);
      tg.startSoon(findDuplicates, root, findings, { limit, fileTimeout, progress });
    });

  let interrupted: Interrupted | undefined;
  try {
    await run(work, { name: 'find-duplicates', signal });
  } catch (error) {
    if (!(error instanceof Interrupted)) rethrowSingle(error);
    interrupted = error;
  }

  // By now no task is running any more, and all files are closed.
  const summary = { root, complete: interrupted === undefined, elapsed: performance.now() - began };
  const columns = process.stdout.isTTY ? process.stdout.columns : undefined;
  await print(json ? jsonReport(findings, summary) : textReport(findings, summary, { top, columns }));
  return interrupted?.exitCode ?? 0;
}

/** Waits until it is written: what is still on its way into a pipe would be lost with the process. */
function print(text: string): Promise<void> {
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', () => {});
  return new Promise((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}

try {
  // Not `process.exitCode`: a file system call that was abandoned would keep the process alive.
  process.exit(await main(parseArguments(process.argv.slice(2))));
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
