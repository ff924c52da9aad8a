import type { Peer, ProgramName, Programs, Result, Sleepers } from './programs.js';
import { programs } from './programs.js';
import { native } from './peers/native.js';
import { taskscope } from './peers/taskscope.js';

/** What is measured of a workload: time, the time it takes to cancel sleeping tasks, or the memory they take. */
export type Measure = 'time' | 'cancellation' | 'memory';

/** A program with parameters, and the peers that run it. */
export interface Workload {
  readonly name: string;
  readonly measure: Measure;
  /** What is counted. */
  readonly operation: string;
  readonly operations: number;
  readonly expected: number;
  /** taskscope first, then the floor. */
  readonly contenders: readonly Contender[];
  /** The same, so small that it only shows whether it works. */
  readonly tiny: () => Workload;
}

/** A peer that runs a workload. Either is there. */
export interface Contender {
  readonly peer: Peer;
  readonly run: () => Result<Exclude<ProgramName, 'sleepers'>>;
  readonly sleep: () => Sleepers;
}

/** Workloads that are shown in one table. */
export interface Group {
  /** What to give to `--only`. */
  readonly name: string;
  readonly title: string;
  /** What the reader of the table has to know. */
  readonly notes: readonly string[];
  readonly workloads: readonly Workload[];
}

/** Taskscope and the floor take part in everything; `peers` are the others. */
export function workload<P extends ProgramName>(
  name: string,
  program: P,
  parameters: Programs[P],
  peers: readonly Peer[],
  measure: Measure = program === 'sleepers' ? 'cancellation' : 'time',
): Workload {
  const { operation, operations, expected, tiny } = programs[program];
  return {
    name,
    measure,
    operation,
    operations: operations(parameters),
    expected: expected(parameters),
    contenders: [taskscope, native, ...peers].map((peer) => {
      const start = peer.programs[program];
      if (start === undefined) throw new Error(`${peer.name} has no program "${program}"`);
      const run = (): unknown => start(parameters);
      return { peer, run, sleep: run } as Contender;
    }),
    tiny: () => workload(name, program, tiny(parameters), peers, measure),
  };
}

/** The npm packages that take part. */
export const packagesOf = (contenders: readonly Contender[]): string[] => [
  ...new Set(contenders.flatMap(({ peer }) => peer.packages)),
];
