import { isIPv4, isIPv6 } from 'node:net';
import type {
  ClusterConfiguration,
  Configuration,
  MemberConfiguration,
  OtlpReceiverConfiguration,
} from './configuration.js';
import type { PrincipalConfiguration } from '../callers/principal-directory.js';
import { checkSharedModules, checkTokens } from './modules.js';
import { openTelemetryEnvironmentProblems } from './open-telemetry-environment.js';
import type { ConfigurationProblem } from './problem.js';
import { suggestion } from './problem.js';

/** `kMaxMembers` in native/src/members.h. */
const mostMembers = 64;

type Report = (path: string, message: string) => void;

/** Checks that the schema cannot make: relations between values. Returns all problems, in the order of the file. */
export function semanticProblems(configuration: Configuration): ConfigurationProblem[] {
  const problems: ConfigurationProblem[] = [];
  const report: Report = (path, message) => problems.push({ path, message });
  checkAccounts(configuration, report);
  checkListeners(configuration, report);
  checkPrincipals(configuration, report);
  checkClusters(configuration, report);
  checkSharedModules(configuration, report);
  checkTokens(configuration, (identities, path) => {
    reportDuplicates(identities, path, report, 'a token belongs to one member of one cluster');
  });
  checkDefaultKeyStore(configuration, report);
  reportDuplicates(
    configuration.sealingKeys.map(({ id }) => id),
    (index) => `sealingKeys[${index}].id`,
    report,
  );
  checkLimits(configuration, report);
  checkRecovery(configuration, report);
  checkKeyStorePins(configuration, report);
  checkTelemetry(configuration, report);
  return problems;
}

/**
 * True for addresses that no other machine can reach. Names do not count, not even `localhost`: the listener takes
 * addresses.
 */
function isLoopback(address: string): boolean {
  if (isIPv4(address)) return address.startsWith('127.');
  return isIPv6(address) && address === '::1';
}

function checkAccounts({ identity }: Configuration, report: Report): void {
  reportDuplicates(identity.accounts, (index) => `identity.accounts[${index}]`, report);
}

function checkListeners({ listeners, principals }: Configuration, report: Report): void {
  const names = principals.map(({ name }) => name);
  listeners.forEach((listener, index) => {
    if (listener.kind !== 'tls' && !names.includes(listener.principal)) {
      report(
        `listeners[${index}].principal`,
        `there is no principal ${quote(listener.principal)}${suggestion(listener.principal, names)}`,
      );
    }
    if (listener.kind === 'plaintext' && !isLoopback(listener.address)) {
      report(
        `listeners[${index}].address`,
        'plaintext is for loopback only (127.0.0.1 or ::1); use kind tls for other addresses',
      );
    }
  });
  const places = listeners.map((listener) =>
    listener.kind === 'unix'
      ? `unix:${listener.path}`
      : listener.port === 0
        ? ''
        : `${listener.address}:${listener.port}`,
  );
  reportDuplicates(places, (index) => `listeners[${index}]`, report);
}

function checkPrincipals({ principals, identity }: Configuration, report: Report): void {
  if (!principals.some(({ role }) => role === 'administrator')) {
    report('principals.administrators', 'must have at least one entry: only administrators can create keys');
  }
  const path = principalPaths(principals);
  reportDuplicates(
    principals.map(({ name }) => name),
    (index) => `${path(index)}.name`,
    report,
  );
  const matches = principals.map(({ certificate }) =>
    certificate === null ? '' : `${certificate.kind} ${certificate.value}`,
  );
  reportDuplicates(matches, (index) => `${path(index)}.certificate`, report, 'one certificate would be two principals');
  principals.forEach((principal, index) => {
    if (!identity.accounts.includes(principal.account)) {
      report(`${path(index)}.account`, `${quote(principal.account)} is not one of identity.accounts`);
    }
    principal.keys.forEach((key, keyIndex) => {
      const problem = keyNameProblem(key, principal, identity);
      if (problem !== undefined) report(`${path(index)}.keys[${keyIndex}]`, problem);
    });
  });
}

/** The configuration has administrators before users; messages name them as the file does. */
function principalPaths(principals: readonly PrincipalConfiguration[]): (index: number) => string {
  const administrators = principals.filter(({ role }) => role === 'administrator').length;
  return (index) =>
    index < administrators ? `principals.administrators[${index}]` : `principals.users[${index - administrators}]`;
}

const keyIdPattern = /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;

function keyNameProblem(
  key: string,
  principal: PrincipalConfiguration,
  identity: Configuration['identity'],
): string | undefined {
  if (keyIdPattern.test(key)) return undefined;
  if (key.startsWith('alias/')) {
    return /^alias\/[a-zA-Z0-9:/_-]{1,250}$/.test(key)
      ? undefined
      : 'an alias is alias/ and letters, digits, :, /, _ and -';
  }
  const prefix = `arn:${identity.partition}:kms:${identity.region}:${principal.account}:key/`;
  if (key.startsWith(prefix) && keyIdPattern.test(key.slice(prefix.length))) return undefined;
  if (key.startsWith('arn:')) return `a key's ARN of this principal begins with ${prefix} and ends with the key id`;
  return 'must be a key id (a UUID), a key ARN, or an alias (alias/…)';
}

