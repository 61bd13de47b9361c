import { expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.js';

test('names are sorted by UTF-16 code units at every level, and lists keep their order', () => {
  // RFC 8785 §3.2.3: U+1F600 comes before U+FB33, because its first unit is D83D.
  const value = { '\ufb33': 1, '\u{1f600}': 2, b: [{ z: null, a: true }, 'x'], a: '\u20ac"\n' };
  expect(canonicalJson(value)).toBe(`{"a":"\u20ac\\"\\n","b":[{"a":true,"z":null},"x"],"\u{1f600}":2,"\ufb33":1}`);
});

test.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('%s is refused', (value) => {
  expect(() => canonicalJson({ value })).toThrow(RangeError);
});
