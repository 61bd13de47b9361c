/**
 * A reader for DER (ITU-T X.690) that reads no more than requested: of a revocation list of many megabytes it reads
 * only the header. Every length is checked against the available bytes before anything is read.
 */

/** One element: its tag, its content, and all of it. The buffers share memory with the input. */
export interface DerElement {
  tag: number;
  content: Buffer;
  whole: Buffer;
}

/** Tags of the types that occur in certificates and revocation lists. */
export const derTags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Bytes that are not valid DER of the expected form. */
export class MalformedDerError extends Error {
  override readonly name = 'MalformedDerError';
}

/** Reads elements in sequence. */
export class DerReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  /** The tag of the next element; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#offset];
  }

  /** @throws MalformedDerError if there is none, or it has another tag. */
  read(tag?: number): DerElement {
    const start = this.#offset;
    const found = this.#byte(start);
    // Tag numbers over 30 take more bytes; no element that is read here has one.
    if ((found & 0x1f) === 0x1f) throw new MalformedDerError('a tag is too long');
    if (tag !== undefined && found !== tag) throw new MalformedDerError(`tag ${found} is not ${tag}`);
    const { length, contentStart } = this.#length(start + 1);
    const end = contentStart + length;
    if (end > this.#bytes.length) throw new MalformedDerError('an element is longer than what is there');
    this.#offset = end;
    return {
      tag: found,
      content: this.#bytes.subarray(contentStart, end),
      whole: this.#bytes.subarray(start, end),
    };
  }

  /** The next element if it has one of these tags. */
  readIf(...tags: number[]): DerElement | undefined {
    return this.nextTag !== undefined && tags.includes(this.nextTag) ? this.read() : undefined;
  }

  /** Reads a definite length of at most four bytes, which is more than any buffer holds. */
  #length(offset: number): { length: number; contentStart: number } {
    const first = this.#byte(offset);
    if (first < 0x80) return { length: first, contentStart: offset + 1 };
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new MalformedDerError('a length is not definite, or too long');
    let length = 0;
    for (let index = 1; index <= count; index += 1) length = length * 256 + this.#byte(offset + index);
    return { length, contentStart: offset + 1 + count };
  }

  #byte(offset: number): number {
    const value = this.#bytes[offset];
    if (value === undefined) throw new MalformedDerError('it ends too early');
    return value;
  }
}

/** The elements of a constructed element. @throws MalformedDerError */
export function childrenOf(element: DerElement): DerElement[] {
  const reader = new DerReader(element.content);
  const children: DerElement[] = [];
  while (!reader.atEnd) children.push(reader.read());
  return children;
}

/** The dotted form of an identifier: `1.2.840…`. @throws MalformedDerError */
export function objectIdentifier(element: DerElement): string {
  if (element.tag !== derTags.objectIdentifier) throw new MalformedDerError('it is no object identifier');
  const parts: number[] = [];
  let value = 0;
  for (const byte of element.content) {
    value = value * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    parts.push(value);
    value = 0;
  }
  const [first = 0, ...rest] = parts;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join('.');
}

/**
 * Reads a UTCTime or GeneralizedTime in the only form that RFC 5280 §4.1.2.5 allows: whole seconds, UTC.
 * @throws MalformedDerError
 */
export function timeOf(element: DerElement): Date {
  const text = element.content.toString('latin1');
  const match =
    element.tag === derTags.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
      : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const [year = NaN, month = NaN, day = NaN, hour = NaN, minute = NaN, second = NaN] = (match ?? [])
    .slice(1)
    .map(Number);
  const century = element.tag === derTags.utcTime ? (year < 50 ? 2000 : 1900) : 0;
  const time = new Date(Date.UTC(century + year, month - 1, day, hour, minute, second));
  if (Number.isNaN(time.getTime())) throw new MalformedDerError('a time is not what RFC 5280 allows');
  return time;
}
