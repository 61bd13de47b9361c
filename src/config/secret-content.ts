/**
 * Rules for the bytes of a secret. A PIN that is probably a mistake is refused before it costs one of the token's few
 * tries. No message contains any part of the secret, not even its length.
 */

const byteOrderMark = [0xef, 0xbb, 0xbf];
const [tab, lineFeed, carriageReturn, space, deletion] = [0x09, 0x0a, 0x0d, 0x20, 0x7f];

/**
 * Why these bytes are probably not a PIN; undefined if they may be one. PINs are UTF-8 (PKCS#11 v2.40 §2, CK_UTF8CHAR).
 */
export function pinProblem(bytes: Uint8Array, maximumLength: number): string | undefined {
  if (byteOrderMark.every((value, index) => bytes[index] === value))
    return 'begins with a byte order mark, which an editor put there; save it as UTF-8 without one';
  if (bytes.includes(lineFeed) || bytes.includes(carriageReturn))
    return 'has more than one line; a PIN is one line, with at most one newline at its end';
  if (isBlank(bytes[0]) || isBlank(bytes.at(-1)))
    return 'begins or ends with a blank, which would be sent as a part of the PIN; remove it, or change the PIN';
  if (bytes.some(isControl)) return 'contains a control character or a NUL; a PIN is printable text';
  const characters = characterCount(bytes);
  if (characters === undefined) return 'is not UTF-8; a PIN is text';
  return characters > maximumLength
    ? `is longer than a PIN of this cluster may be (maximumPinLength ${maximumLength})`
    : undefined;
}

/** Why these bytes cannot be the value of an HTTP header (RFC 9110 §5.5); undefined if they can. */
export function headerProblem(bytes: Uint8Array): string | undefined {
  if (bytes.some((byte) => byte !== tab && isControl(byte)))
    return 'contains a line break or another control character; the value of a header is one line';
  return isBlank(bytes[0]) || isBlank(bytes.at(-1)) ? 'begins or ends with a blank; remove it' : undefined;
}

function isBlank(byte: number | undefined): boolean {
  return byte === space || byte === tab;
}

function isControl(byte: number): boolean {
  return byte < space || byte === deletion;
}

/** Makes no string, which could not be zeroed. Undefined if the bytes are not UTF-8. */
function characterCount(bytes: Uint8Array): number | undefined {
  let count = 0;
  for (let index = 0; index < bytes.length; count += 1) {
    const length = sequenceLength(bytes[index] ?? 0);
    if (length === 0) return undefined;
    for (let rest = 1; rest < length; rest += 1) {
      if (((bytes[index + rest] ?? 0) & 0xc0) !== 0x80) return undefined;
    }
    index += length;
  }
  return count;
}

/** The length of the UTF-8 sequence that a byte begins (RFC 3629 §3); 0 if it begins none. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}
