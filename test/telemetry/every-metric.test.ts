import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IncomingCall } from '../../src/api/dispatcher.js';
import type { BackupRecord } from '../../src/backup/backup-record.js';
import { summaryOf } from '../../src/backup/summary.js';
import { HoldfastError } from '../../src/errors.js';
import type { FinishedAttempt } from '../../src/hsm/attempts.js';
import type { NativeTokenInfo } from '../../src/hsm/native.js';
import { softhsm } from '../../src/hsm/profiles/softhsm.js';
import type { LoginAttempts } from '../../src/keystores/catalog.js';
import { connectionRefusedCount } from '../../src/telemetry/caller-events.js';
import { certificateReloadEvents } from '../../src/telemetry/certificate-events.js';
import {
  auditEvents,
  backgroundErrorEvent,
  connectionEvents,
  descriptorEvent,
  encryptionBudgetEvents,
  type EventSink,
  hsmEvents,
  otlpEvent,
  replacementEvent,
  requestEvent,
  spanEvent,
} from '../../src/telemetry/events.js';
import { ownActEvents } from '../../src/telemetry/own-act-events.js';
import { hedgeCounter, tryCounter } from '../../src/telemetry/hsm-metrics.js';
import { countedLoginAttempts } from '../../src/telemetry/login-metrics.js';
import {
  type counterDefinitions,
  type gaugeDefinitions,
  type histogramDefinitions,
} from '../../src/telemetry/metric-definitions.js';
import type { Metrics } from '../../src/telemetry/metrics.js';
import type { ServiceStatus } from '../../src/status/service-status.js';
import { Telemetry } from '../../src/telemetry/telemetry.js';
import { ManualClock } from '../manual-clock.js';
import { unremarkable } from '../member-condition.js';

/** Each metric is raised by its event, or shows polled state. One without a row here does not compile. */

const clusterId = 'cluster-1';
const place = { clusterId, memberName: 'a' };
const store = { customKeyStoreId: 'cks-1', clusterId };
const clock = new ManualClock();
const cause = new Error('a cause');
const member = 'cluster="main",member="a"';
const classification = {
  code: 'KMS_INTERNAL',
  message: '',
  countsAgainstBreaker: true,
  poisonsMember: false,
  callerFault: false,
  retryElsewhere: true,
  alert: null,
} as const;

let telemetry: Telemetry;
let sink: EventSink & { metrics: Metrics };

const call = { face: 'grpc', method: 'Encrypt' } as IncomingCall;
const hsm = () => hsmEvents(sink, clock);
const tried = (failure?: FinishedAttempt['failure']) =>
  tryCounter(sink.metrics)({
    clusterId,
    memberName: 'a',
    operation: 'encrypt',
    durationMs: 5,
    lane: failure === undefined ? { waitMs: 1, workMs: 3 } : undefined,
    failure,
  });
const claimant = { processName: 'a process', lockDomain: 'some locks' };
const attempts = () =>
  countedLoginAttempts(
    { claim: () => Promise.resolve('claimed'), record: () => Promise.resolve() } as unknown as LoginAttempts,
    sink.metrics,
  );

interface Event {
  /** The event. */
  happens: () => unknown;
  /** The series that it raises. */
  series: string;
}

