/**
 * Every metric, with its labels. Label values come from our own closed lists, names of the configuration, or ids of
 * custom key stores, of which an account has at most ten: nothing that a caller sends becomes one. `docs/telemetry.md`
 * has a row for each; a test compares them.
 */

import { backupGaugeDefinitions } from './backup-metric-definitions.js';
import { pinAgeGaugeDefinitions } from './pin-age-metrics.js';

/** The Prometheus metric behind a key of the tables below; code names the key, dashboards name the metric. */
export interface MetricDefinition {
  /** `holdfast_`, the subject, the base unit; `_total` at the end of a counter. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** The labels of a cluster's member. */
const place = ['cluster', 'member'] as const;

/** A key store (`default`, or the id of a custom one) and its cluster. */
const keyStore = ['key_store', 'cluster'] as const;

/** Counters: they start at 0 with the process. */
export const counterDefinitions = {
  rpcRequests: {
    name: 'holdfast_rpc_requests_total',
    help: 'Requests answered, by method and error code (OK for success, CALLER_DEADLINE for a caller that allowed too little time).',
    labels: ['face', 'method', 'code'],
  },
  certificateReloads: {
    name: 'holdfast_certificate_reloads_total',
    help: 'TLS listeners whose certificates and lists were read again, by outcome.',
    labels: ['outcome'],
  },
  connectionsRefused: {
    name: 'holdfast_connections_refused_total',
    help: 'Connections refused before any request, and requests ended before they had arrived whole.',
    labels: ['reason'],
  },
  connectionsWithoutDescriptor: {
    name: 'holdfast_connections_without_descriptor_total',
    help: 'Connections closed at once, and accepts that failed, for lack of file descriptors.',
    labels: [],
  },
  hsmFailures: {
    name: 'holdfast_hsm_failures_total',
    help: 'Failed attempts of operations, by kind and CK_RV.',
    labels: [...place, 'operation', 'kind', 'return_value'],
  },
  hsmHedgesSent: {
    name: 'holdfast_hsm_hedges_sent_total',
    help: 'Second attempts sent because the first was late.',
    labels: ['cluster', 'operation'],
  },
  hsmHedgesWon: {
    name: 'holdfast_hsm_hedges_won_total',
    help: 'Second attempts that answered first.',
    labels: ['cluster', 'operation'],
  },
  hsmMembersOpened: {
    name: 'holdfast_hsm_member_opened_total',
    help: 'How often a member was opened and logged in.',
    labels: place,
  },
  hsmMemberOpenFailures: {
    name: 'holdfast_hsm_member_open_failures_total',
    help: 'How often a member could not be opened.',
    labels: place,
  },
  hsmMemberSuspensions: {
    name: 'holdfast_hsm_member_suspensions_total',
    help: 'How often the breaker of a member opened.',
    labels: place,
  },
  hsmMemberProbeFailures: {
    name: 'holdfast_hsm_member_probe_failures_total',
    help: 'Probes of a suspended member that failed.',
    labels: place,
  },
  hsmLanesQuarantined: {
    name: 'holdfast_hsm_lanes_quarantined_total',
    help: 'Lanes whose call overran its deadline inside the token.',
    labels: place,
  },
  hsmLanesHung: {
    name: 'holdfast_hsm_lanes_hung_total',
    help: 'Lanes still inside the module when a cluster was closed.',
    labels: ['cluster'],
  },
  hsmLoginAttempts: {
    name: 'holdfast_hsm_login_attempts_total',
    help: 'How often a PIN was about to be given to a token.',
    labels: [],
  },
  hsmProcessWornOut: {
    name: 'holdfast_hsm_process_worn_out_total',
    help: 'Members that only a new process can open.',
    labels: place,
  },
  hsmLogins: {
    name: 'holdfast_hsm_logins_total',
    help: 'Logins, by outcome.',
    labels: ['outcome'],
  },
  materialAlerts: {
    name: 'holdfast_hsm_material_alerts_total',
    help: 'Key materials on a token that are not what the catalog says.',
    labels: [...place, 'alert'],
  },
  unaccountedMaterialReports: {
    name: 'holdfast_hsm_unaccounted_material_reports_total',
    help: 'Inventories with keys that the catalog does not know.',
    labels: place,
  },
  keyStoreConnectFailures: {
    name: 'holdfast_key_store_connect_failures_total',
    help: 'Failed attempts to connect a key store, by error code.',
    labels: ['cluster', 'error_code'],
  },
  encryptionBudgetWarnings: {
    name: 'holdfast_encryption_budget_warnings_total',
    help: 'Reservations of encryptions under a material beyond the warning threshold.',
    labels: [],
  },
  auditRecordsLost: {
    name: 'holdfast_audit_records_lost_total',
    help: 'Audit records that could not be written; their requests were refused.',
    labels: [],
  },
  auditFilesRemoved: {
    name: 'holdfast_audit_files_removed_total',
    help: 'How often the file of the audit log was removed while it was in use, and a new one begun.',
    labels: [],
  },
  serviceActs: {
    name: 'holdfast_service_acts_total',
    help: 'Acts of the service itself: keys destroyed, leftovers cleared, deletions held.',
    labels: ['operation', 'outcome'],
  },
  backgroundFailures: {
    name: 'holdfast_background_failures_total',
    help: 'Failures of work that no caller waits for.',
    labels: [],
  },
  otlpItems: {
    name: 'holdfast_otlp_items_total',
    help: 'Log records and exports of metrics sent by OTLP, by outcome.',
    labels: ['signal', 'outcome'],
  },
  traceSpans: {
    name: 'holdfast_trace_spans_total',
    help: 'Spans of sampled requests, by outcome.',
    labels: ['outcome'],
  },
  processCpu: {
    name: 'holdfast_process_cpu_seconds_total',
    help: 'CPU time of the process, all threads.',
    labels: ['mode'],
  },
} as const satisfies Record<string, MetricDefinition>;

/** Durations in seconds, all in the buckets of `metrics.ts`. */
export const histogramDefinitions = {
  rpcDuration: {
    name: 'holdfast_rpc_duration_seconds',
    help: 'From the arrival of a request at the dispatcher to its answer, audit included.',
    labels: ['face', 'method'],
  },
  hsmOperationDuration: {
    name: 'holdfast_hsm_operation_duration_seconds',
    help: 'Duration of one attempt of an operation: the wait for a lane, the token calls, and the way back.',
    labels: [...place, 'operation', 'outcome'],
  },
  hsmQueueWait: {
    name: 'holdfast_hsm_queue_wait_seconds',
    help: 'How long successful attempts waited for a lane.',
    labels: [...place, 'operation'],
  },
  hsmLaneDuration: {
    name: 'holdfast_hsm_lane_duration_seconds',
    help: 'How long successful attempts held a lane: the token calls and little else.',
    labels: [...place, 'operation'],
  },
} as const satisfies Record<string, MetricDefinition>;

/** Gauges: the value at a scrape, or since the previous one if the help says so. */
export const gaugeDefinitions = {
  certificateNotBefore: {
    name: 'holdfast_certificate_not_before_seconds',
    help: 'When the first certificate or revocation list of the file to end began, in seconds since 1970.',
    labels: ['kind', 'file'],
  },
  certificateNotAfter: {
    name: 'holdfast_certificate_not_after_seconds',
    help: 'The earliest end of a certificate or revocation list in the file, in seconds since 1970.',
    labels: ['kind', 'file'],
  },
  grpcConnections: { name: 'holdfast_grpc_connections', help: 'Open connections of the gRPC face.', labels: [] },
  grpcUnfinishedRequestBytes: {
    name: 'holdfast_grpc_unfinished_request_bytes',
    help: 'Memory of requests that have not arrived whole.',
    labels: [],
  },
  hsmMemberAdmitted: {
    name: 'holdfast_hsm_member_admitted',
    help: '1 if the member takes work, else 0.',
    labels: place,
  },
  hsmMemberBreaker: {
    name: 'holdfast_hsm_member_breaker_state',
    help: "1 for the present state of the member's breaker, else 0.",
    labels: [...place, 'state'],
  },
  hsmLanes: {
    name: 'holdfast_hsm_lanes',
    help: 'Lanes of the member by state: each is one thread with one session.',
    labels: [...place, 'state'],
  },
  hsmQueued: {
    name: 'holdfast_hsm_queued_operations',
    help: 'Operations that wait and that this member could take.',
    labels: place,
  },
  hsmSessionEpoch: {
    name: 'holdfast_hsm_session_epoch',
    help: 'Number of the session epoch; rises with every reconnect.',
    labels: place,
  },
  hsmCachedHandles: {
    name: 'holdfast_hsm_cached_handles',
    help: 'Object handles that are known in this epoch.',
    labels: place,
  },
  hsmMinimumMembers: {
    name: 'holdfast_hsm_minimum_members',
    help: 'How many members of the cluster must hold a new key.',
    labels: ['cluster'],
  },
  hsmMissingMaterials: {
    name: 'holdfast_hsm_missing_materials',
    help: 'Keys of the catalog that the member of a wrapped cluster is known to lack.',
    labels: place,
  },
  hsmGeneration: {
    name: 'holdfast_hsm_wrapping_key_generation',
    help: 'The highest complete generation of wrapping keys on the member; 0: none.',
    labels: place,
  },
  hsmOperationsPerSecond: {
    name: 'holdfast_hsm_operations_per_second',
    help: 'Operations that the lanes of the member end per second, the mean of the last minute.',
    labels: place,
  },
  hsmUtilisation: {
    name: 'holdfast_hsm_utilisation_ratio',
    help: 'Busy lane time divided by lane time of the member, in the last minute.',
    labels: place,
  },
  hsmCeiling: {
    name: 'holdfast_hsm_ceiling_operations_per_second',
    help: 'The operations per second at which the lanes of the member would always be busy.',
    labels: place,
  },
  hsmLimitTime: {
    name: 'holdfast_hsm_cluster_limit_timestamp_seconds',
    help: 'When the cluster reaches its ceiling at the present growth of its daily peak, in seconds since 1970.',
    labels: ['cluster'],
  },
  deletionsHeld: {
    name: 'holdfast_deletions_held',
    help: '1 while deletions are held until an operator confirms, else 0.',
    labels: [],
  },
  unaccountedMaterials: {
    name: 'holdfast_hsm_unaccounted_materials',
    help: 'Keys on the token that the catalog does not know, by the last inventory.',
    labels: place,
  },
  witnessFailing: {
    name: 'holdfast_witness_failing',
    help: '1 while the witness of the catalog cannot be written on the member, else 0.',
    labels: place,
  },
  ...backupGaugeDefinitions,
  ...pinAgeGaugeDefinitions,
  keyStoreState: {
    name: 'holdfast_key_store_connection_state',
    help: "1 for the present state of the key store's connection, else 0.",
    labels: [...keyStore, 'state'],
  },
  keyStoreFailed: {
    name: 'holdfast_key_store_failed',
    help: '1 while the key store is FAILED, with the code of its failure; no series otherwise.',
    labels: [...keyStore, 'error_code'],
  },
  keyStoreServing: {
    name: 'holdfast_key_store_serving',
    help: '1 while this process can use the keys of the key store, else 0.',
    labels: keyStore,
  },
  refusedPins: {
    name: 'holdfast_hsm_refused_pins',
    help: 'Tokens that refused the present PIN of the key store.',
    labels: keyStore,
  },
  ready: {
    name: 'holdfast_ready',
    help: '1 while health answers SERVING for the server as a whole, else 0.',
    labels: [],
  },
  catalogReadable: {
    name: 'holdfast_catalog_readable',
    help: '1 if the catalog could be read at the last check, else 0.',
    labels: [],
  },
  catalogWritable: {
    name: 'holdfast_catalog_writable',
    help: '1 if the catalog accepted a change some seconds ago, else 0.',
    labels: [],
  },
  encryptionBudgetUsed: {
    name: 'holdfast_encryption_budget_used_ratio',
    help: 'The largest spent share of the safe encryptions of any key material in use.',
    labels: [],
  },
  encryptionBudgetWarned: {
    name: 'holdfast_encryption_budget_warned_materials',
    help: 'Key materials in use that have spent more encryptions than the warning threshold.',
    labels: [],
  },
  processWornOut: {
    name: 'holdfast_process_worn_out',
    help: '1 while only a new process can open some member, else 0.',
    labels: [],
  },
  processReplacement: {
    name: 'holdfast_process_replacement_state',
    help: '1 for the present state of the process replacement, else 0.',
    labels: ['state'],
  },
  auditHealthy: { name: 'holdfast_audit_healthy', help: '1 if the audit log can be written, else 0.', labels: [] },
  auditFileInPlace: {
    name: 'holdfast_audit_file_in_place',
    help: '1 if the file at the configured path is the one being written, else 0.',
    labels: [],
  },
  diskFree: {
    name: 'holdfast_disk_free_bytes',
    help: 'Bytes that the service may still write to the disk of the audit log or the catalog.',
    labels: ['holds'],
  },
  diskSize: {
    name: 'holdfast_disk_size_bytes',
    help: 'Size of the disk of the audit log or the catalog, in bytes.',
    labels: ['holds'],
  },
  eventLoopDelay: {
    name: 'holdfast_event_loop_delay_seconds',
    help: 'Delay of the event loop since the last scrape, in seconds.',
    labels: ['statistic'],
  },
  eventLoopUtilization: {
    name: 'holdfast_event_loop_utilization_ratio',
    help: 'Share of the time since the last scrape that the event loop was busy.',
    labels: [],
  },
  residentMemory: { name: 'holdfast_process_resident_memory_bytes', help: 'Resident memory.', labels: [] },
  heapUsed: { name: 'holdfast_process_heap_used_bytes', help: 'Used part of the JavaScript heap.', labels: [] },
  externalMemory: {
    name: 'holdfast_process_external_memory_bytes',
    help: 'Memory of buffers outside the JavaScript heap.',
    labels: [],
  },
  openFileDescriptors: { name: 'holdfast_process_open_fds', help: 'Open file descriptors.', labels: [] },
  maximumFileDescriptors: {
    name: 'holdfast_process_max_fds',
    help: 'Maximum number of file descriptors that the process may open.',
    labels: [],
  },
  startTime: {
    name: 'holdfast_process_start_time_seconds',
    help: 'When the server started, in seconds since 1970.',
    labels: [],
  },
  buildInfo: { name: 'holdfast_build_info', help: 'Always 1.', labels: ['version', 'node_version'] },
} as const satisfies Record<string, MetricDefinition>;
