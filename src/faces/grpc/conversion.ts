import { Secret } from '../../secret.js';
import { type PlainKind, PlainRequestReader } from './plain-request.js';
import { PlainResponseWriter } from './plain-response.js';

/**
 * Converts one value of a protobuf message to a value of the domain and back. The tables of conversions are generated
 * from the protos (`gen/codecs.ts`).
 */
export interface Conversion<Wire> {
  /** The value of an absent field of this kind in a generated message: lists and maps are never absent there. */
  readonly absent?: () => Wire;
  /** Values of this kind are secrets, or contain some. */
  readonly isSecret?: boolean;
  /** The form in which a plain message carries the value; undefined if a plain message cannot carry it. */
  readonly plainKind?: PlainKind;
  /** The domain value of an enum's number. */
  readonly ofNumber?: (number: number) => unknown;
  /** The number of an enum's domain value; undefined if the enum does not have it. */
  readonly numberOf?: (domain: unknown) => number | undefined;
  /** The domain value; undefined leaves the field out. */
  toDomain(wire: Wire): unknown;
  /** Throws for a domain value that the wire cannot carry: a programming error, answered KMS_INTERNAL. */
  toWire(domain: unknown): Wire;
}

/** One conversion for every field of a generated message. */
export type FieldConversions<Message> = {
  readonly [Name in keyof Message]-?: Conversion<Exclude<Message[Name], undefined>>;
};

function unchanged<Wire>(plainKind?: PlainKind): Conversion<Wire> {
  const conversion = { toDomain: (wire: Wire) => wire, toWire: (domain: unknown) => domain as Wire };
  return plainKind === undefined ? conversion : { ...conversion, plainKind };
}

/** A string that is the same on both sides. The decoder refuses invalid UTF-8. */
export const text = unchanged<string>('text');
/** A 32-bit whole number, the same on both sides. */
export const integer = unchanged<number>('integer');
/** A double, the same on both sides. */
export const fraction = unchanged<number>();
/** A 64-bit whole number of the wire. In the domain it is a number, exact up to 2^53. */
export const wholeNumber: Conversion<bigint> = {
  toDomain: (wire) => Number(wire),
  toWire: (domain) => BigInt(domain as number),
};
/** A bool, the same on both sides. */
export const flag = unchanged<boolean>('flag');
/** A `google.protobuf.Timestamp`, which is a Date in the generated code: to the millisecond. */
export const timestamp = unchanged<Date>();

/** Bytes that are not secret. The generated decoder has copied them out of the frame. */
export const blob: Conversion<Buffer> = {
  plainKind: 'blob',
  toDomain: (wire) => wire,
  toWire: (domain) => asBuffer(domain as Uint8Array),
};

/** Bytes that are a `Secret` in the domain. The `Secret` takes over the wire's copy. */
export const secretBlob: Conversion<Buffer> = {
  plainKind: 'secret',
  isSecret: true,
  toDomain: (wire) => new Secret(wire),
  toWire: (domain) => asBuffer((domain as Secret).reveal()),
};

/** Text that `takeSecretText` has taken out of the frame before decoding; the remainder is dropped here. */
export const takenSecretText: Conversion<string> = {
  toDomain: () => undefined,
  toWire() {
    throw new Error('A secret text is never answered.');
  },
};

/** An encryption context. Absent means empty, in protobuf and in the domain. */
export const context: Conversion<Map<string, string>> = {
  ...unchanged<Map<string, string>>('context'),
  absent: () => new Map(),
};

/** A repeated field. Empty is absent. */
export function listOf<Wire>(element: Conversion<Wire>): Conversion<Wire[]> {
  return {
    absent: () => [],
    // An element cannot be absent: an enum's UNSPECIFIED stays, as a value that no list of choices allows.
    toDomain: (wire) => (wire.length === 0 ? undefined : wire.map((one) => element.toDomain(one) ?? 'UNSPECIFIED')),
    toWire: (domain) => (domain as unknown[]).map((one) => element.toWire(one)),
  };
}

