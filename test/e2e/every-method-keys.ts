import { describe, expect, it } from 'vitest';
import type { Message } from './client.js';
import { account } from './deployment.js';
import { aliasArn, bytes, keyArn, type MethodBench, now, timestamp, uuid } from './method-bench.js';

const dayMs = 86_400_000;
const hexMaterialId = /^[0-9a-f]{64}$/;

/** Keys of the default key store, their aliases, and cryptography with them. */
export function keyTests(bench: MethodBench): void {
  const { call, createKey, keyState, plaintextOf } = bench;

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
          cluster: bench.deployment.defaultCluster.clusterId,
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

    it('are disabled, enabled, scheduled for deletion and restored', async () => {
      const { key_id: keyId, arn } = await createKey();
      expect(await call('DisableKey', { key_id: keyId })).toEqual({});
      expect(await keyState(keyId)).toBe('KEY_STATE_DISABLED');
      expect(await bench.client.refusal('Encrypt', { key_id: keyId, plaintext: plaintextOf(9) })).toMatchObject({
        reason: 'DISABLED',
        message: `${String(arn)} is disabled.`,
      });
      expect(await call('EnableKey', { key_id: arn })).toEqual({});
      expect(await keyState(keyId)).toBe('KEY_STATE_ENABLED');
      expect(await bench.client.refusal('CancelKeyDeletion', { key_id: keyId })).toMatchObject({
        reason: 'KMS_INVALID_STATE',
        message: `${String(arn)} is not pending deletion.`,
      });
      expect(await call('UpdateKeyDescription', { key_id: keyId, description: 'ünïcode' })).toEqual({});
      expect(await call('DescribeKey', { key_id: keyId })).toMatchObject({ key_metadata: { description: 'ünïcode' } });
      expect(await call('UpdateKeyDescription', { key_id: arn, description: '' })).toEqual({});
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

    it('refuse everything but CancelKeyDeletion while pending deletion', async () => {
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
        ['UpdateKeyDescription', { key_id: keyId, description: 'too late' }],
        ['ScheduleKeyDeletion', { key_id: keyId }],
        ['CreateAlias', { alias_name: 'alias/too-late', target_key_id: keyId }],
        ['UpdateAlias', { alias_name: 'alias/doomed', target_key_id: keyId }],
      ];
      for (const [method, request] of refused) {
        const refusal = await bench.client.refusal(method, request);
        expect([method, refusal.reason, refusal.message]).toEqual([
          method,
          'KMS_INVALID_STATE',
          `${String(arn)} is pending deletion.`,
        ]);
      }
      // Note 10 of the key state table: the alias may move away from a key pending deletion.
      const { key_id: other } = await createKey();
      expect(await call('UpdateAlias', { alias_name: 'alias/doomed', target_key_id: other })).toEqual({});
      expect(await call('DeleteAlias', { alias_name: 'alias/doomed' })).toEqual({});
    });

    it('are listed in pages that together have each key once', async () => {
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
    it('name keys for DescribeKey and cryptography, move, and are deleted', async () => {
      const { key_id: one, arn } = await createKey();
      const { key_id: two } = await createKey();
      expect(await call('CreateAlias', { alias_name: 'alias/app/Main:1_x', target_key_id: one })).toEqual({});
      for (const name of ['alias/app/Main:1_x', aliasArn('alias/app/Main:1_x')]) {
        expect((await call('DescribeKey', { key_id: name }))['key_metadata']).toMatchObject({ key_id: one, arn });
      }
      expect(
        await bench.client.refusal('CreateAlias', { alias_name: 'alias/app/Main:1_x', target_key_id: two }),
      ).toMatchObject({
        reason: 'ALREADY_EXISTS',
        message: `An alias with the name ${aliasArn('alias/app/Main:1_x')} already exists`,
      });
      expect(await bench.client.refusal('DisableKey', { key_id: 'alias/app/Main:1_x' })).toMatchObject({
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
      expect(await bench.client.refusal('DescribeKey', { key_id: 'alias/app/Main:1_x' })).toMatchObject({
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

    it.each([
      ['224', 28],
      ['256', 32],
      ['384', 48],
      ['512', 64],
    ])('makes and verifies MACs under an HMAC_%s key', async (bits, length) => {
      const kind = { key_spec: `KEY_SPEC_HMAC_${bits}`, key_usage: 'KEY_USAGE_GENERATE_VERIFY_MAC' };
      const created = await createKey(kind);
      expect(created).toMatchObject({
        ...kind,
        customer_master_key_spec: `CUSTOMER_MASTER_KEY_SPEC_HMAC_${bits}`,
        mac_algorithms: [`MAC_ALGORITHM_HMAC_SHA_${bits}`],
      });
      expect(created).not.toHaveProperty('encryption_algorithms');
      const { key_id: keyId, arn } = created;
      const request = { key_id: keyId, message: plaintextOf(20), mac_algorithm: `MAC_ALGORITHM_HMAC_SHA_${bits}` };
      const made = await call('GenerateMac', request);
      expect(made).toEqual({ mac: expect.any(Buffer) as Buffer, mac_algorithm: request.mac_algorithm, key_id: arn });
      expect(bytes(made['mac'])).toHaveLength(length);
      const verified = await call('VerifyMac', { ...request, mac: made['mac'] });
      expect(verified).toEqual({ key_id: arn, mac_valid: true, mac_algorithm: request.mac_algorithm });
      const wrong = await bench.client.refusal('VerifyMac', { ...request, mac: Buffer.alloc(length) });
      expect(wrong.reason).toBe('KMS_INVALID_MAC');
      const encryption = await bench.client.refusal('Encrypt', { key_id: keyId, plaintext: plaintextOf(3) });
      expect(encryption.reason).toBe('INVALID_KEY_USAGE');
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
      bench.deployment.ledger.add('data key', bytes(dataKey['plaintext']));
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
      const encrypted = await call('GenerateDataKeyWithoutPlaintext', request);
      expect(encrypted).toEqual({
        ciphertext_blob: expect.any(Buffer) as Buffer,
        key_id: arn,
        key_material_id: materialId,
      });
      const decrypted = await call('Decrypt', {
        ciphertext_blob: encrypted['ciphertext_blob'],
        encryption_context: { tenant: '7' },
      });
      bench.deployment.ledger.add('data key', bytes(decrypted['plaintext']));
      expect(bytes(decrypted['plaintext'])).toHaveLength(lengthBytes);
    });

    it('requires exactly one length of a data key', async () => {
      const { key_id: keyId } = await createKey();
      for (const method of ['GenerateDataKey', 'GenerateDataKeyWithoutPlaintext']) {
        const both = { key_spec: 'DATA_KEY_SPEC_AES_128', number_of_bytes: 16 };
        for (const lengths of [{}, both]) {
          expect((await bench.client.refusal(method, { key_id: keyId, ...lengths })).reason).toBe('VALIDATION');
        }
      }
    });
  });
}
