import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../test/manual-clock.js';
import type { BackupRecord } from '../../backup/backup-record.js';
import { type ConnectionState } from '../../keystores/store.js';
import { connectionErrorCodes } from '../../clusters/hsm-cluster.js';
import { getStatus } from '../../operations/service/get-status.js';
import { memberStates, type ProcessStatus, type ServiceStatus } from '../../status/service-status.js';
import { codecs } from './handler.js';
import { GetStatusResponse } from './gen/holdfast/admin/v1/admin_service.js';

/**
 * Operators ask GetStatus when something is wrong, so it must reach the wire in every state. A field or a value that
 * the proto does not have turns the whole answer into an internal error.
 */

/** Every value; the compiler keeps the list complete. */
const connectionStates = Object.keys({
  CONNECTED: 0,
  CONNECTING: 0,
  FAILED: 0,
  DISCONNECTED: 0,
  DISCONNECTING: 0,
} satisfies Record<ConnectionState, 0>) as ConnectionState[];
const replacements = Object.keys({
  none: 0,
  'put-off': 0,
  due: 0,
  asked: 0,
} satisfies Record<ProcessStatus['replacement'], 0>) as ProcessStatus['replacement'][];
const certificateKinds = Object.keys({
  CERTIFICATE: 0,
  AUTHORITY: 0,
  REVOCATION_LIST: 0,
} satisfies Record<
  ServiceStatus['certificates'][number]['kind'],
  0
>) as ServiceStatus['certificates'][number]['kind'][];

const principal = { account: '111122223333', region: 'eu-central-1' };
const date = new Date('2026-11-30T01:00:00Z');

const backup: BackupRecord = {
  ...{ backupId: 'ab'.repeat(16), fileName: 'a', trigger: 'SCHEDULE', state: 'COMPLETE', startTime: date },
  ...{ endTime: date, sizeBytes: 1, keyMaterials: 1, absentKeyMaterials: 0, failure: null, removedTime: null },
  generations: [{ clusterId: 'cluster-aaaaaaaaaaa', generation: 4 }],
  ...{ verification: 'PASSED', verificationTime: date, verificationFailure: null },
  ...{ copiedTime: null, goneTime: null, unknownSince: null },
};

/** A status with every field, and every value of every enumerated field. */
function everything(replacement: ProcessStatus['replacement']): ServiceStatus {
  const members = memberStates.map((state) => ({
    name: state,
    state,
    lanes: 4,
    busyLanes: 3,
    quarantinedLanes: 2,
    queuedOperations: 1,
    unaccountedMaterials: 5,
    missingMaterials: 6,
    generation: 2,
    witness: { epoch: 2 ** 40, writtenDate: date, failing: true },
  }));
  const store = {
    clusterId: 'cluster-aaaaaaaaaaa',
    clusterName: 'payments',
    serving: false,
    minimumMembers: 2,
    members,
  };
  const keyStores = connectionStates.flatMap((connectionState) =>
    [null, ...connectionErrorCodes].flatMap((connectionErrorCode) => [
      { ...store, connectionState, connectionErrorCode, customKeyStoreId: null, scope: null, name: null },
      { ...store, connectionState, connectionErrorCode, customKeyStoreId: 'cks-1', scope: principal, name: 'one' },
    ]),
  );
  return {
    catalogReadable: false,
    catalogWritable: false,
    certificateTrouble: 'no PEM',
    configurationTrouble: null,
    deletionHold: { reason: 'restored', since: date },
    encryptionBudgetUsed: 0.75,
    keyStores: keyStores.map((one) => ({
      ...one,
      refusedTokens: ['4b5c'],
      utilisation: 0.5,
      limitDate: date,
      trust: 'unenforced' as const,
    })),
    audit: { file: '/audit.log', writable: false, inPlace: false, lostRecords: 7 },
    backups: {
      everyMs: 3_600_000,
      lastComplete: backup,
      lastVerified: backup,
      isLastIncomplete: true,
      isLastRefused: true,
      absent: 3,
      unreadable: ['circle'],
    },
    disks: (['audit', 'catalog'] as const).map((holds) => ({ holds, path: '/', freeBytes: 1, sizeBytes: 2 ** 43 })),
    certificates: certificateKinds.map((kind) => ({
      path: `/${kind}`,
      kind,
      subject: 'CN=x',
      notBefore: date,
      notAfter: date,
    })),
    process: {
      version: '1',
      nodeVersion: 'v22',
      startTime: date,
      replacement,
      openFileDescriptors: 20,
      maximumFileDescriptors: 256,
    },
  };
}

describe('GetStatus on the wire', () => {
  test.each(replacements)('carries every field of the status, with a replacement that is %s', async (replacement) => {
    const status = everything(replacement);
    const core = { status: { status: () => Promise.resolve(status) }, clock: new ManualClock() };
    const context = { principal } as Parameters<typeof getStatus>[1];
    const response = GetStatusResponse.decode(codecs.GetStatus.encode(await getStatus(core, context)));

    expect(response.backups).toMatchObject({
      ...{ intervalSeconds: 3_600n, lastCompleteTime: date, lastCompleteBackupId: backup.backupId },
      generations: [{ clusterId: 'cluster-aaaaaaaaaaa', generation: 4 }],
      ...{ verification: 'BACKUP_VERIFICATION_PASSED', verificationTime: date, lastVerifiedTime: date },
      ...{ absentArchives: 3, lastIncomplete: true, lastRefused: true },
    });
    expect(response.keyStores).toHaveLength(status.keyStores.length);
    expect(response.keyStores[0]).toMatchObject({ utilisation: 0.5, limitDate: date, trust: 'TRUST_UNENFORCED' });
    expect(response.keyStores[0]?.members).toHaveLength(memberStates.length);
    expect(response.keyStores[0]?.members[0]?.witness).toEqual({ epoch: 2n ** 40n, writtenDate: date, failing: true });
    expect(response.certificates).toHaveLength(certificateKinds.length);
    expect(response.certificates[0]).toMatchObject({ notBefore: date, notAfter: date });
    expect(response.disks[0]).toMatchObject({ sizeBytes: 2n ** 43n });
    expect(response.catalog).toEqual({ readable: false, writable: false });
    expect(response.deletions).toEqual({ held: true, reason: 'restored', since: date });
    expect(response.encryptionBudgetUsed).toBe(0.75);
    expect(response.severity).toBe('SEVERITY_FAILURE');
    expect(response.concerns.length).toBeGreaterThan(status.keyStores.length);
  });
});
