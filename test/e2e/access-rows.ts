/** The permissions of callers: the table of `access-walk.test.ts`, and its keys and stores. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { waitFor } from '../wait-for.js';
import type { HoldfastClient, Message } from './client.js';
import { account, type Deployment, region } from './deployment.js';

export type Answer = 'OK' | 'ACCESS_DENIED';

export interface Row {
  /** The actions in the audit record. */
  actions: string[];
  user: Answer;
  administrator: Answer;
  /** A request that succeeds for an administrator if the rows are run in order. */
  request: Message;
  /** The resources in the audit record, whether the caller was denied or allowed. */
  resources: string[];
  /** Request fields in the audit record. */
  parameters: Message;
  /** Waits for what goes on after the answer. */
  settled?: (client: HoldfastClient) => Promise<void>;
}

/** The keys and stores of the rows; the administrator makes them beforehand. */
export interface World {
  appKey: Message;
  otherKey: Message;
  spareKey: Message;
  macKey: Message;
  message: Buffer;
  mac: Buffer;
  storeId: string;
  spareStoreId: string;
  appCiphertext: Buffer;
  otherCiphertext: Buffer;
  spareStore: Message;
  defaultClusterId: string;
  backupId: string;
}

const macAlgorithm = 'MAC_ALGORITHM_HMAC_SHA_384';

export const missingKeyId = '00000000-1111-4222-8333-444444444444';
export const keyArn = (keyId: string) => `arn:aws:kms:${region}:${account}:key/${keyId}`;
export const arnOf = (name: string) => `arn:aws:iam::${account}:user/${name}`;

/** The table. */
export function accessRows(world: World): Record<string, Row> {
  return { ...keyStoreRows(world), ...keyRows(world), ...cryptographyRows(world), ...ownRows(world) };
}

/** The methods that AWS does not have. */
function ownRows(world: World): Record<string, Row> {
  const cluster = { cluster_id: world.spareStore['cloud_hsm_cluster_id'] };
  const member = { ...cluster, member_name: 'a' };
  const ofHoldfast = (action: string, request: Message): Row => ({
    ...forAdministrators(action, request),
    actions: [`holdfast:${action}`],
  });
  return {
    GetStatus: ofHoldfast('GetStatus', {}),
    DescribeClusters: ofHoldfast('DescribeClusters', cluster),
    DrainMember: ofHoldfast('DrainMember', { ...member, force: true }),
    ResumeMember: ofHoldfast('ResumeMember', member),
    CreateBackup: { ...ofHoldfast('CreateBackup', {}), settled: backupsEnded },
    DescribeBackups: ofHoldfast('DescribeBackups', { backup_id: world.backupId }),
    ReadBackup: ofHoldfast('ReadBackup', { backup_id: world.backupId }),
    VerifyBackup: { ...ofHoldfast('VerifyBackup', { backup_id: world.backupId }), settled: backupsVerified },
    DeleteBackup: ofHoldfast('DeleteBackup', { backup_id: world.backupId }),
    DescribeKeyDeletion: ofHoldfast('DescribeKeyDeletion', { key_id: world.spareKey['key_id'] }),
    RotatePin: {
      ...ofHoldfast('RotatePin', { custom_key_store_id: world.storeId, dry_run: true }),
      resources: [world.storeId],
    },
    RotateSealingKey: ofHoldfast('RotateSealingKey', { dry_run: true }),
    ReconcileCluster: ofHoldfast('ReconcileCluster', { cluster_id: world.defaultClusterId, dry_run: true }),
  };
}

async function backupsVerified(client: HoldfastClient): Promise<void> {
  await waitFor(async () => {
    const { backups } = await client.call('DescribeBackups');
    expect((backups as Message[]).map(({ work }) => work)).not.toContain('BACKUP_WORK_VERIFYING');
  });
}

async function createBackup(client: HoldfastClient): Promise<string> {
  const { backup_id: backupId } = await client.call('CreateBackup');
  await backupsEnded(client);
  return backupId as string;
}

/** Waits until no backup is being made. */
export async function backupsEnded(client: HoldfastClient): Promise<void> {
  await waitFor(async () => {
    const { backups } = await client.call('DescribeBackups');
    expect((backups as Message[]).map(({ state }) => state)).not.toContain('BACKUP_STATE_RUNNING');
  });
}

