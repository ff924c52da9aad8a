import type { Environment } from './environment.js';
import type { Finding, Row } from './measure.js';
import type { Group } from './workload.js';

/** One group for people: a table per workload. */
export function renderGroup(group: Pick<Group, 'title' | 'notes'>, findings: readonly Finding[]): string {
  const rows = findings.flatMap((finding) => [
    [`${finding.workload}, ${finding.unit} per ${finding.operation}`],
    ...finding.rows.map((row) => cells(row)),
  ]);
  const head = ['', 'median', 'p25 – p75', '× taskscope', '× floor'];
  const widths = head.map((title, column) =>
    Math.max(
      title.length,
      // A line with a title only may be as long as it likes.
      ...rows.filter(({ length }) => length > 1).map((row) => row[column]!.length),
    ),
  );
  const line = (row: readonly string[]): string =>
    row.length === 1
      ? `\n${row[0]}`
      : row
          .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
          .join('  ')
          .trimEnd();
  return [`== ${group.title} ==`, ...group.notes, '', line(head), ...rows.map(line), ''].join('\n');
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
export function renderEnvironment({ runtime, engine, platform, cpu, cores, versions }: Environment): string {
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${runtime} (${engine}), ${platform}, ${cpu}, ${cores} cores\n${packages.join(', ')}\n`;
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
