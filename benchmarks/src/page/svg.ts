/** As much of SVG as charts need. Charts are images of their own, so they bring their background and colours, light and dark. */

/** Wide enough for a page, and still legible on a phone, where it is shown at three quarters. */
export const WIDTH = 480;

const STYLE = `
text { font: 12.5px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1f2328; }
.paper { fill: #ffffff; }
.heading { font-weight: 600; }
.muted { fill: #59636e; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.spread { stroke: #1f2328; stroke-width: 1.25; }
.origin { stroke: #0969da; stroke-width: 3; }
.taskscope { fill: #0969da; stroke: #0969da; }
.floor { fill: #8b949e; stroke: #8b949e; }
.peer { fill: #c3cad1; stroke: #c3cad1; }
polyline.curve { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .paper { fill: #0d1117; }
  .muted { fill: #9198a1; }
  .grid { stroke: #3d444d; }
  .spread { stroke: #f0f6fc; }
  .origin { stroke: #4493f8; }
  .taskscope { fill: #4493f8; stroke: #4493f8; }
  .floor { fill: #7d8590; stroke: #7d8590; }
  .peer { fill: #484f58; stroke: #484f58; }
}`;

export type Colour = 'taskscope' | 'floor' | 'peer';

/** A whole image. */
export function drawing(height: number, description: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${round(height)}" width="${WIDTH}" height="${round(height)}" role="img">
<title>${escape(description)}</title>
<style>${STYLE}
</style>
<rect class="paper" width="100%" height="100%" rx="6"/>
${parts.join('\n')}
</svg>
`;
}

export function text(
  x: number,
  y: number,
  content: string,
  { classes = '', anchor = 'start' }: { classes?: string; anchor?: 'start' | 'middle' | 'end' } = {},
): string {
  const attributes = `${attribute('class', classes)}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}`;
  return `<text x="${round(x)}" y="${round(y)}"${attributes}>${escape(content)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, classes: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${classes}"/>`;
}

export function bar(x1: number, x2: number, y: number, height: number, colour: Colour): string {
  const [left, right] = x1 < x2 ? [x1, x2] : [x2, x1];
  return `<rect x="${round(left)}" y="${round(y)}" width="${round(right - left)}" height="${round(height)}" class="${colour}"/>`;
}

export function curve(points: readonly (readonly [number, number])[], colour: Colour): string {
  const path = points.map(([x, y]) => `${round(x)},${round(y)}`).join(' ');
  return `<polyline points="${path}" class="curve ${colour}"/>`;
}

export function dot(x: number, y: number, colour: Colour): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="3.5" class="${colour}"/>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

const attribute = (name: string, value: string): string => (value === '' ? '' : ` ${name}="${value}"`);

const escape = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
