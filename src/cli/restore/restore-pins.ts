import type { ClusterConfiguration, Configuration, MemberConfiguration } from '../../config/configuration.js';
import type { ResolvedSecrets } from '../../config/secrets.js';
import type { PasswordSealer } from '../../keystores/catalog.js';
import type { Credential } from '../../keystores/connection.js';
import { defaultCredentialVersion } from '../../keystores/connection-targets.js';
import { credentialVersionOf, unsealPassword } from '../../keystores/password.js';
import { Secret } from '../../secret.js';
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
  catalog: Pick<SqliteCatalog, 'findStoreByCluster'>;
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

/**
 * The credential of the members that serve: the operator's, the configuration's, or the catalog's.
 * @returns undefined if no key store uses the cluster, so that there is none
 */
export async function memberCredential(
  sources: CredentialSources,
  cluster: ClusterConfiguration,
): Promise<Credential | undefined> {
  const { configuration, catalog, secrets, sealer, options } = sources;
  const path = [...(options.pinFile ?? [])].find(([name]) => isNamed(cluster, name))?.[1];
  if (path !== undefined) return givenCredential(sealer, cluster, path);
  const pin = secrets.defaultKeyStorePin;
  if (configuration.defaultKeyStore?.cluster === cluster.id && pin !== null) {
    const credentialVersion = defaultCredentialVersion(sealer, { clusterId: cluster.id, pin });
    return { clusterId: cluster.id, pin: pin.share(), credentialVersion };
  }
  const store = await catalog.findStoreByCluster(cluster.id);
  if (store === undefined) return undefined;
  const password = new Secret(unsealPassword(sealer, store));
  return { clusterId: cluster.id, pin: password, credentialVersion: credentialVersionOf(store) };
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

async function givenCredential(
  sealer: PasswordSealer,
  cluster: ClusterConfiguration,
  path: string,
): Promise<Credential> {
  const pin = await readPin({ kind: 'file', path }, cluster.maximumPinLength);
  const credentialVersion = `given:${sealer.fingerprint(pin.reveal(), `given/${cluster.id}`)}`;
  return { clusterId: cluster.id, pin, credentialVersion };
}

function isNamed({ id, name }: ClusterConfiguration, named: string): boolean {
  return id === named || name === named;
}
