import { blob, choice, flag, integer, listOf, structure, text, timestamp } from './conversion.js';
import {
  CustomerMasterKeySpec,
  EncapsulationAlgorithm,
  EncryptionAlgorithm,
  KeyAgreementAlgorithm,
  KeySpec,
  MacAlgorithm,
  SigningAlgorithm,
} from './gen/holdfast/kms/v1/algorithms.js';
import {
  type Custody,
  ExpirationModel,
  type KeyMetadata,
  KeyManager,
  KeyState,
  KeyUsage,
  type MultiRegionConfiguration,
  type MultiRegionKey,
  MultiRegionKeyType,
  Origin,
  Replication,
  type XksKeyConfiguration,
} from './gen/holdfast/kms/v1/key_metadata.js';
import { KeyEncryptionMechanism, type RecipientInfo } from './gen/holdfast/kms/v1/recipient.js';

/** Conversions of the messages and enums that several services share. */

/** Of requests to encrypt and decrypt, of their responses, and of `keyMetadata`. */
export const encryptionAlgorithm = choice(EncryptionAlgorithm);
/** Only ENCRYPT_DECRYPT is honoured (`request-constraints.ts`); the proto has all of the model's. */
export const keyUsage = choice(KeyUsage);
/** Only SYMMETRIC_DEFAULT is honoured; the proto has all of the model's. */
export const keySpec = choice(KeySpec);
/** The deprecated name of `keySpec`, with the specs that AWS knew then. */
export const customerMasterKeySpec = choice(CustomerMasterKeySpec);
/** AWS_KMS and AWS_CLOUDHSM are honoured; EXTERNAL and EXTERNAL_KEY_STORE are refused. */
export const origin = choice(Origin);

/** AWS writes key states in Pascal case (AWS KMS API Reference, KeyMetadata.KeyState). */
export const keyState = choice(KeyState, {
  CREATING: 'Creating',
  ENABLED: 'Enabled',
  DISABLED: 'Disabled',
  PENDING_DELETION: 'PendingDeletion',
  PENDING_IMPORT: 'PendingImport',
  PENDING_REPLICA_DELETION: 'PendingReplicaDeletion',
  UNAVAILABLE: 'Unavailable',
  UPDATING: 'Updating',
});

/** An enclave's attestation document. Refused whenever it is set; converted so that it can be told from an unknown field. */
export const recipient = structure<RecipientInfo>({
  keyEncryptionAlgorithm: choice(KeyEncryptionMechanism),
  attestationDocument: blob,
});

const custody = structure<Custody>({
  cluster: text,
  clusterName: text,
  members: listOf(text),
  replication: choice(Replication, { NONE: 'none', VENDOR: 'vendor', WRAPPED: 'wrapped' }),
  minimumMembers: integer,
  extractable: flag,
  backedUp: flag,
});

const multiRegionKey = structure<MultiRegionKey>({ arn: text, region: text });

const multiRegionConfiguration = structure<MultiRegionConfiguration>({
  multiRegionKeyType: choice(MultiRegionKeyType),
  primaryKey: multiRegionKey,
  replicaKeys: listOf(multiRegionKey),
});

/** AWS KMS API Reference, KeyMetadata, with `custody`, which is ours, behind the model's fields. */
export const keyMetadata = structure<KeyMetadata>({
  awsAccountId: text,
  keyId: text,
  arn: text,
  creationDate: timestamp,
  enabled: flag,
  description: text,
  keyUsage,
  keyState,
  deletionDate: timestamp,
  validTo: timestamp,
  origin,
  customKeyStoreId: text,
  cloudHsmClusterId: text,
  expirationModel: choice(ExpirationModel),
  keyManager: choice(KeyManager),
  customerMasterKeySpec,
  keySpec,
  encryptionAlgorithms: listOf(encryptionAlgorithm),
  signingAlgorithms: listOf(choice(SigningAlgorithm)),
  keyAgreementAlgorithms: listOf(choice(KeyAgreementAlgorithm)),
  encapsulationAlgorithms: listOf(choice(EncapsulationAlgorithm)),
  multiRegion: flag,
  multiRegionConfiguration,
  pendingDeletionWindowInDays: integer,
  macAlgorithms: listOf(choice(MacAlgorithm)),
  xksKeyConfiguration: structure<XksKeyConfiguration>({ id: text }),
  currentKeyMaterialId: text,
  custody,
});