const counted: Record<keyof typeof counterDefinitions | keyof typeof histogramDefinitions, Event> = {
  rpcRequests: {
    happens: () => requestEvent(sink, clock)(call, undefined, 5),
    series: 'holdfast_rpc_requests_total{face="grpc",method="Encrypt",code="OK"}',
  },
  rpcDuration: {
    happens: () => requestEvent(sink, clock)(call, undefined, 5),
    series: 'holdfast_rpc_duration_seconds_count{face="grpc",method="Encrypt"}',
  },
  certificateReloads: {
    happens: () => certificateReloadEvents(sink).refused([], 'they have ended'),
    series: 'holdfast_certificate_reloads_total{outcome="refused"}',
  },
  connectionsRefused: {
    happens: () => connectionRefusedCount(sink)('silent'),
    series: 'holdfast_connections_refused_total{reason="silent"}',
  },
  connectionsWithoutDescriptor: {
    happens: () => descriptorEvent(sink, clock)({ kind: 'refused' }),
    series: 'holdfast_connections_without_descriptor_total',
  },
  hsmOperationDuration: {
    happens: () => tried(),
    series: `holdfast_hsm_operation_duration_seconds_count{${member},operation="encrypt",outcome="ok"}`,
  },
  hsmQueueWait: {
    happens: () => tried(),
    series: `holdfast_hsm_queue_wait_seconds_count{${member},operation="encrypt"}`,
  },
  hsmLaneDuration: {
    happens: () => tried(),
    series: `holdfast_hsm_lane_duration_seconds_count{${member},operation="encrypt"}`,
  },
  hsmFailures: {
    happens: () => tried({ kind: 'rv', returnValue: 'CKR_DEVICE_ERROR', classification }),
    series: `holdfast_hsm_failures_total{${member},operation="encrypt",kind="rv",return_value="CKR_DEVICE_ERROR"}`,
  },
  hsmHedgesSent: {
    happens: () => hedgeCounter(sink.metrics)(clusterId)('encrypt', 'sent'),
    series: 'holdfast_hsm_hedges_sent_total{cluster="main",operation="encrypt"}',
  },
  hsmHedgesWon: {
    happens: () => hedgeCounter(sink.metrics)(clusterId)('encrypt', 'won'),
    series: 'holdfast_hsm_hedges_won_total{cluster="main",operation="encrypt"}',
  },
  hsmMembersOpened: {
    happens() {
      const token = { serialNumber: '1', model: 'm' } as NativeTokenInfo;
      hsm().memberOpened(place, token, softhsm);
    },
    series: `holdfast_hsm_member_opened_total{${member}}`,
  },
  hsmMemberOpenFailures: {
    happens: () => hsm().memberOpenFailed(place, cause),
    series: `holdfast_hsm_member_open_failures_total{${member}}`,
  },
  hsmMemberSuspensions: {
    happens: () => hsm().memberSuspended(place, cause),
    series: `holdfast_hsm_member_suspensions_total{${member}}`,
  },
  hsmMemberProbeFailures: {
    happens: () => hsm().memberProbeFailed(place, cause),
    series: `holdfast_hsm_member_probe_failures_total{${member}}`,
  },
  hsmLanesQuarantined: {
    happens: () => hsm().laneQuarantined(place, cause),
    series: `holdfast_hsm_lanes_quarantined_total{${member}}`,
  },
  hsmLanesHung: {
    happens: () => hsm().lanesHung(clusterId, 1),
    series: 'holdfast_hsm_lanes_hung_total{cluster="main"}',
  },
  hsmLoginAttempts: {
    happens: () => attempts().claim('1', 'v', claimant, new Date(0)),
    series: 'holdfast_hsm_login_attempts_total',
  },
  hsmLogins: {
    happens: () => attempts().record('1', 'v', claimant, 'failed'),
    series: 'holdfast_hsm_logins_total{outcome="failed"}',
  },
  hsmProcessWornOut: {
    happens: () => hsm().memberStuck(place, cause),
    series: `holdfast_hsm_process_worn_out_total{${member}}`,
  },
  materialAlerts: {
    happens: () => hsm().materialAlert(place, 'id', 'canary-failed'),
    series: `holdfast_hsm_material_alerts_total{${member},alert="canary-failed"}`,
  },
  serviceActs: {
    happens: () => ownActEvents(sink).onActed({ operation: 'DeleteKey', resources: [], parameters: {} }, undefined),
    series: 'holdfast_service_acts_total{operation="DeleteKey",outcome="success"}',
  },
  unaccountedMaterialReports: {
    happens: () => ownActEvents(sink).onUnaccountedMaterial({ ...place, materialIds: ['id', 'another'] }),
    series: `holdfast_hsm_unaccounted_material_reports_total{${member}}`,
  },
  keyStoreConnectFailures: {
    happens: () => connectionEvents(sink).connectFailed(store, { errorCode: 'NETWORK_ERRORS', retryInMs: null, cause }),
    series: 'holdfast_key_store_connect_failures_total{cluster="main",error_code="NETWORK_ERRORS"}',
  },
  encryptionBudgetWarnings: {
    happens: () => encryptionBudgetEvents(sink).onWarning('id', 1, 2),
    series: 'holdfast_encryption_budget_warnings_total',
  },
  auditRecordsLost: {
    happens: () => auditEvents(sink).recordsLost(1),
    series: 'holdfast_audit_records_lost_total',
  },
  auditFilesRemoved: {
    happens: () => auditEvents(sink).fileLost('cut-off'),
    series: 'holdfast_audit_files_removed_total',
  },
  backgroundFailures: {
    happens: () => backgroundErrorEvent(sink)(cause, 'something'),
    series: 'holdfast_background_failures_total',
  },
  otlpItems: {
    happens: () => otlpEvent(sink, clock, 'logs')('dropped', 1),
    series: 'holdfast_otlp_items_total{signal="logs",outcome="dropped"}',
  },
  traceSpans: {
    happens: () => spanEvent(sink, clock)('dropped', 1),
    series: 'holdfast_trace_spans_total{outcome="dropped"}',
  },
  processCpu: {
    // Rises by the time used since, which need not be a whole number. The kernel may count in steps, and only running
    // time.
    happens() {
      const { user } = process.cpuUsage();
      while (process.cpuUsage().user === user);
    },
    series: 'holdfast_process_cpu_seconds_total{mode="user"}',
  },
};

