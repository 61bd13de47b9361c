import { onAccount } from '../operation.js';
import type { RequestContext } from '../../calls/request-context.js';
import { HoldfastError } from '../../errors.js';
import type { NewKeyPlace } from '../../keystores/key-stores.js';
import { keyArn } from '../../keys/arn.js';
import type { KeysCore } from '../../keys/core.js';
import { invalidField } from '../../keys/invalid-field.js';
import type { IntentRecord, KeyRecord, MaterialRecord } from '../../keys/key.js';
import type { GeneratedMaterial } from '../../clusters/hsm-cluster.js';
import { type KeyMetadata, keyMetadata } from '../../keys/key-metadata.js';
import { type KeySpec, keySpecs, type KeyUsage } from '../../keys/key-specs.js';

/**
 * The fields of the model that are honoured. The dispatcher refuses the others, and the specs and usages that Holdfast
 * does not have.
 */
export interface CreateKeyRequest {
  /** 0–8,192 characters. */
  description?: string | undefined;
  keyUsage?: string | undefined;
  /** The deprecated name of `keySpec`; both may be given if they agree. */
  customerMasterKeySpec?: string | undefined;
  keySpec?: string | undefined;
  /** Default AWS_KMS. A custom key store always requires AWS_CLOUDHSM. */
  origin?: string | undefined;
  customKeyStoreId?: string | undefined;
}

/** AWS KMS API Reference, CreateKey. The key is Enabled and its material is on its cluster. */
export interface CreateKeyResponse {
  keyMetadata: KeyMetadata;
}

/**
 * Makes a key in its cluster and answers when the catalog has it (invariant 2).
 *
 * An intent commits before the first call to a token, so material that may be on the token is accounted for whatever
 * happens in between: the key commits and takes the intent with it, or the intent is abandoned, here or by
 * `intent-recovery.ts`.
 * @throws VALIDATION, and the errors of `KeyStores.clusterForNewKey` and `HsmCluster.generateKeyMaterial`;
 *   CUSTOM_KEY_STORE_INVALID_STATE when the store was disconnected or deleted meanwhile.
 */
export async function createKey(
  core: KeysCore,
  call: { request: CreateKeyRequest },
  context: RequestContext,
): Promise<CreateKeyResponse> {
  checkRequest(call.request);
  const kind = kindOf(call.request);
  const place = await core.keyStores.clusterForNewKey(context.principal, call.request.customKeyStoreId);
  const key = newKey(core, { request: call.request, kind, place }, context);
  await core.catalog.openIntent(newIntent(key));
  let made: GeneratedMaterial;
  try {
    made = await makeAndCommit(core, key, place, context);
  } catch (error) {
    await abandon(core, key);
    throw error;
  }
  const metadata = await keyMetadata(core, key);
  // A member that was away or failed gets its copy later.
  const custody = { ...metadata.custody, members: made.memberNames };
  return { keyMetadata: { ...metadata, custody } };
}

function checkRequest(request: CreateKeyRequest): void {
  const { keySpec, customerMasterKeySpec, origin, customKeyStoreId } = request;
  if (keySpec !== undefined && customerMasterKeySpec !== undefined && keySpec !== customerMasterKeySpec) {
    throw invalidField(
      'customer_master_key_spec',
      'KeySpec and CustomerMasterKeySpec are both given and differ. Use KeySpec alone.',
    );
  }
  if (origin === 'AWS_CLOUDHSM' && customKeyStoreId === undefined) {
    throw invalidField(
      'custom_key_store_id',
      'You must specify a CustomKeyStoreId for a KMS key with the Origin AWS_CLOUDHSM.',
    );
  }
  if (origin !== 'AWS_CLOUDHSM' && customKeyStoreId !== undefined) {
    throw invalidField('origin', 'A KMS key in a custom key store must have the Origin AWS_CLOUDHSM.');
  }
}

/** The kind of a key. */
type Kind = Pick<KeyRecord, 'keySpec' | 'keyUsage'>;

