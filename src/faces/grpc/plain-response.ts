/**
 * Writes responses of simple fields in one pass, in the bytes that the generated encoder would write. All others are left to
 * the encoder of `method-codec.ts`, which also refuses what the proto cannot carry. `plain-response.test.ts` compares them.
 */
import { Secret } from '../../secret.js';
import type { Conversion } from './conversion.js';
import { tagOf } from './plain-request.js';

interface PlainField {
  readonly conversion: Conversion<unknown>;
  /** Number and wire type, in one byte; undefined: a response with this field is not plain. */
  readonly tag: number | undefined;
}

/** The greatest number whose varint has at most four bytes, none of whose bits is a sign. */
const maxVarint = 2 ** 28 - 1;

/** Writes the responses of one method. */
export class PlainResponseWriter {
  readonly #fields: readonly PlainField[];
  /** The indexes of the fields, by domain name. */
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #isSecret: boolean;

  /**
   * @param conversions by domain name, in the order of the field numbers, which have no gaps
   * @param isSecret whether responses carry secrets: then no answer shares memory with anything else
   */
  constructor(conversions: readonly (readonly [string, Conversion<unknown>])[], isSecret: boolean) {
    this.#fields = conversions.map(([, conversion], index) => ({
      conversion,
      tag: tagOf(index + 1, conversion.plainKind),
    }));
    this.#indexes = new Map(conversions.map(([name], index) => [name, index]));
    this.#isSecret = isSecret;
  }

  /**
   * The wire form of a response. @returns undefined unless all its values are of kinds that are written here, and text is
   * ASCII. Throws for a secret that was destroyed.
   */
  write(response: Readonly<Record<string, unknown>>): Buffer | undefined {
    const contents = new Array<PlainContent | undefined>(this.#fields.length).fill(undefined);
    let length = 0;
    for (const name of Object.keys(response)) {
      const index = this.#indexes.get(name) ?? -1;
      const field = this.#fields[index];
      if (field === undefined) return undefined;
      const value = response[name];
      if (value === undefined) continue;
      const content = contentOf(field, value);
      if (content === undefined) return undefined;
      contents[index] = content;
      length += 1 + lengthOf(content);
    }
    // Short typed arrays may lie on V8's heap, and pooled ones beside others (`moveOffHeap` says why that matters).
    const bytes = this.#isSecret ? Buffer.from(new ArrayBuffer(length)) : Buffer.allocUnsafe(length);
    let at = 0;
    for (let index = 0; index < contents.length; index += 1) {
      const content = contents[index];
      if (content === undefined) continue;
      bytes[at] = this.#fields[index]?.tag ?? 0;
      at = write(bytes, at + 1, content);
    }
    return bytes;
  }
}

/** A number is a varint; all else is preceded by its length. */
type PlainContent = number | string | Uint8Array;

function contentOf({ tag, conversion }: PlainField, value: unknown): PlainContent | undefined {
  if (tag === undefined) return undefined;
  switch (conversion.plainKind) {
    case 'text':
      return typeof value === 'string' && isAscii(value) ? value : undefined;
    case 'blob':
      return value instanceof Uint8Array ? value : undefined;
    case 'secret':
      return value instanceof Secret ? value.reveal() : undefined;
    case 'choice':
      return conversion.numberOf?.(value);
    case 'integer':
      return isVarint(value) ? value : undefined;
    case 'flag':
      return typeof value === 'boolean' ? Number(value) : undefined;
    default:
      return undefined;
  }
}

function isVarint(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= maxVarint;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

function lengthOf(content: PlainContent): number {
  return typeof content === 'number' ? varintLength(content) : varintLength(content.length) + content.length;
}

function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  return value < 0x20_0000 ? 3 : 4;
}

/** @returns where the next field begins */
function write(bytes: Buffer, from: number, content: PlainContent): number {
  if (typeof content === 'number') return writeVarint(bytes, from, content);
  const at = writeVarint(bytes, from, content.length);
  if (typeof content === 'string') bytes.write(content, at, 'latin1');
  else bytes.set(content, at);
  return at + content.length;
}

function writeVarint(bytes: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) {
    bytes[at] = (rest & 0x7f) | 0x80;
    at += 1;
  }
  bytes[at] = rest;
  return at + 1;
}
