import { type Eventual, whenKnown } from '../../calls/eventual.js';
import { recordArn } from '../../keys/arn.js';
import type { KeysCore } from '../../keys/core.js';
import type { KeyRecord, MaterialRecord } from '../../keys/key.js';
import { cryptographicUse, requireKeyState } from '../../keys/key-state.js';
import { currentMaterial, materialReference } from '../../keys/material.js';
import { visibleMaterialId } from '../../keys/key-metadata.js';
import type { HsmCluster, MaterialReference } from '../../clusters/hsm-cluster.js';
import { checkAlgorithm, requireUsage } from './algorithm.js';
import { canonicalContext, type EncryptionContext } from './encryption-context.js';
import { ciphertextAdditionalData, encodeHeader } from './ciphertext-blob.js';

/** The part of `KeysCore` that cryptographic operations use: they read keys from the catalog and change none. */
export type CryptographyCore = Pick<KeysCore, 'catalog' | 'keyStores' | 'identity'>;

/** A checked encryption under a key: only the HSM can still refuse it. */
export interface PreparedEncryption {
  cluster: HsmCluster;
  material: MaterialReference;
  /** The header of the ciphertext blob; `serializeCiphertextBlob` puts it before the HSM's result. */
  header: Uint8Array;
  additionalData: Uint8Array;
  /** ARN of the key. */
  keyId: string;
  /** The material id as responses show it: absent for keys in custom key stores. */
  keyMaterialId: string | undefined;
}

/** The fields of Encrypt, of data keys, and of the destination side of ReEncrypt that determine an encryption. */
export interface EncryptionRequest {
  encryptionContext: EncryptionContext;
  /** The request's field with the context, if it is not `encryption_context`. */
  contextField?: string | undefined;
  encryptionAlgorithm?: string | undefined;
}

/**
 * Prepares an encryption under a key's current material.
 * @throws INVALID_KEY_USAGE, the errors of the state table, VALIDATION of the context, and the errors of
 * `KeyStores.clusterOf`.
 */
export function prepareEncryption(
  core: CryptographyCore,
  key: KeyRecord,
  request: EncryptionRequest,
): Eventual<PreparedEncryption> {
  requireUsage(key, recordArn(core.identity, key), 'ENCRYPT_DECRYPT', 'encryption');
  checkAlgorithm(key, request.encryptionAlgorithm);
  return whenKnown(requireKeyState(core, key, cryptographicUse), () => {
    const context = canonicalContext(request.encryptionContext, request.contextField);
    return whenKnown(currentMaterial(core.catalog, key), (material) => preparedUnder(core, key, material, context));
  });
}

function preparedUnder(
  core: CryptographyCore,
  key: KeyRecord,
  material: MaterialRecord,
  context: Uint8Array,
): PreparedEncryption {
  const header = headerOf(material);
  const keyId = recordArn(core.identity, key);
  return {
    cluster: core.keyStores.clusterOf(key, keyId),
    material: materialReference(material),
    header,
    additionalData: ciphertextAdditionalData(header, context),
    keyId,
    keyMaterialId: visibleMaterialId(key, material),
  };
}

/**
 * Keyed by record: the catalog's cache returns the same object until something changes, and a material never changes
 * its key.
 */
const headers = new WeakMap<MaterialRecord, Uint8Array>();

/** The header of every ciphertext blob under this material. Callers must not change it. */
export function headerOf(material: MaterialRecord): Uint8Array {
  const known = headers.get(material);
  if (known !== undefined) return known;
  const header = encodeHeader(material);
  headers.set(material, header);
  return header;
}
