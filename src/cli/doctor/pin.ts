import { systemClock } from '../../clock-system.js';
import { memberOptions } from '../../composition/cluster-options.js';
import type { Configuration, MemberConfiguration } from '../../config/configuration.js';
import type { ResolvedSecrets } from '../../config/secrets.js';
import { destroySecrets, resolveSecrets } from '../../config/secrets.js';
import { Presence } from '../../coordination/presence.js';
import { openAndLogIn, type MemberCredential } from '../../hsm/login.js';
import { loadAddon, type NativeMemberOptions } from '../../hsm/native.js';
import { automaticProfile } from '../../hsm/profiles/effective-profile.js';
import { readReturnValues } from '../../hsm/return-values.js';
import { randomIdentifiers } from '../../ids.js';
import { defaultCredentialVersion } from '../../keystores/connection-targets.js';
import { pinInstead, recordedPins } from '../../keystores/default-pin-record.js';
import { pinOfMember, unsealedPin } from '../../keystores/sealed-pin.js';
import { createPasswordSealer } from '../../storage/password-sealer.js';
import { openSqliteCatalog, type SqliteCatalog } from '../../storage/sqlite.js';
import type { Finding } from '../../preconditions/finding.js';
import { fail, ok, reasonOf, warn } from '../../preconditions/finding.js';

const subject = 'login to the default key store';
const closeTimeoutMs = 5_000;

/**
 * Logs in to the first member of the default key store, once, by the service's own rule: the attempt is a row in the
 * catalog, and a refused PIN is not tried again (invariant 7).
 */
export async function tryPin(configuration: Configuration, environment: NodeJS.ProcessEnv): Promise<Finding> {
  const { defaultKeyStore } = configuration;
  const cluster = configuration.clusters.find(({ id }) => id === defaultKeyStore?.cluster);
  const member = cluster?.members[0];
  if (cluster === undefined || member === undefined) {
    return warn(subject, 'there is no default key store', 'connecting a custom key store tries its password');
  }
  let secrets: ResolvedSecrets | undefined;
  try {
    secrets = await resolveSecrets(configuration, { ...environment });
    await logIn(configuration, secrets, { clusterId: cluster.id, member });
    return ok(subject, `the PIN is correct (member ${member.name})`);
  } catch (error) {
    return fail(
      subject,
      reasonOf(error),
      'correct the PIN before the service starts; a refused one is not tried again',
    );
  } finally {
    if (secrets !== undefined) destroySecrets(secrets);
  }
}

async function logIn(
  configuration: Configuration,
  secrets: ResolvedSecrets,
  { clusterId, member }: { clusterId: string; member: MemberConfiguration },
): Promise<void> {
  const catalog = await openSqliteCatalog({ path: configuration.catalog.path, clock: systemClock });
  try {
    const credential = await credentialOf(catalog, secrets, { clusterId, memberName: member.name });
    using _pin = credential.pin;
    await logInWith(configuration, catalog, member, credential);
  } finally {
    await catalog.close();
  }
}

async function logInWith(
  configuration: Configuration,
  catalog: SqliteCatalog,
  member: MemberConfiguration,
  { pin, credentialVersion }: MemberCredential,
): Promise<void> {
  const addon = loadAddon();
  const pool = addon.createPool(1);
  try {
    const deadlineMs = systemClock.monotonicMs() + configuration.limits.connectTimeoutMs;
    const { lockDirectory } = configuration;
    const returnValues = readReturnValues(addon.returnValues());
    const presence = new Presence(catalog, `doctor/${randomIdentifiers.requestId()}`);
    const tools = { addon, returnValues, loginAttempts: catalog, presence, clock: systemClock, lockDirectory };
    const source = (): Promise<MemberCredential> => Promise.resolve({ pin: pin.share(), credentialVersion });
    const kind = { profile: automaticProfile, laneCount: 1 };
    await openAndLogIn(tools, pool, nativeMember(configuration, member), kind, source, deadlineMs);
  } finally {
    await pool.close(systemClock.monotonicMs() + closeTimeoutMs);
  }
}

/**
 * The credential under the service's own name for it: doctor and service then count the same attempts. After a rotation it is
 * the catalog's.
 */
async function credentialOf(
  catalog: SqliteCatalog,
  { defaultKeyStorePin: pin, sealingKeys }: ResolvedSecrets,
  { clusterId, memberName }: { clusterId: string; memberName: string },
): Promise<MemberCredential> {
  if (pin === null) throw new Error('the default key store has no PIN');
  const sealer = createPasswordSealer(sealingKeys);
  const recorded = await recordedPins(catalog, clusterId);
  const present = pinInstead(sealer, recorded, pin);
  if (present === undefined)
    return { pin: pin.share(), credentialVersion: defaultCredentialVersion(sealer, { clusterId, pin }) };
  const sealed = pinOfMember(present, recorded.rotation, memberName);
  if (sealed === 'uncertain') throw new Error('its PIN is being changed; none is tried until it is known which it has');
  return unsealedPin(sealer, sealed);
}

/** One lane is enough to log in. */
function nativeMember(configuration: Configuration, member: MemberConfiguration): NativeMemberOptions {
  const { module, tokenLabel, tokenSerialNumber } = memberOptions(member, configuration);
  return { module, tokenLabel, tokenSerialNumber, laneCount: 1, maxQuarantinedLanes: 1, maxStuckOpenings: 2 };
}