/**
 * A protobuf enum that is a string of the AWS API in the domain: its name without the prefix, unless `renamed`.
 * UNSPECIFIED means absent; a number that the proto does not have is 'UNRECOGNIZED', which the request's limits refuse.
 * @param ofNumber how the generated code reads a number; without it, no plain request carries the enum
 */
export function choice<Name extends string, Wire extends string>(
  values: Readonly<Record<Name, Wire>>,
  renamed: Partial<Record<Name, string>> = {},
  ofNumber?: (number: number) => Wire,
): Conversion<Wire> {
  const pairs = (Object.entries(values) as [Name, Wire][]).map(
    ([name, wire]) => [renamed[name] ?? name, wire] as const,
  );
  const wireOf = new Map<unknown, Wire>(pairs);
  const domainOf = new Map<Wire, string>(pairs.map(([domain, wire]) => [wire, domain]));
  const toDomain = (wire: Wire): string | undefined => {
    const domain = domainOf.get(wire);
    return domain === 'UNSPECIFIED' ? undefined : domain;
  };
  const numbers = ofNumber === undefined ? undefined : numbersOf(domainOf, ofNumber);
  return {
    ...(ofNumber === undefined ? {} : { plainKind: 'choice', ofNumber: (number) => toDomain(ofNumber(number)) }),
    numberOf: (domain) => numbers?.get(domain),
    toDomain,
    toWire(domain) {
      const wire = wireOf.get(domain);
      if (wire === undefined) throw new Error(`The proto has no value ${String(domain)}.`);
      return wire;
    },
  };
}

/** The numbers of an enum's values, by domain value. They begin at 0 without gaps (`proto-model.test.ts`). */
function numbersOf<Wire>(
  domainOf: ReadonlyMap<Wire, string>,
  ofNumber: (number: number) => Wire,
): ReadonlyMap<unknown, number> {
  const numbers = [...domainOf.keys()].map((_, number) => [domainOf.get(ofNumber(number)), number] as const);
  return new Map(numbers.filter(([domain]) => domain !== 'UNRECOGNIZED'));
}

/** The conversion of a message, which can also detect unknown fields. */
export interface StructureConversion<Message> extends Conversion<Message> {
  /** The number of its fields. They are numbered from 1 without gaps (`proto-model.test.ts`). */
  readonly fieldCount: number;
  readonly plainReader: PlainRequestReader;
  readonly plainWriter: PlainResponseWriter;
}

/** A message. A domain value with a field that the message lacks is refused: no answer loses a field silently. */
export function structure<Message extends object>(fields: FieldConversions<Message>): StructureConversion<Message> {
  const conversions = Object.entries<Conversion<unknown>>(fields);
  const byName = new Map(conversions);
  const hasSecrets = conversions.some(([, conversion]) => conversion.isSecret);
  return {
    fieldCount: conversions.length,
    plainReader: new PlainRequestReader(conversions),
    plainWriter: new PlainResponseWriter(conversions, hasSecrets),
    isSecret: hasSecrets,
    toDomain(wire) {
      const domain: Record<string, unknown> = {};
      for (const [name, conversion] of conversions) {
        const value = (wire as Record<string, unknown>)[name];
        const converted = value === undefined ? undefined : conversion.toDomain(value);
        if (converted !== undefined) domain[name] = converted;
      }
      return domain;
    },
    toWire(domain) {
      const wire: Record<string, unknown> = {};
      for (const [name, conversion] of conversions) wire[name] = conversion.absent?.();
      for (const [name, value] of Object.entries(domain as Record<string, unknown>)) {
        const conversion = byName.get(name);
        if (conversion === undefined) throw new Error(`The proto has no field for ${name}.`);
        if (value !== undefined) wire[name] = conversion.toWire(value);
      }
      return wire as Message;
    },
  };
}

/** A `Buffer` of the same bytes, not a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
