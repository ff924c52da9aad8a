import { Bench } from 'tinybench';

import { cancelOnce, runOnce } from './check.js';
import { canCollectGarbage, collectGarbage, heapUsed } from './heap.js';
import { median, medianRatio, pooled, quantile } from './statistics.js';
import type { Contender, Workload } from './workload.js';

/** How thoroughly to measure. */
export interface Effort {
  /** How often each contender gets its turn. */
  readonly runs: number;
  /** Milliseconds of a turn. */
  readonly time: number;
  /** Milliseconds before each turn, for the compiler; 0: none. */
  readonly warmup: number;
}

/** What was found out about one contender: nanoseconds an operation, or bytes. */
export interface Row {
  readonly peer: string;
  /** Median and quartiles of the samples of all turns, each of which counts the same. */
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
  /** The median of the quickest turn. */
  readonly min: number;
  /** How often the workload was run. */
  readonly samples: number;
  /** The median of each turn. */
  readonly rounds: readonly number[];
  /** Times as much as taskscope, and as the floor: the median over the turns. */
  readonly toTaskscope: number;
  readonly toFloor: number;
}

/** What was found out about a workload. */
export interface Finding {
  readonly workload: string;
  readonly operation: string;
  readonly unit: 'ns' | 'bytes';
  readonly operations: number;
  /** taskscope first, then the floor. */
  readonly rows: readonly Row[];
}

/**
 * Lets the contenders take turns, so that what goes on beside on the machine meets all of them; each turn begins with
 * another one. Undefined if this cannot be measured here.
 *
 * @throws What a contender fails with, `WrongResult` for instance.
 */
export async function measure(workload: Workload, effort: Effort): Promise<Finding | undefined> {
  const { contenders } = workload;
  if (workload.measure === 'memory' && !canCollectGarbage) return undefined;
  const turns = contenders.map((): number[][] => []);
  for (let round = 0; round < effort.runs; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const index = (i + round) % contenders.length;
      turns[index]!.push(await takeTurn(workload, contenders[index]!, effort));
    }
  }
  const medians = turns.map((samples) => samples.map(median));
  return {
    workload: workload.name,
    operation: workload.operation,
    unit: workload.measure === 'memory' ? 'bytes' : 'ns',
    operations: workload.operations,
    rows: contenders.map(({ peer }, index) => {
      const rounds = medians[index]!;
      const pool = pooled(turns[index]!);
      return {
        peer: peer.name,
        median: median(pool),
        p25: quantile(pool, 0.25),
        p75: quantile(pool, 0.75),
        min: Math.min(...rounds),
        samples: turns[index]!.flat().length,
        rounds,
        toTaskscope: medianRatio(rounds, medians[0]!),
        toFloor: medianRatio(rounds, medians[1]!),
      };
    }),
  };
}

/** One turn: nanoseconds or bytes an operation, for each time that the workload was run. */
export async function takeTurn(workload: Workload, contender: Contender, effort: Effort): Promise<number[]> {
  return workload.measure === 'memory' ? weigh(workload, contender) : time(workload, contender, effort);
}

async function time(workload: Workload, contender: Contender, effort: Effort): Promise<number[]> {
  // So that nobody pays for the garbage of others. Code that was compiled for objects of which there is none just now is
  // thrown away with it, so each turn has to warm up anew.
  collectGarbage();
  const bench = new Bench({
    time: effort.time,
    iterations: 1,
    warmup: effort.warmup > 0,
    warmupTime: effort.warmup,
    warmupIterations: 1,
    retainSamples: true,
    throws: true,
  });
  const once = async (): Promise<unknown> => {
    const begun = bench.now();
    const elapsed = await runOnce(workload, contender);
    // What was measured, and what it cost to measure it.
    if (elapsed === undefined) return undefined;
    return { overriddenDuration: elapsed, overriddenIterationCost: bench.now() - begun };
  };
  bench.add(contender.peer.name, once, { async: true });
  const [task] = await bench.run();
  const result = task?.result;
  if (result === undefined || !('latency' in result) || result.latency.samples === undefined) {
    throw new Error(`${contender.peer.name} was not measured: ${result?.state}`);
  }
  return result.latency.samples.map((milliseconds) => (milliseconds * 1e6) / workload.operations);
}

async function weigh(workload: Workload, contender: Contender): Promise<number[]> {
  // What is only there once, and compiled code, is no part of a task.
  await cancelOnce(workload, contender);
  const before = await heapUsed();
  let after = before;
  await cancelOnce(workload, contender, async () => {
    after = await heapUsed();
  });
  return [(after - before) / workload.operations];
}
