import type { Environment } from './environment.js';
import type { Finding, Row } from './measure.js';
import type { Circumstances } from './report.js';
import type { Group } from './workload.js';

/** Lines of cells in columns, the first of which is aligned to the left. A line of one cell may be as long as it likes. */
export function alignColumns(lines: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const line of lines) {
    if (line.length === 1) continue;
    for (const [column, cell] of line.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return lines.map((line) =>
    line.length === 1
      ? line[0]!
      : line
          .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
          .join('  ')
          .trimEnd(),
  );
}

/** One group for people: a table per workload. */
export function renderGroup(group: Pick<Group, 'title' | 'notes'>, findings: readonly Finding[]): string {
  const rows = findings.flatMap((finding) => [
    [`\n${finding.workload}, ${finding.unit} per ${finding.operation}`],
    ...finding.rows.map((row) => cells(row)),
  ]);
  const head = ['', 'median', 'p25 – p75', '× taskscope', '× floor'];
  return [`== ${group.title} ==`, ...group.notes, '', ...alignColumns([head, ...rows]), ''].join('\n');
}

function cells({ peer, median, p25, p75, toTaskscope, toFloor }: Row): string[] {
  return [
    `  ${peer}`,
    formatNumber(median),
    `${formatNumber(p25)} – ${formatNumber(p75)}`,
    formatRatio(toTaskscope),
    formatRatio(toFloor),
  ];
}

/** Where it was measured, for people. */
export function renderEnvironment(environment: Environment): string {
  const packages = Object.entries(environment.versions).map(([name, version]) => `${name} ${version}`);
  return `${environmentLine(environment)}\n${packages.join(', ')}\n`;
}

export function environmentLine({ runtime, engine, platform, cpu, cores }: Environment): string {
  return `${runtime} (${engine}), ${platform}, ${cpu}, ${cores} cores`;
}

/** How much ran on the machine, for people. */
export function renderLoad({ load, environment }: Pick<Circumstances, 'load' | 'environment'>): string {
  return `Load of the machine: ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after, on ${environment.cores} cores.`;
}

/** Three digits that count, and commas between thousands. */
export function formatNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

export function formatRatio(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(value >= 10 ? 1 : 2);
}
