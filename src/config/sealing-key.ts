/** Length of a sealing key: AES-256. */
const sealingKeyBytes = 32;

const base64Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * 32 bytes from 64 hex digits or 44 characters of base64 (RFC 4648 §4, padded), or undefined for anything else.
 * Works on bytes: a string of the key could not be zeroed.
 */
export function decodeSealingKey(text: Uint8Array): Uint8Array | undefined {
  if (text.byteLength === sealingKeyBytes * 2) return decode(text, 4, hexValue);
  const padded = text.byteLength === 44 && text[43] === 0x3d;
  return padded ? decode(text.subarray(0, 43), 6, base64Value) : undefined;
}

/** Digits of `width` bits, most significant first; bits at the end that do not fill a byte must be zero. */
function decode(text: Uint8Array, width: number, valueOf: (character: number) => number): Uint8Array | undefined {
  const bytes = new Uint8Array(sealingKeyBytes);
  let [accumulator, bits, index] = [0, 0, 0];
  for (const character of text) {
    const value = valueOf(character);
    if (value < 0) return undefined;
    accumulator = (accumulator << width) | value;
    bits += width;
    if (bits < 8) continue;
    bits -= 8;
    bytes[index++] = accumulator >> bits;
    accumulator &= (1 << bits) - 1;
  }
  return accumulator === 0 ? bytes : undefined;
}

function hexValue(character: number): number {
  return '0123456789abcdef'.indexOf(String.fromCharCode(character).toLowerCase());
}

function base64Value(character: number): number {
  return base64Alphabet.indexOf(String.fromCharCode(character));
}
