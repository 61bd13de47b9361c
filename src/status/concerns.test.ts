import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { concernsOf, worst } from './concerns.js';
import type { BackupRecord } from '../backup/backup-record.js';
import type { BackupSummary } from '../backup/summary.js';
import type { KeyStoreStatus, MemberStatus, ServiceStatus } from './service-status.js';

/** An operator who is paged runs `holdfast status` first: it must not say that all is well. */

const now = new Date('2026-11-30T10:00:00Z');
const later = new Date('2027-11-30T10:00:00Z');
const counts = { lanes: 1, busyLanes: 0, quarantinedLanes: 0, queuedOperations: 0, unaccountedMaterials: 0 };
const copies = { missingMaterials: 0, generation: 2, witness: { epoch: 3, writtenDate: now, failing: false } };
const member: MemberStatus = { name: 'a', state: 'SERVING', ...counts, ...copies };
const keyStore: KeyStoreStatus = {
  customKeyStoreId: null,
  scope: null,
  name: null,
  clusterId: 'cluster-aaaaaaaaaaa',
  clusterName: 'main',
  connectionState: 'CONNECTED',
  connectionErrorCode: null,
  serving: true,
  refusedTokens: [],
  utilisation: 0.1,
  limitDate: null,
  minimumMembers: 1,
  members: [member],
};
const certificate = { path: '/server.pem', kind: 'CERTIFICATE', subject: 'CN=x', notBefore: new Date(0) } as const;
const well: ServiceStatus = {
  catalogReadable: true,
  catalogWritable: true,
  deletionHold: null,
  encryptionBudgetUsed: 0.1,
  keyStores: [keyStore],
  audit: { file: '/audit.log', writable: true, inPlace: true, lostRecords: 0 },
  backups: null,
  disks: [{ holds: 'catalog', path: '/', freeBytes: 2 ** 40, sizeBytes: 2 ** 41 }],
  certificates: [{ ...certificate, notAfter: later }],
  certificateTrouble: null,
  configurationTrouble: null,
  process: {
    version: '1',
    nodeVersion: 'v22',
    startTime: now,
    replacement: 'none',
    openFileDescriptors: 20,
    maximumFileDescriptors: 1_000,
  },
};
const withStore = (change: Partial<KeyStoreStatus>): ServiceStatus => ({
  ...well,
  keyStores: [{ ...keyStore, ...change }],
});
const withMember = (change: Partial<MemberStatus>) => withStore({ members: [{ ...member, ...change }] });
const withDisk = (freeBytes: number): ServiceStatus => ({
  ...well,
  disks: [{ holds: 'catalog', path: '/', freeBytes, sizeBytes: 2 ** 41 }],
});
const withReplacement = (replacement: ServiceStatus['process']['replacement']): ServiceStatus => ({
  ...well,
  process: { ...well.process, replacement },
});

const record = { startTime: new Date(+now - 3_600_000) } as BackupRecord;
const goodBackups = { isLastIncomplete: false, isLastRefused: false, absent: 0, unreadable: [] };
const withBackups = (change: Partial<BackupSummary>): ServiceStatus => ({
  ...well,
  backups: { everyMs: 3_600_000, lastComplete: record, lastVerified: record, ...goodBackups, ...change },
});

