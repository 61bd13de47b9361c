/** Records for tests of the catalog, valid by default. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { KeyCatalog } from '../../src/keys/catalog.js';
import type { AliasRecord, IntentRecord, KeyRecord, MaterialRecord } from '../../src/keys/key.js';
import type { Scope } from '../../src/calls/scope.js';
import type { SealedPassword, StoreRecord } from '../../src/keystores/store.js';
import type { CatalogOwner } from '../../src/storage/catalog-problem.js';
import type { Catalog } from '../../src/storage/database.js';

export const scope: Scope = { account: '111122223333', region: 'eu-central-1' };
/** A scope of another account in the same region. */
export const otherScope: Scope = { account: '444455556666', region: 'eu-central-1' };

/** A day in January 2026, at an odd millisecond, which reveals lost precision. */
export function day(number: number): Date {
  return new Date(Date.UTC(2026, 0, number, 10, 20, 30, 457));
}

export function hex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}

export function keyRecord(change: Partial<KeyRecord> = {}): KeyRecord {
  return {
    ...scope,
    keyId: randomUUID(),
    description: 'ключ 🔑',
    keyUsage: 'ENCRYPT_DECRYPT',
    keySpec: 'SYMMETRIC_DEFAULT',
    origin: 'AWS_KMS',
    customKeyStoreId: null,
    clusterId: 'cluster-default00001',
    state: 'Enabled',
    creationDate: day(1),
    deletionDate: null,
    pendingDeletionWindowInDays: null,
    currentMaterialId: hex(32),
    ...change,
  };
}

export function materialOf(key: KeyRecord): MaterialRecord {
  return {
    materialId: key.currentMaterialId,
    keyId: key.keyId,
    clusterId: key.clusterId,
    label: `arn:aws:kms:${key.region}:${key.account}:key/${key.keyId}`,
    extractable: false,
    canary: { nonce: new Uint8Array(randomBytes(12)), ciphertext: new Uint8Array(randomBytes(32)) },
    creationDate: key.creationDate,
    destroyedDate: null,
  };
}

export function intentFor(key: KeyRecord, openedDate: Date = day(1)): IntentRecord {
  return {
    account: key.account,
    region: key.region,
    materialId: key.currentMaterialId,
    keyId: key.keyId,
    clusterId: key.clusterId,
    state: 'open',
    openedDate,
    abandonedDate: null,
  };
}

export function aliasFor(key: KeyRecord, aliasName: string): AliasRecord {
  return {
    account: key.account,
    region: key.region,
    aliasName,
    targetKeyId: key.keyId,
    creationDate: day(2),
    lastUpdatedDate: day(2),
  };
}

export function storeRecord(change: Partial<StoreRecord> = {}): StoreRecord {
  return {
    ...scope,
    customKeyStoreId: `cks-${hex(9).slice(0, 17)}`,
    name: `store ${hex(4)}`,
    clusterId: `cluster-${hex(6)}`,
    trustAnchorCertificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    password: sealedPassword(),
    passwordVersion: 1,
    connectionState: 'DISCONNECTED',
    connectionErrorCode: null,
    creationDate: day(3),
    ...change,
  };
}

export function sealedPassword(): SealedPassword {
  return {
    sealingKeyId: '2026-01',
    nonce: new Uint8Array(randomBytes(12)),
    ciphertext: new Uint8Array(randomBytes(24)),
  };
}

/** Makes a key as CreateKey does: intent, then commit. */
export async function addKey(catalog: KeyCatalog, change: Partial<KeyRecord> = {}): Promise<KeyRecord> {
  const key = keyRecord(change);
  await catalog.openIntent(intentFor(key));
  if (!(await catalog.commitKey(key, materialOf(key)))) throw new Error('The key was not committed.');
  return key;
}

export async function addStore(catalog: Catalog, change: Partial<StoreRecord> = {}): Promise<StoreRecord> {
  const store = storeRecord(change);
  const outcome = await catalog.createStore(store, 100);
  if (outcome !== 'created') throw new Error(`The store was not created: ${outcome}.`);
  return store;
}

/** The deployment of these records. */
export const owner: CatalogOwner = {
  identity: { partition: 'aws', region: scope.region, accounts: [scope.account] },
  clusterIds: ['cluster-default00001'],
};
