/**
 * Reads requests as clients usually send them, in one pass. All others are left to the strict decoder of
 * `method-codec.ts`, which also words every refusal. Both decoders give the same result: `plain-request.test.ts` compares them.
 */
import { Secret } from '../../secret.js';
import type { Conversion } from './conversion.js';

/** The kinds of fields that are read here, and written by `plain-response.ts`. */
export type PlainKind = 'text' | 'blob' | 'secret' | 'context' | 'choice' | 'integer' | 'flag';

interface PlainField {
  readonly name: string;
  readonly conversion: Conversion<unknown>;
  /** Number and wire type, in one byte; undefined: a request with this field is not plain. */
  readonly tag: number | undefined;
}

/** Protobuf's wire types (https://protobuf.dev/programming-guides/encoding/#structure). */
const varint = 0;
const lengthDelimited = 2;
/** The highest field number whose tag is one byte. */
const maxFieldNumber = 15;
/** The tags of a context entry's name and value. */
const nameTag = 0x0a;
const valueTag = 0x12;
/**
 * `Secret` moves bytes up to this length out of the frame. It keeps longer bytes where they are, so this decoder copies
 * them first.
 */
const maxMovedBytes = 64;

/** Reads the requests of one method. */
export class PlainRequestReader {
  /** The fields, by field number less one. */
  readonly #fields: readonly PlainField[];
  readonly #contextNames: readonly string[];

  /** @param conversions by domain name, in the order of the field numbers, which have no gaps */
  constructor(conversions: readonly (readonly [string, Conversion<unknown>])[]) {
    this.#fields = conversions.map(([name, conversion], index) => ({
      name,
      conversion,
      tag: tagOf(index + 1, conversion.plainKind),
    }));
    this.#contextNames = conversions.filter(([, { plainKind }]) => plainKind === 'context').map(([name]) => name);
  }

  /**
   * The domain request. A short secret is moved out of the frame; a frame that is not plain is unchanged.
   * @returns undefined unless every field is of a kind that is read here and has that kind's wire type, fields come in
   *   ascending order and once each (contexts: with different names), and text is ASCII.
   */
  read(frame: Buffer): Record<string, unknown> | undefined {
    const request: Record<string, unknown> = {};
    for (const name of this.#contextNames) request[name] = new Map();
    const reader = new PlainFields(frame);
    let previous: PlainField | undefined;
    while (!reader.isAtEnd) {
      const tag = reader.byte();
      const field = this.#fields[(tag >>> 3) - 1];
      if (field?.tag !== tag || !mayFollow(field, previous)) return undefined;
      const value = reader.value(field, request[field.name]);
      if (value === undefined) return undefined;
      request[field.name] = value;
      previous = field;
    }
    reader.takeSecret(request);
    return request;
  }
}

/** @returns undefined for a kind of field that is not plain */
export function tagOf(number: number, kind: PlainKind | undefined): number | undefined {
  if (kind === undefined || number > maxFieldNumber) return undefined;
  const isVarint = kind === 'choice' || kind === 'integer' || kind === 'flag';
  return number * 8 + (isVarint ? varint : lengthDelimited);
}

function mayFollow({ tag = 0, conversion }: PlainField, previous: PlainField | undefined): boolean {
  if (previous?.tag === undefined || tag > previous.tag) return true;
  return tag === previous.tag && conversion.plainKind === 'context';
}

/** The place of a secret in the frame. */
interface SecretPlace {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** The fields of one frame. Each method gives undefined for what is not plain. */
class PlainFields {
  readonly #frame: Buffer;
  #at = 0;
  #secret: SecretPlace | undefined;

  constructor(frame: Buffer) {
    this.#frame = frame;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#frame.length;
  }

  byte(): number {
    const byte = this.#frame[this.#at] ?? -1;
    this.#at += 1;
    return byte;
  }

  /** @param known the value so far: a context gets its entries one by one */
  value({ name, conversion }: PlainField, known: unknown): unknown {
    switch (conversion.plainKind) {
      case 'text':
        return this.#text();
      case 'blob':
        return this.#blob();
      case 'secret':
        return this.#placeOfSecret(name);
      case 'context':
        return this.#entry(known as Map<string, string>);
      case 'choice':
        return this.#choice(conversion);
      case 'integer':
        return this.#number();
      case 'flag':
        return this.#flag();
      default:
        return undefined;
    }
  }

  /** Takes the secret out of the frame. Called last, when it is certain that the frame is not read again. */
  takeSecret(request: Record<string, unknown>): void {
    if (this.#secret === undefined) return;
    const { name, from, to } = this.#secret;
    const bytes = this.#frame.subarray(from, to);
    request[name] = new Secret(bytes.length > maxMovedBytes ? new Uint8Array(bytes) : bytes);
  }

  /** A varint of up to four bytes: it has 28 bits, so none of them is a sign. */
  #number(): number | undefined {
    let number = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      if (byte < 0) return undefined;
      number |= (byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
    return undefined;
  }

  /** Skips a length-delimited value. @returns where it begins; it ends at the reader's new position. */
  #delimited(): number | undefined {
    const length = this.#number();
    if (length === undefined || length > this.#frame.length - this.#at) return undefined;
    const from = this.#at;
    this.#at += length;
    return from;
  }

  #text(): string | undefined {
    const from = this.#delimited();
    if (from === undefined) return undefined;
    for (let at = from; at < this.#at; at += 1) if ((this.#frame[at] ?? 0) > 0x7f) return undefined;
    return this.#frame.toString('latin1', from, this.#at);
  }

  #blob(): Buffer | undefined {
    const from = this.#delimited();
    return from === undefined ? undefined : Buffer.from(this.#frame.subarray(from, this.#at));
  }

  #placeOfSecret(name: string): SecretPlace | undefined {
    const from = this.#delimited();
    if (from === undefined || this.#secret !== undefined) return undefined;
    this.#secret = { name, from, to: this.#at };
    return this.#secret;
  }

  /** An entry has a name and a value, in this order, and nothing else. */
  #entry(context: Map<string, string>): Map<string, string> | undefined {
    const from = this.#delimited();
    if (from === undefined) return undefined;
    const end = this.#at;
    this.#at = from;
    const name = this.byte() === nameTag ? this.#text() : undefined;
    if (name === undefined || context.has(name)) return undefined;
    const value = this.byte() === valueTag ? this.#text() : undefined;
    if (value === undefined || this.#at !== end) return undefined;
    return context.set(name, value);
  }

  #choice({ ofNumber }: Conversion<unknown>): unknown {
    const number = this.#number();
    return number === undefined ? undefined : ofNumber?.(number);
  }

  #flag(): boolean | undefined {
    const number = this.#number();
    return number === undefined ? undefined : number !== 0;
  }
}
