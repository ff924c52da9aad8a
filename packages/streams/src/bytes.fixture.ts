/** Bytes in tests are written as text. */

const encoder = new TextEncoder();

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of bytes, each byte a character. */
export function textOf(chunk: Uint8Array): string {
  return String.fromCharCode(...chunk);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
