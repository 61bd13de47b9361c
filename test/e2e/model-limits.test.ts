import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KmsOperationName } from '../../src/api/kms-operations.js';
import { kmsOperationNames } from '../../src/api/kms-operations.js';
import { type ModelShape, modelOperations } from '../kms-model.js';
import { CallError, type HoldfastClient, type Message } from './client.js';
import { connectedKeyStore, Deployment, type RunningServer } from './deployment.js';
import { type Edge, edgesOf, fieldOf } from './model-edges.js';

/** Every limit of every request field in the model, at its edges, on a running server. */

/** Deviations from the model's shapes, and why. */
const differences: Record<string, Partial<ModelShape>> = {
  // The shape of a limit is 1–1,000; the text of ListAliases says 1–100.
  'ListAliases.Limit': { max: 100 },
  // The shape is 1–365; the text of ScheduleKeyDeletion says 7–30.
  'ScheduleKeyDeletion.PendingWindowInDays': { min: 7, max: 30 },
  // A name without the prefix `alias/` is a ValidationException in the live service.
  AliasName: { min: 6 },
};

/** Fields that the model's text requires although its shape does not. */
const requiredByText: Partial<Record<KmsOperationName, string[]>> = {
  CreateCustomKeyStore: ['CloudHsmClusterId', 'TrustAnchorCertificate', 'KeyStorePassword'],
  Decrypt: ['CiphertextBlob'],
  ReEncrypt: ['CiphertextBlob'],
  GenerateRandom: ['NumberOfBytes'],
};

/** The allowed answers to a valid value, besides success and UNSUPPORTED_OPERATION. */
const answersToAllowed: Record<string, string> = {
  AliasName: 'NOT_FOUND INVALID_ALIAS_NAME',
  CiphertextBlob: 'INVALID_CIPHERTEXT',
  CloudHsmClusterId: 'CLOUD_HSM_CLUSTER_NOT_FOUND',
  CustomKeyStoreId: 'CUSTOM_KEY_STORE_NOT_FOUND',
  'DescribeCustomKeyStores.CustomKeyStoreName': 'CUSTOM_KEY_STORE_NOT_FOUND',
  // Every ciphertext of these tests has another context.
  'Decrypt.EncryptionContext': 'INVALID_CIPHERTEXT',
  'ReEncrypt.SourceEncryptionContext': 'INVALID_CIPHERTEXT',
  DestinationEncryptionAlgorithm: 'INVALID_KEY_USAGE',
  DestinationKeyId: 'NOT_FOUND',
  EncryptionAlgorithm: 'INVALID_KEY_USAGE',
  KeyId: 'NOT_FOUND',
  // The key is an HMAC_256 key; every message and MAC but those of the base request are others.
  MacAlgorithm: 'INVALID_KEY_USAGE',
  'VerifyMac.Mac': 'KMS_INVALID_MAC',
  'VerifyMac.Message': 'KMS_INVALID_MAC',
  Marker: 'INVALID_MARKER',
  SourceEncryptionAlgorithm: 'INVALID_KEY_USAGE',
  SourceKeyId: 'NOT_FOUND',
  TargetKeyId: 'NOT_FOUND',
  TrustAnchorCertificate: 'INCORRECT_TRUST_ANCHOR',
};

const macKeyRequest = { key_spec: 'KEY_SPEC_HMAC_256', key_usage: 'KEY_USAGE_GENERATE_VERIFY_MAC' };
const missingStore = { custom_key_store_id: 'cks-00000000000000000' };

