export type Unit = 'ns' | 'ms' | 'bytes';

const STEPS: Readonly<Record<Unit, readonly (readonly [number, string])[]>> = {
  ns: [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'µs'],
    [1, 'ns'],
  ],
  ms: [
    [1e3, 's'],
    [1, 'ms'],
  ],
  bytes: [
    [1e6, 'MB'],
    [1e3, 'kB'],
    [1, 'bytes'],
  ],
};

/** A quantity with the unit in which it is short: 1,200 ns are 1.2 µs. Two digits that count, or all before the point. */
export function quantity(value: number, unit: Unit): string {
  if (value === 0) return '0';
  const [size, name] = STEPS[unit].find(([each]) => value >= each) ?? STEPS[unit].at(-1)!;
  return `${short(value / size)} ${name}`;
}

/** Two digits that count, or all before the point. */
export function short(value: number): string {
  const digits = Math.max(0, 1 - Math.floor(Math.log10(Math.abs(value))));
  return Number(value.toFixed(digits)).toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** How many times as much. */
export const times = (ratio: number): string => `${short(ratio)} ×`;
