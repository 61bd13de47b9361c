import { childrenOf, type DerElement, objectIdentifier } from './der.js';

/** Short names of the usual attributes (RFC 4514 §3); others are shown by their identifier. */
const attributeNames: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.5', 'serialNumber'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
]);

const bmpString = 0x1e;
/** The tags of UTF8String, PrintableString, TeletexString, IA5String, VisibleString. */
const byteStrings: ReadonlySet<number> = new Set([0x0c, 0x13, 0x14, 0x16, 0x1a]);

interface Attribute {
  type: string;
  value: DerElement;
}

/** Prints a name as `CN=…, O=…`, the form that operators know. It may contain anything: escape it before printing. */
export function nameText(name: DerElement): string {
  return attributesOf(name)
    .map(
      ({ type, value }) => `${attributeNames.get(type) ?? type}=${textOf(value) ?? `#${value.whole.toString('hex')}`}`,
    )
    .join(', ');
}

/**
 * A key that is equal for two names that OpenSSL considers equal: letters compare without case, and runs of blanks as
 * one (RFC 5280 §7.1). The kind of string does not matter.
 */
export function nameKey(name: DerElement): string {
  return JSON.stringify(
    attributesOf(name).map(({ type, value }) => [
      type,
      textOf(value)?.trim().replaceAll(/\s+/g, ' ').toLowerCase() ?? value.whole.toString('hex'),
    ]),
  );
}

function attributesOf(name: DerElement): Attribute[] {
  return childrenOf(name).flatMap((relativeName) =>
    childrenOf(relativeName).flatMap((attribute) => {
      const [type, value] = childrenOf(attribute);
      return type === undefined || value === undefined ? [] : [{ type: objectIdentifier(type), value }];
    }),
  );
}

function textOf({ tag, content }: DerElement): string | undefined {
  if (byteStrings.has(tag)) return content.toString('utf8');
  if (tag === bmpString && content.length % 2 === 0) return Buffer.from(content).swap16().toString('utf16le');
  return undefined;
}
