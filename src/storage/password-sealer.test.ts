import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../secret.js';
import { createPasswordSealer, SealError, type SealingKey } from './password-sealer.js';

const binding = 'key-store-password/cks-1234567890abcdef0/cluster-1/1';
const password = (): Uint8Array => new TextEncoder().encode('CU:correct horse');
const sealingKey = (id: string, fill: number, length = 32): SealingKey => ({
  id,
  key: new Secret(new Uint8Array(length).fill(fill)),
});
const flip = (bytes: Uint8Array, index: number): Uint8Array =>
  bytes.map((byte, at) => (at === index ? byte ^ 0x01 : byte));

describe('sealing', () => {
  const sealer = createPasswordSealer([sealingKey('one', 1)]);

  it('opens what it sealed, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: 'grapheme' }), (bytes, place) => {
        expect(sealer.unseal(sealer.seal(bytes, place), place)).toEqual(bytes);
      }),
    );
  });

  it('gives a new nonce and ciphertext each time, and leaves the caller’s copy of the password unchanged', () => {
    const bytes = password();
    const [first, second] = [sealer.seal(bytes, binding), sealer.seal(bytes, binding)];
    expect(first.nonce).not.toEqual(second.nonce);
    expect(first.ciphertext).not.toEqual(second.ciphertext);
    expect(bytes).toEqual(password());
  });

  it('refuses every change of a byte', () => {
    const sealed = sealer.seal(password(), binding);
    const changed = [
      ...Array.from(sealed.nonce, (_, index) => ({ ...sealed, nonce: flip(sealed.nonce, index) })),
      ...Array.from(sealed.ciphertext, (_, index) => ({ ...sealed, ciphertext: flip(sealed.ciphertext, index) })),
      ...[0, 5, 15, 16].map((length) => ({ ...sealed, ciphertext: sealed.ciphertext.subarray(0, length) })),
      { ...sealed, nonce: sealed.nonce.subarray(0, 8) },
      { ...sealed, nonce: new Uint8Array(16) },
    ];
    for (const one of changed) expect(() => sealer.unseal(one, binding)).toThrow(SealError);
  });

  it('does not open a password in another place', () => {
    const sealed = sealer.seal(password(), binding);
    for (const place of ['', `${binding} `, binding.replace('/1', '/2')]) {
      expect(() => sealer.unseal(sealed, place)).toThrow(/does not open/);
    }
  });

  it('binds a sealed password to the id of its sealing key', () => {
    const sealed = sealer.seal(password(), binding);
    const renamed = createPasswordSealer([sealingKey('renamed', 1)]);
    expect(() => renamed.unseal({ ...sealed, sealingKeyId: 'renamed' }, binding)).toThrow(/does not open/);
  });

  it('says which sealing key is missing, and nothing secret', () => {
    const sealed = sealer.seal(password(), binding);
    const other = createPasswordSealer([sealingKey('two', 2)]);
    expect(() => other.unseal(sealed, binding)).toThrow(/'one', which is not configured/);
    for (const unsealer of [other, createPasswordSealer([sealingKey('one', 3)])]) {
      try {
        unsealer.unseal(sealed, binding);
        expect.unreachable();
      } catch (error) {
        expect(inspect(error, { depth: 9 })).not.toMatch(/correct|horse|0{8}|\x01{4}/);
      }
    }
  });
});

describe('rotation of sealing keys', () => {
  it('seals with the first key and opens with all', () => {
    const before = createPasswordSealer([sealingKey('old', 1)]);
    const sealedBefore = before.seal(password(), binding);
    const after = createPasswordSealer([sealingKey('new', 2), sealingKey('old', 1)]);
    expect(after.unseal(sealedBefore, binding)).toEqual(password());
    const sealedAfter = after.seal(password(), binding);
    expect(sealedAfter.sealingKeyId).toBe('new');
    expect(createPasswordSealer([sealingKey('new', 2)]).unseal(sealedAfter, binding)).toEqual(password());
  });

  it('keeps fingerprints when a new sealing key is put in front', () => {
    const before = createPasswordSealer([sealingKey('old', 1)]);
    const after = createPasswordSealer([sealingKey('newest', 3), sealingKey('new', 2), sealingKey('old', 1)]);
    expect(after.fingerprint(password(), binding)).toBe(before.fingerprint(password(), binding));
  });
});

describe('fingerprints', () => {
  const sealer = createPasswordSealer([sealingKey('one', 1)]);

  it('distinguish passwords, places and installations', () => {
    const own = sealer.fingerprint(password(), binding);
    expect(own).toMatch(/^[0-9a-f]{64}$/);
    expect(sealer.fingerprint(password(), binding)).toBe(own);
    expect(sealer.fingerprint(new TextEncoder().encode('CU:correct horsf'), binding)).not.toBe(own);
    expect(sealer.fingerprint(password(), `${binding}0`)).not.toBe(own);
    expect(createPasswordSealer([sealingKey('one', 2)]).fingerprint(password(), binding)).not.toBe(own);
  });

  it('keep place and password apart', () => {
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
    expect(sealer.fingerprint(encode('bc'), 'a')).not.toBe(sealer.fingerprint(encode('c'), 'ab'));
  });
});

describe('the configuration of sealing keys', () => {
  it('refuses an empty list, a wrong length and a repeated id', () => {
    expect(() => createPasswordSealer([])).toThrow(/No sealing key/);
    expect(() => createPasswordSealer([sealingKey('one', 1, 31)])).toThrow(/'one' is 31 bytes/);
    expect(() => createPasswordSealer([sealingKey('one', 1), sealingKey('one', 2)])).toThrow(/same id/);
  });

  it('needs the key only while the sealer is made', () => {
    const keys = [sealingKey('one', 1)];
    const sealer = createPasswordSealer(keys);
    for (const { key } of keys) key.destroy();
    expect(sealer.unseal(sealer.seal(password(), binding), binding)).toEqual(password());
  });
});
