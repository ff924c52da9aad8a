/** The file of ticks. */

export interface Tick {
  /** Milliseconds since the beginning of the file. */
  readonly time: number;
  readonly symbol: string;
  readonly price: number;
}

const HEADER = 'time_ms,symbol,price';

/**
 * @throws Error that names the line, when one is not as it should be.
 */
export function parseTicks(csv: string): Tick[] {
  const [header, ...lines] = csv.trimEnd().split(/\r?\n/);
  if (header !== HEADER) throw new Error(`line 1 must be ${HEADER}`);
  if (lines.length === 0) throw new Error('there are no ticks in it');
  const ticks: Tick[] = [];
  for (const [index, line] of lines.entries()) {
    const tick = parseLine(line, ticks.at(-1)?.time ?? 0);
    if (tick === undefined) {
      throw new Error(`line ${index + 2} must be a time (not before the last one), a symbol and a price`);
    }
    ticks.push(tick);
  }
  return ticks;
}

function parseLine(line: string, earliest: number): Tick | undefined {
  const match = /^(\d+(?:\.\d+)?),([A-Z0-9.-]{1,12}),(\d+(?:\.\d+)?)$/.exec(line);
  if (match === null) return undefined;
  const tick = { time: Number(match[1]), symbol: match[2]!, price: Number(match[3]) };
  return tick.time >= earliest && tick.price > 0 ? tick : undefined;
}
