import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalContext } from './encryption-context.js';

const canonical = (pairs: readonly (readonly [string, string])[]): string =>
  Buffer.from(canonicalContext(new Map(pairs))).toString('hex');
const invalid = expect.objectContaining({ code: 'VALIDATION' }) as Error;
const anyPairs = fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), { maxLength: 20 });

/** Reads the canonical form back, which shows that it is unambiguous. */
function read(bytes: Buffer): [string, string][] {
  let offset = 2;
  const next = (): string => {
    const length = bytes.readUInt16BE(offset);
    offset += 2 + length;
    return bytes.toString('utf8', offset - length, offset);
  };
  const pairs = Array.from({ length: bytes.readUInt16BE(0) }, (): [string, string] => [next(), next()]);
  expect(offset).toBe(bytes.length);
  return pairs;
}

describe('the canonical encryption context', () => {
  it('is two zero bytes when there is none', () => {
    expect(canonical([])).toBe('0000');
  });

  it('has a known form', () => {
    expect(
      canonical([
        ['b', '2'],
        ['a', 'é'],
      ]),
    ).toBe(['0002', '0001', '61', '0002', 'c3a9', '0001', '62', '0001', '32'].join(''));
  });

  it('sorts by UTF-8 bytes, not by UTF-16 units', () => {
    // U+FF61 is EF BD A1 and U+1F600 is F0 9F 98 80, but as UTF-16 the second begins with D83D.
    const names = read(
      Buffer.from(
        canonicalContext(
          new Map([
            ['\u{1F600}', ''],
            ['\uFF61', ''],
          ]),
        ),
      ),
    ).map(([name]) => name);
    expect(names).toEqual(['\uFF61', '\u{1F600}']);
  });

  it('is independent of the order of the pairs and loses nothing', () => {
    fc.assert(
      fc.property(anyPairs, (pairs) => {
        const context = new Map(pairs);
        const entries = [...context];
        expect(canonical(entries)).toBe(canonical(entries.toReversed()));
        expect(new Map(read(Buffer.from(canonicalContext(context))))).toEqual(context);
      }),
    );
  });

  it('differs for different contexts: no normalisation, no confusion of names and values', () => {
    const contexts = [
      [],
      [['', '']],
      [['a', '']],
      [['', 'a']],
      [['ab', 'c']],
      [['a', 'bc']],
      [['A', 'bc']],
      [['é', '']],
      [['e\u0301', '']],
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
      [
        ['a', 'd'],
        ['c', 'b'],
      ],
      [['__proto__', 'x']],
      [['constructor', 'x']],
    ] as [string, string][][];
    expect(new Set(contexts.map(canonical)).size).toBe(contexts.length);
  });

  it.each(['\uD800', 'a\uDC00b', '\uDC00\uD800', '\u{1F600}\uD83D'])('refuses lone surrogates: %j', (text) => {
    expect(() => canonicalContext(new Map([[text, '']]))).toThrow(invalid);
    expect(() => canonicalContext(new Map([['', text]]))).toThrow(invalid);
  });

  it('takes 8,192 bytes and no more', () => {
    expect(canonicalContext(new Map([['a', 'x'.repeat(8192 - 7)]])).length).toBe(8192);
    expect(() => canonicalContext(new Map([['a', 'x'.repeat(8192 - 6)]]))).toThrow(invalid);
    expect(() => canonicalContext(new Map([['a', 'é'.repeat(4096)]]))).toThrow(invalid);
    expect(() => canonicalContext(new Map(Array.from({ length: 70_000 }, (_, index) => [String(index), ''])))).toThrow(
      invalid,
    );
  });
});