describe('the limits of the model', () => {
  const deployment = new Deployment({ customClusters: ['connected', 'kept', 'made'] });
  let server: RunningServer;
  let client: HoldfastClient;
  let bases: Record<KmsOperationName, Message>;
  /** The other fields that a field requires, because of rules between fields. */
  let companions: Record<string, Message>;
  let storeCount = 0;

  const storeOn = (label: string): Message => {
    const found = deployment.customClusters.find(({ tokenLabel }) => tokenLabel === label);
    return {
      custom_key_store_name: label,
      cloud_hsm_cluster_id: found?.clusterId,
      trust_anchor_certificate: deployment.trustAnchor,
      key_store_password: found?.pin,
    };
  };

  beforeAll(async () => {
    server = await deployment.start();
    client = server.client();
    await server.defaultKeyStoreConnected(client);
    const connected = deployment.customClusters.find(({ tokenLabel }) => tokenLabel === 'connected');
    const connectedId = await connectedKeyStore(client, deployment, connected);
    const { custom_key_store_id: keptId } = await client.call('CreateCustomKeyStore', storeOn('kept'));
    const { key_metadata: metadata } = await client.call('CreateKey');
    const { key_id: keyId } = metadata as Message;
    await client.call('CreateAlias', { alias_name: 'alias/kept', target_key_id: keyId });
    const encrypted = await client.call('Encrypt', { key_id: keyId, plaintext: Buffer.from('model limits') });
    const { ciphertext_blob: ciphertext } = encrypted;
    const macKey = await client.call('CreateKey', macKeyRequest);
    const { key_id: macKeyId } = macKey['key_metadata'] as Message;
    const macRequest = {
      key_id: macKeyId,
      message: Buffer.from('x'),
      mac_algorithm: 'MAC_ALGORITHM_HMAC_SHA_256',
    };
    const { mac } = await client.call('GenerateMac', macRequest);
    bases = {
      CreateCustomKeyStore: storeOn('made'),
      ConnectCustomKeyStore: missingStore,
      DisconnectCustomKeyStore: missingStore,
      DescribeCustomKeyStores: {},
      UpdateCustomKeyStore: { custom_key_store_id: keptId },
      DeleteCustomKeyStore: missingStore,
      CreateKey: {},
      DescribeKey: { key_id: keyId },
      ListKeys: {},
      EnableKey: { key_id: keyId },
      DisableKey: { key_id: keyId },
      UpdateKeyDescription: { key_id: keyId, description: 'new' },
      ScheduleKeyDeletion: { key_id: keyId },
      CancelKeyDeletion: { key_id: keyId },
      CreateAlias: { alias_name: 'alias/made', target_key_id: keyId },
      ListAliases: {},
      UpdateAlias: { alias_name: 'alias/kept', target_key_id: keyId },
      DeleteAlias: { alias_name: 'alias/missing' },
      Encrypt: { key_id: keyId, plaintext: Buffer.from('x') },
      Decrypt: { ciphertext_blob: ciphertext },
      ReEncrypt: { ciphertext_blob: ciphertext, destination_key_id: keyId },
      GenerateDataKey: { key_id: keyId, number_of_bytes: 8 },
      GenerateDataKeyWithoutPlaintext: { key_id: keyId, number_of_bytes: 8 },
      GenerateMac: macRequest,
      VerifyMac: { ...macRequest, mac },
      GenerateRandom: { number_of_bytes: 8 },
    };
    const forMacs = { key_usage: macKeyRequest.key_usage };
    const hmacSpecs = ['HMAC_224', 'HMAC_256', 'HMAC_384', 'HMAC_512'];
    companions = {
      ...Object.fromEntries(hmacSpecs.map((spec) => [`CreateKey.KeySpec ${spec}`, forMacs])),
      ...Object.fromEntries(hmacSpecs.map((spec) => [`CreateKey.CustomerMasterKeySpec ${spec}`, forMacs])),
      'CreateKey.KeyUsage GENERATE_VERIFY_MAC': { key_spec: macKeyRequest.key_spec },
      'CreateKey.CustomKeyStoreId': { origin: 'ORIGIN_AWS_CLOUDHSM' },
      'CreateKey.Origin AWS_CLOUDHSM': { custom_key_store_id: connectedId },
      'GenerateDataKey.KeySpec': { number_of_bytes: undefined },
      'GenerateDataKeyWithoutPlaintext.KeySpec': { number_of_bytes: undefined },
    };
  });

  afterAll(async () => {
    await server.stop();
    expect(deployment.findSecrets()).toEqual([]);
    deployment.dispose();
  });

  /** Undoes the changes of a success: the next value meets the same server. */
  const undo = async (method: KmsOperationName, request: Message, response: Message): Promise<void> => {
    if (response['plaintext'] !== undefined) deployment.ledger.add('answer', response['plaintext'] as Buffer);
    if (method === 'CreateCustomKeyStore') {
      storeCount += 1;
      await client.call('DeleteCustomKeyStore', response);
    }
    if (method === 'CreateAlias') await client.call('DeleteAlias', { alias_name: request['alias_name'] });
    if (method === 'ScheduleKeyDeletion') await client.call('CancelKeyDeletion', { key_id: request['key_id'] });
    if (['ScheduleKeyDeletion', 'DisableKey'].includes(method)) {
      await client.call('EnableKey', { key_id: request['key_id'] });
    }
  };

  const answerTo = async (method: KmsOperationName, request: Message): Promise<CallError | 'OK'> => {
    try {
      const response = await client.call(method, request);
      await undo(method, request, response);
      return 'OK';
    } catch (error) {
      if (error instanceof CallError) return error;
      throw error;
    }
  };

  /** @returns the problem with the answer, if any. */
  const faultOf = async (method: KmsOperationName, name: string, edge: Edge): Promise<string | undefined> => {
    const place = `${method}.${name}`;
    const companion = { ...companions[place], ...companions[`${place} ${edge.what}`] };
    const request = { ...bases[method], ...companion, [fieldOf(name)]: edge.value };
    const answer = await answerTo(method, request);
    const reason = answer === 'OK' ? 'OK' : String(answer.reason);
    if (edge.inside) {
      const more = answersToAllowed[place] ?? answersToAllowed[name] ?? '';
      const expected = ['OK', 'UNSUPPORTED_OPERATION', ...more.split(' ')];
      return expected.includes(reason) ? undefined : `${place} ${edge.what} is allowed and was answered ${reason}`;
    }
    const fields = answer === 'OK' ? [] : answer.fieldViolations.map(({ field }) => field);
    if (reason === 'VALIDATION' && fields.includes(edge.field)) return undefined;
    return `${place} ${edge.what} is not allowed and was answered ${reason} on ${fields.join()}, not on ${edge.field}`;
  };

  it.each(kmsOperationNames)('%s: every field, at and beyond its limits', async (method) => {
    const faults: string[] = [];
    for (const [name, shape] of Object.entries(modelOperations[method].input.members)) {
      const edges = edgesOf({ ...shape, ...(differences[`${method}.${name}`] ?? differences[name]) }, fieldOf(name));
      for (const edge of edges) {
        const fault = await faultOf(method, name, edge);
        if (fault !== undefined) faults.push(fault);
      }
    }
    expect(faults).toEqual([]);
  });

  it.each(kmsOperationNames)('%s: without each field that is required', async (method) => {
    const required = [...(modelOperations[method].input.required ?? []), ...(requiredByText[method] ?? [])];
    for (const name of required) {
      const answer = await client.refusal(method, { ...bases[method], [fieldOf(name)]: undefined });
      expect([name, answer.reason]).toEqual([name, 'VALIDATION']);
      expect(answer.fieldViolations.map(({ field }) => field)).toEqual([fieldOf(name)]);
    }
    const all = await answerTo(method, {});
    const named = all === 'OK' ? [] : all.fieldViolations.map(({ field }) => field);
    // Requirements of the text that the shape lacks are checked once the shape is satisfied.
    const expected = modelOperations[method].input.required ?? requiredByText[method] ?? [];
    for (const name of expected) expect(named).toContain(fieldOf(name));
  });

  it('ran against a server that can accept valid values', () => {
    expect(storeCount).toBeGreaterThan(3);
  });
});