function keyStoreRows(world: World): Record<string, Row> {
  const { custom_key_store_name: name, cloud_hsm_cluster_id: clusterId } = world.spareStore;
  const onStore = (action: string, storeId: string, more: Message = {}): Row => ({
    actions: [`kms:${action}`],
    user: 'ACCESS_DENIED',
    administrator: 'OK',
    request: { custom_key_store_id: storeId, ...more },
    resources: [storeId],
    parameters: { custom_key_store_id: storeId, ...more },
  });
  return {
    ConnectCustomKeyStore: onStore('ConnectCustomKeyStore', world.storeId),
    DisconnectCustomKeyStore: onStore('DisconnectCustomKeyStore', world.storeId),
    DescribeCustomKeyStores: forAdministrators('DescribeCustomKeyStores', { limit: 3 }),
    UpdateCustomKeyStore: onStore('UpdateCustomKeyStore', world.spareStoreId, { new_custom_key_store_name: 'renamed' }),
    DeleteCustomKeyStore: onStore('DeleteCustomKeyStore', world.spareStoreId),
    CreateCustomKeyStore: {
      ...forAdministrators('CreateCustomKeyStore', world.spareStore),
      parameters: { custom_key_store_name: name, cloud_hsm_cluster_id: clusterId },
    },
  };
}

function keyRows(world: World): Record<string, Row> {
  const spare = world.spareKey['key_id'] as string;
  const other = world.otherKey['key_id'] as string;
  const onKey = (action: string, keyId: string, request: Message = { key_id: keyId }): Row => ({
    ...forAdministrators(action, request),
    resources: [keyArn(keyId)],
  });
  return {
    CreateKey: forAdministrators('CreateKey', { description: 'made on the walk' }),
    DescribeKey: { ...onKey('DescribeKey', world.appKey['key_id'] as string, { key_id: 'alias/app' }), user: 'OK' },
    ListKeys: forAdministrators('ListKeys', { limit: 5 }),
    DisableKey: onKey('DisableKey', spare),
    EnableKey: onKey('EnableKey', spare),
    UpdateKeyDescription: onKey('UpdateKeyDescription', spare, { key_id: spare, description: 'new words' }),
    ScheduleKeyDeletion: onKey('ScheduleKeyDeletion', spare, { key_id: spare, pending_window_in_days: 9 }),
    CancelKeyDeletion: onKey('CancelKeyDeletion', spare),
    CreateAlias: onKey('CreateAlias', other, { alias_name: 'alias/walk', target_key_id: other }),
    ListAliases: forAdministrators('ListAliases', { limit: 9 }),
    UpdateAlias: onKey('UpdateAlias', spare, { alias_name: 'alias/walk', target_key_id: spare }),
    DeleteAlias: forAdministrators('DeleteAlias', { alias_name: 'alias/walk' }),
  };
}

function cryptographyRows(world: World): Record<string, Row> {
  const appArn = world.appKey['arn'] as string;
  const context = { encryption_context: { walk: 'yes' } };
  const forUsers = (actions: string[], request: Message, parameters: Message): Row => ({
    actions: actions.map((action) => `kms:${action}`),
    user: 'OK',
    administrator: 'OK',
    request,
    resources: actions.map(() => appArn),
    parameters,
  });
  const mac = { key_id: 'alias/mac', mac_algorithm: macAlgorithm };
  const onMacKey = (action: string, request: Message): Row => ({
    ...forUsers([action], request, { key_id: 'alias/mac', mac_algorithm: 'HMAC_SHA_384' }),
    resources: [world.macKey['arn'] as string],
  });
  const dataKey = { key_id: 'alias/app', key_spec: 'DATA_KEY_SPEC_AES_128', ...context };
  return {
    Encrypt: forUsers(
      ['Encrypt'],
      { key_id: 'alias/app', plaintext: randomBytes(9), ...context },
      { key_id: 'alias/app', ...context },
    ),
    Decrypt: forUsers(['Decrypt'], { ciphertext_blob: world.appCiphertext, ...context }, context),
    ReEncrypt: forUsers(
      ['ReEncryptFrom', 'ReEncryptTo'],
      { ciphertext_blob: world.appCiphertext, source_encryption_context: { walk: 'yes' }, destination_key_id: appArn },
      { source_encryption_context: { walk: 'yes' }, destination_key_id: appArn, destination_encryption_context: {} },
    ),
    GenerateDataKey: forUsers(['GenerateDataKey'], dataKey, { ...dataKey, key_spec: 'AES_128' }),
    GenerateDataKeyWithoutPlaintext: forUsers(['GenerateDataKeyWithoutPlaintext'], dataKey, {
      ...dataKey,
      key_spec: 'AES_128',
    }),
    GenerateMac: onMacKey('GenerateMac', { ...mac, message: randomBytes(9) }),
    VerifyMac: onMacKey('VerifyMac', { ...mac, message: world.message, mac: world.mac }),
    GenerateRandom: {
      ...forUsers(['GenerateRandom'], { number_of_bytes: 16 }, { number_of_bytes: 16 }),
      resources: [],
    },
  };
}

