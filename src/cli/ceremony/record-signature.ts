import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { type CanonicalValue, canonicalJson } from '../../canonical-json.js';
import type { CeremonyRecord, SignedRecord } from './record.js';

/** The key that signs a record. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly origin: SignedRecord['signature']['key_origin'];
}

/** A key that signs one record and is then forgotten. */
export function newSigningKey(): SigningKey {
  return { key: generateKeyPairSync('ed25519').privateKey, origin: 'made-for-this-record' };
}

/** A private key in PEM. @throws Error that says what is wrong with it, and contains no part of it */
export function givenSigningKey(pem: Uint8Array): SigningKey {
  const key = parsed(() =>
    createPrivateKey({ key: Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength), format: 'pem' }),
  );
  if (key === undefined) throw new Error('contains no private key in PEM without a passphrase');
  return { key: ed25519(key), origin: 'given' };
}

/** A public key in PEM. @throws Error that says what is wrong with it */
export function givenPublicKey(pem: Uint8Array): KeyObject {
  const text = Buffer.from(pem).toString('latin1');
  const key = /PRIVATE KEY/.test(text) ? undefined : parsed(() => createPublicKey(text));
  if (key === undefined) throw new Error('contains no public key in PEM');
  return ed25519(key);
}

/** The file's text of a record, signed: canonical JSON in one line. */
export function signedText(record: CeremonyRecord, { key, origin }: SigningKey): string {
  const signature = {
    algorithm: 'Ed25519',
    public_key: subjectPublicKeyInfo(key).toString('base64'),
    key_origin: origin,
  };
  const value = sign(null, signedBytes(record, signature), key).toString('base64');
  return `${canonicalJson({ ...record, signature: { ...signature, value } })}\n`;
}

/** Whether the record was signed by the key that it names. */
export function isSignedByItsKey({ signature, ...record }: SignedRecord): boolean {
  const { value, ...rest } = signature;
  const key = publicKeyOf(rest);
  return key !== undefined && verify(null, signedBytes(record, rest), key, Buffer.from(value, 'base64'));
}

/** Whether this is the key that the record names. */
export function isKeyOf({ signature }: SignedRecord, key: KeyObject): boolean {
  return publicKeyOf(signature)?.equals(key) === true;
}

/** SHA-256 of the SubjectPublicKeyInfo, in lower-case hex. */
export function fingerprintOf(key: KeyObject): string {
  return createHash('sha256').update(subjectPublicKeyInfo(key)).digest('hex');
}

/** The fingerprint of the key that a record names. */
export function signerFingerprint({ signature }: SignedRecord): string {
  return createHash('sha256').update(Buffer.from(signature.public_key, 'base64')).digest('hex');
}

function publicKeyOf({ public_key: encoded }: { public_key: string }): KeyObject | undefined {
  const key = parsed(() => createPublicKey({ key: Buffer.from(encoded, 'base64'), format: 'der', type: 'spki' }));
  return key?.asymmetricKeyType === 'ed25519' ? key : undefined;
}

function signedBytes(record: CeremonyRecord, signature: CanonicalValue): Buffer {
  return Buffer.from(canonicalJson({ ...record, signature }), 'utf8');
}

function subjectPublicKeyInfo(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'der', type: 'spki' });
}

function ed25519(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new Error(`contains a key of type ${key.asymmetricKeyType ?? 'unknown'}, and a record is signed with Ed25519`);
}

/** OpenSSL's errors say nothing that helps an operator. */
function parsed(work: () => KeyObject): KeyObject | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
