import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../errors.js';
import { canaryAdditionalData } from '../../keys/canary.js';
import {
  encodeHeader,
  type CiphertextBlob,
  ciphertextAdditionalData,
  ciphertextOverhead,
  parseCiphertextBlob,
  serializeCiphertextBlob,
} from './ciphertext-blob.js';

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw) => Buffer.from(raw).toString('hex'));
const uuid = hex(16).map((digits) => digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
const blobs: fc.Arbitrary<CiphertextBlob> = fc.record({
  keyId: fc.oneof(
    uuid,
    hex(16).map((digits) => `mrk-${digits}`),
  ),
  materialId: hex(32),
  nonce: fc.uint8Array({ minLength: 12, maxLength: 12 }),
  ciphertext: fc.uint8Array({ minLength: 17, maxLength: 4112, size: 'max' }),
});
const known: CiphertextBlob = {
  keyId: '1234abcd-12ab-34cd-56ef-1234567890ab',
  materialId: '0f'.repeat(32),
  nonce: new Uint8Array(12).fill(0xaa),
  ciphertext: new Uint8Array(17).fill(0xbb),
};

const serialized = (envelope: CiphertextBlob): Uint8Array => serializeCiphertextBlob(encodeHeader(envelope), envelope);

/** The parsed blob, or undefined for INVALID_CIPHERTEXT. Any other error fails the test. */
function parsed(blob: Uint8Array): CiphertextBlob | undefined {
  try {
    return parseCiphertextBlob(blob);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'INVALID_CIPHERTEXT') return undefined;
    throw error;
  }
}

/** There is one encoding only: a blob that parses serialises to the same bytes. */
function expectCanonical(blob: Uint8Array): void {
  const envelope = parsed(blob);
  if (envelope !== undefined) expect(Buffer.from(serialized(envelope)).equals(blob)).toBe(true);
}

describe('the ciphertext blob', () => {
  it('has a known form', () => {
    const bytes =
      '48460100' + '1234abcd12ab34cd56ef1234567890ab' + '0f'.repeat(32) + '010c' + 'aa'.repeat(12) + 'bb'.repeat(17);
    expect(Buffer.from(serialized(known)).toString('hex')).toBe(bytes);
    expect(parseCiphertextBlob(Buffer.from(bytes, 'hex'))).toEqual(known);
  });

  it('is parsed right however similar the ones before were, and whatever became of their bytes', () => {
    const similar = [
      known,
      { ...known, keyId: known.keyId.replace('1', '2') },
      { ...known, keyId: `mrk-${known.keyId.replaceAll('-', '')}` },
      { ...known, materialId: `${known.materialId.slice(0, -1)}0` },
      { ...known, materialId: `${'0f'.repeat(2)}${'1f'.repeat(30)}` },
      { ...known, nonce: new Uint8Array(12).fill(0xcc) },
    ];
    for (const blob of [...similar, ...similar.toReversed()]) {
      const bytes = serialized(blob);
      const first = parseCiphertextBlob(bytes);
      expect(parseCiphertextBlob(bytes)).toEqual(blob);
      bytes.fill(0);
      expect(first).toEqual(blob);
    }
  });

  it('is at most 96 bytes longer than the plaintext', () => {
    expect(serialized(known).length - 1).toBe(ciphertextOverhead);
    expect(ciphertextOverhead).toBeLessThanOrEqual(96);
  });

  it('parses to the fields that were serialised', () => {
    fc.assert(
      fc.property(blobs, (envelope) => {
        expect(parseCiphertextBlob(serialized(envelope))).toEqual(envelope);
      }),
    );
  });

  it('is INVALID_CIPHERTEXT, and nothing else, when the bytes are random', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6144, size: 'max' }), (blob) => {
        expect(parsed(blob)).toBeUndefined();
      }),
    );
  });

  it('has one encoding only, however it is mutated', () => {
    const mutation = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(blobs, fc.array(mutation, { minLength: 1, maxLength: 4 }), (envelope, mutations) => {
        const blob = serialized(envelope);
        for (const [position, mask] of mutations) blob[position % blob.length]! ^= mask;
        expectCanonical(blob);
      }),
      { numRuns: 500 },
    );
  });

  it('has one encoding only, for every value of each byte of the header', () => {
    const blob = serialized(known);
    for (let position = 0; position < 54; position += 1) {
      for (let value = 0; value < 256; value += 1) expectCanonical(blob.with(position, value));
    }
  });

  it('is refused at every length that it cannot have', () => {
    const blob = serialized(known);
    for (let length = 0; length < blob.length; length += 1) expect(parsed(blob.subarray(0, length))).toBeUndefined();
    const longest = serialized({ ...known, ciphertext: new Uint8Array(4112) });
    expect(parsed(longest)).toBeDefined();
    expect(parsed(Buffer.concat([longest, Uint8Array.of(0)]))).toBeUndefined();
  });

  it('parses with the same header if bytes are appended, although its tag no longer matches', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (more) => {
        const blob = Buffer.concat([serialized(known), more]);
        expect(parsed(blob)).toMatchObject({ keyId: known.keyId, ciphertext: { length: 17 + more.length } });
        expectCanonical(blob);
      }),
    );
  });

  it('shares no memory with the blob that it was parsed from', () => {
    const blob = serialized(known);
    const envelope = parseCiphertextBlob(blob);
    blob.fill(0);
    expect(envelope).toEqual(known);
  });

  it('refuses a nonce of a length that no token may return', () => {
    expect(() => serialized({ ...known, nonce: new Uint8Array(16) })).toThrow('nonce of 16 bytes');
  });

  it('gives additional data that begins with FF FF and covers the whole header', () => {
    const context = Uint8Array.of(0, 0);
    const header = serialized(known).subarray(0, 54);
    expect(Buffer.from(ciphertextAdditionalData(encodeHeader(known), context))).toEqual(
      Buffer.concat([Uint8Array.of(0xff, 0xff), header, context]),
    );
    expect(canaryAdditionalData(known.materialId)[1]).not.toBe(0xff);
  });
});
