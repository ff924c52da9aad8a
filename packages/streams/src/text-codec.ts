/** Between text and bytes. */

import { describe } from '@taskscope/core/lowlevel';

/** What to do with what cannot be decoded or encoded. */
export type TextErrors = 'strict' | 'replace';

/** Makes text of bytes that come in pieces. */
export interface Decoder {
  /**
   * The text of the next bytes, as far as it is complete; without bytes, the rest. Throws a TypeError when
   * they are no text.
   */
  decode(bytes?: Uint8Array): string;
}

/** Makes bytes of a text. Throws a TypeError when it cannot be encoded. */
export type Encode = (text: string) => Uint8Array<ArrayBuffer>;

/**
 * What is said to be Latin-1 is Latin-1 here: each byte is the code point of the same number.
 * `TextDecoder`, by the rules of the web, would take Windows-1252 for it.
 */
const LATIN1 = /^(latin1|iso-?8859-1)$/;

export function createDecoder(where: string, encoding: string, errors: TextErrors): Decoder {
  if (LATIN1.test(encoding.toLowerCase())) return { decode: latin1 };
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(encoding, { fatal: errors === 'strict' });
  } catch (error) {
    throw new RangeError(
      `${where}: options.encoding must be one that TextDecoder knows, got ${describe(encoding)}`,
      { cause: error },
    );
  }
  return {
    decode(bytes) {
      try {
        return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
      } catch (error) {
        const what =
          bytes === undefined
            ? 'the stream ended in the middle of a character'
            : `what was received is no ${decoder.encoding} text`;
        throw new TypeError(`${what}. With errors: 'replace' it is read as U+FFFD`, { cause: error });
      }
    },
  };
}

export function createEncoder(where: string, encoding: string, errors: TextErrors): Encode {
  const label = encoding.toLowerCase();
  const isStrict = errors === 'strict';
  if (label === 'utf-8' || label === 'utf8') {
    const encoder = new TextEncoder();
    return (text) => {
      // TextEncoder replaces what it cannot encode.
      if (isStrict) checkWellFormed(text);
      return encoder.encode(text);
    };
  }
  if (label === 'utf-16le') {
    return (text) => {
      if (isStrict) checkWellFormed(text);
      return utf16le(isStrict ? text : text.replaceAll(SURROGATE, '\u{FFFD}'));
    };
  }
  if (LATIN1.test(label)) {
    return (text) => {
      if (isStrict) checkLatin1(text);
      // Characters are replaced, of which some have two units.
      return bytesOf(isStrict ? text : text.replaceAll(BEYOND_LATIN1, '?'));
    };
  }
  throw new RangeError(
    `${where}: options.encoding must be utf-8, utf-16le or latin1 to send, got ${describe(encoding)}`,
  );
}

/** Only half of a character: in a text that is well formed each of these has its other half, and does not match. */
const SURROGATE = /\p{Surrogate}/gu;
const BEYOND_LATIN1 = /[\u{100}-\u{10FFFF}]/gu;

function checkWellFormed(text: string): void {
  const at = text.search(SURROGATE);
  if (at === -1) return;
  throw new TypeError(
    `the text cannot be encoded: at ${at} it has half of a surrogate pair. With errors: 'replace' it is sent as U+FFFD`,
  );
}

function checkLatin1(text: string): void {
  const at = text.search(BEYOND_LATIN1);
  if (at === -1) return;
  const character = String.fromCodePoint(text.codePointAt(at)!);
  throw new TypeError(
    `the text cannot be encoded: at ${at} it has ${describe(character)}, which is not in Latin-1. With errors: 'replace' it is sent as ?`,
  );
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

function utf16le(text: string): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(2 * text.length));
  for (let index = 0; index < text.length; index++) view.setUint16(2 * index, text.charCodeAt(index), true);
  return new Uint8Array(view.buffer);
}

/** As many arguments as every engine takes in one call. */
const MOST_ARGUMENTS = 8_192;

function latin1(bytes: Uint8Array = new Uint8Array(0)): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += MOST_ARGUMENTS) {
    text += String.fromCharCode(...bytes.subarray(at, at + MOST_ARGUMENTS));
  }
  return text;
}
