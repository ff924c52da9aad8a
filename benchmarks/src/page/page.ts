import { environmentLine } from '../table.js';
import type { Finding, Row } from '../measure.js';
import type { Circumstances, GroupReport, Results, Series, Spread } from '../report.js';
import { barChart, ratioChart, type Bar, type BarGroup } from './bar-chart.js';
import { BARE_SCOPES, FLOOR } from './contenders.js';
import { growthChart } from './growth-chart.js';
import { judge, lostComparisons, marks, type Lost, type Mark } from './marks.js';
import type { Colour } from './svg.js';
import { quantity, short, times } from './units.js';

/** The results of a runtime. */
export interface NamedResults {
  /** `Node.js 24`, for instance. */
  readonly name: string;
  readonly results: Results;
}

/** The page and its charts. */
export interface Page {
  readonly markdown: string;
  /** By file name. */
  readonly charts: ReadonlyMap<string, string>;
}

/** What the summary shows: a workload of each kind, and what it is called there. */
const SUMMARY: readonly { group: string; workload: string; heading: string }[] = [
  { group: 'spawn', workload: '1,000 tasks', heading: 'Spawning and joining a task' },
  { group: 'channel', workload: 'rendezvous, 1 to 1', heading: 'Passing an item, rendezvous' },
  { group: 'channel', workload: 'buffer 100, 1 to 1', heading: 'Passing an item, buffer of 100' },
  { group: 'lock', workload: '100 tasks', heading: 'Taking turns with a lock, 100 tasks' },
  { group: 'timeouts', workload: 'failAfter, work ends at once', heading: 'A timeout that does not strike' },
  { group: 'cancel', workload: '1,000 tasks', heading: 'Cancelling a sleeping task, of 1,000' },
  { group: 'combinators', workload: 'map, 1,000 items, limit 10', heading: 'Mapping an item, 10 at a time' },
];

const FOLDER = 'images/benchmarks';

/**
 * The page about what was measured.
 *
 * @param all - The results of each runtime. The first is shown in full.
 */
export function renderPage(all: readonly NamedResults[]): Page {
  const [{ name, results }] = all as [NamedResults];
  const charts = new Map<string, string>();
  const draw = (file: string, description: string, chart: string): string => {
    charts.set(file, chart);
    return `![${description}](${FOLDER}/${file})`;
  };
  const groups = results.bench.groups.filter(({ findings }) => findings.length > 0);
  const summary = draw(
    'summary.svg',
    'taskscope beside bare promises and other libraries, as ratios',
    summaryChart(results.bench.groups),
  );
  const markdown = `<!-- Written by \`pnpm bench:page\` from benchmarks/results: edit benchmarks/src/page, or measure again. -->

# Benchmarks

What taskscope costs, beside bare promises (the floor: what cannot be cancelled) and other libraries. Every figure on this page was
measured by the commands [at its end](#how-to-repeat-it), on ${name} unless it says otherwise; [how, and why it is
fair](../benchmarks/README.md).
${quickNote(results.bench)}
${summary}

## Marks

What taskscope aims for. Where a mark concerns several workloads, the worst counts. Beside it stands what bare scopes reach on the
same runtime: scopes, waits and cancellation as taskscope has them, written as fast as we know how, and nothing else ([what they
leave out](../benchmarks/README.md#bare-scopes)). A mark that they miss as well is one to which we know no way on that runtime; where
they meet it, what is missing goes into what taskscope does besides.

${marksTable(all)}

${all.map(lostNote).join('\n\n')}

${groups.map((group) => section(group, draw)).join('\n\n')}

## From a thousand to a million

The cost of one, when there are that many at once; a new process for each. The floor becomes dearer, too: a heap of a million
promises does not fit into the caches of the processor, and has to be searched for garbage.

${draw('growth.svg', 'The cost of one task, waiter, timer or subscriber among many', growthChart('Time per operation', results.growth.series))}

${figures(growthTable(results.growth.series))}

${startupSection(results, draw)}
${platformSection(all)}
${otherRuntimes(all)}
## Where it was measured

${table(
  ['', 'Measured', 'Machine', 'Load before and after'],
  all.map(({ name: each, results: { bench } }) => [
    each,
    bench.date.slice(0, 10),
    `${environmentLine(bench.environment)}`,
    `${bench.load.before.toFixed(1)}, ${bench.load.after.toFixed(1)}`,
  ]),
)}

Versions: ${versions(results)}.

## How to repeat it

\`\`\`sh
npm test -- --only build
pnpm bench:all
\`\`\`

This measures on the Node.js that it is started with, in about ten minutes, and writes this page anew. What else there is, is in
[benchmarks](../benchmarks/README.md). Figures in nanoseconds drift from machine to machine; ratios far less.
`;
  return { markdown, charts };
}

