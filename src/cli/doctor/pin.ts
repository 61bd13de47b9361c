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
import { defaultStoreTarget } from '../../keystores/connection-targets.js';
import { createPasswordSealer } from '../../storage/password-sealer.js';
import { openSqliteCatalog } from '../../storage/sqlite.js';
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
  const credential = await credentialOf(secrets, clusterId);
  const catalog = await openSqliteCatalog({ path: configuration.catalog.path, clock: systemClock });
  const addon = loadAddon();
  const pool = addon.createPool(1);
  try {
    const deadlineMs = systemClock.monotonicMs() + configuration.limits.connectTimeoutMs;
    const { lockDirectory } = configuration;
    const returnValues = readReturnValues(addon.returnValues());
    const presence = new Presence(catalog, `doctor/${randomIdentifiers.requestId()}`);
    const tools = { addon, returnValues, loginAttempts: catalog, presence, clock: systemClock, lockDirectory };
    const source = (): Promise<MemberCredential> => Promise.resolve(credential);
    const kind = { profile: automaticProfile, laneCount: 1 };
    await openAndLogIn(tools, pool, nativeMember(configuration, member), kind, source, deadlineMs);
  } finally {
    credential.pin.destroy();
    await pool.close(systemClock.monotonicMs() + closeTimeoutMs);
    await catalog.close();
  }
}

/** The credential under the service's own name for it: doctor and service then count the same attempts. */
async function credentialOf(
  { defaultKeyStorePin, sealingKeys }: ResolvedSecrets,
  clusterId: string,
): Promise<MemberCredential> {
  if (defaultKeyStorePin === null) throw new Error('the default key store has no PIN');
  const sealer = createPasswordSealer(sealingKeys);
  const wanted = await defaultStoreTarget(sealer, { clusterId, pin: defaultKeyStorePin }).wanted();
  if (wanted === undefined) throw new Error('the default key store is not wanted');
  return wanted.credential();
}

/** One lane is enough to log in. */
function nativeMember(configuration: Configuration, member: MemberConfiguration): NativeMemberOptions {
  const { module, tokenLabel, tokenSerialNumber } = memberOptions(member, configuration);
  return { module, tokenLabel, tokenSerialNumber, laneCount: 1, maxQuarantinedLanes: 1, maxStuckOpenings: 2 };
}
