export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/**
 * Alternates between the families, beginning with that of the first address, so that a family that does not
 * work costs one delay and not one for each of its addresses (RFC 8305, section 4, with a First Address
 * Family Count of 1). Within a family the order stays.
 */
export function interleave(addresses: readonly Address[]): Address[] {
  const preferred = addresses.filter(({ family }) => family === addresses[0]?.family);
  const others = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const rounds = Math.max(preferred.length, others.length);
  return Array.from({ length: rounds }, (_, i) => [
    ...preferred.slice(i, i + 1),
    ...others.slice(i, i + 1),
  ]).flat();
}