type Draw = (file: string, description: string, chart: string) => string;

const quickNote = ({ quick }: Circumstances): string =>
  quick
    ? '\n**The figures come from a quick run with short turns: take them for a first impression.**\n'
    : '';

function summaryChart(groups: readonly GroupReport[]): string {
  const shown = SUMMARY.flatMap(({ group, workload, heading }): BarGroup[] => {
    const finding = groups
      .find((each) => each.group === group)
      ?.findings.find((each) => each.workload === workload);
    if (finding === undefined) return [];
    const [taskscope, floor, ...others] = finding.rows;
    const best = others
      .filter((row) => !isBareScopes(row))
      .toSorted((a, b) => a.toTaskscope - b.toTaskscope)
      .slice(0, 2);
    const rows = [floor!, ...best];
    const bars = rows.map(({ peer, toTaskscope }) => ({
      label: peer,
      colour: colourOf(peer),
      value: toTaskscope,
    }));
    return [{ heading, remark: `taskscope: ${quantity(taskscope!.median, 'ns')}`, bars }];
  });
  return ratioChart(
    'Beside taskscope, the blue line',
    'To the right slower, to the left quicker. Logarithmic scale.',
    shown,
  );
}

function marksTable(all: readonly NamedResults[]): string {
  const verdict = (mark: Mark, results: Results): string => {
    const found = judge(mark, results);
    if (found === undefined) return 'not measured';
    return `${amount(found.worst, mark.unit)}: ${found.isMet ? 'met' : '**not met**'}`;
  };
  const verdictOnBareScopes = (mark: Mark, results: Results): string => {
    const found = judge(mark, results, BARE_SCOPES);
    if (found === undefined) return hasBareScopes(results) ? '–' : 'not measured';
    return `${amount(found.worst, mark.unit)}: ${found.isMet ? 'met' : 'not met'}`;
  };
  return table(
    ['Work', 'Mark', ...all.flatMap(({ name }) => [name, 'bare scopes'])],
    marks.map((mark) => [
      mark.work,
      mark.mark,
      ...all.flatMap(({ results }) => [verdict(mark, results), verdictOnBareScopes(mark, results)]),
    ]),
  );
}

const hasBareScopes = ({ bench }: Results): boolean =>
  bench.groups.some(({ findings }) => findings.some(({ rows }) => rows.some(isBareScopes)));

const isBareScopes = ({ peer }: Row): boolean => peer === BARE_SCOPES;

const amount = (value: number, unit: Mark['unit']): string =>
  unit === 'times' ? times(value) : `${Math.round(value).toLocaleString('en-US')} ${unit}`;

function lostNote({ name, results: { bench } }: NamedResults): string {
  const { of, lost } = lostComparisons(bench);
  const ahead = `On ${name}, taskscope is ahead in ${of - lost.length} of ${of} comparisons with other libraries and with the streams and signals of the platform`;
  if (lost.length === 0) return `${ahead}.`;
  const list = lost.map((each) => `- ${each.comparison}${besides(each)}`).join('\n');
  return `${ahead}.\n\n${folded('Where it is behind', `${BEHIND_NOTE}\n\n${list}`)}`;
}

const BEHIND_NOTE = `In brackets: which of the two floors is behind as well. Where that is the floor of promises alone, what the other does takes
less than promises do; where it is bare scopes, less than waits that can be cancelled.`;

function besides({ floorToo, bareScopesToo }: Lost): string {
  if (bareScopesToo === true)
    return floorToo ? ' (so are the floor and bare scopes)' : ' (so are bare scopes)';
  if (!floorToo) return '';
  return bareScopesToo === false ? ' (so is the floor, but not bare scopes)' : ' (so is the floor)';
}

