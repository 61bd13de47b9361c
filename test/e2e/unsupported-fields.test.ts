import { randomBytes } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operationNames } from '../../src/operations/registry.js';
import { requestConstraints } from '../../src/api/request-constraints.js';
import { modelOperations } from '../kms-model.js';
import type { HoldfastClient, Message } from './client.js';
import { Deployment, type RunningServer } from './deployment.js';
import { fieldOf, sampleOf } from './model-edges.js';

/**
 * A field that is not honoured is refused (invariant 13). This table is the documented list. The test compares it with
 * the server's limits, and looks each of its fields up in the model.
 */
const anyValue = 'any value';
const ifTrue = 'true';

const xksProxy = Object.fromEntries(
  [
    'xks_proxy_uri_endpoint',
    'xks_proxy_uri_path',
    'xks_proxy_vpc_endpoint_service_name',
    'xks_proxy_vpc_endpoint_service_owner',
    'xks_proxy_authentication_credential',
    'xks_proxy_connectivity',
  ].map((name) => [name, anyValue]),
);

const rsa = ['RSA_2048', 'RSA_3072', 'RSA_4096'];
const ecc = ['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1'];
const otherSpecs = [...rsa, ...ecc, 'SM2'];
const newerSpecs = [
  'ML_DSA_44',
  'ML_DSA_65',
  'ML_DSA_87',
  'ECC_NIST_EDWARDS25519',
  'ML_KEM_512',
  'ML_KEM_768',
  'ML_KEM_1024',
];

const refused: Record<string, Record<string, string | string[]>> = {
  CreateCustomKeyStore: { custom_key_store_type: ['EXTERNAL_KEY_STORE'], ...xksProxy },
  UpdateCustomKeyStore: xksProxy,
  CreateKey: {
    policy: anyValue,
    key_usage: ['SIGN_VERIFY', 'KEY_AGREEMENT', 'ENCAPSULATE_DECAPSULATE'],
    customer_master_key_spec: otherSpecs,
    key_spec: [...otherSpecs, ...newerSpecs],
    origin: ['EXTERNAL', 'EXTERNAL_KEY_STORE'],
    bypass_policy_lockout_safety_check: ifTrue,
    tags: anyValue,
    multi_region: ifTrue,
    xks_key_id: anyValue,
  },
  DescribeKey: { grant_tokens: anyValue },
  ListKeys: { resource_owners: anyValue },
  Encrypt: { grant_tokens: anyValue, dry_run: ifTrue },
  Decrypt: { grant_tokens: anyValue, recipient: anyValue, dry_run: ifTrue, dry_run_modifiers: anyValue },
  ReEncrypt: { grant_tokens: anyValue, dry_run: ifTrue, dry_run_modifiers: anyValue },
  GenerateDataKey: { grant_tokens: anyValue, recipient: anyValue, dry_run: ifTrue },
  GenerateDataKeyWithoutPlaintext: { grant_tokens: anyValue, dry_run: ifTrue },
  GenerateMac: { grant_tokens: anyValue, dry_run: ifTrue },
  VerifyMac: { grant_tokens: anyValue, dry_run: ifTrue },
  GenerateRandom: { recipient: anyValue },
};

/** Like the table above, from the limits that the server enforces. */
function refusedByServer(): typeof refused {
  const methods = operationNames.map((method) => {
    const fields = Object.entries(requestConstraints[method]).flatMap(([name, { unsupported }]) => {
      if (unsupported === 'never') return [];
      const what = unsupported === 'always' ? anyValue : unsupported === 'when-true' ? ifTrue : [...unsupported];
      return [[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), what] as const];
    });
    return [method, Object.fromEntries(fields)] as const;
  });
  return Object.fromEntries(methods.filter(([, fields]) => Object.keys(fields).length > 0));
}

