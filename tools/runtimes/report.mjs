// What came out, for a terminal and for docs/runtimes.md.

/** @typedef {import('./application.mjs').Program} Program */
/** @typedef {import('./application.mjs').Mode} Mode */
/** @typedef {{ readonly mode: Mode, readonly title: string, readonly programs: readonly Program[] }} Column */
/**
 * @typedef {object} Report of one runtime
 * @property {string} label
 * @property {string} version
 * @property {number} passed
 * @property {{ name: string, error: string | undefined }[]} failures
 * @property {Map<Column, { passed: number, failed: number }>} counts
 * @property {number} seconds
 */

/** @type {readonly Column[]} */
export const columns = [
  { mode: 'ambient', title: 'smoke', programs: ['smoke'] },
  { mode: 'ambient', title: 'traces', programs: ['traces'] },
  { mode: 'ambient', title: 'callbacks', programs: ['context-probes'] },
  { mode: 'explicit', title: 'smoke, explicit', programs: ['smoke', 'explicit-mode'] },
  { mode: 'explicit', title: 'traces, explicit', programs: ['traces'] },
];

const HEAD = ['runtime', 'version', ...columns.map(({ title }) => title)];
const BEGIN = '<!-- written by `pnpm test:runtimes --write` -->';
const END = '<!-- end -->';

/**
 * @param {Report} report
 * @returns {string[]}
 */
function cells({ label, version, counts }) {
  const figures = columns.map((column) => {
    const count = counts.get(column);
    if (count === undefined) return '–';
    const { passed, failed } = count;
    return failed === 0 ? format(passed) : `${format(passed)} of ${format(passed + failed)}`;
  });
  return [label, version, ...figures];
}

/** @param {number} n */
function format(n) {
  return n.toLocaleString('en');
}

/** @param {readonly Report[]} reports */
export function renderTable(reports) {
  const rows = [HEAD, HEAD.map(() => '---'), ...reports.map(cells)];
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** @param {readonly Report[]} reports */
export function renderTerminalTable(reports) {
  const rows = [
    [...HEAD, 'time'],
    ...reports.map((report) => [...cells(report), `${report.seconds.toFixed(1)} s`]),
  ];
  const widths = HEAD.concat('time').map((_title, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * The page with another table between its marks.
 *
 * @param {string} text
 * @param {string} table
 */
export function replaceTable(text, table) {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`docs/runtimes.md must have ${BEGIN} and ${END} in it.`);
  return `${text.slice(0, begin)}${BEGIN}\n\n${table}\n\n${text.slice(end)}`;
}