/** As AWS has it: only a symmetric encryption key has a default usage. @throws VALIDATION */
function kindOf({ keySpec, customerMasterKeySpec, keyUsage }: CreateKeyRequest): Kind {
  // The dispatcher refuses all others.
  const spec = (keySpec ?? customerMasterKeySpec ?? 'SYMMETRIC_DEFAULT') as KeySpec;
  if (keyUsage === undefined && spec !== 'SYMMETRIC_DEFAULT') {
    throw invalidField(
      'key_usage',
      'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
    );
  }
  const usage = (keyUsage ?? 'ENCRYPT_DECRYPT') as KeyUsage;
  if (keySpecs[spec].uses[usage] === undefined)
    throw invalidField('key_usage', `KeyUsage ${usage} is not compatible with KeySpec ${spec}.`);
  return { keySpec: spec, keyUsage: usage };
}

interface NewKey {
  request: CreateKeyRequest;
  kind: Kind;
  place: NewKeyPlace;
}

function newKey(core: KeysCore, { request, kind, place }: NewKey, context: RequestContext): KeyRecord {
  const { account, region } = context.principal;
  return {
    account,
    region,
    keyId: core.identifiers.keyId(),
    description: request.description ?? '',
    ...kind,
    origin: place.origin,
    customKeyStoreId: place.customKeyStoreId,
    clusterId: place.cluster.clusterId,
    state: 'Enabled',
    creationDate: core.clock.now(),
    deletionDate: null,
    pendingDeletionWindowInDays: null,
    currentMaterialId: core.identifiers.materialId(),
  };
}

function newIntent(key: KeyRecord): IntentRecord {
  return {
    account: key.account,
    region: key.region,
    materialId: key.currentMaterialId,
    keyId: key.keyId,
    clusterId: key.clusterId,
    state: 'open',
    openedDate: key.creationDate,
    abandonedDate: null,
  };
}

async function makeAndCommit(
  core: KeysCore,
  key: KeyRecord,
  place: NewKeyPlace,
  context: RequestContext,
): Promise<GeneratedMaterial> {
  const label = keyArn(core.identity, key);
  const { macLength, uses } = keySpecs[key.keySpec];
  const made = await place.cluster.perform(
    'generateKeyMaterial',
    { materialId: key.currentMaterialId, label, macLength, mechanisms: uses[key.keyUsage]?.mechanisms },
    context,
  );
  if (await core.catalog.commitKey(key, newMaterial(key, label, made))) return made;
  if (key.customKeyStoreId === null)
    throw new Error(`The intent of key ${key.keyId} was abandoned before the key was committed.`);
  throw new HoldfastError(
    'CUSTOM_KEY_STORE_INVALID_STATE',
    `Custom key store ${key.customKeyStoreId} was disconnected or deleted while the key was made.`,
    { retryable: false },
  );
}

function newMaterial(key: KeyRecord, label: string, { canary, extractable }: GeneratedMaterial): MaterialRecord {
  return {
    materialId: key.currentMaterialId,
    keyId: key.keyId,
    clusterId: key.clusterId,
    label,
    extractable,
    canary,
    creationDate: key.creationDate,
    destroyedDate: null,
  };
}

/**
 * Its own failure must not hide why the key was not made: the intent then stays open and is abandoned later because of
 * its age.
 */
async function abandon(core: KeysCore, key: KeyRecord): Promise<void> {
  try {
    await core.catalog.abandonIntent(key.currentMaterialId, core.clock.now());
  } catch (error) {
    core.onBackgroundError(error, `abandoning the intent of key material ${key.currentMaterialId}`);
  }
}

/** The descriptor of CreateKey, with its function. */
export const createKeyOperation = onAccount<CreateKeyRequest>({
  plane: 'control',
  audited: ['description', 'keyUsage', 'keySpec', 'customerMasterKeySpec', 'origin', 'customKeyStoreId'],
  created: (response) => (response as CreateKeyResponse).keyMetadata.arn,
  action: 'kms:CreateKey',
  run: ({ keys }, call, context) => createKey(keys, call, context),
});