describe('fields that are not honoured', () => {
  const deployment = new Deployment();
  let server: RunningServer;
  let client: HoldfastClient;
  let bases: Record<string, Message>;

  /** Everything that a request could have made or changed. */
  const world = async (): Promise<Message> => ({
    keys: await client.call('ListKeys', { limit: 1000 }),
    aliases: await client.call('ListAliases', { limit: 100 }),
    stores: await client.call('DescribeCustomKeyStores'),
    key: await client.call('DescribeKey', { key_id: 'alias/app' }),
  });

  /** Every refused value of a field. */
  const valuesOf = (method: string, field: string, what: string | string[]): unknown[] => {
    if (Array.isArray(what)) return what.map((value) => `${field.toUpperCase()}_${value}`);
    if (what === ifTrue) return [true];
    const { members } = modelOperations[method as keyof typeof modelOperations].input;
    const [, shape] = Object.entries(members).find(([name]) => fieldOf(name) === field) ?? [];
    if (shape === undefined) throw new Error(`The model has no ${method}.${field}.`);
    return [sampleOf(shape)];
  };

  beforeAll(async () => {
    server = await deployment.start();
    client = server.client();
    await server.defaultKeyStoreConnected(client);
    const { key_metadata: metadata } = await client.call('CreateKey');
    const { key_id: keyId } = metadata as Message;
    await client.call('CreateAlias', { alias_name: 'alias/app', target_key_id: keyId });
    const plaintext = randomBytes(16);
    deployment.ledger.add('plaintext', plaintext);
    const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
    const store = {
      custom_key_store_name: 'store',
      cloud_hsm_cluster_id: deployment.customCluster.clusterId,
      trust_anchor_certificate: deployment.trustAnchor,
      key_store_password: deployment.customCluster.pin,
    };
    const { custom_key_store_id: storeId } = await client.call('CreateCustomKeyStore', store);
    const mac = { key_id: keyId, message: plaintext, mac_algorithm: 'MAC_ALGORITHM_HMAC_SHA_256' };
    bases = {
      CreateCustomKeyStore: { ...store, custom_key_store_name: 'another store' },
      UpdateCustomKeyStore: { custom_key_store_id: storeId, new_custom_key_store_name: 'renamed' },
      CreateKey: {},
      DescribeKey: { key_id: keyId },
      ListKeys: {},
      Encrypt: { key_id: keyId, plaintext },
      Decrypt: { ciphertext_blob: ciphertext },
      ReEncrypt: { ciphertext_blob: ciphertext, destination_key_id: keyId },
      GenerateDataKey: { key_id: keyId, number_of_bytes: 16 },
      GenerateDataKeyWithoutPlaintext: { key_id: keyId, number_of_bytes: 16 },
      GenerateMac: mac,
      VerifyMac: { ...mac, mac: randomBytes(32) },
      GenerateRandom: { number_of_bytes: 16 },
    };
  });

  afterAll(async () => {
    await server.stop();
    expect(deployment.findSecrets()).toEqual([]);
    deployment.dispose();
  });

  it('are those of the table, in the limits of the server', () => {
    expect(refusedByServer()).toEqual(refused);
  });

  it.each(Object.entries(refused))('%s: are refused by name, and nothing is done', async (method, fields) => {
    const before = await world();
    for (const [field, what] of Object.entries(fields)) {
      for (const value of valuesOf(method, field, what)) {
        const refusal = await client.refusal(method, { ...bases[method], [field]: value });
        expect([field, value, refusal.reason]).toEqual([field, value, 'UNSUPPORTED_OPERATION']);
        expect(refusal).toMatchObject({ status: grpc.status.UNIMPLEMENTED, domain: 'holdfast.kms' });
        expect(refusal.fieldViolations.map((violation) => violation.field)).toEqual([field]);
        expect(refusal.message).toContain(field);
        const record = deployment.auditRecords().at(-1);
        expect(record).toMatchObject({ operation: method, outcome: 'failed', errorCode: 'UNSUPPORTED_OPERATION' });
      }
    }
    expect(await world()).toEqual(before);
  });

  it('are all named at once', async () => {
    const request = { policy: '{}', tags: [{ tag_key: 'a', tag_value: '' }], multi_region: true };
    const refusal = await client.refusal('CreateKey', request);
    expect(refusal.fieldViolations.map(({ field }) => field)).toEqual(['policy', 'tags', 'multi_region']);
  });

  it('are accepted if they ask for the default behaviour', async () => {
    const plain: [string, Message][] = [
      ['CreateKey', { multi_region: false, bypass_policy_lockout_safety_check: false, tags: [] }],
      ['DescribeKey', { grant_tokens: [] }],
      ['Encrypt', { dry_run: false, grant_tokens: [] }],
      ['Decrypt', { dry_run: false, grant_tokens: [], dry_run_modifiers: [] }],
      ['ReEncrypt', { dry_run: false, grant_tokens: [], dry_run_modifiers: [] }],
      ['GenerateDataKey', { dry_run: false, grant_tokens: [] }],
      ['GenerateDataKeyWithoutPlaintext', { dry_run: false, grant_tokens: [] }],
    ];
    for (const [method, fields] of plain) {
      const response = await client.call(method, { ...bases[method], ...fields });
      if (response['plaintext'] !== undefined) deployment.ledger.add('answer', response['plaintext'] as Buffer);
    }
  });
});