/** A row without any resource; every field of the request is audited. */
function forAdministrators(action: string, request: Message): Row {
  return {
    actions: [`kms:${action}`],
    user: 'ACCESS_DENIED',
    administrator: 'OK',
    request,
    resources: [],
    parameters: request,
  };
}

export async function buildWorld(deployment: Deployment, client: HoldfastClient): Promise<World> {
  const createKey = async (kind = {}) => (await client.call('CreateKey', kind))['key_metadata'] as Message;
  const [appKey, otherKey, spareKey] = [await createKey(), await createKey(), await createKey()];
  await client.call('CreateAlias', { alias_name: 'alias/app', target_key_id: appKey['key_id'] });
  await client.call('CreateAlias', { alias_name: 'alias/other', target_key_id: otherKey['key_id'] });
  const macKey = await createKey({ key_spec: 'KEY_SPEC_HMAC_384', key_usage: 'KEY_USAGE_GENERATE_VERIFY_MAC' });
  await client.call('CreateAlias', { alias_name: 'alias/mac', target_key_id: macKey['key_id'] });
  const message = randomBytes(9);
  const macRequest = { key_id: macKey['key_id'], message, mac_algorithm: macAlgorithm };
  const encrypt = async (key: Message) => {
    const plaintext = randomBytes(24);
    deployment.ledger.add('plaintext', plaintext);
    const request = { key_id: key['key_id'], plaintext, encryption_context: { walk: 'yes' } };
    return (await client.call('Encrypt', request))['ciphertext_blob'] as Buffer;
  };
  const [cluster, spareCluster] = deployment.customClusters;
  const storeRequest = (from: typeof cluster) => ({
    custom_key_store_name: from?.tokenLabel,
    cloud_hsm_cluster_id: from?.clusterId,
    trust_anchor_certificate: deployment.trustAnchor,
    key_store_password: from?.pin,
  });
  const createStore = async (request: Message) =>
    (await client.call('CreateCustomKeyStore', request))['custom_key_store_id'] as string;
  const spareStore = storeRequest(spareCluster);
  return {
    appKey,
    otherKey,
    spareKey,
    macKey,
    message,
    mac: (await client.call('GenerateMac', macRequest))['mac'] as Buffer,
    storeId: await createStore(storeRequest(cluster)),
    spareStoreId: await createStore(spareStore),
    spareStore,
    defaultClusterId: deployment.defaultCluster.clusterId,
    appCiphertext: await encrypt(appKey),
    otherCiphertext: await encrypt(otherKey),
    backupId: await createBackup(client),
  };
}

/** Every way in which a user names a key: method, field, and the other fields of the request. */
export function userKeyRequests(world: World): [method: string, field: string, request: Message][] {
  const ciphertext = { ciphertext_blob: world.appCiphertext };
  const context = { encryption_context: { walk: 'yes' } };
  const reEncrypt = { ...ciphertext, source_encryption_context: { walk: 'yes' } };
  return [
    ['DescribeKey', 'key_id', {}],
    ['Encrypt', 'key_id', { plaintext: randomBytes(5) }],
    ['GenerateDataKey', 'key_id', { number_of_bytes: 8 }],
    ['GenerateDataKeyWithoutPlaintext', 'key_id', { number_of_bytes: 8 }],
    ['GenerateMac', 'key_id', { message: randomBytes(5), mac_algorithm: macAlgorithm }],
    ['VerifyMac', 'key_id', { message: world.message, mac_algorithm: macAlgorithm, mac: world.mac }],
    ['Decrypt', 'key_id', { ...ciphertext, ...context }],
    ['ReEncrypt', 'source_key_id', { ...reEncrypt, destination_key_id: 'alias/app' }],
    ['ReEncrypt', 'destination_key_id', reEncrypt],
  ];
}
