import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../errors.js';
import { cutPage, decodeMarker, encodeMarker } from './pagination.js';

const invalid = expect.objectContaining({ code: 'INVALID_MARKER' }) as Error;

describe('a marker', () => {
  it('carries its position, within the model’s length and alphabet', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9:/_-]{0,256}$/), (position) => {
        const marker = encodeMarker('ListAliases', position);
        expect(marker).toMatch(/^[\u0020-\u00FF]{1,1024}$/);
        expect(decodeMarker('ListAliases', marker)).toBe(position);
      }),
    );
  });

  it('is refused by another operation', () => {
    expect(() => decodeMarker('ListKeys', encodeMarker('ListAliases', 'x'))).toThrow(invalid);
  });

  it('is refused in any other encoding', () => {
    const marker = encodeMarker('ListKeys', 'x');
    const json = Buffer.from(marker, 'base64url').toString();
    const others = [`${marker}=`, ` ${marker}`, `${marker}\n`, 'null', '', '[]', json, marker.slice(0, -1)];
    const encoded = ['[2,"ListKeys","x"]', '[1,"ListKeys","x",1]', '[1, "ListKeys","x"]', '{"2":"x"}', '"12x"', 'null'];
    for (const other of [...others, ...encoded.map((text) => Buffer.from(text).toString('base64url'))]) {
      expect(() => decodeMarker('ListKeys', other), other).toThrow(invalid);
    }
  });

  it('is INVALID_MARKER, and nothing else, for random text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 1024, unit: 'binary' }), (text) => {
        try {
          decodeMarker('ListKeys', text);
          return false;
        } catch (error) {
          return error instanceof HoldfastError && error.code === 'INVALID_MARKER';
        }
      }),
    );
  });
});

describe('a page', () => {
  it('has a marker only when there is more', () => {
    expect(cutPage('ListKeys', ['a', 'b'], 2, String)).toEqual({ items: ['a', 'b'], truncated: false });
    expect(cutPage('ListKeys', [], 2, String)).toEqual({ items: [], truncated: false });
    const page = cutPage('ListKeys', ['a', 'b', 'c'], 2, String);
    expect(page).toMatchObject({ items: ['a', 'b'], truncated: true });
    expect(decodeMarker('ListKeys', page.nextMarker)).toBe('b');
  });
});
