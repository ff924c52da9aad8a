import { logarithmicScale, scaleFor, type Scale } from './scale.js';
import { bar, drawing, line, text, WIDTH, type Colour } from './svg.js';
import { quantity, times, type Unit } from './units.js';

export interface Bar {
  readonly label: string;
  readonly colour: Colour;
  readonly value: number;
  /** The quartiles, if there was more than one measurement. */
  readonly spread?: readonly [number, number];
}

/** Bars that belong together, below a heading. */
export interface BarGroup {
  readonly heading: string;
  /** Beside the heading. */
  readonly remark?: string;
  readonly bars: readonly Bar[];
}

const MARGIN = 14;
const ROW = 19;
const LEFT = 154;
const RIGHT = WIDTH - 84;

/** Horizontal bars on one axis; a bracket at the end of a bar is its spread. */
export function barChart(title: string, unit: Unit, groups: readonly BarGroup[]): string {
  const values = groups.flatMap(({ bars }) =>
    bars.flatMap(({ value, spread }) => [value, ...(spread ?? [])]),
  );
  const hasSpread = groups.some(({ bars }) => bars.some(({ spread }) => spread !== undefined));
  const scale = scaleFor(values);
  return drawBars({
    title,
    note: [
      ...(scale.isLogarithmic ? ['Logarithmic scale.'] : []),
      ...(hasSpread ? ['Brackets: the middle half of the samples.'] : []),
    ].join(' '),
    groups,
    scale,
    origin: scale.first,
    format: (value) => quantity(value, unit),
  });
}

/** Bars that begin at taskscope, which is 1: what is slower points to the right, what is quicker to the left. */
export function ratioChart(title: string, note: string, groups: readonly BarGroup[]): string {
  const ratios = groups.flatMap(({ bars }) => bars.map(({ value }) => value));
  return drawBars({ title, note, groups, scale: logarithmicScale([...ratios, 1]), origin: 1, format: times });
}

interface Drawing {
  readonly title: string;
  readonly note: string;
  readonly groups: readonly BarGroup[];
  readonly scale: Scale;
  /** Where bars begin. */
  readonly origin: number;
  readonly format: (value: number) => string;
}

function drawBars({ title, note, groups, scale, origin, format }: Drawing): string {
  const parts = [text(MARGIN, MARGIN + 12, title, { classes: 'heading' })];
  const x = (value: number): number => LEFT + scale.place(value) * (RIGHT - LEFT);
  const drawTicks = (y: number): void => {
    for (const tick of scale.ticks) {
      parts.push(text(x(tick), y, format(tick), { classes: 'muted', anchor: 'middle' }));
    }
  };
  let y = MARGIN + 12;
  if (note !== '') {
    y += 18;
    parts.push(text(MARGIN, y, note, { classes: 'muted' }));
  }
  y += 24;
  drawTicks(y);
  y += 8;
  for (const { heading, remark, bars } of groups) {
    y += 16;
    parts.push(text(MARGIN, y, heading, { classes: 'heading' }));
    if (remark !== undefined) {
      parts.push(text(WIDTH - MARGIN, y, remark, { classes: 'muted', anchor: 'end' }));
    }
    y += 6;
    for (const tick of scale.ticks) parts.push(line(x(tick), y, x(tick), y + bars.length * ROW, 'grid'));
    for (const { label, colour, value, spread } of bars) {
      const middle = y + ROW / 2;
      parts.push(text(MARGIN, middle + 4.5, label));
      parts.push(bar(x(origin), x(value), y + 3, ROW - 6, colour));
      if (spread !== undefined) parts.push(...bracket(x(spread[0]), x(spread[1]), middle));
      parts.push(text(WIDTH - MARGIN, middle + 4.5, format(value), { anchor: 'end' }));
      y += ROW;
    }
    if (origin !== scale.first) {
      parts.push(line(x(origin), y - bars.length * ROW, x(origin), y, 'origin'));
    }
    y += 8;
  }
  y += 12;
  drawTicks(y);
  return drawing(y + MARGIN, title, parts);
}

const bracket = (from: number, to: number, y: number): string[] => [
  line(from, y, to, y, 'spread'),
  line(from, y - 3, from, y + 3, 'spread'),
  line(to, y - 3, to, y + 3, 'spread'),
];
