/**
 * The series of counters that are 0 from the start. To Prometheus, a series that appears with its first event has no
 * increase, and a missing series looks like one that is not collected.
 */
import { operationNames } from '../operations/registry.js';
import type { ErrorCode } from '../errors.js';
import { materialAlerts } from '../hsm/events.js';
import { connectionErrorCodes } from '../clusters/hsm-cluster.js';
import type { counterDefinitions } from './metric-definitions.js';

/** A cluster of the configuration, by the names that become labels. */
export interface ClusterNames {
  id: string;
  name: string;
  members: readonly { name: string }[];
}

type Labels = Record<string, string>;

/** The codes whose rate operators watch. */
const operatorCodes: readonly (ErrorCode | 'OK')[] = ['OK', 'KMS_INTERNAL', 'KEY_UNAVAILABLE', 'DEPENDENCY_TIMEOUT'];

/** The label sets, or why they are not seeded. Counters without labels begin at 0 by themselves. */
export const counterSeeds: Record<
  keyof typeof counterDefinitions,
  ((clusters: readonly ClusterNames[]) => Labels[]) | string
> = {
  rpcRequests: () => operationNames.flatMap((method) => operatorCodes.map((code) => ({ face: 'grpc', method, code }))),
  certificateReloads: () => ['loaded', 'refused', 'failed'].map((outcome) => ({ outcome })),
  connectionsRefused: 'no alert depends on one connection, and most kinds never occur',
  connectionsWithoutDescriptor: none,
  hsmFailures: 'kinds × operations × CK_RV names would be thousands of series for each member',
  hsmHedgesSent: 'only clusters with hedging have any, and no alert depends on them',
  hsmHedgesWon: 'as hsmHedgesSent',
  hsmMembersOpened: places,
  hsmMemberOpenFailures: places,
  hsmMemberSuspensions: places,
  hsmMemberProbeFailures: places,
  hsmLanesQuarantined: places,
  hsmLanesHung: (clusters) => clusters.map(({ name }) => ({ cluster: name })),
  hsmLoginAttempts: none,
  hsmProcessWornOut: places,
  hsmLogins: () => ['succeeded', 'failed', 'not-tried', 'refused-before'].map((outcome) => ({ outcome })),
  materialAlerts: (clusters) =>
    places(clusters).flatMap((place) => materialAlerts.map((alert) => ({ ...place, alert }))),
  unaccountedMaterialReports: places,
  keyStoreConnectFailures: (clusters) =>
    clusters.flatMap(({ name }) => connectionErrorCodes.map((code) => ({ cluster: name, error_code: code }))),
  encryptionBudgetWarnings: none,
  auditRecordsLost: none,
  auditFilesRemoved: none,
  serviceActs: 'no alert depends on them, and the audit log has each',
  backgroundFailures: none,
  otlpItems: () =>
    ['logs', 'metrics'].flatMap((signal) => ['exported', 'failed', 'dropped'].map((outcome) => ({ signal, outcome }))),
  traceSpans: () => ['exported', 'failed', 'dropped'].map((outcome) => ({ outcome })),
  processCpu: () => ['user', 'system'].map((mode) => ({ mode })),
};

function none(): Labels[] {
  return [];
}

function places(clusters: readonly ClusterNames[]): Labels[] {
  return clusters.flatMap(({ name, members }) => members.map((member) => ({ cluster: name, member: member.name })));
}
