import type { HoldfastError } from '../../errors.js';
import { invalidField } from '../../keys/invalid-field.js';

/** AWS's encryption context: case-sensitive pairs, whose order means nothing. */
export type EncryptionContext = ReadonlyMap<string, string>;

/** Length of the canonical form. AWS documents none; XKS proxies must accept additional data of 8,192 bytes. */
const maximumCanonicalBytes = 8192;

/**
 * The one byte string of an encryption context: a u16 count, then the pairs sorted by the UTF-8 bytes of their names,
 * each string with a u16 length; all big-endian, no normalisation.
 * @param field the request's field that holds the context, for the violation.
 * @throws VALIDATION for a lone surrogate, which has no UTF-8 form, and for more than 8,192 bytes.
 */
export function canonicalContext(context: EncryptionContext, field = 'encryption_context'): Uint8Array<ArrayBuffer> {
  if (context.size === 0) return Uint8Array.of(0, 0);
  const pairs: { name: Buffer; value: Buffer }[] = [];
  let length = 2;
  for (const [name, value] of context) {
    const pair = { name: utf8(name, field), value: utf8(value, field) };
    length += 4 + pair.name.length + pair.value.length;
    // Checked at every pair: an oversized context costs no more than a legal one, and no length exceeds a u16.
    if (length > maximumCanonicalBytes) throw contextTooLong(field);
    pairs.push(pair);
  }
  pairs.sort((left, right) => Buffer.compare(left.name, right.name));
  const strings = pairs.flatMap(({ name, value }) => [u16(name.length), name, u16(value.length), value]);
  return Uint8Array.from(Buffer.concat([u16(pairs.length), ...strings], length));
}

function contextTooLong(field: string): HoldfastError {
  const message = `The encryption context takes more than ${maximumCanonicalBytes} bytes in its canonical form.`;
  return invalidField(field, message);
}

function utf8(text: string, field: string): Buffer {
  // With the flag u, a surrogate that is half of a pair does not match.
  if (/\p{Surrogate}/u.test(text)) {
    throw invalidField(field, 'A name or value in the encryption context is not valid Unicode.');
  }
  return Buffer.from(text, 'utf8');
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