const statistics = {
  member: 0,
  epoch: 3,
  admitted: true,
  lanes: 4,
  laneTarget: 4,
  quarantinedLanes: 5,
  queued: 6,
  running: 1,
  logins: 1,
  cachedHandles: 7,
  openings: 1,
  threadsInside: 0,
  operations: 100,
  busyMs: 10,
};
const keyStore = {
  scope: null,
  clusterId,
  clusterName: 'main',
  connectionErrorCode: null,
  serving: true,
  refusedTokens: [],
  minimumMembers: 1,
  utilisation: 0.5,
  limitDate: null,
  members: [],
};
const status: ServiceStatus = {
  catalogReadable: true,
  catalogWritable: true,
  certificateTrouble: null,
  configurationTrouble: null,
  deletionHold: { reason: 'restored', since: new Date(0) },
  encryptionBudgetUsed: 0.25,
  backups: null,
  keyStores: [
    {
      ...keyStore,
      customKeyStoreId: null,
      name: null,
      connectionState: 'CONNECTED',
      pinAge: { sinceDate: new Date(11_000), maximumAgeMs: 12_000, rotationFailed: true },
    },
    {
      ...keyStore,
      customKeyStoreId: 'cks-1',
      name: 'a name that a caller gave it',
      connectionState: 'FAILED',
      connectionErrorCode: 'INVALID_CREDENTIALS',
      serving: false,
      refusedTokens: ['1', '2'],
    },
  ],
  audit: { file: '/audit.log', writable: true, inPlace: true, lostRecords: 0 },
  disks: [{ holds: 'audit', path: '/', freeBytes: 11, sizeBytes: 12 }],
  certificates: [
    { kind: 'AUTHORITY', path: '/ca.pem', subject: 'CN=new', notBefore: new Date(5_000), notAfter: new Date(90_000) },
    { kind: 'AUTHORITY', path: '/ca.pem', subject: 'CN=old', notBefore: new Date(4_000), notAfter: new Date(80_000) },
  ],
  process: {
    version: '1.2.3',
    nodeVersion: process.version,
    startTime: new Date(0),
    replacement: 'none',
    openFileDescriptors: 13,
    maximumFileDescriptors: 14,
  },
};
const failedStore = 'key_store="cks-1",cluster="main"';
const goodBackup: BackupRecord = {
  ...{ backupId: '1'.repeat(32), fileName: 'a', trigger: 'SCHEDULE', state: 'COMPLETE', failure: null },
  ...{ startTime: new Date(100_000), endTime: new Date(107_000), sizeBytes: 5_000, removedTime: null },
  ...{ keyMaterials: 3, absentKeyMaterials: 0, generations: [], copiedTime: null, goneTime: null, unknownSince: null },
  ...{ verification: 'PASSED', verificationTime: new Date(200_000), verificationFailure: null },
};
const backupFiles = new Map([['a', { sizeBytes: 5_000, isReadable: true, archiveId: '1'.repeat(32) }]]);
const failedBackup: BackupRecord = { ...goodBackup, state: 'FAILED', sizeBytes: null, verification: null };

const sources = {
  clusters: () => [
    {
      clusterId,
      minimumMembers: 2,
      generation: undefined,
      members: [
        {
          name: 'a',
          breaker: 'half-open' as const,
          isOpen: true,
          statistics,
          isStuck: true,
          ...unremarkable,
          missingMaterials: 5,
          generation: 3,
        },
      ],
    },
  ],
  backups: () => summaryOf([failedBackup, goodBackup], 3_600_000, backupFiles),
  loads: {
    memberLoad: () => ({ operationsPerSecond: 15, utilisation: 0.5, ceiling: 30 }),
    capacityOf: () => ({ limitDate: new Date(90_000) }),
  },
  encryptionBudget: { mostUsed: { materialId: 'id', used: 1, limit: 4 }, warnedMaterials: () => 8 },
  status: () => Promise.resolve(status),
  ready: () => true,
  faceLoad: () => ({ connections: 9, unfinishedRequestBytes: 10 }),
};

