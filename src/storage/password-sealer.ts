import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { PasswordSealer } from '../keystores/catalog.js';
import type { SealedPassword } from '../keystores/store.js';
import type { Secret } from '../secret.js';

/** One sealing key of the configuration. */
export interface SealingKey {
  id: string;
  /** 32 bytes. The sealer keeps only keys derived from it: the caller may destroy it. */
  key: Secret;
}

/** A sealed password cannot be opened. Its message is for the operator and names no secret. */
export class SealError extends Error {
  override readonly name = 'SealError';

  constructor(
    readonly reason: 'unknown-sealing-key' | 'broken',
    message: string,
  ) {
    super(message);
  }
}

/** NIST SP 800-38D: 96 bits. Few passwords are sealed under one key, so random nonces do not repeat. */
const nonceBytes = 12;
const tagBytes = 16;
const keyBytes = 32;
const sealPurpose = 'holdfast password seal v1';
const fingerprintPurpose = 'holdfast credential fingerprint v1';

/**
 * Seals with AES-256-GCM under a key derived from the first sealing key (HKDF, RFC 5869); the others open what they
 * sealed before a rotation.
 *
 * Fingerprints come from the last, the oldest: a refused credential must keep its name when a new sealing key is put in
 * front. Otherwise its wrong PIN would be tried once more (invariant 7). They change only when the oldest key is
 * removed from the configuration; every credential then gets one new attempt.
 *
 * @throws Error if there is no sealing key, one is not 32 bytes long, or two have the same id.
 */
export function createPasswordSealer(sealingKeys: readonly SealingKey[]): PasswordSealer {
  checkSealingKeys(sealingKeys);
  const [current, oldest] = [sealingKeys[0], sealingKeys.at(-1)];
  if (current === undefined || oldest === undefined) throw new Error('No sealing key is configured.');
  const keys = new Map(sealingKeys.map(({ id, key }) => [id, derive(key, sealPurpose)]));
  const sealKey = derive(current.key, sealPurpose);
  const fingerprintKey = derive(oldest.key, fingerprintPurpose);
  return {
    currentKeyId: current.id,
    seal: (password, binding) => seal({ id: current.id, key: sealKey }, password, binding),
    unseal: (sealed, binding) => unseal(keys, sealed, binding),
    fingerprint: (password, binding) => fingerprint(fingerprintKey, password, binding),
  };
}

function checkSealingKeys(sealingKeys: readonly SealingKey[]): void {
  const ids = new Set(sealingKeys.map(({ id }) => id));
  if (ids.size !== sealingKeys.length) throw new Error('Two sealing keys have the same id.');
  for (const { id, key } of sealingKeys) {
    if (key.byteLength !== keyBytes)
      throw new Error(`Sealing key '${id}' is ${key.byteLength} bytes long, not ${keyBytes}.`);
  }
}

/** One key for each purpose: sealed bytes reveal nothing about fingerprints, nor fingerprints about sealed bytes. */
function derive(key: Secret, purpose: string): KeyObject {
  const derived = Buffer.from(hkdfSync('sha256', key.reveal(), '', purpose, keyBytes));
  try {
    return createSecretKey(derived);
  } finally {
    derived.fill(0);
  }
}

function seal(current: { id: string; key: KeyObject }, password: Uint8Array, binding: string): SealedPassword {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', current.key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(additionalData(current.id, binding));
  const ciphertext = Buffer.concat([cipher.update(password), cipher.final(), cipher.getAuthTag()]);
  return { sealingKeyId: current.id, nonce: new Uint8Array(nonce), ciphertext: new Uint8Array(ciphertext) };
}

function unseal(keys: ReadonlyMap<string, KeyObject>, sealed: SealedPassword, binding: string): Uint8Array {
  const key = keys.get(sealed.sealingKeyId);
  if (key === undefined) {
    throw new SealError(
      'unknown-sealing-key',
      `The password is sealed under sealing key '${sealed.sealingKeyId}', which is not configured. Add it to sealingKeys.`,
    );
  }
  if (sealed.nonce.byteLength !== nonceBytes || sealed.ciphertext.byteLength < tagBytes) throw broken(sealed);
  return decrypt(key, sealed, binding);
}

function decrypt(key: KeyObject, sealed: SealedPassword, binding: string): Uint8Array {
  const bodyBytes = sealed.ciphertext.byteLength - tagBytes;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.nonce, { authTagLength: tagBytes });
  decipher.setAAD(additionalData(sealed.sealingKeyId, binding));
  decipher.setAuthTag(sealed.ciphertext.subarray(bodyBytes));
  const plaintext = decipher.update(sealed.ciphertext.subarray(0, bodyBytes));
  try {
    // In GCM all bytes come from `update`; `final` only checks the tag.
    decipher.final();
    // The same memory: a copy this short would be on V8's heap (`Secret`).
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  } catch {
    plaintext.fill(0);
    // OpenSSL's own error adds nothing, so it is not kept as a cause.
    throw broken(sealed);
  }
}

function broken(sealed: SealedPassword): SealError {
  return new SealError(
    'broken',
    `A password sealed under sealing key '${sealed.sealingKeyId}' does not open: it was changed, belongs to another ` +
      'place, or the key under this id is not the one that sealed it.',
  );
}

/** Binds the sealed password to its place and to the id of its key, each with its length: no two pairs look alike. */
function additionalData(sealingKeyId: string, binding: string): Buffer {
  return lengthPrefixed([sealPurpose, sealingKeyId, binding]);
}

function fingerprint(key: KeyObject, password: Uint8Array, binding: string): string {
  return createHmac('sha256', key)
    .update(lengthPrefixed([binding]))
    .update(password)
    .digest('hex');
}

function lengthPrefixed(texts: readonly string[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.byteLength);
      return [length, bytes];
    }),
  );
}