function checkClusters({ clusters, modules }: Configuration, report: Report): void {
  reportDuplicates(
    clusters.map(({ id }) => id),
    (index) => `clusters[${index}].id`,
    report,
  );
  reportDuplicates(
    clusters.map(({ name }) => name),
    (index) => `clusters[${index}].name`,
    report,
  );
  const moduleNames = modules.map(({ name }) => name);
  clusters.forEach((cluster, index) => {
    const path = `clusters[${index}]`;
    const members = membersOf(cluster);
    reportDuplicates(
      members.map(({ member }) => member.name),
      (place) => `${path}.${members[place]?.place ?? ''}.name`,
      report,
    );
    checkReplication(cluster, path, report);
    for (const { member, place } of members) {
      if (moduleNames.includes(member.module)) continue;
      const hint = suggestion(member.module, moduleNames);
      report(`${path}.${place}.module`, `there is no module ${quote(member.module)} under modules${hint}`);
    }
  });
}

/** All members of a cluster that have a name, with their place in its section. */
function membersOf(cluster: ClusterConfiguration): { member: MemberConfiguration; place: string }[] {
  return (['members', 'recoveryMembers'] as const).flatMap((list) =>
    cluster[list].map((member, index) => ({ member, place: `${list}[${index}]` })),
  );
}

function checkReplication(cluster: ClusterConfiguration, path: string, report: Report): void {
  const { members, minimumMembers, replication } = cluster;
  if (members.length > mostMembers)
    report(`${path}.members`, `has ${members.length} members; a cluster has at most ${mostMembers}`);
  if (replication === 'none' && members.length !== 1) {
    report(`${path}.members`, 'replication none is for exactly one member: nothing would copy keys to the others');
    return;
  }
  if (minimumMembers <= members.length) return;
  const consequence = members.length === 1 ? 'one member: a key would have no copy' : `only ${members.length} members`;
  report(
    `${path}.minimumMembers`,
    `is ${minimumMembers} (2 where it is left out), and the cluster has ${consequence}. Write minimumMembers: ${members.length} to accept that`,
  );
}

function checkDefaultKeyStore({ defaultKeyStore, clusters }: Configuration, report: Report): void {
  if (defaultKeyStore === null || clusters.some(({ id }) => id === defaultKeyStore.cluster)) return;
  const hint = suggestion(
    defaultKeyStore.cluster,
    clusters.map(({ id }) => id),
  );
  report('defaultKeyStore.cluster', `there is no cluster ${quote(defaultKeyStore.cluster)} under clusters${hint}`);
}

function checkLimits({ limits }: Configuration, report: Report): void {
  if (limits.operationTimeoutMs >= limits.requestTimeoutMs) {
    report(
      'limits.operationTimeoutMs',
      `must be shorter than requestTimeoutMs (${limits.requestTimeoutMs}), or no other member could be tried`,
    );
  }
}

function checkKeyStorePins({ keyStorePins: { maximumAgeDays, rotateAfterDays } }: Configuration, report: Report): void {
  if (maximumAgeDays === null || rotateAfterDays === null || rotateAfterDays < maximumAgeDays) return;
  report('keyStorePins.rotateAfterDays', 'must be less than maximumAgeDays, which reports the rotations that fail');
}

function checkRecovery({ recovery }: Configuration, report: Report): void {
  if (recovery.probeDelayMs > recovery.maximumProbeDelayMs) {
    report('recovery.probeDelayMs', `must not be longer than maximumProbeDelayMs (${recovery.maximumProbeDelayMs})`);
  }
}

function checkTelemetry({ telemetry, listeners }: Configuration, report: Report): void {
  const { metrics, tracing, otlpMetrics, otlpLogs } = telemetry;
  if (metrics !== null && !isLoopback(metrics.address)) {
    report(
      'telemetry.metrics.address',
      'must be a loopback address (127.0.0.1 or ::1): metrics are served without TLS, to anyone who asks',
    );
  }
  const taken = listeners.findIndex(
    (listener) => listener.kind !== 'unix' && listener.port !== 0 && listener.port === metrics?.port,
  );
  if (taken !== -1) report('telemetry.metrics.port', `is the port of listeners[${taken}]`);
  checkReceiver(tracing, 'telemetry.tracing', report);
  checkReceiver(otlpMetrics, 'telemetry.otlpMetrics', report);
  checkReceiver(otlpLogs, 'telemetry.otlpLogs', report);
  if (!telemetry.environment) return;
  for (const problem of openTelemetryEnvironmentProblems(process.env)) report('telemetry.environment', problem);
}

function checkReceiver(receiver: OtlpReceiverConfiguration | null, path: string, report: Report): void {
  if (receiver === null || !URL.canParse(receiver.endpoint)) return;
  const { protocol, hostname } = new URL(receiver.endpoint);
  if (protocol === 'http:' && !isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))) {
    report(`${path}.endpoint`, 'must be https, except on a loopback address (127.0.0.1 or [::1])');
  }
}

/** Reports every value that occurred before. Empty texts mean "none". */
function reportDuplicates(
  values: readonly string[],
  path: (index: number) => string,
  report: Report,
  why?: string,
): void {
  const seen = new Map<string, number>();
  values.forEach((value, index) => {
    if (value === '') return;
    const first = seen.get(value);
    if (first === undefined) seen.set(value, index);
    else
      report(path(index), `is the same as ${path(first)}${why === undefined ? '; each must be unique' : `: ${why}`}`);
  });
}

function quote(value: string): string {
  return JSON.stringify(value);
}
