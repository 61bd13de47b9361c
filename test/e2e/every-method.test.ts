import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { systemClock } from '../../src/clock-system.js';
import { type HoldfastClient, type Message, methods } from './client.js';
import { account, connectedKeyStore, connectionState, Deployment, region, type RunningServer } from './deployment.js';

/** The server's day stands still, so that dates are known; its timers and deadlines run. */
const now = new Date('2026-02-03T04:05:06.789Z');
const clock: Clock = {
  now: () => new Date(now),
  monotonicMs: () => systemClock.monotonicMs(),
  schedule: (delayMs, task) => systemClock.schedule(delayMs, task),
};

const dayMs = 86_400_000;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const hexMaterialId = /^[0-9a-f]{64}$/;

const timestamp = (date: Date) => ({
  seconds: String(Math.floor(date.getTime() / 1000)),
  nanos: date.getMilliseconds() * 1_000_000,
});
const keyArn = (keyId: unknown) => `arn:aws:kms:${region}:${account}:key/${String(keyId)}`;
const aliasArn = (aliasName: string) => `arn:aws:kms:${region}:${account}:${aliasName}`;
const bytes = (value: unknown) => Buffer.from(value as Uint8Array);

describe('every method, by a client of another tool-chain', () => {
  const deployment = new Deployment({ customClusters: ['first', 'second', 'spare'] });
  const succeeded = new Set<string>();
  let server: RunningServer;
  let client: HoldfastClient;

  const call = async (method: string, request: Message = {}): Promise<Message> => {
    const response = await client.call(method, request);
    succeeded.add(method);
    return response;
  };

  const cluster = (label: string) => {
    const found = deployment.customClusters.find(({ tokenLabel }) => tokenLabel === label);
    if (found === undefined) throw new Error(`No cluster ${label}.`);
    return found;
  };

  const createStore = (label: string, changes: Message = {}) =>
    call('CreateCustomKeyStore', {
      custom_key_store_name: `store ${label}`,
      cloud_hsm_cluster_id: cluster(label).clusterId,
      trust_anchor_certificate: deployment.trustAnchor,
      key_store_password: cluster(label).pin,
      custom_key_store_type: 'CUSTOM_KEY_STORE_TYPE_AWS_CLOUDHSM',
      ...changes,
    });

  const createKey = async (request: Message = {}): Promise<Message> =>
    (await call('CreateKey', request))['key_metadata'] as Message;

  const keyState = async (keyId: unknown): Promise<unknown> => {
    const { key_metadata: metadata } = await call('DescribeKey', { key_id: keyId });
    return (metadata as Message)['key_state'];
  };

  const plaintextOf = (length: number): Buffer => {
    const plaintext = randomBytes(length);
    deployment.ledger.add('plaintext', plaintext);
    return plaintext;
  };

  beforeAll(async () => {
    server = await deployment.start({ clock });
    client = server.client();
    await server.defaultKeyStoreConnected(client);
  });

  afterAll(async () => {
    await server.stop();
    expect(deployment.findSecrets()).toEqual([]);
    deployment.dispose();
  });

  describe('keys of the default key store', () => {
    it('have the metadata that AWS documents, and custody', async () => {
      const created = await createKey({ description: 'A key with Ünïcode 🔑' });
      expect(created).toEqual({
        aws_account_id: account,
        key_id: expect.stringMatching(uuid) as string,
        arn: keyArn(created['key_id']),
        creation_date: timestamp(now),
        enabled: true,
        description: 'A key with Ünïcode 🔑',
        key_usage: 'KEY_USAGE_ENCRYPT_DECRYPT',
        key_state: 'KEY_STATE_ENABLED',
        origin: 'ORIGIN_AWS_KMS',
        key_manager: 'KEY_MANAGER_CUSTOMER',
        customer_master_key_spec: 'CUSTOMER_MASTER_KEY_SPEC_SYMMETRIC_DEFAULT',
        key_spec: 'KEY_SPEC_SYMMETRIC_DEFAULT',
        encryption_algorithms: ['ENCRYPTION_ALGORITHM_SYMMETRIC_DEFAULT'],
        multi_region: false,
        current_key_material_id: expect.stringMatching(hexMaterialId) as string,
        custody: {
          cluster: deployment.defaultCluster.clusterId,
          cluster_name: 'default',
          members: ['a'],
          replication: 'REPLICATION_NONE',
          minimum_members: 1,
          extractable: false,
          backed_up: false,
        },
      });
      expect(await call('DescribeKey', { key_id: created['key_id'] })).toEqual({ key_metadata: created });
      expect(await call('DescribeKey', { key_id: created['arn'] })).toEqual({ key_metadata: created });
    });

    it('take every explicit default', async () => {
      const created = await createKey({
        key_usage: 'KEY_USAGE_ENCRYPT_DECRYPT',
        key_spec: 'KEY_SPEC_SYMMETRIC_DEFAULT',
        customer_master_key_spec: 'CUSTOMER_MASTER_KEY_SPEC_SYMMETRIC_DEFAULT',
        origin: 'ORIGIN_AWS_KMS',
        multi_region: false,
        bypass_policy_lockout_safety_check: false,
      });
      expect(created).toMatchObject({ description: '', key_state: 'KEY_STATE_ENABLED', origin: 'ORIGIN_AWS_KMS' });
    });

    it('are disabled, enabled, scheduled for deletion and saved from it', async () => {
      const { key_id: keyId, arn } = await createKey();
      expect(await call('DisableKey', { key_id: keyId })).toEqual({});
      expect(await keyState(keyId)).toBe('KEY_STATE_DISABLED');
      expect(await client.refusal('Encrypt', { key_id: keyId, plaintext: plaintextOf(9) })).toMatchObject({
        reason: 'DISABLED',
        message: `${String(arn)} is disabled.`,
      });
      expect(await call('EnableKey', { key_id: arn })).toEqual({});
      expect(await keyState(keyId)).toBe('KEY_STATE_ENABLED');
      expect(await client.refusal('CancelKeyDeletion', { key_id: keyId })).toMatchObject({
        reason: 'KMS_INVALID_STATE',
        message: `${String(arn)} is not pending deletion.`,
      });
      const deletionDate = timestamp(new Date(now.getTime() + 7 * dayMs));
      expect(await call('ScheduleKeyDeletion', { key_id: keyId, pending_window_in_days: 7 })).toEqual({
        key_id: arn,
        deletion_date: deletionDate,
        key_state: 'KEY_STATE_PENDING_DELETION',
        pending_window_in_days: 7,
      });
      expect((await call('DescribeKey', { key_id: keyId }))['key_metadata']).toMatchObject({
        enabled: false,
        key_state: 'KEY_STATE_PENDING_DELETION',
        deletion_date: deletionDate,
      });
      expect(await call('CancelKeyDeletion', { key_id: keyId })).toEqual({ key_id: arn });
      const { key_metadata: saved } = await call('DescribeKey', { key_id: keyId });
      expect(saved).toMatchObject({ enabled: false, key_state: 'KEY_STATE_DISABLED' });
      expect(saved).not.toHaveProperty('deletion_date');
    });

    it('refuse everything but their rescue while they wait for deletion', async () => {
      const { key_id: keyId, arn } = await createKey();
      const { ciphertext_blob: ciphertext } = await call('Encrypt', { key_id: keyId, plaintext: plaintextOf(20) });
      await call('CreateAlias', { alias_name: 'alias/doomed', target_key_id: keyId });
      const scheduled = await call('ScheduleKeyDeletion', { key_id: keyId });
      expect(scheduled['pending_window_in_days']).toBe(30);
      const refused: [string, Message][] = [
        ['Encrypt', { key_id: keyId, plaintext: plaintextOf(9) }],
        ['Decrypt', { ciphertext_blob: ciphertext }],
        ['ReEncrypt', { ciphertext_blob: ciphertext, destination_key_id: keyId }],
        ['GenerateDataKey', { key_id: keyId, number_of_bytes: 16 }],
        ['GenerateDataKeyWithoutPlaintext', { key_id: keyId, number_of_bytes: 16 }],
        ['EnableKey', { key_id: keyId }],
        ['DisableKey', { key_id: keyId }],
        ['ScheduleKeyDeletion', { key_id: keyId }],
        ['CreateAlias', { alias_name: 'alias/too-late', target_key_id: keyId }],
        ['UpdateAlias', { alias_name: 'alias/doomed', target_key_id: keyId }],
      ];
      for (const [method, request] of refused) {
        const refusal = await client.refusal(method, request);
        expect([method, refusal.reason, refusal.message]).toEqual([
          method,
          'KMS_INVALID_STATE',
          `${String(arn)} is pending deletion.`,
        ]);
      }
      // Note 10 of the key state table: the alias may move away from a key that waits for its deletion.
      const { key_id: other } = await createKey();
      expect(await call('UpdateAlias', { alias_name: 'alias/doomed', target_key_id: other })).toEqual({});
      expect(await call('DeleteAlias', { alias_name: 'alias/doomed' })).toEqual({});
    });

    it('are listed in pages that together are all keys, once each', async () => {
      const ids = new Set<unknown>();
      for (let count = 0; count < 3; count += 1) ids.add((await createKey())['key_id']);
      const listed: Message[] = [];
      let marker: unknown;
      do {
        const page = await call('ListKeys', { limit: 2, marker });
        const keys = page['keys'] as Message[];
        expect(keys.length).toBeLessThanOrEqual(2);
        expect('next_marker' in page).toBe(page['truncated']);
        listed.push(...keys);
        marker = page['next_marker'];
      } while (marker !== undefined);
      const whole = await call('ListKeys');
      expect(whole).toEqual({ keys: listed, truncated: false });
      expect(new Set(listed.map((entry) => entry['key_id'])).size).toBe(listed.length);
      for (const id of ids) expect(listed).toContainEqual({ key_id: id, key_arn: keyArn(id) });
    });
  });

  describe('aliases', () => {
    it('name keys for DescribeKey and cryptography, move, and go', async () => {
      const { key_id: one, arn } = await createKey();
      const { key_id: two } = await createKey();
      expect(await call('CreateAlias', { alias_name: 'alias/app/Main:1_x', target_key_id: one })).toEqual({});
      for (const name of ['alias/app/Main:1_x', aliasArn('alias/app/Main:1_x')]) {
        expect((await call('DescribeKey', { key_id: name }))['key_metadata']).toMatchObject({ key_id: one, arn });
      }
      expect(await client.refusal('CreateAlias', { alias_name: 'alias/app/Main:1_x', target_key_id: two })).toMatchObject({
        reason: 'ALREADY_EXISTS',
        message: `An alias with the name ${aliasArn('alias/app/Main:1_x')} already exists`,
      });
      expect(await client.refusal('DisableKey', { key_id: 'alias/app/Main:1_x' })).toMatchObject({
        reason: 'NOT_FOUND',
        message: "Invalid keyId 'alias/app/Main:1_x'",
      });
      const encrypted = await call('Encrypt', { key_id: 'alias/app/Main:1_x', plaintext: plaintextOf(30) });
      expect(encrypted['key_id']).toBe(arn);
      expect(await call('UpdateAlias', { alias_name: 'alias/app/Main:1_x', target_key_id: two })).toEqual({});
      expect(await call('ListAliases', { key_id: two })).toEqual({
        aliases: [
          {
            alias_name: 'alias/app/Main:1_x',
            alias_arn: aliasArn('alias/app/Main:1_x'),
            target_key_id: two,
            creation_date: timestamp(now),
            last_updated_date: timestamp(now),
          },
        ],
        truncated: false,
      });
      expect(await call('ListAliases', { key_id: one })).toEqual({ truncated: false });
      // The ciphertext names its key: the alias may point elsewhere by now.
      expect((await call('Decrypt', { ciphertext_blob: encrypted['ciphertext_blob'] }))['key_id']).toBe(arn);
      expect(await call('DeleteAlias', { alias_name: 'alias/app/Main:1_x' })).toEqual({});
      expect(await client.refusal('DescribeKey', { key_id: 'alias/app/Main:1_x' })).toMatchObject({
        reason: 'NOT_FOUND',
        message: `Alias ${aliasArn('alias/app/Main:1_x')} is not found.`,
      });
    });

    it('are listed in pages, in ascending order', async () => {
      const { key_id: keyId } = await createKey();
      const names = ['alias/c', 'alias/B', 'alias/a', 'alias/b/1', 'alias/b'];
      for (const name of names) await call('CreateAlias', { alias_name: name, target_key_id: keyId });
      const listed: unknown[] = [];
      let marker: unknown;
      do {
        const page = await call('ListAliases', { key_id: keyId, limit: 2, marker });
        listed.push(...(page['aliases'] as Message[]).map((alias) => alias['alias_name']));
        expect('next_marker' in page).toBe(page['truncated']);
        marker = page['next_marker'];
      } while (marker !== undefined);
      expect(listed).toEqual([...names].sort());
    });
  });

  describe('cryptography', () => {
    it('encrypts and decrypts from one byte to 4,096, with and without a context', async () => {
      const { key_id: keyId, arn, current_key_material_id: materialId } = await createKey();
      for (const length of [1, 100, 4096]) {
        for (const context of [{}, { purpose: 'test', Größe: '10' }]) {
          const plaintext = plaintextOf(length);
          const encrypted = await call('Encrypt', { key_id: keyId, plaintext, encryption_context: context });
          expect(encrypted).toEqual({
            ciphertext_blob: expect.any(Buffer) as Buffer,
            key_id: arn,
            encryption_algorithm: 'ENCRYPTION_ALGORITHM_SYMMETRIC_DEFAULT',
          });
          expect(bytes(encrypted['ciphertext_blob']).length).toBeLessThanOrEqual(length + 96);
          const decrypted = await call('Decrypt', {
            ciphertext_blob: encrypted['ciphertext_blob'],
            encryption_context: context,
            key_id: arn,
            encryption_algorithm: 'ENCRYPTION_ALGORITHM_SYMMETRIC_DEFAULT',
          });
          expect(decrypted).toEqual({
            key_id: arn,
            plaintext,
            encryption_algorithm: 'ENCRYPTION_ALGORITHM_SYMMETRIC_DEFAULT',
            key_material_id: materialId,
          });
        }
      }
    });

    it('never makes the same ciphertext twice', async () => {
      const { key_id: keyId } = await createKey();
      const plaintext = plaintextOf(16);
      const made = new Set<string>();
      for (let count = 0; count < 20; count += 1) {
        const { ciphertext_blob: blob } = await call('Encrypt', { key_id: keyId, plaintext });
        made.add(bytes(blob).toString('hex'));
      }
      expect(made.size).toBe(20);
    });

    it.each([
      [{ key_spec: 'DATA_KEY_SPEC_AES_128' }, 16],
      [{ key_spec: 'DATA_KEY_SPEC_AES_256' }, 32],
      [{ number_of_bytes: 1 }, 1],
      [{ number_of_bytes: 1024 }, 1024],
    ])('makes data keys: %j', async (length, lengthBytes) => {
      const { key_id: keyId, arn, current_key_material_id: materialId } = await createKey();
      const request = { key_id: keyId, encryption_context: { tenant: '7' }, ...length };
      const dataKey = await call('GenerateDataKey', request);
      deployment.ledger.add('data key', bytes(dataKey['plaintext']));
      expect(dataKey).toEqual({
        ciphertext_blob: expect.any(Buffer) as Buffer,
        plaintext: expect.any(Buffer) as Buffer,
        key_id: arn,
        key_material_id: materialId,
      });
      expect(bytes(dataKey['plaintext'])).toHaveLength(lengthBytes);
      const opened = await call('Decrypt', {
        ciphertext_blob: dataKey['ciphertext_blob'],
        encryption_context: { tenant: '7' },
      });
      expect(opened['plaintext']).toEqual(dataKey['plaintext']);
      const sealed = await call('GenerateDataKeyWithoutPlaintext', request);
      expect(sealed).toEqual({
        ciphertext_blob: expect.any(Buffer) as Buffer,
        key_id: arn,
        key_material_id: materialId,
      });
      const unsealed = await call('Decrypt', {
        ciphertext_blob: sealed['ciphertext_blob'],
        encryption_context: { tenant: '7' },
      });
      deployment.ledger.add('data key', bytes(unsealed['plaintext']));
      expect(bytes(unsealed['plaintext'])).toHaveLength(lengthBytes);
    });

    it('wants exactly one length of a data key', async () => {
      const { key_id: keyId } = await createKey();
      for (const method of ['GenerateDataKey', 'GenerateDataKeyWithoutPlaintext']) {
        const both = { key_spec: 'DATA_KEY_SPEC_AES_128', number_of_bytes: 16 };
        for (const lengths of [{}, both]) {
          expect((await client.refusal(method, { key_id: keyId, ...lengths })).reason).toBe('VALIDATION');
        }
      }
    });
  });

  describe('custom key stores', () => {
    let first: string;
    let second: string;

    const describeStore = async (id: unknown): Promise<Message> => {
      const { custom_key_stores: stores } = await call('DescribeCustomKeyStores', { custom_key_store_id: id });
      const [store] = stores as Message[];
      if (store === undefined) throw new Error('The store is not there.');
      return store;
    };

    const reconnect = async (id: string): Promise<void> => {
      expect(await call('ConnectCustomKeyStore', { custom_key_store_id: id })).toEqual({});
      await connectionState(client, id, 'CONNECTED');
    };

    const disconnect = async (id: string): Promise<void> => {
      expect(await call('DisconnectCustomKeyStore', { custom_key_store_id: id })).toEqual({});
      await connectionState(client, id, 'DISCONNECTED');
    };

    it('are none at first', async () => {
      expect(await call('DescribeCustomKeyStores')).toEqual({ truncated: false });
    });

    it('are created disconnected; the same create again is a retry', async () => {
      const created = await createStore('first');
      first = created['custom_key_store_id'] as string;
      expect(created).toEqual({ custom_key_store_id: expect.stringMatching(/^cks-[0-9a-f]{17}$/) as string });
      expect(await createStore('first')).toEqual(created);
      expect(await describeStore(first)).toEqual({
        custom_key_store_id: first,
        custom_key_store_name: 'store first',
        cloud_hsm_cluster_id: cluster('first').clusterId,
        trust_anchor_certificate: deployment.trustAnchor,
        connection_state: 'CONNECTION_STATE_DISCONNECTED',
        creation_date: timestamp(now),
        custom_key_store_type: 'CUSTOM_KEY_STORE_TYPE_AWS_CLOUDHSM',
      });
    });

    it('are refused for a name or a cluster that is taken, a cluster that is not there, another trust anchor', async () => {
      const refusals: [Message, string][] = [
        [{ custom_key_store_name: 'store first' }, 'CUSTOM_KEY_STORE_NAME_IN_USE'],
        [{ cloud_hsm_cluster_id: cluster('first').clusterId }, 'CLOUD_HSM_CLUSTER_IN_USE'],
        [{ cloud_hsm_cluster_id: deployment.defaultCluster.clusterId }, 'CLOUD_HSM_CLUSTER_IN_USE'],
        [{ cloud_hsm_cluster_id: 'cluster-aaaaaaaaaaa' }, 'CLOUD_HSM_CLUSTER_NOT_FOUND'],
        [{ trust_anchor_certificate: deployment.otherAuthority.certificate.toString() }, 'INCORRECT_TRUST_ANCHOR'],
      ];
      for (const [changes, reason] of refusals) {
        const request = {
          custom_key_store_name: 'store second',
          cloud_hsm_cluster_id: cluster('second').clusterId,
          trust_anchor_certificate: deployment.trustAnchor,
          key_store_password: cluster('second').pin,
          ...changes,
        };
        expect((await client.refusal('CreateCustomKeyStore', request)).reason).toBe(reason);
      }
    });

    it('connect, and say what they are in the metadata of their keys', async () => {
      expect(
        await client.refusal('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: first }),
      ).toMatchObject({ reason: 'CUSTOM_KEY_STORE_INVALID_STATE' });
      await reconnect(first);
      // Valid, and without effect, on a store that is connected (AWS KMS API Reference, ConnectCustomKeyStore).
      expect(await call('ConnectCustomKeyStore', { custom_key_store_id: first })).toEqual({});
      const created = await createKey({ origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: first });
      expect(created).toEqual({
        aws_account_id: account,
        key_id: expect.stringMatching(uuid) as string,
        arn: keyArn(created['key_id']),
        creation_date: timestamp(now),
        enabled: true,
        description: '',
        key_usage: 'KEY_USAGE_ENCRYPT_DECRYPT',
        key_state: 'KEY_STATE_ENABLED',
        origin: 'ORIGIN_AWS_CLOUDHSM',
        custom_key_store_id: first,
        cloud_hsm_cluster_id: cluster('first').clusterId,
        key_manager: 'KEY_MANAGER_CUSTOMER',
        customer_master_key_spec: 'CUSTOMER_MASTER_KEY_SPEC_SYMMETRIC_DEFAULT',
        key_spec: 'KEY_SPEC_SYMMETRIC_DEFAULT',
        encryption_algorithms: ['ENCRYPTION_ALGORITHM_SYMMETRIC_DEFAULT'],
        multi_region: false,
        custody: {
          cluster: cluster('first').clusterId,
          cluster_name: 'first',
          members: ['a'],
          replication: 'REPLICATION_NONE',
          minimum_members: 1,
          extractable: false,
          backed_up: false,
        },
      });
    });

    it('make keys only with the origin AWS_CLOUDHSM, which needs a store', async () => {
      for (const request of [
        { custom_key_store_id: first },
        { custom_key_store_id: first, origin: 'ORIGIN_AWS_KMS' },
        { origin: 'ORIGIN_AWS_CLOUDHSM' },
      ]) {
        expect((await client.refusal('CreateKey', request)).reason).toBe('VALIDATION');
      }
    });

    it('make random bytes', async () => {
      for (const request of [
        { number_of_bytes: 1024, custom_key_store_id: first },
        { number_of_bytes: 1 },
        { number_of_bytes: 333 },
      ]) {
        const random = await call('GenerateRandom', request);
        expect(random).toEqual({ plaintext: expect.any(Buffer) as Buffer });
        deployment.ledger.add('random bytes', bytes(random['plaintext']));
        expect(bytes(random['plaintext'])).toHaveLength(request.number_of_bytes);
      }
    });

    it('re-encrypt from the default store to a custom one, to another, and back', async () => {
      second = await connectedKeyStore(client, deployment, cluster('second'));
      const inDefault = await createKey();
      const inFirst = await createKey({ origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: first });
      const inSecond = await createKey({ origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: second });
      const plaintext = plaintextOf(1000);
      let ciphertext = (
        await call('Encrypt', { key_id: inDefault['key_id'], plaintext, encryption_context: { step: '0' } })
      )['ciphertext_blob'];
      const path = [inDefault, inFirst, inSecond, inSecond, inDefault];
      for (const [step, from] of path.slice(0, -1).entries()) {
        const to = path[step + 1];
        const moved = await call('ReEncrypt', {
          ciphertext_blob: ciphertext,
          source_encryption_context: { step: String(step) },
          source_key_id: from['arn'],
          destination_key_id: to?.['key_id'],
          destination_encryption_context: { step: String(step + 1) },
        });
        expect(moved).toEqual({
          ciphertext_blob: expect.any(Buffer) as Buffer,
          source_key_id: from['arn'],
          key_id: to?.['arn'],
          source_encryption_algorithm: 'ENCRYPTION_ALGORITHM_SYMMETRIC_DEFAULT',
          destination_encryption_algorithm: 'ENCRYPTION_ALGORITHM_SYMMETRIC_DEFAULT',
          // Material ids are shown of keys with the origin AWS_KMS only.
          ...(from === inDefault ? { source_key_material_id: inDefault['current_key_material_id'] } : {}),
          ...(to === inDefault ? { destination_key_material_id: inDefault['current_key_material_id'] } : {}),
        });
        ciphertext = moved['ciphertext_blob'];
      }
      const decrypted = await call('Decrypt', { ciphertext_blob: ciphertext, encryption_context: { step: '4' } });
      expect(decrypted['plaintext']).toEqual(plaintext);
    });

    it('are described all, by page, by id and by name', async () => {
      const third = (await createStore('spare'))['custom_key_store_id'];
      const whole = await call('DescribeCustomKeyStores');
      expect(whole['truncated']).toBe(false);
      const all = whole['custom_key_stores'] as Message[];
      expect(all.map((store) => store['custom_key_store_id']).sort()).toEqual([first, second, third].sort());
      const listed: Message[] = [];
      let marker: unknown;
      do {
        const page = await call('DescribeCustomKeyStores', { limit: 1, marker });
        expect('next_marker' in page).toBe(page['truncated']);
        listed.push(...(page['custom_key_stores'] as Message[]));
        marker = page['next_marker'];
      } while (marker !== undefined);
      expect(listed).toEqual(all);
      const named = await call('DescribeCustomKeyStores', { custom_key_store_name: 'store first' });
      expect(named).toEqual({ custom_key_stores: [await describeStore(first)], truncated: false });
      expect(
        await client.refusal('DescribeCustomKeyStores', {
          custom_key_store_id: first,
          custom_key_store_name: 'store first',
        }),
      ).toMatchObject({ reason: 'VALIDATION' });
      expect(await call('DeleteCustomKeyStore', { custom_key_store_id: third })).toEqual({});
    });

    it('are renamed while they are connected; all else needs them disconnected', async () => {
      expect(
        await call('UpdateCustomKeyStore', { custom_key_store_id: first, new_custom_key_store_name: 'renamed' }),
      ).toEqual({});
      expect(await describeStore(first)).toMatchObject({ custom_key_store_name: 'renamed' });
      const newPassword = { custom_key_store_id: first, key_store_password: cluster('first').pin };
      for (const [method, request] of [
        ['UpdateCustomKeyStore', newPassword],
        ['DeleteCustomKeyStore', { custom_key_store_id: first }],
      ] as const) {
        expect((await client.refusal(method, request)).reason).toBe('CUSTOM_KEY_STORE_INVALID_STATE');
      }
      await disconnect(first);
      const again = await client.refusal('DisconnectCustomKeyStore', { custom_key_store_id: first });
      expect(again.reason).toBe('CUSTOM_KEY_STORE_INVALID_STATE');
      expect(await call('UpdateCustomKeyStore', newPassword)).toEqual({});
      await reconnect(first);
    });

    it('make their keys unavailable while they are disconnected', async () => {
      const { key_id: keyId, arn } = await createKey({
        origin: 'ORIGIN_AWS_CLOUDHSM',
        custom_key_store_id: second,
      });
      await disconnect(second);
      expect((await call('DescribeKey', { key_id: keyId }))['key_metadata']).toMatchObject({
        enabled: false,
        key_state: 'KEY_STATE_UNAVAILABLE',
      });
      expect(await client.refusal('Encrypt', { key_id: keyId, plaintext: plaintextOf(8) })).toMatchObject({
        reason: 'KMS_INVALID_STATE',
        message: `${String(arn)} is unavailable.`,
      });
      const random = await client.refusal('GenerateRandom', { number_of_bytes: 8, custom_key_store_id: second });
      expect(random.reason).toBe('CUSTOM_KEY_STORE_INVALID_STATE');
      // Note 12 of the key state table: it succeeds, and shows once the store is connected.
      expect(await call('DisableKey', { key_id: keyId })).toEqual({});
      expect(await keyState(keyId)).toBe('KEY_STATE_UNAVAILABLE');
      expect(await call('ScheduleKeyDeletion', { key_id: keyId })).toMatchObject({
        key_state: 'KEY_STATE_PENDING_DELETION',
      });
      // Note 13: PendingDeletion wins.
      expect(await keyState(keyId)).toBe('KEY_STATE_PENDING_DELETION');
      expect(await call('CancelKeyDeletion', { key_id: keyId })).toEqual({ key_id: arn });
      await reconnect(second);
      expect(await keyState(keyId)).toBe('KEY_STATE_DISABLED');
    });

    it('are not deleted while they have keys, also keys that wait for their deletion', async () => {
      await disconnect(second);
      const { keys } = await call('ListKeys');
      for (const { key_id: keyId } of keys as Message[]) {
        const { key_metadata: metadata } = await call('DescribeKey', { key_id: keyId });
        if ((metadata as Message)['custom_key_store_id'] !== second) continue;
        await call('ScheduleKeyDeletion', { key_id: keyId });
      }
      expect((await client.refusal('DeleteCustomKeyStore', { custom_key_store_id: second })).reason).toBe(
        'CUSTOM_KEY_STORE_HAS_CMKS',
      );
    });
  });

  it('leaves no method of the descriptors out', () => {
    expect([...succeeded].sort()).toEqual(methods.map(({ method }) => method).sort());
  });
});
