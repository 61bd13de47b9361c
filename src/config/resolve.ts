import { userInfo } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type {
  ClusterConfiguration,
  Configuration,
  ListenerConfiguration,
  MemberConfiguration,
  ModuleConfiguration,
  ProfileOverrides,
  SecretSource,
  TelemetryConfiguration,
  OtlpReceiverConfiguration,
} from './configuration.js';
import type { PrincipalConfiguration } from '../callers/principal-directory.js';
import type { CertificateMatch } from '../callers/principal-directory.js';
import { noOpenTelemetryEnvironment, readOpenTelemetryEnvironment } from './open-telemetry-environment.js';
import type { ConfigurationFile, ListenerInFile, PrincipalInFile, SecretSourceInFile } from './schema.js';

type Absolute = (path: string) => string;

/** Environment variables that are known to contain a path; others count as one if they begin with `./` or `../`. */
export const pathVariables: ReadonlySet<string> = new Set([
  'SOFTHSM2_CONF',
  'ChrystokiConfigurationPath',
  'CS_PKCS11_R3_CFG',
  'YUBIHSM_PKCS11_CONF',
]);

/** Fills in values that depend on others, and makes every path absolute: relative ones start at the file's folder. */
export function resolveConfiguration(input: ConfigurationFile, file: string): Configuration {
  const absolute: Absolute = (path) => resolve(dirname(file), path);
  const firstAccount = input.identity.accounts[0] ?? '';
  return {
    path: file,
    identity: input.identity,
    listeners: input.listeners.map((listener) => resolveListener(listener, absolute)),
    principals: [
      ...input.principals.administrators.map((entry) =>
        resolvePrincipal('administrator', { ...entry, keys: [] }, firstAccount),
      ),
      ...input.principals.users.map((entry) => resolvePrincipal('user', entry, firstAccount)),
    ],
    modules: Object.entries(input.modules).map(([name, module]) => resolveModule(name, module, absolute)),
    clusters: input.clusters.map((cluster) => resolveCluster(cluster, absolute)),
    defaultKeyStore:
      input.defaultKeyStore === undefined
        ? null
        : { cluster: input.defaultKeyStore.cluster, pin: resolveSource(input.defaultKeyStore.pin, absolute) },
    catalog: { ...input.catalog, path: absolute(input.catalog.path) },
    sealingKeys: input.sealingKeys.map(({ id, key }) => ({ id, key: resolveSource(key, absolute) })),
    limits: input.limits,
    recovery: input.recovery,
    backup: resolveBackup(input.backup, absolute),
    keyStorePins: {
      maximumAgeDays: input.keyStorePins.maximumAgeDays ?? null,
      rotateAfterDays: input.keyStorePins.rotateAfterDays ?? null,
    },
    audit: { file: absolute(input.audit.file) },
    telemetry: resolveTelemetry(input.telemetry, absolute),
    lockDirectory: input.lockDirectory === undefined ? defaultLockDirectory() : absolute(input.lockDirectory),
  };
}

/**
 * The common folder of one user's processes if none is configured. It is the same for every configuration file: servers
 * with different files that use one module must still wait for each other. TMPDIR is not used, because it may differ
 * between them. The folders of systemd (`$RUNTIME_DIRECTORY`, of one unit) and of a login session (`$XDG_RUNTIME_DIR`)
 * belong to this user; in /tmp any user could create the folder first, and no login would be possible.
 */
export function defaultLockDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  // systemd.exec(5): several folders are separated by colons.
  const unitFolder = environment['RUNTIME_DIRECTORY']?.split(':')[0];
  if (unitFolder !== undefined && isAbsolute(unitFolder)) return join(unitFolder, 'locks');
  const sessionFolder = environment['XDG_RUNTIME_DIR'];
  if (sessionFolder !== undefined && isAbsolute(sessionFolder)) return join(sessionFolder, 'holdfast');
  return join('/tmp', `holdfast-locks-${userInfo().uid}`);
}

function resolveBackup(backup: ConfigurationFile['backup'], absolute: Absolute): Configuration['backup'] {
  if (backup === undefined) return null;
  return { ...backup, folder: absolute(backup.folder), everyHours: backup.everyHours ?? null };
}

function resolveListener(listener: ListenerInFile, absolute: Absolute): ListenerConfiguration {
  if (listener.kind === 'unix') return { ...listener, path: absolute(listener.path) };
  if (listener.kind === 'plaintext') return listener;
  return {
    ...listener,
    certificate: absolute(listener.certificate),
    key: absolute(listener.key),
    clientCertificateAuthority: absolute(listener.clientCertificateAuthority),
    certificateRevocationList:
      listener.certificateRevocationList === undefined ? null : absolute(listener.certificateRevocationList),
  };
}

