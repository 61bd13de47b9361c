import { describe, expect, it } from 'vitest';
import type { Message } from './client.js';
import { account, connectedKeyStore, connectionState } from './deployment.js';
import { bytes, keyArn, type MethodBench, now, timestamp, uuid } from './method-bench.js';

/** Custom key stores and the keys in them. */
export function keyStoreTests(bench: MethodBench): void {
  const { call, cluster, createKey, createStore, keyState, plaintextOf } = bench;

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
      await connectionState(bench.client, id, 'CONNECTED');
    };

    const disconnect = async (id: string): Promise<void> => {
      expect(await call('DisconnectCustomKeyStore', { custom_key_store_id: id })).toEqual({});
      await connectionState(bench.client, id, 'DISCONNECTED');
    };

    it('do not exist at first', async () => {
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
        trust_anchor_certificate: bench.deployment.trustAnchor,
        connection_state: 'CONNECTION_STATE_DISCONNECTED',
        creation_date: timestamp(now),
        custom_key_store_type: 'CUSTOM_KEY_STORE_TYPE_AWS_CLOUDHSM',
      });
    });

    it('are refused for a name or a cluster in use, an unknown cluster, another trust anchor', async () => {
      const refusals: [Message, string][] = [
        [{ custom_key_store_name: 'store first' }, 'CUSTOM_KEY_STORE_NAME_IN_USE'],
        [{ cloud_hsm_cluster_id: cluster('first').clusterId }, 'CLOUD_HSM_CLUSTER_IN_USE'],
        [{ cloud_hsm_cluster_id: bench.deployment.defaultCluster.clusterId }, 'CLOUD_HSM_CLUSTER_IN_USE'],
        [{ cloud_hsm_cluster_id: 'cluster-aaaaaaaaaaa' }, 'CLOUD_HSM_CLUSTER_NOT_FOUND'],
        [
          { trust_anchor_certificate: bench.deployment.otherAuthority.certificate.toString() },
          'INCORRECT_TRUST_ANCHOR',
        ],
      ];
      for (const [changes, reason] of refusals) {
        const request = {
          custom_key_store_name: 'store second',
          cloud_hsm_cluster_id: cluster('second').clusterId,
          trust_anchor_certificate: bench.deployment.trustAnchor,
          key_store_password: cluster('second').pin,
          ...changes,
        };
        expect((await bench.client.refusal('CreateCustomKeyStore', request)).reason).toBe(reason);
      }
    });

    it('connect, and appear in the metadata of their keys', async () => {
      expect(
        await bench.client.refusal('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: first }),
      ).toMatchObject({ reason: 'CUSTOM_KEY_STORE_INVALID_STATE' });
      await reconnect(first);
      // Valid, and without effect, on a connected store (AWS KMS API Reference, ConnectCustomKeyStore).
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
        expect((await bench.client.refusal('CreateKey', request)).reason).toBe('VALIDATION');
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
        bench.deployment.ledger.add('random bytes', bytes(random['plaintext']));
        expect(bytes(random['plaintext'])).toHaveLength(request.number_of_bytes);
      }
    });

    it('re-encrypt from the default store to a custom one, to another, and back', async () => {
      second = await connectedKeyStore(bench.client, bench.deployment, cluster('second'));
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
          // Material ids are shown only for keys with the origin AWS_KMS.
          ...(from === inDefault ? { source_key_material_id: inDefault['current_key_material_id'] } : {}),
          ...(to === inDefault ? { destination_key_material_id: inDefault['current_key_material_id'] } : {}),
        });
        ciphertext = moved['ciphertext_blob'];
      }
      const decrypted = await call('Decrypt', { ciphertext_blob: ciphertext, encryption_context: { step: '4' } });
      expect(decrypted['plaintext']).toEqual(plaintext);
    });

    it('are described all at once, by page, by id and by name', async () => {
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
        await bench.client.refusal('DescribeCustomKeyStores', {
          custom_key_store_id: first,
          custom_key_store_name: 'store first',
        }),
      ).toMatchObject({ reason: 'VALIDATION' });
      expect(await call('DeleteCustomKeyStore', { custom_key_store_id: third })).toEqual({});
    });

    it('can be renamed and given a password while connected; every other change needs them disconnected', async () => {
      expect(
        await call('UpdateCustomKeyStore', { custom_key_store_id: first, new_custom_key_store_name: 'renamed' }),
      ).toEqual({});
      expect(await describeStore(first)).toMatchObject({ custom_key_store_name: 'renamed' });
      const newPassword = { custom_key_store_id: first, key_store_password: cluster('first').pin };
      expect(await call('UpdateCustomKeyStore', newPassword)).toEqual({});
      const deletion = await bench.client.refusal('DeleteCustomKeyStore', { custom_key_store_id: first });
      expect(deletion.reason).toBe('CUSTOM_KEY_STORE_INVALID_STATE');
      await disconnect(first);
      const again = await bench.client.refusal('DisconnectCustomKeyStore', { custom_key_store_id: first });
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
      expect(await bench.client.refusal('Encrypt', { key_id: keyId, plaintext: plaintextOf(8) })).toMatchObject({
        reason: 'KMS_INVALID_STATE',
        message: `${String(arn)} is unavailable.`,
      });
      const random = await bench.client.refusal('GenerateRandom', { number_of_bytes: 8, custom_key_store_id: second });
      expect(random.reason).toBe('CUSTOM_KEY_STORE_INVALID_STATE');
      // Note 12 of the key state table: it succeeds, and takes effect once the store is connected.
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

    it('are not deleted while they have keys, including those pending deletion', async () => {
      await disconnect(second);
      const { keys } = await call('ListKeys');
      for (const { key_id: keyId } of keys as Message[]) {
        const { key_metadata: metadata } = await call('DescribeKey', { key_id: keyId });
        if ((metadata as Message)['custom_key_store_id'] !== second) continue;
        await call('ScheduleKeyDeletion', { key_id: keyId });
      }
      expect((await bench.client.refusal('DeleteCustomKeyStore', { custom_key_store_id: second })).reason).toBe(
        'CUSTOM_KEY_STORE_HAS_CMKS',
      );
    });
  });
}
