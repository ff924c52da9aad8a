/**
 * `pnpm soak`: what nobody notices in a test, but after a night: memory, listeners, timers and handles that are left
 * behind, a little with each operation.
 */

import process from 'node:process';
import { parseArgs } from 'node:util';
import { currentTime, taskTree } from '@taskscope/core';
import { loops, type Loop } from './loops.js';
import { heapInUse, judge } from './memory.js';
import { soakPriceFeed } from './price-feed.js';

const names = [...loops.map(({ name }) => name), 'price-feed'];

const USAGE = `pnpm soak [--only NAME[,NAME…]] [--count N] [--seconds N]

${loops.map(({ name, about, count }) => `  ${name.padEnd(14)} ${count.toLocaleString('en')} ${about}`).join('\n')}
  price-feed     the example as a process, with clients that read, stall and vanish

  --only NAME    some of them only
  --count N      how many tasks, timeouts, subscriptions
  --seconds N    for how long the price feed has clients (default: 180)
  --help         shows this`;

const { only, count, seconds } = readArguments();

const problems: string[] = [];
process.on('unhandledRejection', (reason) => problems.push(`unhandled rejection: ${String(reason)}`));
process.on('warning', ({ name, message }) => problems.push(`${name}: ${message}`));

for (const loop of loops) if (only.includes(loop.name)) await soakLoop(loop, count ?? loop.count);
if (only.includes('price-feed')) await reportPriceFeed();

for (const problem of problems) console.log(`✗ ${problem}`);
console.log(problems.length === 0 ? 'Nothing is left behind.' : `${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** One part in twelve comes before the first sample, since what is made once is made there. */
async function soakLoop({ name, about, run }: Loop, operations: number): Promise<void> {
  const rounds = 12;
  const size = Math.ceil(operations / rounds);
  const handles = process.getActiveResourcesInfo();
  const began = currentTime();
  const samples: number[] = [];
  const listeners = await run(rounds, size, async () => void samples.push(await heapInUse()));
  const took = (currentTime() - began) / 1_000;
  const memory = judge(samples);
  const handlesLeft = process.getActiveResourcesInfo();
  const scopesLeft = taskTree().children.length;

  console.log(`${name}: ${(rounds * size).toLocaleString('en')} ${about}, ${took.toFixed(1)} s`);
  console.log(`  heap       ${mebibytes(memory.before)} MiB, in the end ${mebibytes(memory.after)} MiB`);
  const perMillion = (memory.growth / (rounds - 3) / size) * 1e6;
  console.log(
    `  growth     ${mebibytes(memory.growth)} MiB (${(perMillion / 1024).toFixed(1)} KiB a million)`,
  );
  console.log(
    `  left       ${listeners} listeners, ${scopesLeft} scopes, handles: ${handlesLeft.join(', ') || 'none'}`,
  );
  if (!memory.isFlat) problems.push(`${name}: the heap has grown by ${mebibytes(memory.growth)} MiB`);
  if (listeners !== 0) problems.push(`${name}: ${listeners} listeners are left`);
  if (scopesLeft !== 0) problems.push(`${name}: ${scopesLeft} scopes are left`);
  if (handlesLeft.length > handles.length) {
    problems.push(`${name}: handles before: ${handles.join(', ')}; now: ${handlesLeft.join(', ')}`);
  }
}

async function reportPriceFeed(): Promise<void> {
  const {
    census,
    memory,
    peak,
    published,
    tooSlow,
    resources,
    shutdownMs,
    problems: found,
  } = await soakPriceFeed(seconds);
  const clients = [...census.clients.values()].reduce((sum, n) => sum + n, 0);
  const byKind = [...census.clients].map(([kind, n]) => `${n} ${kind}`).join(', ');
  console.log(`price-feed: ${seconds} s, ${clients.toLocaleString('en')} clients (${byKind})`);
  console.log(
    `  prices     ${published.toLocaleString('en')} published, ${census.prices.toLocaleString('en')} read`,
  );
  console.log(`  cut off    ${tooSlow} that had stalled`);
  console.log(
    `  heap       ${mebibytes(memory.before)} MiB, in the end ${mebibytes(memory.after)} MiB, peak ${mebibytes(peak)} MiB`,
  );
  console.log(`  handles    ${resources.before.join(', ')}; in the end ${resources.after.join(', ')}`);
  console.log(`  shutdown   ${Math.round(shutdownMs)} ms`);
  problems.push(...found.map((problem) => `price-feed: ${problem}`));
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(2);
}

/** What is asked for; a wrong argument ends the program with a message. */
function readArguments(): { only: readonly string[]; count: number | undefined; seconds: number } {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        count: { type: 'string' },
        seconds: { type: 'string', default: '180' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) {
      console.log(USAGE);
      process.exit();
    }
    const chosen = values.only?.flatMap((list) => list.split(',')) ?? names;
    const unknown = chosen.filter((name) => !names.includes(name));
    if (unknown.length > 0) throw new Error(`There is no soak ${unknown.join(', ')}.`);
    return {
      only: chosen,
      count: values.count === undefined ? undefined : wholeNumber('--count', values.count),
      seconds: wholeNumber('--seconds', values.seconds),
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

function wholeNumber(option: string, text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new Error(`${option} takes a whole number from 1, not '${text}'.`);
}
