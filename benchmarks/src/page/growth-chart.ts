import type { Row } from '../measure.js';
import type { Series } from '../report.js';
import { linearScale, logarithmicScale } from './scale.js';
import { curve, dot, drawing, line, text, WIDTH, type Colour } from './svg.js';
import { quantity } from './units.js';

const MARGIN = 14;
const LEFT = 74;
const RIGHT = WIDTH - 44;
const PLOT = 96;

/** A plot for each series: the cost of one, from a thousand of them to a million. */
export function growthChart(title: string, series: readonly Series[]): string {
  const legend = MARGIN + 34;
  const parts = [
    text(MARGIN, MARGIN + 12, title, { classes: 'heading' }),
    dot(MARGIN + 4, legend - 4.5, 'taskscope'),
    text(MARGIN + 14, legend, 'taskscope'),
    dot(MARGIN + 94, legend - 4.5, 'floor'),
    text(MARGIN + 104, legend, 'the floor: bare promises', { classes: 'muted' }),
  ];
  let y = legend + 12;
  for (const each of series) {
    parts.push(...plot(each, y));
    y += PLOT + 62;
  }
  return drawing(y, title, parts);
}

function plot({ title, operation, points }: Series, top: number): string[] {
  const rows = points.flatMap(({ taskscope, floor }) => [taskscope, floor]);
  const vertical = linearScale(rows.map(({ p75 }) => p75));
  const sizes = points.map(({ size }) => size);
  const horizontal = logarithmicScale(sizes);
  const base = top + 26 + PLOT;
  const x = (size: number): number => LEFT + horizontal.place(size) * (RIGHT - LEFT);
  const y = (value: number): number => base - vertical.place(value) * PLOT;
  const drawn = (of: (point: Series['points'][number]) => Row, colour: Colour): string[] => [
    curve(
      points.map((point) => [x(point.size), y(of(point).median)]),
      colour,
    ),
    ...points.flatMap((point) => {
      const { median, p25, p75 } = of(point);
      return [
        line(x(point.size), y(p25), x(point.size), y(p75), 'spread'),
        dot(x(point.size), y(median), colour),
      ];
    }),
  ];
  return [
    text(MARGIN, top + 14, `${title}, per ${operation}`, { classes: 'heading' }),
    ...vertical.ticks.flatMap((tick) => [
      line(LEFT, y(tick), RIGHT, y(tick), 'grid'),
      text(LEFT - 6, y(tick) + 4.5, quantity(tick, 'ns'), { classes: 'muted', anchor: 'end' }),
    ]),
    ...sizes.map((tick) =>
      text(x(tick), base + 18, tick.toLocaleString('en-US'), { classes: 'muted', anchor: 'middle' }),
    ),
    ...drawn(({ floor }) => floor, 'floor'),
    ...drawn(({ taskscope }) => taskscope, 'taskscope'),
  ];
}
