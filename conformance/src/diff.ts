/**
 * Traces compared line by line, task by task.
 *
 * @module
 */
import type { Trace } from './language.js';

const contextLines = 3;

/** The differences for a person to read; no lines if there are none. `-` is what is expected, `+` what came. */
export function diffTraces(expected: Trace, got: Trace): string[] {
  const lines: string[] = [];
  for (const field of ['outcome', 'end'] as const) {
    const [want, have] = [asText(expected[field]), asText(got[field])];
    if (want !== have) lines.push(`${field}:`, `  - ${want}`, `  + ${have}`);
  }
  for (const task of new Set([...Object.keys(expected.traces), ...Object.keys(got.traces)])) {
    const [want, have] = [expected.traces[task], got.traces[task]];
    const edits = diffLines((want ?? []).map(asText), (have ?? []).map(asText));
    if (edits.every(isSame) && want && have) continue;
    const remark = want === undefined ? ' (should not have run)' : have === undefined ? ' (did not run)' : '';
    lines.push(`task ${task}${remark}:`, ...withContext(edits));
  }
  return lines;
}

/** JSON with the keys of objects in order. */
function asText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

type Edit = readonly [mark: ' ' | '-' | '+', line: string];

function isSame([mark]: Edit): boolean {
  return mark === ' ';
}

/** The fewest edits that lead from one list of lines to the other (longest common subsequence). */
export function diffLines(from: readonly string[], to: readonly string[]): Edit[] {
  // common[i][j]: how many lines from.slice(i) and to.slice(j) have in common
  const common = Array.from({ length: from.length + 1 }, () => new Array<number>(to.length + 1).fill(0));
  for (let i = from.length - 1; i >= 0; i--) {
    for (let j = to.length - 1; j >= 0; j--) {
      common[i]![j] =
        from[i] === to[j] ? 1 + common[i + 1]![j + 1]! : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    if (i < from.length && from[i] === to[j]) {
      edits.push([' ', from[i]!]);
      [i, j] = [i + 1, j + 1];
    } else if (j === to.length || (i < from.length && common[i + 1]![j]! >= common[i]![j + 1]!)) {
      edits.push(['-', from[i++]!]);
    } else {
      edits.push(['+', to[j++]!]);
    }
  }
  return edits;
}

/** The edits with a few unchanged lines around them. */
function withContext(edits: readonly Edit[]): string[] {
  const lines: string[] = [];
  let skipping = false;
  edits.forEach(([mark, line], index) => {
    const near = edits.slice(Math.max(0, index - contextLines), index + contextLines + 1);
    if (near.every(isSame)) {
      if (!skipping) lines.push('    ...');
      skipping = true;
    } else {
      lines.push(`  ${mark} ${line}`);
      skipping = false;
    }
  });
  return lines;
}