/** The status that belongs to each alert on a state. */
const states: Record<string, ServiceStatus> = {
  HoldfastAuditUnwritable: { ...well, audit: { ...well.audit, writable: false } },
  HoldfastNotReady: withStore({ connectionState: 'CONNECTING', connectionErrorCode: 'NETWORK_ERRORS', serving: false }),
  HoldfastKeyStoreFailed: withStore({ connectionState: 'FAILED', serving: false }),
  HoldfastKeyStoreNotServing: withStore({ serving: false }),
  HoldfastPinRefusedStill: withStore({ refusedTokens: ['1'] }),
  HoldfastCatalogUnreadable: { ...well, catalogReadable: false },
  HoldfastCatalogUnwritable: { ...well, catalogWritable: false },
  HoldfastAuditFileMoved: { ...well, audit: { ...well.audit, inPlace: false } },
  HoldfastDiskNearlyFull: withDisk(1_000 * 2 ** 20),
  HoldfastDiskFull: withDisk(2 ** 20),
  HoldfastCertificateEndsSoon: { ...well, certificates: [{ ...certificate, notAfter: new Date(+now + 864_000_000) }] },
  HoldfastCertificateReloadFailed: { ...well, certificateTrouble: 'it contains no certificate in PEM' },
  HoldfastCertificateEnds: { ...well, certificates: [{ ...certificate, notAfter: now }] },
  HoldfastClusterWithoutMembers: withStore({ serving: false, members: [{ ...member, state: 'SUSPENDED' }] }),
  HoldfastMemberSuspended: withMember({ state: 'PROBING' }),
  HoldfastDeletionsHeld: { ...well, deletionHold: { reason: 'clock-forward', since: now } },
  HoldfastUnaccountedKeys: withMember({ unaccountedMaterials: 2 }),
  HoldfastWitnessFailing: withMember({ witness: { epoch: 3, writtenDate: now, failing: true } }),
  HoldfastPinOld: withStore({ pinAge: { sinceDate: new Date(0), maximumAgeMs: 86_400_000, rotationFailed: false } }),
  HoldfastPinRotationFailed: withStore({ pinAge: { sinceDate: now, maximumAgeMs: null, rotationFailed: true } }),
  HoldfastBelowMinimumMembers: withStore({ minimumMembers: 2 }),
  HoldfastClusterNearCapacity: withStore({ limitDate: new Date(+now + 20 * 86_400_000) }),
  HoldfastMissingReplicas: withMember({ missingMaterials: 2 }),
  HoldfastGenerationBehind: withStore({ members: [member, { ...member, generation: 1 }] }),
  HoldfastLanesHang: withMember({ quarantinedLanes: 1 }),
  HoldfastProcessWornOut: withReplacement('due'),
  HoldfastReplacementPutOff: withReplacement('put-off'),
  HoldfastBackupAbsent: withBackups({ absent: 2 }),
  HoldfastBackupFailed: withBackups({ isLastIncomplete: true }),
  HoldfastBackupOld: withBackups({ lastComplete: undefined }),
  HoldfastBackupRefused: withBackups({ isLastRefused: true }),
  HoldfastEncryptionsRunOut: { ...well, encryptionBudgetUsed: 0.6 },
};
/**
 * Alerts on events or their frequency: rates, which a state does not have, and facts that no process can report about itself.
 */
const notStates = [
  'HoldfastDown',
  'HoldfastAuditFileRemoved',
  'HoldfastPinRefused',
  'HoldfastKeyMaterialWrong',
  'HoldfastServerErrors',
  'HoldfastCallersAllowTooLittleTime',
  'HoldfastFileDescriptorsShort',
  'HoldfastEventLoopLate',
];

interface Rules {
  groups: { rules: { alert: string }[] }[];
}

test('a healthy service has no concerns', () => {
  expect(concernsOf(well, now)).toEqual([]);
  expect(concernsOf(withBackups({}), now)).toEqual([]);
});

test.each([
  ['is older than two intervals', { startTime: new Date(+now - 7_300_000) }, 'older than two intervals'],
  ['was begun in the future', { startTime: new Date(+now + 700_000) }, 'the clock went back'],
])('a newest backup that %s is a concern', (_, change, words) => {
  const status = withBackups({ lastComplete: { ...record, ...change } });
  expect(concernsOf(status, now)).toMatchObject([
    { severity: 'WARNING', message: expect.stringContaining(words) as string },
  ]);
});

test('every alert has its state here, or is on a rate', () => {
  const rules = parse(readFileSync('deploy/prometheus/holdfast-rules.yaml', 'utf8')) as Rules;
  const alerts = rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert));
  expect([...Object.keys(states), ...notStates].sort()).toEqual(alerts.sort());
});

test.each(Object.entries(states))('%s is a concern', (_, status) => {
  expect(concernsOf(status, now)).not.toEqual([]);
});

test.each([
  ['callers are refused by a store that cannot be connected', states['HoldfastNotReady'], 'FAILURE'],
  ['a store that is being connected', withStore({ connectionState: 'CONNECTING', serving: false }), 'WARNING'],
  ['the catalog takes no changes', states['HoldfastCatalogUnwritable'], 'FAILURE'],
  ['a key has made all of its encryptions', { ...well, encryptionBudgetUsed: 1 }, 'FAILURE'],
  ['held deletions refuse no caller', states['HoldfastDeletionsHeld'], 'WARNING'],
])('%s', (_, status, severity) => {
  expect(worst(concernsOf(status ?? well, now))).toBe(severity);
});

test('a cluster that does not enforce trust is a warning for as long as it lives', () => {
  const [concern, ...others] = concernsOf(withStore({ trust: 'unenforced' }), now);
  expect([concern?.severity, others]).toEqual(['WARNING', []]);
  expect(concern?.message).toContain('trust: unenforced');
  expect(concernsOf(withStore({ trust: 'enforced' }), now)).toEqual([]);
});
