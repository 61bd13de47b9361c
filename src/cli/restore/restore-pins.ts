import type { ClusterConfiguration, Configuration, MemberConfiguration } from '../../config/configuration.js';
import type { ResolvedSecrets } from '../../config/secrets.js';
import type { PresentCredentials } from '../../hsm/present-credential.js';
import type { PasswordSealer } from '../../keystores/catalog.js';
import type { Credential } from '../../keystores/connection.js';
import { defaultCredentialVersion, presentCredential } from '../../keystores/connection-targets.js';
import { type DefaultPinRecord, pinInstead, recordedPins } from '../../keystores/default-pin-record.js';
import { pinOfMember, type SealedPin, unsealedPin } from '../../keystores/sealed-pin.js';
import type { Secret } from '../../secret.js';
import type { SqliteCatalog } from '../../storage/sqlite.js';
import { readPin } from '../ceremony/pins.js';
import type { MemberValues } from '../ceremony/member-values.js';
import { usageError } from '../exit-codes.js';

/** The PINs that an operator gives: in files, by cluster and by recovery member. */
export interface RestorePinOptions {
  pinFile?: MemberValues;
  recoveryMember?: MemberValues;
}

/** What the credentials of clusters come from. */
export interface CredentialSources {
  configuration: Configuration;
  catalog: SqliteCatalog;
  secrets: ResolvedSecrets;
  sealer: PasswordSealer;
  options: RestorePinOptions;
}

/** @throws CliError if an option names a cluster or a recovery member that the configuration does not have */
export function requireNames({ clusters }: Configuration, { pinFile, recoveryMember }: RestorePinOptions): void {
  for (const name of pinFile?.keys() ?? [])
    if (!clusters.some((cluster) => isNamed(cluster, name)))
      throw usageError(`--pin-file: there is no cluster ${name}`);
  for (const name of recoveryMember?.keys() ?? []) {
    const found = clusters.filter(({ recoveryMembers }) => recoveryMembers.some((member) => member.name === name));
    if (found.length === 1) continue;
    const problem = found.length === 0 ? 'no cluster has' : 'several clusters have';
    throw usageError(`--recovery-member: ${problem} a recovery member ${name}`);
  }
}

/** How the members of a cluster are logged in to. */
export interface MemberCredentials {
  credential: Credential;
  /** Where it is the catalog's: while a rotation is open each member has its own. */
  presentCredential?: PresentCredentials['presentCredential'];
}

/**
 * The credential of the members that serve: the operator's, the configuration's, or the catalog's.
 * @returns undefined if no key store uses the cluster, so that there is none
 */
export async function memberCredentials(
  sources: CredentialSources,
  cluster: ClusterConfiguration,
): Promise<MemberCredentials | undefined> {
  const { catalog, sealer } = sources;
  const path = givenPath(sources, cluster);
  if (path !== undefined) return { credential: await givenCredential(sealer, cluster, path) };
  const pin = defaultPin(sources, cluster);
  if (pin !== undefined) {
    const instead = await defaultPinInstead(sources, cluster.id, pin);
    if (instead !== undefined) {
      pin.destroy();
      return credentialsOfDefault(sources, instead);
    }
    const credentialVersion = defaultCredentialVersion(sealer, { clusterId: cluster.id, pin });
    return { credential: { clusterId: cluster.id, pin, credentialVersion } };
  }
  const store = await catalog.findStoreByCluster(cluster.id);
  if (store === undefined) return undefined;
  return {
    credential: { clusterId: cluster.id, ...unsealedPin(sealer, store) },
    presentCredential: (place) => presentCredential({ keyStoreCatalog: catalog, passwordSealer: sealer }, place),
  };
}

/** As the service: the catalog's PINs in place of a configured one that a rotation has replaced. */
function credentialsOfDefault({ catalog, sealer }: CredentialSources, present: DefaultPinRecord): MemberCredentials {
  const { clusterId } = present;
  return {
    credential: { clusterId, ...unsealedPin(sealer, present) },
    async presentCredential({ memberName }) {
      const { pins, rotation } = await recordedPins(catalog, clusterId);
      const sealed = pinOfMember(pins.at(-1) ?? present, rotation, memberName);
      return sealed === 'uncertain' ? sealed : unsealedPin(sealer, sealed);
    },
  };
}