function resolvePrincipal(
  role: PrincipalConfiguration['role'],
  entry: PrincipalInFile,
  firstAccount: string,
): PrincipalConfiguration {
  const certificate = entry.certificate === undefined ? null : resolveMatch(entry.certificate);
  return { role, name: entry.name, account: entry.account ?? firstAccount, certificate, keys: entry.keys };
}

function resolveMatch(match: NonNullable<PrincipalInFile['certificate']>): CertificateMatch {
  if (match.commonName !== undefined) return { kind: 'commonName', value: match.commonName };
  if (match.uri !== undefined) return { kind: 'uri', value: match.uri };
  if (match.dns !== undefined) return { kind: 'dns', value: match.dns.toLowerCase() };
  return { kind: 'sha256', value: (match.sha256 ?? '').replaceAll(':', '').toLowerCase() };
}

function resolveModule(
  name: string,
  module: ConfigurationFile['modules'][string],
  absolute: Absolute,
): ModuleConfiguration {
  const environment = Object.entries(module.environment).map(([variable, value]) => {
    const isPath = pathVariables.has(variable) || /^\.{1,2}\//.test(value);
    return [variable, isPath ? absolute(value) : value] as const;
  });
  return {
    name,
    path: absolute(module.path),
    environment: Object.fromEntries(environment),
    // SoftHSM's lost tokens return only after finalising and initialising again.
    privateInstance: module.privateInstance === 'auto' ? isSoftHsm(module) : module.privateInstance,
    initializationString: module.initializationString ?? null,
    profile: module.profile,
    profileOverrides: resolveOverrides(module.profileOverrides),
  };
}

/** Before the library is loaded, only its profile or its name shows that it is SoftHSM. */
function isSoftHsm({ profile, path }: ConfigurationFile['modules'][string]): boolean {
  return profile === 'auto' ? basename(path).toLowerCase().includes('softhsm') : profile === 'softhsm';
}

function resolveOverrides(overrides: ConfigurationFile['modules'][string]['profileOverrides']): ProfileOverrides {
  return {
    gcmNonce: overrides.gcmNonce ?? null,
    maximumGcmBytes: overrides.maximumGcmBytes ?? null,
    sessionHeadroom: overrides.sessionHeadroom ?? null,
    maximumSessions: overrides.maximumSessions ?? null,
    ceremony: overrides.ceremony ?? null,
    generationMark: overrides.generationMark ?? null,
    generatedPin: overrides.generatedPin ?? null,
  };
}

function resolveCluster(cluster: ConfigurationFile['clusters'][number], absolute: Absolute): ClusterConfiguration {
  return {
    ...cluster,
    trust: cluster.trust ?? 'enforced',
    trustAnchorCertificate: absolute(cluster.trustAnchorCertificate),
    operationsPerSecond: cluster.operationsPerSecond ?? null,
    members: cluster.members.map(resolveMember),
    recoveryMembers: cluster.recoveryMembers.map(resolveMember),
  };
}

function resolveMember(member: ConfigurationFile['clusters'][number]['members'][number]): MemberConfiguration {
  const { name, module, lanes, tokenLabel, tokenSerialNumber } = member;
  return {
    name,
    module,
    lanes: lanes === 'auto' ? null : lanes,
    token:
      tokenLabel === undefined
        ? { kind: 'serialNumber', value: tokenSerialNumber ?? '' }
        : { kind: 'label', value: tokenLabel },
  };
}

function resolveTelemetry(input: ConfigurationFile['telemetry'], absolute: Absolute): TelemetryConfiguration {
  const { logLevel, metrics, tracing, otlpMetrics, otlpLogs, environment } = input;
  const standard = environment ? readOpenTelemetryEnvironment(process.env) : noOpenTelemetryEnvironment;
  const receiver = <Receiver extends { headers: Readonly<Record<string, SecretSourceInFile>> }>(found?: Receiver) =>
    found === undefined ? null : { ...found, headers: resolveHeaders(found.headers, absolute) };
  return {
    logLevel,
    metrics: metrics ?? null,
    tracing: receiver(tracing) ?? standard.tracing,
    otlpMetrics: receiver(otlpMetrics) ?? standard.metrics,
    otlpLogs: receiver(otlpLogs) ?? standard.logs,
    serviceName: input.serviceName ?? tracing?.serviceName ?? standard.serviceName ?? 'holdfast',
    environment,
  };
}

function resolveHeaders(
  headers: Readonly<Record<string, SecretSourceInFile>>,
  absolute: Absolute,
): OtlpReceiverConfiguration['headers'] {
  return Object.entries(headers).map(([name, value]) => ({ name, value: resolveSource(value, absolute) }));
}

function resolveSource(source: SecretSourceInFile, absolute: Absolute): SecretSource {
  if (source.file !== undefined) return { kind: 'file', path: absolute(source.file) };
  if (source.env !== undefined) return { kind: 'env', name: source.env };
  const [program = '', ...argumentList] = source.command ?? [];
  return { kind: 'command', argv: [program, ...argumentList] };
}
