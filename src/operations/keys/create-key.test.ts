import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { customKeyStoreId, type KeyDomain, openKeyDomain, scope } from '../../../test/key-domain.js';
import type { EncryptionCanary } from '../../clusters/hsm-cluster.js';
import type { Secret } from '../../secret.js';
import { createKey, type CreateKeyRequest } from './create-key.js';
import { describeKey } from './describe-key.js';
import { materialReference } from '../../keys/material.js';
import { canaryAdditionalData, canaryPlaintext } from '../../keys/canary.js';

let domain: KeyDomain;
beforeEach(async () => void (domain = await openKeyDomain()));
afterEach(() => domain.close());

const create = (request: CreateKeyRequest = {}) => createKey(domain.core, { request }, domain.context());
const inCustomStore = { origin: 'AWS_CLOUDHSM', customKeyStoreId };
const farFuture = new Date('2100-01-01');

/** The one intent that a failed create left open. */
async function intentLeft() {
  const [intent] = await domain.catalog.listAbandonedIntents(farFuture, 10);
  return intent;
}

describe('CreateKey', () => {
  it('makes a key of the default key store', async () => {
    const { keyMetadata } = await create({ description: 'for payments' });
    const arn = `arn:aws:kms:eu-central-1:111122223333:key/${keyMetadata.keyId}`;
    expect(keyMetadata).toStrictEqual({
      awsAccountId: '111122223333',
      keyId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      arn,
      creationDate: domain.clock.now(),
      enabled: true,
      description: 'for payments',
      keyUsage: 'ENCRYPT_DECRYPT',
      keyState: 'Enabled',
      deletionDate: undefined,
      origin: 'AWS_KMS',
      customKeyStoreId: undefined,
      cloudHsmClusterId: undefined,
      keyManager: 'CUSTOMER',
      customerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      keySpec: 'SYMMETRIC_DEFAULT',
      encryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      multiRegion: false,
      currentKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      custody: {
        cluster: domain.defaultCluster.clusterId,
        clusterName: 'default',
        members: ['software'],
        replication: 'none',
        minimumMembers: 1,
        trust: undefined,
        extractable: false,
        backedUp: false,
      },
    });
    const key = await domain.reread({ ...scope, keyId: keyMetadata.keyId } as never);
    expect(await describeKey(domain.core, { key })).toStrictEqual({ keyMetadata });
    expect((await domain.catalog.findMaterial(key.currentMaterialId))?.label).toBe(arn);
  });

  it('makes a key of a custom key store, whose material id stays hidden', async () => {
    const { keyMetadata } = await create(inCustomStore);
    expect(keyMetadata).toMatchObject({
      origin: 'AWS_CLOUDHSM',
      customKeyStoreId,
      cloudHsmClusterId: domain.customCluster.clusterId,
      custody: { clusterName: 'payments' },
    });
    expect(keyMetadata.currentKeyMaterialId).toBeUndefined();
  });

  it('keeps a canary that the material decrypts', async () => {
    const key = await domain.newKey();
    const material = (await domain.catalog.findMaterial(key.currentMaterialId))!;
    const additionalData = canaryAdditionalData(material.materialId);
    const answer: Secret = await domain.defaultCluster.perform(
      'decrypt',
      { material: materialReference(material), encrypted: material.canary as EncryptionCanary, additionalData },
      domain.context(),
    );
    expect(Buffer.from(answer.reveal())).toEqual(Buffer.from(canaryPlaintext(material.materialId)));
  });

  it('commits an intent before it calls a token, and removes it once the key exists', async () => {
    let states: (string | undefined)[] = [];
    domain.core.identifiers.materialId = () => 'ab'.repeat(32);
    domain.defaultCluster.next('generateKeyMaterial', async () => {
      states = [(await domain.catalog.findIntent('ab'.repeat(32)))?.state];
    });
    await create();
    states.push((await domain.catalog.findIntent('ab'.repeat(32)))?.state);
    expect(states).toEqual(['open', undefined]);
  });

  it('abandons the intent when the HSM fails, and reports the HSM’s error', async () => {
    const failure = new Error('the HSM');
    domain.defaultCluster.next('generateKeyMaterial', () => Promise.reject(failure), 'after');
    await expect(create()).rejects.toBe(failure);
    const intent = await intentLeft();
    expect(intent).toMatchObject({ state: 'abandoned', clusterId: domain.defaultCluster.clusterId, ...scope });
    expect(domain.defaultCluster.has(intent!.materialId), 'destroyed by recovery only').toBe(true);
    expect(await domain.catalog.listKeys(scope, undefined, 10)).toEqual([]);
  });

  it('reports why the key was not made even when the catalog fails too', async () => {
    const failure = new Error('the HSM');
    domain.defaultCluster.next('generateKeyMaterial', () => Promise.reject(failure));
    const core = {
      ...domain.core,
      catalog: { ...domain.catalog, abandonIntent: () => Promise.reject(new Error('the disk')) },
    };
    await expect(createKey(core, { request: {} }, domain.context())).rejects.toBe(failure);
    expect(domain.backgroundErrors).toMatchObject([{ error: { message: 'the disk' } }]);
  });

  it('makes no key in a store that was disconnected meanwhile', async () => {
    domain.customCluster.next('generateKeyMaterial', () => domain.keyStores.setConnection('DISCONNECTED'), 'after');
    await expect(create(inCustomStore)).rejects.toMatchObject({ code: 'CUSTOM_KEY_STORE_INVALID_STATE' });
    expect(await intentLeft()).toMatchObject({ state: 'abandoned' });
    expect(await domain.catalog.countKeysOfStore(customKeyStoreId)).toBe(0);
  });

  it('makes no key when recovery has abandoned its intent', async () => {
    domain.defaultCluster.next('generateKeyMaterial', async () => {
      await domain.catalog.abandonIntentsOpenedBefore(farFuture, domain.clock.now());
    });
    await expect(create()).rejects.toThrow('was abandoned before the key was committed');
    expect(await domain.catalog.listKeys(scope, undefined, 10)).toEqual([]);
  });

  it('opens no intent when there is no cluster to make a key in', async () => {
    domain.keyStores.disconnected.add(domain.defaultCluster.clusterId);
    await expect(create()).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    await expect(create({ ...inCustomStore, customKeyStoreId: 'cks-other' })).rejects.toMatchObject({
      code: 'CUSTOM_KEY_STORE_NOT_FOUND',
    });
    expect(await domain.catalog.abandonIntentsOpenedBefore(farFuture, domain.clock.now())).toBe(0);
  });

  it.each([
    [{ customKeyStoreId }, 'origin'],
    [{ customKeyStoreId, origin: 'AWS_KMS' }, 'origin'],
    [{ origin: 'AWS_CLOUDHSM' }, 'custom_key_store_id'],
    [{ keySpec: 'SYMMETRIC_DEFAULT', customerMasterKeySpec: 'RSA_2048' }, 'customer_master_key_spec'],
  ])('refuses fields that contradict each other: %j', async (request, field) => {
    await expect(create(request)).rejects.toMatchObject({ code: 'VALIDATION', fieldViolations: [{ field }] });
    expect(domain.defaultCluster.calls).toEqual([]);
  });

  it('takes both names of the key spec when they agree, and a default origin that is spelt out', async () => {
    const spec = 'SYMMETRIC_DEFAULT';
    const request = { keySpec: spec, customerMasterKeySpec: spec, keyUsage: 'ENCRYPT_DECRYPT', origin: 'AWS_KMS' };
    expect((await create(request)).keyMetadata.keyState).toBe('Enabled');
  });
});