/** The sealed PIN of the cluster's key store; undefined if the operator or the configuration has the one that counts. */
export async function catalogPin(
  sources: CredentialSources,
  cluster: ClusterConfiguration,
): Promise<SealedPin | undefined> {
  if (givenPath(sources, cluster) !== undefined) return undefined;
  using pin = defaultPin(sources, cluster);
  const { catalog } = sources;
  return await (pin === undefined
    ? catalog.findStoreByCluster(cluster.id)
    : defaultPinInstead(sources, cluster.id, pin));
}

async function defaultPinInstead(
  { catalog, sealer }: CredentialSources,
  clusterId: string,
  configured: Secret,
): Promise<DefaultPinRecord | undefined> {
  return pinInstead(sealer, await recordedPins(catalog, clusterId), configured);
}

/** The PINs of a cluster that are not in the catalog: from the operator's files and the configuration. */
export async function plainPins(sources: CredentialSources, cluster: ClusterConfiguration): Promise<Secret[]> {
  const given = givenPath(sources, cluster);
  const own = defaultPin(sources, cluster);
  const recovery = await recoveryCredential(sources, cluster);
  return [
    ...(given === undefined ? [] : [await readPin({ kind: 'file', path: given }, cluster.maximumPinLength)]),
    ...(own === undefined ? [] : [own]),
    ...(recovery === undefined ? [] : [recovery.credential.pin]),
  ];
}

function givenPath({ options }: CredentialSources, cluster: ClusterConfiguration): string | undefined {
  return [...(options.pinFile ?? [])].find(([name]) => isNamed(cluster, name))?.[1];
}

/** That of the default key store, if the cluster is its own. */
function defaultPin({ configuration, secrets }: CredentialSources, { id }: ClusterConfiguration): Secret | undefined {
  const pin = secrets.defaultKeyStorePin;
  return configuration.defaultKeyStore?.cluster === id && pin !== null ? pin.share() : undefined;
}

/** A recovery member of the cluster that the operator named, with its credential. */
export async function recoveryCredential(
  { sealer, options }: CredentialSources,
  cluster: ClusterConfiguration,
): Promise<{ member: MemberConfiguration; credential: Credential } | undefined> {
  for (const [name, path] of options.recoveryMember ?? []) {
    const member = cluster.recoveryMembers.find((candidate) => candidate.name === name);
    if (member !== undefined) return { member, credential: await givenCredential(sealer, cluster, path) };
  }
  return undefined;
}

/**
 * A catalog that does not know yet which PINs were refused before: a PIN without a record counts as one whose outcome is unknown, and
 * is not tried on a token that says that a PIN was refused since its last login.
 */
export function withoutPriorLogins(catalog: SqliteCatalog): SqliteCatalog {
  return {
    ...catalog,
    async claim(tokenSerialNumber, credentialVersion, claimant, now) {
      const attempts = await catalog.listLoginAttempts();
      const isKnown = attempts.some(
        (attempt) => attempt.tokenSerialNumber === tokenSerialNumber && attempt.credentialVersion === credentialVersion,
      );
      if (!isKnown) return 'interrupted';
      return catalog.claim(tokenSerialNumber, credentialVersion, claimant, now);
    },
  };
}

/** The name of a PIN that an operator gave, for `LoginAttempts`. */
export function givenVersionOf(sealer: PasswordSealer, clusterId: string, pin: Secret): string {
  return `given:${sealer.fingerprint(pin.reveal(), `given/${clusterId}`)}`;
}

async function givenCredential(
  sealer: PasswordSealer,
  cluster: ClusterConfiguration,
  path: string,
): Promise<Credential> {
  const pin = await readPin({ kind: 'file', path }, cluster.maximumPinLength);
  return { clusterId: cluster.id, pin, credentialVersion: givenVersionOf(sealer, cluster.id, pin) };
}

function isNamed({ id, name }: ClusterConfiguration, named: string): boolean {
  return id === named || name === named;
}
