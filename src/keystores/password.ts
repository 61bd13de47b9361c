/** Rules for a key store's password: how it is sealed for the catalog and compared with a sealed one. */
import { isUtf8 } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '../errors.js';
import type { Secret } from '../secret.js';
import type { PasswordSealer } from './catalog.js';
import type { ClusterDescription } from '../clusters/hsm-cluster.js';
import type { SealedPassword, StoreRecord } from './store.js';

/** AWS KMS API Reference, CreateCustomKeyStore: KeyStorePassword is at least 7 characters long. */
const minimumPasswordLength = 7;

/** The place that a sealed password is bound to: it opens for no other (invariant 11). */
export type PasswordPlace = Pick<StoreRecord, 'customKeyStoreId' | 'clusterId' | 'passwordVersion'>;

/**
 * Checks a new password: from 7 characters to the cluster's maximum, none of them a control character.
 * @throws VALIDATION, without the password in it.
 */
export function checkPassword(password: Secret, cluster: ClusterDescription): void {
  const bytes = password.reveal();
  if (!isUtf8(bytes) || hasControlCharacter(bytes)) throw violation('must be UTF-8 text without control characters');
  const length = bytes.reduce((count, byte) => (isContinuation(byte) ? count : count + 1), 0);
  if (length < minimumPasswordLength || length > cluster.maximumPinLength) {
    throw violation(`must be ${minimumPasswordLength} to ${cluster.maximumPinLength} characters long`);
  }
  const { minimumBytes, maximumBytes } = cluster.pinRules;
  if (bytes.byteLength < (minimumBytes ?? 0) || bytes.byteLength > (maximumBytes ?? bytes.byteLength)) {
    const most = maximumBytes === null ? 'more' : maximumBytes;
    throw violation(`must be ${minimumBytes ?? 0} to ${most} bytes long: its tokens say so`);
  }
}

/** Seals a password for this place only, not for another store or version. The caller still destroys the password. */
export function sealPassword(sealer: PasswordSealer, password: Secret, place: PasswordPlace): SealedPassword {
  return sealer.seal(password.reveal(), binding(place));
}

/**
 * @returns the password; the caller destroys it. Throws when the sealing key is not configured or the sealed bytes are
 * broken.
 */
export function unsealPassword(
  sealer: PasswordSealer,
  store: PasswordPlace & Pick<StoreRecord, 'password'>,
): Uint8Array {
  return sealer.unseal(store.password, binding(store));
}

/** The store's password, sealed under the current sealing key; undefined if it cannot be unsealed. */
export function resealedPassword(
  sealer: PasswordSealer,
  store: PasswordPlace & Pick<StoreRecord, 'password'>,
): SealedPassword | undefined {
  let password: Uint8Array;
  try {
    password = unsealPassword(sealer, store);
  } catch {
    // The caller reports the store. The cause says nothing more of use: the key is missing, or the bytes are broken.
    return undefined;
  }
  try {
    return sealer.seal(password, binding(store));
  } finally {
    password.fill(0);
  }
}

/** Whether this is the store's password. */
export function isPasswordOf(
  sealer: PasswordSealer,
  store: PasswordPlace & Pick<StoreRecord, 'password'>,
  password: Secret,
): boolean {
  const stored = unsealPassword(sealer, store);
  try {
    return stored.byteLength === password.byteLength && timingSafeEqual(stored, password.reveal());
  } finally {
    stored.fill(0);
  }
}

/** Names a store's credential without revealing it, for `LoginAttempts`. Every new password has a new name. */
export function credentialVersionOf(store: PasswordPlace): string {
  return `${store.customKeyStoreId}:${store.passwordVersion}`;
}

/**
 * Names a password that is only tried, for `LoginAttempts`. The same password has the same name at every trial, so one
 * that a token refused is not tried again.
 */
export function trialVersionOf(
  sealer: PasswordSealer,
  { customKeyStoreId }: Pick<StoreRecord, 'customKeyStoreId'>,
  password: Secret,
): string {
  const name = `key-store-password-trial/${customKeyStoreId}`;
  return `${customKeyStoreId}:trial:${sealer.fingerprint(password.reveal(), name)}`;
}

function binding(place: PasswordPlace): string {
  return `key-store-password/${place.customKeyStoreId}/${place.clusterId}/${place.passwordVersion}`;
}

/** U+0000 to U+001F, U+007F to U+009F, in valid UTF-8. Read from the bytes: a JavaScript string cannot be zeroed. */
function hasControlCharacter(bytes: Uint8Array): boolean {
  return bytes.some((byte, index) => {
    if (byte < 0x20 || byte === 0x7f) return true;
    const next = bytes[index + 1];
    return byte === 0xc2 && next !== undefined && next < 0xa0;
  });
}

/** Valid UTF-8 has exactly one non-continuation byte for each code point. */
function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

function violation(rule: string): HoldfastError {
  return new HoldfastError('VALIDATION', `The key store password ${rule}.`, {
    fieldViolations: [{ field: 'key_store_password', description: `The password ${rule}.` }],
  });
}
