import { createAliasOperation } from './aliases/create-alias.js';
import { deleteAliasOperation } from './aliases/delete-alias.js';
import { listAliasesOperation } from './aliases/list-aliases.js';
import { updateAliasOperation } from './aliases/update-alias.js';
import { createBackupOperation } from './backups/create-backup.js';
import { deleteBackupOperation } from './backups/delete-backup.js';
import { describeBackupsOperation } from './backups/describe-backups.js';
import { describeKeyDeletionOperation } from './backups/describe-key-deletion.js';
import { readBackupOperation } from './backups/read-backup.js';
import { verifyBackupOperation } from './backups/verify-backup.js';
import { describeClustersOperation } from './clusters/describe-clusters.js';
import { drainMemberOperation } from './clusters/drain-member.js';
import { reconcileClusterOperation } from './clusters/reconcile-cluster.js';
import { resumeMemberOperation } from './clusters/resume-member.js';
import { decryptOperation } from './cryptography/decrypt.js';
import { encryptOperation } from './cryptography/encrypt.js';
import {
  generateDataKeyOperation,
  generateDataKeyWithoutPlaintextOperation,
} from './cryptography/generate-data-key.js';
import { generateRandomOperation } from './cryptography/generate-random.js';
import { generateMacOperation, verifyMacOperation } from './cryptography/mac.js';
import { reEncryptOperation } from './cryptography/re-encrypt.js';
import { connectCustomKeyStoreOperation } from './key-stores/connect-custom-key-store.js';
import { createCustomKeyStoreOperation } from './key-stores/create-custom-key-store.js';
import { deleteCustomKeyStoreOperation } from './key-stores/delete-custom-key-store.js';
import { describeCustomKeyStoresOperation } from './key-stores/describe-custom-key-stores.js';
import { disconnectCustomKeyStoreOperation } from './key-stores/disconnect-custom-key-store.js';
import { updateCustomKeyStoreOperation } from './key-stores/update-custom-key-store.js';
import { cancelKeyDeletionOperation } from './keys/cancel-key-deletion.js';
import { createKeyOperation } from './keys/create-key.js';
import { describeKeyOperation } from './keys/describe-key.js';
import { disableKeyOperation } from './keys/disable-key.js';
import { enableKeyOperation } from './keys/enable-key.js';
import { listKeysOperation } from './keys/list-keys.js';
import { scheduleKeyDeletionOperation } from './keys/schedule-key-deletion.js';
import { updateKeyDescriptionOperation } from './keys/update-key-description.js';
import type { Operation } from './operation.js';
import { rotatePinOperation } from './credentials/rotate-pin.js';
import { rotateSealingKeyOperation } from './credentials/rotate-sealing-key.js';
import { getStatusOperation } from './service/get-status.js';

/**
 * Every operation, by its name in AWS's API; GetStatus and those of clusters and credentials are ours. Limits, codecs and metrics follow from it. An operation
 * without an rpc in the protos does not compile, and an rpc without an operation fails a test.
 */
export const operations = {
  CreateCustomKeyStore: createCustomKeyStoreOperation,
  ConnectCustomKeyStore: connectCustomKeyStoreOperation,
  DisconnectCustomKeyStore: disconnectCustomKeyStoreOperation,
  DescribeCustomKeyStores: describeCustomKeyStoresOperation,
  UpdateCustomKeyStore: updateCustomKeyStoreOperation,
  DeleteCustomKeyStore: deleteCustomKeyStoreOperation,
  CreateKey: createKeyOperation,
  DescribeKey: describeKeyOperation,
  ListKeys: listKeysOperation,
  EnableKey: enableKeyOperation,
  DisableKey: disableKeyOperation,
  UpdateKeyDescription: updateKeyDescriptionOperation,
  ScheduleKeyDeletion: scheduleKeyDeletionOperation,
  CancelKeyDeletion: cancelKeyDeletionOperation,
  CreateAlias: createAliasOperation,
  ListAliases: listAliasesOperation,
  UpdateAlias: updateAliasOperation,
  DeleteAlias: deleteAliasOperation,
  Encrypt: encryptOperation,
  Decrypt: decryptOperation,
  ReEncrypt: reEncryptOperation,
  GenerateDataKey: generateDataKeyOperation,
  GenerateDataKeyWithoutPlaintext: generateDataKeyWithoutPlaintextOperation,
  GenerateMac: generateMacOperation,
  VerifyMac: verifyMacOperation,
  GenerateRandom: generateRandomOperation,
  GetStatus: getStatusOperation,
  DescribeClusters: describeClustersOperation,
  DrainMember: drainMemberOperation,
  ResumeMember: resumeMemberOperation,
  ReconcileCluster: reconcileClusterOperation,
  CreateBackup: createBackupOperation,
  DescribeBackups: describeBackupsOperation,
  ReadBackup: readBackupOperation,
  VerifyBackup: verifyBackupOperation,
  DeleteBackup: deleteBackupOperation,
  DescribeKeyDeletion: describeKeyDeletionOperation,
  RotateSealingKey: rotateSealingKeyOperation,
  RotatePin: rotatePinOperation,
};

/** The audit record's `operation`, and a label of metrics. */
export type OperationName = keyof typeof operations;

/** The operations with opaque requests, as the dispatcher uses them. */
export type Operations = Readonly<Record<OperationName, Operation<never>>>;

/** Every operation that the dispatcher answers. */
export const operationNames = Object.keys(operations) as OperationName[];

/** The actions that a user may be given; all others are for administrators. */
export const userActions: readonly string[] = Object.values<Operation<never>>(operations).flatMap(
  ({ userActions: actions }) => actions ?? [],
);