function section({ group, title, notes, findings }: GroupReport, draw: Draw): string {
  const unit = findings[0]!.unit;
  const operations = new Set(findings.map(({ operation }) => operation));
  const what = operations.size === 1 ? ` per ${[...operations][0]}` : '';
  const chart = barChart(
    `${title}: ${unit === 'ns' ? 'time' : 'bytes'}${what}`,
    unit,
    findings.map((finding) => ({ heading: finding.workload, bars: barsOf(finding) })),
  );
  return [
    `## ${title}`,
    notes.join(' '),
    draw(`${group}.svg`, `${title}: taskscope beside others`, chart),
    figures(findingsTable(findings)),
  ].join('\n\n');
}

function barsOf({ rows }: Finding): Bar[] {
  const [taskscope, floor, ...others] = rows;
  const sorted = others.filter((row) => !isBareScopes(row)).toSorted((a, b) => a.median - b.median);
  return [taskscope!, floor!, ...others.filter(isBareScopes), ...sorted].map(
    ({ peer, median, p25, p75 }) => ({
      label: peer,
      colour: colourOf(peer),
      value: median,
      spread: [p25, p75],
    }),
  );
}

const colourOf = (peer: string): Colour =>
  peer.startsWith('taskscope') || peer.startsWith('@taskscope')
    ? 'taskscope'
    : peer === FLOOR || peer === BARE_SCOPES
      ? 'floor'
      : 'peer';

function findingsTable(findings: readonly Finding[]): string {
  const rows = findings.flatMap(({ workload, unit, rows: contenders }) =>
    contenders.map(({ peer, median, p25, p75, toTaskscope, toFloor }, index) => [
      index === 0 ? workload : '',
      peer,
      quantity(median, unit),
      `${quantity(p25, unit)} – ${quantity(p75, unit)}`,
      times(toTaskscope),
      times(toFloor),
    ]),
  );
  return table(['Workload', '', 'Median', 'Middle half', 'To taskscope', 'To the floor'], rows, 2);
}

function growthTable(series: readonly Series[]): string {
  const sizes = series[0]?.points.map(({ size }) => size) ?? [];
  const rows = series.flatMap(({ title, operation, floor, points }) => [
    [`${title}, per ${operation}`, ...points.map(({ taskscope }) => quantity(taskscope.median, 'ns'))],
    [`the floor: ${floor}`, ...points.map((point) => quantity(point.floor.median, 'ns'))],
  ]);
  return table(['', ...sizes.map((size) => size.toLocaleString('en-US'))], rows, 1);
}

function startupSection({ startup }: Results, draw: Draw): string {
  const { programs, imports, sizes } = startup;
  const spread = ({
    median,
    p25,
    p75,
  }: {
    median: number;
    p25: number;
    p75: number;
  }): Omit<Bar, 'label' | 'colour'> => ({
    value: median,
    spread: [p25, p75],
  });
  const named = (name: string): Pick<Bar, 'label' | 'colour'> => ({ label: name, colour: colourOf(name) });
  const time = barChart('Start-up: time in a new process', 'ms', [
    {
      heading: 'Importing an entry point from node_modules',
      bars: imports.map((each) => ({ ...named(each.name), ...spread(each) })),
    },
    {
      heading: 'A small program, with its packages in node_modules',
      bars: programs.map(({ name, installed }) => ({ ...named(name), ...spread(installed) })),
    },
    {
      heading: 'The same, bundled into one file',
      bars: programs.map(({ name, bundled }) => ({ ...named(name), ...spread(bundled) })),
    },
  ]);
  const space = barChart('Size: minified, and compressed by brotli', 'bytes', [
    {
      heading: 'The small program with all that it needs',
      bars: programs.map(({ name, size }) => ({ ...named(name), value: size.brotli })),
    },
    {
      heading: 'All that an entry point exports',
      bars: sizes.map(({ name, size }) => ({ ...named(name.replace(/,.*/, '')), value: size.brotli })),
    },
  ]);
  const interval = ({ median, p25, p75 }: { median: number; p25: number; p75: number }): string =>
    `${short(median)} ms (${short(p25)} – ${short(p75)})`;
  const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
  return `## Start-up and size

The small program passes 100 items from one task to another through a queue, in a group, under a timeout; its result is checked. Times
are medians, each in a new process whose own start does not count, and the middle half of the turns.

${draw('startup.svg', 'How long importing taskscope and others takes', time)}

${draw('size.svg', 'How large taskscope and others are', space)}

${figures(
  [
    table(
      ['Program', 'From node_modules', 'Bundled', 'Minified', 'Brotli'],
      programs.map(({ name, installed, bundled, size }) => [
        name,
        interval(installed),
        interval(bundled),
        kilobytes(size.minified),
        kilobytes(size.brotli),
      ]),
      1,
    ),
    table(
      ['Import', 'Time'],
      imports.map((each) => [each.name, interval(each)]),
      1,
    ),
    table(
      ['All of an entry point, for browsers', 'Minified', 'Brotli'],
      sizes.map(({ name, size }) => [name, kilobytes(size.minified), kilobytes(size.brotli)]),
      1,
    ),
  ].join('\n\n'),
)}
`;
}