/** A number, or `some`: more than nothing. */
const shown: Record<keyof typeof gaugeDefinitions, Record<string, number | 'some'>> = {
  certificateNotBefore: { 'holdfast_certificate_not_before_seconds{kind="client-authority",file="/ca.pem"}': 4 },
  certificateNotAfter: { 'holdfast_certificate_not_after_seconds{kind="client-authority",file="/ca.pem"}': 80 },
  grpcConnections: { holdfast_grpc_connections: 9 },
  grpcUnfinishedRequestBytes: { holdfast_grpc_unfinished_request_bytes: 10 },
  hsmMemberAdmitted: { [`holdfast_hsm_member_admitted{${member}}`]: 1 },
  hsmMemberBreaker: {
    [`holdfast_hsm_member_breaker_state{${member},state="half-open"}`]: 1,
    [`holdfast_hsm_member_breaker_state{${member},state="closed"}`]: 0,
  },
  hsmLanes: {
    [`holdfast_hsm_lanes{${member},state="idle"}`]: 3,
    [`holdfast_hsm_lanes{${member},state="busy"}`]: 1,
    [`holdfast_hsm_lanes{${member},state="quarantined"}`]: 5,
  },
  hsmQueued: { [`holdfast_hsm_queued_operations{${member}}`]: 6 },
  hsmSessionEpoch: { [`holdfast_hsm_session_epoch{${member}}`]: 3 },
  hsmMinimumMembers: { 'holdfast_hsm_minimum_members{cluster="main"}': 2 },
  hsmOperationsPerSecond: { [`holdfast_hsm_operations_per_second{${member}}`]: 15 },
  hsmUtilisation: { [`holdfast_hsm_utilisation_ratio{${member}}`]: 0.5 },
  hsmCeiling: { [`holdfast_hsm_ceiling_operations_per_second{${member}}`]: 30 },
  hsmLimitTime: { 'holdfast_hsm_cluster_limit_timestamp_seconds{cluster="main"}': 90 },
  hsmMissingMaterials: { [`holdfast_hsm_missing_materials{${member}}`]: 5 },
  hsmGeneration: { [`holdfast_hsm_wrapping_key_generation{${member}}`]: 3 },
  hsmCachedHandles: { [`holdfast_hsm_cached_handles{${member}}`]: 7 },
  deletionsHeld: { holdfast_deletions_held: 1 },
  unaccountedMaterials: { [`holdfast_hsm_unaccounted_materials{${member}}`]: 2 },
  witnessFailing: { [`holdfast_witness_failing{${member}}`]: 1 },
  backupInterval: { holdfast_backup_interval_seconds: 3_600 },
  backupTime: { holdfast_backup_last_complete_timestamp_seconds: 100 },
  backupDuration: { holdfast_backup_last_complete_duration_seconds: 7 },
  backupSize: { holdfast_backup_last_complete_size_bytes: 5_000 },
  backupKeyMaterials: { holdfast_backup_last_complete_key_materials: 3 },
  backupVerifiedTime: { holdfast_backup_last_verified_timestamp_seconds: 200 },
  backupIncomplete: { holdfast_backup_incomplete: 1 },
  backupRefused: { holdfast_backup_refused: 0 },
  backupAbsent: { holdfast_backup_absent_archives: 0 },
  keyStoreState: {
    [`holdfast_key_store_connection_state{${failedStore},state="FAILED"}`]: 1,
    [`holdfast_key_store_connection_state{${failedStore},state="DISCONNECTED"}`]: 0,
    'holdfast_key_store_connection_state{key_store="default",cluster="main",state="CONNECTED"}': 1,
  },
  keyStoreFailed: { [`holdfast_key_store_failed{${failedStore},error_code="INVALID_CREDENTIALS"}`]: 1 },
  keyStoreServing: {
    [`holdfast_key_store_serving{${failedStore}}`]: 0,
    'holdfast_key_store_serving{key_store="default",cluster="main"}': 1,
  },
  refusedPins: {
    [`holdfast_hsm_refused_pins{${failedStore}}`]: 2,
    'holdfast_hsm_refused_pins{key_store="default",cluster="main"}': 0,
  },
  pinSince: { 'holdfast_key_store_pin_since_timestamp_seconds{key_store="default",cluster="main"}': 11 },
  pinMaximumAge: { 'holdfast_key_store_pin_maximum_age_seconds{key_store="default",cluster="main"}': 12 },
  pinRotationFailed: { 'holdfast_key_store_pin_rotation_failed{key_store="default",cluster="main"}': 1 },
  ready: { holdfast_ready: 1 },
  catalogReadable: { holdfast_catalog_readable: 1 },
  catalogWritable: { holdfast_catalog_writable: 1 },
  auditFileInPlace: { holdfast_audit_file_in_place: 1 },
  diskFree: { 'holdfast_disk_free_bytes{holds="audit"}': 11 },
  diskSize: { 'holdfast_disk_size_bytes{holds="audit"}': 12 },
  encryptionBudgetUsed: { holdfast_encryption_budget_used_ratio: 0.25 },
  encryptionBudgetWarned: { holdfast_encryption_budget_warned_materials: 8 },
  processWornOut: { holdfast_process_worn_out: 1 },
  processReplacement: {
    'holdfast_process_replacement_state{state="put-off"}': 1,
    'holdfast_process_replacement_state{state="none"}': 0,
  },
  auditHealthy: { holdfast_audit_healthy: 1 },
  eventLoopDelay: { 'holdfast_event_loop_delay_seconds{statistic="maximum"}': 'some' },
  eventLoopUtilization: { holdfast_event_loop_utilization_ratio: 'some' },
  residentMemory: { holdfast_process_resident_memory_bytes: 'some' },
  heapUsed: { holdfast_process_heap_used_bytes: 'some' },
  externalMemory: { holdfast_process_external_memory_bytes: 'some' },
  openFileDescriptors: { holdfast_process_open_fds: 13 },
  maximumFileDescriptors: { holdfast_process_max_fds: 14 },
  startTime: { holdfast_process_start_time_seconds: 'some' },
  buildInfo: { [`holdfast_build_info{version="1.2.3",node_version="${process.version}"}`]: 1 },
};

