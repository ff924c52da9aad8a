/** What is printed at the end. */

import { relative } from 'node:path';
import type { DuplicateSet, Findings, UnreadableFile } from './findings.js';
import { formatBytes, formatCount, formatDuration } from './format.js';

export interface RunSummary {
  readonly root: string;
  /** False when the run was interrupted. */
  readonly complete: boolean;
  readonly elapsed: number;
}

const PATHS_PER_SET = 3;
const UNREADABLE_SHOWN = 5;

/** For programs. Paths are relative to the root. */
export function jsonReport(findings: Findings, { root, complete, elapsed }: RunSummary): string {
  const local = (path: string): string => relative(root, path);
  const report = {
    root,
    complete,
    elapsedMs: Math.round(elapsed),
    files: findings.files,
    bytes: findings.bytes,
    hardLinks: findings.hardLinks,
    hashedFiles: findings.hashed,
    hashedBytes: findings.hashedBytes,
    duplicates: findings.duplicates,
    wastedBytes: findings.wasted,
    sets: findings.sets().map((set) => ({ ...set, paths: set.paths.map(local) })),
    unreadable: findings.unreadable().map(({ path, reason }) => ({ path: local(path), reason })),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/**
 * For people. `columns` is the width of their terminal; undefined or 0 when that is not known, and nothing
 * has to be shortened.
 */
export function textReport(
  findings: Findings,
  summary: RunSummary,
  { top, columns }: { top: number; columns: number | undefined },
): string {
  const { root, complete, elapsed } = summary;
  const sets = findings.sets();
  const show = (path: string, indent: number): string =>
    shorten(printable(relative(root, path) || '.'), (columns || Infinity) - indent);

  const lines = [`Duplicates below ${printable(root)}`, ''];
  if (!complete) lines.push('INCOMPLETE: interrupted, so this is only what was found so far.', '');
  if (sets.length > 0) lines.push(...table(sets, top, show), '');
  lines.push(...totals(findings, sets.length, elapsed));
  lines.push(...unreadableFiles(findings.unreadable(), show));
  return `${lines.join('\n')}\n`;
}

type Show = (path: string, indent: number) => string;

function table(sets: readonly DuplicateSet[], top: number, show: Show): string[] {
  const shown = sets.slice(0, top);
  const rows = [
    ['wasted', 'copies', 'size'],
    ...shown.map((set) => [formatBytes(set.wasted), formatCount(set.paths.length), formatBytes(set.size)]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const [head, ...numbers] = rows.map((row) =>
    row.map((cell, i) => `${cell.padStart(widths[i]!)}  `).join(''),
  );
  const indent = head!.length;

  const lines = [`${head}files`];
  for (const [index, { paths }] of shown.entries()) {
    // One line more is as long as saying that there is one more.
    const count = paths.length === PATHS_PER_SET + 1 ? paths.length : PATHS_PER_SET;
    const column = paths.slice(0, count).map((path) => show(path, indent));
    if (paths.length > count) column.push(`and ${formatCount(paths.length - count)} more`);
    lines.push(...column.map((text, line) => (line === 0 ? numbers[index]! : ' '.repeat(indent)) + text));
  }

  const rest = sets.slice(top);
  if (rest.length > 0) {
    const wasted = formatBytes(rest.reduce((sum, set) => sum + set.wasted, 0));
    lines.push(
      `${wasted.padStart(widths[0]!)}  in ${formatCount(rest.length, 'more set')} (see --top and --json)`,
    );
  }
  return lines;
}

function totals(findings: Findings, sets: number, elapsed: number): string[] {
  const { files, bytes, hashed, hashedBytes, duplicates, wasted, hardLinks } = findings;
  const found = `${formatCount(files, 'file')} with ${formatBytes(bytes)}`;
  const read = `${formatCount(hashed)} of them with ${formatBytes(hashedBytes)} had to be read`;
  const lines = [`${found}; ${read}. ${formatDuration(elapsed)}.`];
  if (duplicates === 0) {
    lines.push('No duplicates.');
  } else {
    const where = `${formatCount(duplicates, 'duplicate')} in ${formatCount(sets, 'set')}`;
    lines.push(`${where}: ${formatBytes(wasted)} wasted.`);
  }
  if (hardLinks > 0) {
    lines.push(`${formatCount(hardLinks, 'hard link')} to files that were counted: nothing wasted.`);
  }
  return lines;
}

function unreadableFiles(unreadable: readonly UnreadableFile[], show: Show): string[] {
  if (unreadable.length === 0) return [];
  const lines = [`${formatCount(unreadable.length)} could not be read:`];
  for (const { path, reason } of unreadable.slice(0, UNREADABLE_SHOWN)) {
    lines.push(`  ${show(path, reason.length + 4)}: ${reason}`);
  }
  const more = unreadable.length - UNREADABLE_SHOWN;
  if (more > 0) lines.push(`  and ${formatCount(more)} more`);
  return lines;
}

/** File names may contain anything, also what would make a terminal do strange things. */
function printable(path: string): string {
  return path.replaceAll(/\p{Control}/gu, '\uFFFD');
}

/** The end of a path says more than its beginning. */
function shorten(path: string, width: number): string {
  const shown = Math.max(width, 20);
  return path.length <= shown ? path : `…${path.slice(path.length - (shown - 1))}`;
}
