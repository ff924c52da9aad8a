import { machineLoad, type Environment } from './environment.js';
import type { Effort, Finding, Row } from './measure.js';

/** When, where and how something was measured. */
export interface Circumstances {
  readonly date: string;
  readonly environment: Environment;
  /** How much ran on the machine: see `machineLoad`. */
  readonly load: { readonly before: number; readonly after: number };
  readonly quick: boolean;
}

/** What `pnpm bench` has found out. */
export interface BenchReport extends Circumstances {
  readonly effort: Effort;
  readonly groups: readonly GroupReport[];
}

export interface GroupReport {
  readonly group: string;
  readonly title: string;
  readonly notes: readonly string[];
  readonly findings: readonly Finding[];
}

/** What `pnpm bench:growth` has found out. */
export interface GrowthReport extends Circumstances {
  readonly series: readonly Series[];
}

/** What something costs, depending on how many there are. */
export interface Series {
  readonly name: string;
  readonly title: string;
  /** What the floor does in its place. */
  readonly floor: string;
  readonly operation: string;
  readonly points: readonly { readonly size: number; readonly taskscope: Row; readonly floor: Row }[];
}

/** What `pnpm bench:startup` has found out. */
export interface StartupReport extends Circumstances {
  /** What importing takes, in milliseconds, in a new process each time. */
  readonly imports: readonly Spread[];
  /** What a small program takes, from its start in a new process to its end, in milliseconds. */
  readonly programs: readonly ProgramReport[];
  /** What an entry point takes when everything that it exports is bundled. */
  readonly sizes: readonly { readonly name: string; readonly size: Size }[];
}

/** What `pnpm bench:platform` has found out: what no library can do without. */
export interface PlatformReport extends Circumstances {
  /** Nanoseconds an operation. */
  readonly times: readonly Spread[];
  /** Bytes of something that is pending; empty where that cannot be measured. */
  readonly memory: readonly Spread[];
}

/** What a number was, several times. */
export interface Spread {
  readonly name: string;
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
}

/** The same program, written with different libraries. */
export interface ProgramReport {
  readonly name: string;
  readonly size: Size;
  /** Importing what it needs from node_modules, and running. */
  readonly installed: Omit<Spread, 'name'>;
  /** The same, in one minified file. */
  readonly bundled: Omit<Spread, 'name'>;
}

/** Bytes. */
export interface Size {
  readonly minified: number;
  readonly brotli: number;
}

/** Everything that was measured on one runtime. */
export interface Results {
  readonly bench: BenchReport;
  readonly growth: GrowthReport;
  readonly startup: StartupReport;
  readonly platform: PlatformReport;
}

/** Notes the circumstances at the beginning; the function that it returns tells them at the end. */
export function observe(environment: Environment, quick: boolean): () => Circumstances {
  const date = new Date().toISOString();
  const before = machineLoad();
  return () => ({ date, environment, load: { before, after: machineLoad() }, quick });
}

/** For a file. Five digits are more than were measured. */
export function toJson(report: unknown): string {
  const round = (_key: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
  return `${JSON.stringify(report, round, 2)}\n`;
}