async function scrape(): Promise<ReadonlyMap<string, number>> {
  const lines = (await sink.metrics.scrape()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

beforeAll(async () => {
  telemetry = await Telemetry.start({
    logger: pino({ level: 'silent' }),
    clock,
    random: () => 0.5,
    version: '1.2.3',
    clusters: [{ id: clusterId, name: 'main', members: [{ name: 'a' }] }],
    metrics: { address: '127.0.0.1', port: 0 },
    tracing: null,
    otlpMetrics: null,
    otlpLogs: null,
    serviceName: 'holdfast',
    environment: false,
    otlpHeaders: { tracing: [], otlpMetrics: [], otlpLogs: [] },
  });
  const { metrics } = telemetry.sink;
  if (metrics === undefined) throw new Error('Nothing is counted.');
  sink = { ...telemetry.sink, metrics };
  telemetry.watch(sources);
});
afterAll(() => telemetry.stop());

test.each(Object.entries(counted))('%s is counted', async (name, { happens, series }) => {
  const before = (await scrape()).get(series) ?? 0;
  await happens();
  const raisedBy = ((await scrape()).get(series) ?? 0) - before;
  if (name === 'processCpu') expect(raisedBy).toBeGreaterThan(0);
  else expect(raisedBy).toBe(1);
});

describe('a scrape', () => {
  let samples: ReadonlyMap<string, number>;
  beforeAll(async () => {
    replacementEvent(sink)('put-off', []);
    ownActEvents(sink).onWitnessRefreshed(place, new HoldfastError('KMS_INTERNAL', 'x', { retryable: true }), true);
    ownActEvents(sink).onHold({ reason: 'restored', since: new Date(), expected: null, found: null });
    // A turn of the event loop so long that its watch notices.
    await pause(25);
    const endMs = performance.now() + 50;
    while (performance.now() < endMs);
    await pause(25);
    samples = await scrape();
  });

  test.each(Object.entries(shown))('shows %s', (_, expected) => {
    for (const [series, value] of Object.entries(expected)) {
      if (value === 'some') expect(samples.get(series), series).toBeGreaterThan(0);
      else expect(samples.get(series), series).toBe(value);
    }
  });
});
