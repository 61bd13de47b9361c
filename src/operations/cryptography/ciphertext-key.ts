import { type Eventual, whenKnown } from '../../calls/eventual.js';
import { HoldfastError } from '../../errors.js';
import { keyArn } from '../../keys/arn.js';
import type { KeysCore } from '../../keys/core.js';
import type { KeyRecord, MaterialRecord } from '../../keys/key.js';
import type { Scope } from '../../calls/scope.js';
import { keyNotFound } from '../../keys/not-found.js';
import { resolveKey } from '../../keys/resolve-key.js';
import { type CiphertextBlob, invalidCiphertext, parseCiphertextBlob } from './ciphertext-blob.js';
import { UnknownKeyError } from './unknown-key.js';

/** A parsed ciphertext, with the key and the generation of material that its header names. */
export interface CiphertextKey {
  key: KeyRecord;
  material: MaterialRecord;
  blob: CiphertextBlob;
}

type ResolveCore = Pick<KeysCore, 'catalog' | 'identity'>;

/**
 * Finds the key of a ciphertext, before anything is authorised and without any call to an HSM.
 *
 * A ciphertext of a key whose deletion has begun is NOT_FOUND (AWS lists it for Decrypt): the ciphertext is sound, and
 * its owner must not search for corruption. All others that are not ours (a wrong format, a key or material that never
 * existed, another account's or region's, a material of another key) look alike to the caller. The cause says whether
 * it was the catalog that did not know a key; the dispatcher reports that to administrators.
 * @param keyIdentifier the request's key id, key ARN, alias or alias ARN, if it has one.
 * @throws INVALID_CIPHERTEXT; NOT_FOUND and INVALID_ARN as `resolveKey`; INCORRECT_KEY when the request names another
 * key.
 */
export function resolveCiphertextKey(
  core: ResolveCore,
  scope: Scope,
  ciphertextBlob: Uint8Array,
  keyIdentifier?: string,
): Eventual<CiphertextKey> {
  const blob = parseCiphertextBlob(ciphertextBlob);
  return whenKnown(core.catalog.findKey(scope, blob.keyId), (key) =>
    whenKnown(core.catalog.findMaterial(blob.materialId), (material) => {
      if (key === undefined) throw invalidCiphertext(new UnknownKeyError(blob, scope));
      if (material?.keyId !== key.keyId) throw invalidCiphertext(new UnknownKeyError(blob, undefined));
      return whenKnown(requireNamed(core, scope, key, keyIdentifier), () => {
        if (key.state === 'Deleting' || key.state === 'Deleted') throw keyNotFound(keyArn(core.identity, key));
        return { key, material, blob };
      });
    }),
  );
}

/** @throws INCORRECT_KEY if the request names another key */
function requireNamed(
  core: ResolveCore,
  scope: Scope,
  key: KeyRecord,
  keyIdentifier: string | undefined,
): Eventual<undefined> {
  if (keyIdentifier === undefined) return undefined;
  return whenKnown(resolveKey(core, scope, keyIdentifier, { aliasesAllowed: true }), (named) => {
    if (named.keyId !== key.keyId) throw incorrectKey();
    return undefined;
  });
}

/** The live service's wording. */
function incorrectKey(): HoldfastError {
  return new HoldfastError(
    'INCORRECT_KEY',
    'The key ID in the request does not identify a CMK that can perform this operation.',
  );
}