function platformSection(all: readonly NamedResults[]): string {
  const { times: first, memory } = all[0]!.results.platform;
  const cell = (spreads: readonly Spread[], name: string, unit: 'ns' | 'bytes'): string => {
    const spread = spreads.find((each) => each.name === name);
    return spread === undefined ? 'not measured' : quantity(spread.median, unit);
  };
  return `## What the platform takes

What neither taskscope nor bare scopes can do without, in a context that holds one value:

- **A task and a scope each enter a context**, once: so do \`spawn\`, \`all\`, timeouts, and a limiter, whose \`run()\` has to know whether it is
  called inside of itself. p-limit does not look; an AbortController with a timer neither waits nor knows who is inside. Node.js 24 and
  later copy the context for that: \`AsyncLocalStorage.run()\` does so twice, a resource that comes back once, and so does \`enterWith()\` in
  a microtask of its own, which is how a task begins.
- **A wait looks the context up**, to know what can cancel it: so does each send and each receive, beside a channel that cannot be cancelled.
- **What a lock or a semaphore gives is an object** that gives back once and no more, and a promise made for an object costs more than one
  that is there. async-sema gives everybody the same token, knows no owner, and cannot be cancelled.
- **A sleeping task is an async function in a context of its own**, before the task, its scope and the wait are added.

And what explains the rest:

- **Cancelling many** makes garbage of all that they hold at once. The call that cancels makes one error for all of them; each one's own
  \`cancel()\` takes a stack, so that one can see who did it.
- **rxjs** calls its subscribers, and buffers nothing for them.

${table(
  ['', ...all.map(({ name }) => name)],
  [
    ...first.map(({ name }) => [name, ...all.map(({ results }) => cell(results.platform.times, name, 'ns'))]),
    ...memory.map(({ name }) => [
      name,
      ...all.map(({ results }) => cell(results.platform.memory, name, 'bytes')),
    ]),
  ],
  1,
)}
`;
}

/** What taskscope costs on each runtime; nothing if there is only one. */
function otherRuntimes(all: readonly NamedResults[]): string {
  if (all.length === 1) return '';
  const cell = ({ results }: NamedResults, group: string, workload: string): string => {
    const finding = results.bench.groups
      .find((each) => each.group === group)
      ?.findings.find((each) => each.workload === workload);
    if (finding === undefined) return 'not measured';
    return `${quantity(finding.rows[0]!.median, finding.unit)} (${times(finding.rows[0]!.toFloor)})`;
  };
  const groups = all[0]!.results.bench.groups;
  return `
## Other runtimes

What an operation of taskscope takes, and how many times as much as the floor on the same runtime.

${figures(
  table(
    ['Group', 'Workload', ...all.map(({ name }) => name)],
    groups.flatMap(({ group, title, findings }) =>
      findings.map(({ workload }, index) => [
        index === 0 ? title : '',
        workload,
        ...all.map((each) => cell(each, group, workload)),
      ]),
    ),
    2,
  ),
)}
`;
}

function versions({ bench, startup }: Results): string {
  const all = { ...startup.environment.versions, ...bench.environment.versions };
  return Object.entries(all)
    .filter(([name]) => !name.startsWith('@taskscope/'))
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}

/** Folded away: the charts show it. */
const figures = (content: string): string => folded('In figures', content);

const folded = (summary: string, content: string): string =>
  `<details>\n<summary>${summary}</summary>\n\n${content}\n\n</details>`;

/** @param texts - How many columns are text; the others are numbers, aligned to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[], texts = head.length): string {
  const cells = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  const rule = head.map((_, column) => (column < texts ? '---' : '---:'));
  return [head, rule, ...rows].map(cells).join('\n');
}
