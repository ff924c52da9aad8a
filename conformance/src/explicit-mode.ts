/**
 * Which programs can be run in explicit mode, where nothing is ambient. What is not told its scope cannot know its task:
 * programs that ask for that are left out, each for a reason that is stated here.
 *
 * @module
 */
import type { Body, Program, Statement, Trace } from './language.js';

/** Why a program is none for explicit mode; undefined if it is one. */
export function ambientBecause(program: Program): string | undefined {
  const refused = Object.values(program.expected.traces)
    .flat()
    .some(([, kind, op, object, how]) => {
      return kind === 'error' && how === 'RuntimeError' && isHandOver(op) && isLock(program, object);
    });
  if (refused) return 'release() and notify() are told nothing, and so do not notice a stranger';
  return inBody(program, program.main, undefined);
}

/** How many programs of the corpus are left out, for which reason, as docs/runtimes.md shows it. */
export function renderReasons(programs: readonly Program[]): string {
  const counts = new Map<string, number>();
  for (const program of programs) {
    const reason = ambientBecause(program);
    if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const rows = [...counts].toSorted(([, a], [, b]) => b - a);
  return rows.map(([reason, count]) => `| ${count} | ${reason} |`).join('\n');
}

/** What is recorded of a program in explicit mode: `currentEffectiveDeadline()` asks what is ambient, so that is left out. */
export function withoutDeadlines({ traces, ...rest }: Trace): Trace {
  const kept = Object.entries(traces).map(([task, events]) => [
    task,
    events.filter(([, kind]) => kind !== 'deadline'),
  ]);
  return { ...rest, traces: Object.fromEntries(kept) as Trace['traces'] };
}

function isHandOver(op: unknown): boolean {
  return op === 'release' || op === 'notify' || op === 'notify_all';
}

function inBody(program: Program, body: Body, innermost: string | undefined): string | undefined {
  for (const statement of body) {
    const reason = inStatement(program, statement, innermost);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function inStatement(
  program: Program,
  statement: Statement,
  innermost: string | undefined,
): string | undefined {
  switch (statement.op) {
    case 'enter':
      return 'a scope that was made before belongs to where it was made, not to where it is entered';
    case 'start':
      if (statement.group !== innermost) return 'start() knows its group, but not the scope of its caller';
      break;
    case 'acquire_nowait':
    case 'with_nowait':
      if (isLock(program, statement.object))
        return 'acquireNowait() is told nothing, so nobody owns the lock';
      break;
    default:
  }
  for (const part of ['body', 'handler', 'finally'] as const) {
    const body: Body = part in statement ? (statement as { readonly [P in typeof part]: Body })[part] : [];
    const reason = inBody(program, body, innermostIn(statement, innermost));
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function isLock({ objects }: Program, name: unknown): boolean {
  const type = objects[String(name)]?.type;
  return type === 'lock' || type === 'condition';
}

/** The innermost scope around the statements in a statement. */
function innermostIn(statement: Statement, around: string | undefined): string | undefined {
  if (statement.op === 'spawn' || statement.op === 'start') return undefined; // another task
  return 'id' in statement ? statement.id : around;
}
