import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import process from 'node:process';

/** Where something was measured, and with which versions. */
export interface Environment {
  readonly runtime: string;
  readonly engine: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  /** Package by package. */
  readonly versions: Readonly<Record<string, string>>;
}

/** @param packages - Those whose versions matter. */
export function environmentOf(packages: readonly string[]): Environment {
  return {
    ...runtime(),
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    versions: Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
  };
}

/** How much runs on the machine: the load of the last minute. */
export const machineLoad = (): number => loadavg()[0] ?? 0;

function runtime(): { runtime: string; engine: string } {
  const { Bun, Deno } = globalThis as {
    Bun?: { version: string };
    Deno?: { version: { deno: string; v8: string } };
  };
  if (Bun !== undefined) return { runtime: `Bun ${Bun.version}`, engine: 'JavaScriptCore' };
  if (Deno !== undefined) return { runtime: `Deno ${Deno.version.deno}`, engine: `V8 ${Deno.version.v8}` };
  return { runtime: `Node.js ${process.versions.node}`, engine: `V8 ${process.versions.v8}` };
}

/** From the package.json that was installed: not every package exports it. */
function versionOf(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
