/** Protobuf by hand, for messages that no client library would write. */

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
}

/** A field of bytes: a text, a blob or a message. */
export function field(fieldNumber: number, ...parts: (Uint8Array | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([varint((fieldNumber << 3) | 2), varint(content.length), content]);
}

/** A number, an enum or a flag. */
export function numberField(fieldNumber: number, value: number | bigint): Buffer {
  return Buffer.concat([varint(fieldNumber << 3), varint(value)]);
}

/** An entry of a map of strings. */
export function pair(fieldNumber: number, name: Uint8Array | string, value: Uint8Array | string): Buffer {
  return field(fieldNumber, field(1, name), field(2, value));
}
