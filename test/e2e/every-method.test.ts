import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.js';
import { backupsEnded } from './access-rows.js';
import { type Message, methods } from './client.js';
import { keyStoreTests } from './every-method-key-stores.js';
import { keyTests } from './every-method-keys.js';
import { MethodBench } from './method-bench.js';

/** Complete answers of every method, as a client made by another tool-chain reads them. */
describe('every method', () => {
  const bench = new MethodBench();

  beforeAll(() => bench.start());

  afterAll(() => bench.stop());

  keyTests(bench);
  keyStoreTests(bench);

  it('GetStatus reports the default key store, which no other method does', async () => {
    const { key_stores: stores, process: process_ } = await bench.call('GetStatus');
    const connected = { cluster_name: 'default', connection_state: 'CONNECTION_STATE_CONNECTED', serving: true };
    expect((stores as Message[])[0]).toMatchObject(connected);
    expect(process_).toMatchObject({ node_version: process.version });
  });

  it('the methods of clusters describe them, and take a member out of service and back', async () => {
    const { clusterId } = bench.cluster('spare');
    const place = { cluster_id: clusterId, member_name: 'a' };
    const described = async (): Promise<unknown> =>
      ((await bench.call('DescribeClusters', { cluster_id: clusterId }))['clusters'] as Message[])[0];
    expect(await described()).toMatchObject({
      cluster_id: clusterId,
      replication: 'REPLICATION_NONE',
      minimum_members: 1,
      connected: false,
      members: [{ name: 'a', state: 'MEMBER_STATE_CLOSED', missing_materials: 0 }],
    });
    const { clusters } = await bench.call('DescribeClusters', {
      cluster_id: bench.deployment.defaultCluster.clusterId,
    });
    const [{ members }] = clusters as [{ members: Message[] }];
    expect(members[0]?.['key_specs']).toEqual([
      'KEY_SPEC_SYMMETRIC_DEFAULT',
      'KEY_SPEC_HMAC_224',
      'KEY_SPEC_HMAC_256',
      'KEY_SPEC_HMAC_384',
      'KEY_SPEC_HMAC_512',
    ]);
    await bench.call('DrainMember', place);
    await bench.call('ResumeMember', place);
    const inUse = bench.deployment.defaultCluster.clusterId;
    expect(await bench.client.refusal('DrainMember', { ...place, cluster_id: inUse })).toMatchObject({
      reason: 'CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION',
    });
    expect(await bench.client.refusal('DrainMember', { ...place, member_name: 'z' })).toMatchObject({
      reason: 'CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION',
    });
    expect(await bench.client.refusal('DescribeClusters', { cluster_id: 'cluster-22222222222' })).toMatchObject({
      reason: 'CLOUD_HSM_CLUSTER_NOT_FOUND',
    });
    await bench.call('ReconcileCluster', { cluster_id: inUse });
    expect(await bench.client.refusal('ReconcileCluster', { cluster_id: clusterId })).toMatchObject({
      reason: 'CUSTOM_KEY_STORE_INVALID_STATE',
    });
  });

  it('CreateBackup, DescribeBackups, ReadBackup and VerifyBackup go round', async () => {
    const { backup_id: backupId } = await bench.call('CreateBackup');
    await backupsEnded(bench.client);
    expect(await bench.call('DescribeBackups', { backup_id: backupId })).toMatchObject({
      backups: [{ state: 'BACKUP_STATE_COMPLETE', trigger: 'BACKUP_TRIGGER_OPERATOR', key_materials: 0 }],
    });
    const { data, size_bytes: size } = await bench.call('ReadBackup', { backup_id: backupId });
    expect((data as Buffer).toString('latin1')).toMatch(/^holdfast backup 1\n/);
    expect(await bench.call('ReadBackup', { backup_id: backupId, offset: size })).toMatchObject({ size_bytes: size });
    await bench.call('VerifyBackup', { backup_id: backupId });
    await waitFor(async () => {
      const { backups } = await bench.call('DescribeBackups', { backup_id: backupId });
      expect((backups as Message[])[0]).toMatchObject({ verification: 'BACKUP_VERIFICATION_UNAUTHENTICATED' });
    });
    expect(await bench.client.refusal('DeleteBackup', { backup_id: backupId })).toMatchObject({
      reason: 'KMS_INVALID_STATE',
    });
    await waitFor(async () => {
      const { backup_id: second } = await bench.call('CreateBackup');
      await backupsEnded(bench.client);
      const { backups } = await bench.call('DescribeBackups', { backup_id: second });
      expect((backups as Message[])[0]).toMatchObject({ state: 'BACKUP_STATE_COMPLETE' });
    });
    // The clock of the bench stands still, so both began at the same time.
    const { backups: both } = await bench.call('DescribeBackups');
    const older = (both as Message[]).filter(({ state }) => state === 'BACKUP_STATE_COMPLETE').at(-1);
    await waitFor(() => bench.call('DeleteBackup', { backup_id: older?.['backup_id'] }));
    const unknown = { backup_id: '0'.repeat(32) };
    for (const method of ['DescribeBackups', 'ReadBackup', 'VerifyBackup', 'DeleteBackup'])
      expect(await bench.client.refusal(method, unknown)).toMatchObject({ reason: 'NOT_FOUND' });
  });

  it('DescribeKeyDeletion reports a key that is not deleted', async () => {
    const created = (await bench.call('CreateKey'))['key_metadata'] as Message;
    const report = await bench.call('DescribeKeyDeletion', { key_id: created['key_id'] });
    expect(report).toEqual({ key_id: created['key_id'], complete: false, retaining_backup_count: 0 });
    expect(
      await bench.client.refusal('DescribeKeyDeletion', { key_id: '00000000-1111-4222-8333-444444444444' }),
    ).toMatchObject({ reason: 'NOT_FOUND' });
  });

  it('RotateSealingKey finds every password sealed under the only sealing key', async () => {
    expect(await bench.call('RotateSealingKey')).toMatchObject({ sealing_key_id: 'seal-1', resealed_passwords: 0 });
  });

  it('RotatePin changes the PIN of a connected key store', async () => {
    const { custom_key_stores: stores } = await bench.client.call('DescribeCustomKeyStores');
    const connected = (stores as Message[]).find((store) => store['connection_state'] === 'CONNECTION_STATE_CONNECTED');
    const request = { custom_key_store_id: connected?.['custom_key_store_id'] };
    const dryRun = await bench.call('RotatePin', { ...request, dry_run: true });
    expect(dryRun).toMatchObject({ complete: false, members: [{ member_name: 'a', phase: 'PIN_PHASE_OLD' }] });
    expect(await bench.call('RotatePin', request)).toMatchObject({ complete: true });
    expect(await bench.client.refusal('RotatePin', { custom_key_store_id: 'cks-00000000000000000' })).toMatchObject({
      reason: 'CUSTOM_KEY_STORE_NOT_FOUND',
    });
  });

  it('leaves no method of the descriptors out', () => {
    expect([...bench.succeeded].sort()).toEqual(methods.map(({ method }) => method).sort());
  });
});
