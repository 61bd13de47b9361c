/** Rules for a key store's password, and how it is sealed for the catalog and compared with a sealed one. */
import { timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '../errors.js';
import type { Secret } from '../secret.js';
import type { PasswordSealer } from './catalog.js';
import type { ClusterDescription } from './hsm-cluster.js';
import type { SealedPassword, StoreRecord } from './store.js';

/** AWS KMS API Reference, CreateCustomKeyStore: KeyStorePassword is at least 7 characters long. */
const minimumPasswordLength = 7;

/** What ties a sealed password to its place: the same seal opens nowhere else (design invariant 11). */
export type PasswordPlace = Pick<StoreRecord, 'customKeyStoreId' | 'clusterId' | 'passwordVersion'>;

/**
 * 7 characters up to what the cluster takes, none of them a control character.
 * @throws VALIDATION, without the password in it.
 */
export function checkPassword(password: Secret, cluster: ClusterDescription): void {
  const text = decodeUtf8(password.reveal());
  if (text === undefined || /\p{Cc}/u.test(text)) throw violation('must be UTF-8 text without control characters');
  const length = Array.from(text).length;
  if (length < minimumPasswordLength || length > cluster.maximumPinLength) {
    throw violation(`must be ${minimumPasswordLength} to ${cluster.maximumPinLength} characters long`);
  }
}

/** The seal opens for this place only, not for another store or version. The password stays the caller's to destroy. */
export function sealPassword(sealer: PasswordSealer, password: Secret, place: PasswordPlace): SealedPassword {
  return sealer.seal(password.reveal(), binding(place));
}

/** @returns the password; the caller destroys it. Throws when the sealing key is not configured or the seal is broken. */
export function unsealPassword(
  sealer: PasswordSealer,
  store: PasswordPlace & Pick<StoreRecord, 'password'>,
): Uint8Array {
  return sealer.unseal(store.password, binding(store));
}

/** Whether this is the store's password. */
export function isPasswordOf(sealer: PasswordSealer, store: StoreRecord, password: Secret): boolean {
  const stored = unsealPassword(sealer, store);
  try {
    return stored.byteLength === password.byteLength && timingSafeEqual(stored, password.reveal());
  } finally {
    stored.fill(0);
  }
}

/** Names a store's credential without revealing it, for `LoginAttempts`: a new one with every password that is set. */
export function credentialVersionOf(store: PasswordPlace): string {
  return `${store.customKeyStoreId}:${store.passwordVersion}`;
}

function binding(place: PasswordPlace): string {
  return `key-store-password/${place.customKeyStoreId}/${place.clusterId}/${place.passwordVersion}`;
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function violation(rule: string): HoldfastError {
  return new HoldfastError('VALIDATION', `The key store password ${rule}.`, {
    fieldViolations: [{ field: 'key_store_password', description: `The password ${rule}.` }],
  });
}
