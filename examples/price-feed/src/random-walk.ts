/**
 * Made-up prices: a geometric random walk for each symbol.
 *
 * Time advances in slots of 10 ms. In each slot there is a tick with a probability of 1/6, of a symbol that
 * is drawn evenly; its price is multiplied by 1 + volatility × z, where z is the sum of twelve uniform
 * numbers less six: nearly normal, with a deviation of 1. Nothing but addition and multiplication is used,
 * which are exact everywhere, whereas engines differ in the last digit of Math.log. So a seed gives the
 * same file on every machine.
 */

/** What begins at which price, and how much a tick moves it. */
const SYMBOLS = [
  { symbol: 'COCOA', price: 84.2, volatility: 0.0022 },
  { symbol: 'COFFEE', price: 31.75, volatility: 0.0018 },
  { symbol: 'COTTON', price: 67.4, volatility: 0.0009 },
  { symbol: 'PEPPER', price: 112.9, volatility: 0.0014 },
  { symbol: 'RICE', price: 15.6, volatility: 0.0011 },
  { symbol: 'SUGAR', price: 22.35, volatility: 0.0016 },
  { symbol: 'TEA', price: 48.1, volatility: 0.0012 },
  { symbol: 'WHEAT', price: 58.85, volatility: 0.0013 },
] as const;

const SLOT_MS = 10;
const TICKS_PER_SLOT = 1 / 6;

export interface Walk {
  readonly seed: number;
  readonly rows: number;
}

/** What data/ticks.csv was made with. */
export const COMMITTED: Walk = { seed: 20_260_401, rows: 4_000 };

/** The file as text: a line for each tick, with the milliseconds since the beginning. */
export function generateTicks({ seed, rows }: Walk): string {
  const random = mulberry32(seed);
  const prices: number[] = SYMBOLS.map(({ price }) => price);
  const lines = ['time_ms,symbol,price'];
  for (let slot = 0; lines.length <= rows; slot++) {
    if (random() >= TICKS_PER_SLOT) continue;
    const index = Math.floor(random() * SYMBOLS.length);
    const { symbol, volatility } = SYMBOLS[index]!;
    prices[index]! *= 1 + volatility * nearlyNormal(random);
    lines.push(`${slot * SLOT_MS},${symbol},${prices[index]!.toFixed(2)}`);
  }
  return `${lines.join('\n')}\n`;
}

function nearlyNormal(random: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
}

/** Numbers from 0 up to 1. The generator is known as Mulberry32. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
