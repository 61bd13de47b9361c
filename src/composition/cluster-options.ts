import { X509Certificate } from 'node:crypto';
import type {
  ClusterConfiguration,
  Configuration,
  MemberConfiguration,
  ModuleConfiguration,
  RecoveryConfiguration,
} from '../config/configuration.js';
import { pemCertificates } from '../certificates/pem.js';
import type { BreakerSettings } from '../hsm/breaker.js';
import type { ClusterOptions, MemberOptions } from '../hsm/clusters.js';
import type { ProfileSetting } from '../hsm/profiles/effective-profile.js';
import type { RecoverySettings } from '../hsm/recovery.js';
import { readCertificates } from './listener-options.js';

/** A cluster's options for the adapter of the HSMs. Rejects if the trust anchor's file cannot be read. */
export async function clusterOptions(
  cluster: ClusterConfiguration,
  configuration: Configuration,
): Promise<ClusterOptions> {
  return {
    clusterId: cluster.id,
    name: cluster.name,
    replication: cluster.replication,
    trust: cluster.replication === 'wrapped' ? cluster.trust : undefined,
    minimumMembers: cluster.minimumMembers,
    maximumPinLength: cluster.maximumPinLength,
    trustAnchorDer: (await readTrustAnchor(cluster.trustAnchorCertificate)).raw,
    queueLimit: configuration.limits.queueLimit,
    operationTimeoutMs: configuration.limits.operationTimeoutMs,
    breaker: breakerSettings(configuration.recovery),
    recovery: recoverySettings(configuration.recovery),
    hedging: cluster.hedging,
    members: cluster.members.map((member) => memberOptions(member, configuration)),
  };
}

/**
 * The certificate that a custom key store's trust anchor must equal: exactly one, in PEM or DER.
 * @throws UnreadableFileError, or Error for a file with other content
 */
export async function readTrustAnchor(path: string): Promise<X509Certificate> {
  const file = await readCertificates(path);
  const certificates = pemCertificates(file);
  if (certificates.length > 1)
    throw new Error(`${path} contains ${certificates.length} certificates; it must contain one`);
  try {
    return new X509Certificate(certificates[0] ?? file);
  } catch (error) {
    throw new Error(`${path} contains no certificate`, { cause: error });
  }
}

/** The settings by which a member is suspended and probed. */
export function breakerSettings(recovery: RecoveryConfiguration): BreakerSettings {
  const { consecutiveFailures, failurePercentage, minimumOutcomes, failureWindowMs, probeDelayMs } = recovery;
  return { consecutiveFailures, failurePercentage, minimumOutcomes, windowMs: failureWindowMs, probeDelayMs };
}

/** The settings by which a member is brought back. */
export function recoverySettings(recovery: RecoveryConfiguration): RecoverySettings {
  const { openTimeoutMs, reopenAfterProbes, maximumProbeDelayMs, maximumStuckOpenings } = recovery;
  return { openTimeoutMs, reopenAfterProbes, maximumProbeDelayMs, maxStuckOpenings: maximumStuckOpenings };
}

/** A member's options for the adapter of the HSMs. */
export function memberOptions(member: MemberConfiguration, configuration: Configuration): MemberOptions {
  const module = configuration.modules.find(({ name }) => name === member.module);
  if (module === undefined) throw new Error(`Module ${member.module} is not configured.`);
  return {
    name: member.name,
    module: {
      libraryPath: module.path,
      privateInstance: module.privateInstance,
      environment: { ...module.environment },
      initializationString: module.initializationString,
    },
    tokenLabel: member.token.kind === 'label' ? member.token.value : null,
    tokenSerialNumber: member.token.kind === 'serialNumber' ? member.token.value : null,
    laneCount: member.lanes,
    profile: profileSetting(module),
  };
}

/** The configuration's setting of a module's vendor profile. */
export function profileSetting({ profile, profileOverrides }: ModuleConfiguration): ProfileSetting {
  return { profile, ...profileOverrides };
}

/** The quotas of clusters that have one, by cluster id. */
export function operationQuotas({ clusters }: Configuration): ReadonlyMap<string, number> {
  return new Map(
    clusters.flatMap(({ id, operationsPerSecond }) =>
      operationsPerSecond === null ? [] : [[id, operationsPerSecond] as const],
    ),
  );
}
