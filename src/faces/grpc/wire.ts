import { isUtf8 } from 'node:buffer';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { Secret } from '../../secret.js';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A reader that throws on invalid UTF-8, which the default one replaces by U+FFFD (two different encryption contexts
 * could read the same), and that keeps a leading byte order mark (which is part of the text).
 */
export function strictReader(bytes: Uint8Array): BinaryReader {
  return new BinaryReader(bytes, (text) => strictUtf8.decode(text));
}

/**
 * Counts how often each field occurs at the top level of a message. Throws for bytes that are not a message.
 * @param maps field numbers of maps, whose entries are checked too: the generated decoder leaves an entry at a zero tag,
 *   and takes the rest of it for fields of the message
 */
export function countFields(message: Uint8Array, maps: readonly number[] = []): Map<number, number> {
  const counts = new Map<number, number>();
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [fieldNumber, wireType] = reader.tag();
    counts.set(fieldNumber, (counts.get(fieldNumber) ?? 0) + 1);
    if (wireType === WireType.LengthDelimited && maps.includes(fieldNumber)) countFields(reader.bytes());
    else reader.skip(wireType, fieldNumber);
  }
  return counts;
}

/**
 * Takes a secret text out of a message before it is decoded, because a JavaScript string cannot be zeroed: the text's
 * bytes are copied into a `Secret` and overwritten in the message. The last occurrence counts, as protobuf says. Throws
 * for bytes that are not a message and for invalid UTF-8.
 */
export function takeSecretText(message: Uint8Array, secretFieldNumber: number): Secret | undefined {
  let secret: Secret | undefined;
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [fieldNumber, wireType] = reader.tag();
    if (fieldNumber !== secretFieldNumber || wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, fieldNumber);
      continue;
    }
    const text = reader.bytes();
    secret?.destroy();
    if (!isUtf8(text)) throw new TypeError('A secret text is not UTF-8.');
    secret = new Secret(Buffer.from(text));
    text.fill(0);
  }
  return secret;
}
