import type { ClusterConfiguration } from '../../config/configuration.js';
import { Secret } from '../../secret.js';
import type { LoginAttempts, PasswordSealer } from '../../keystores/catalog.js';
import { defaultCredentialVersion } from '../../keystores/connection-targets.js';
import { credentialVersionOf, type PasswordPlace, trialVersionOf, unsealPassword } from '../../keystores/password.js';
import { settledVersionStart } from '../../keystores/pin-rotation.js';
import type { StoreRecord } from '../../keystores/store.js';
import { type CredentialSources, givenVersionOf, plainPins } from './restore-pins.js';

/** The names of one PIN, for `LoginAttempts`. */
export interface PinNames {
  /** Under which a refusal is recorded: whatever tries the PIN next looks there. */
  recorded: readonly string[];
  /** Names under which it may have been tried besides. */
  known: readonly string[];
}

/**
 * The names of a PIN: it may come from the configuration, from an operator's file, or from a password that was set.
 * @param own names that this PIN has in the catalog
 */
export function namesOfPin(
  sealer: PasswordSealer,
  clusterId: string,
  pin: Secret,
  store: Pick<StoreRecord, 'customKeyStoreId'> | undefined,
  own: readonly string[] = [],
): PinNames {
  const trial = store === undefined ? [] : [trialVersionOf(sealer, store, pin)];
  const recorded = [givenVersionOf(sealer, clusterId, pin), defaultCredentialVersion(sealer, { clusterId, pin })];
  return { recorded, known: [...own, ...trial] };
}

/**
 * The record of login attempts for PINs with several names: one that a token refused under any of them is not tried under another, and
 * a refusal is recorded for whatever tries it next (invariant 7). A token that accepted it since has it now: a rotation may have set it.
 */
export function underAllNames<Catalog extends LoginAttempts>(catalog: Catalog, pins: readonly PinNames[]): Catalog {
  const withName = (version: string): PinNames[] =>
    pins.filter(({ recorded, known }) => recorded.includes(version) || known.includes(version));
  const wasRefused = async (serialNumber: string, version: string): Promise<boolean> => {
    const names = [version, ...withName(version).flatMap(({ recorded, known }) => [...recorded, ...known])];
    const outcomes = (await catalog.listLoginAttempts())
      .filter(({ tokenSerialNumber, state }) => tokenSerialNumber === serialNumber && state !== 'open')
      .filter(({ credentialVersion }) => names.some((name) => isName(credentialVersion, name)));
    const newest = outcomes.sort((one, other) => other.date.getTime() - one.date.getTime())[0];
    return newest?.state === 'failed';
  };
  const attempts: Pick<LoginAttempts, 'claim' | 'record'> = {
    async claim(serialNumber, version, claimant, now) {
      if (await wasRefused(serialNumber, version)) return 'failed';
      return catalog.claim(serialNumber, version, claimant, now);
    },
    async record(serialNumber, version, claimant, outcome) {
      const others = outcome === 'failed' ? withName(version).flatMap(({ recorded }) => recorded) : [];
      for (const name of new Set([version, ...others])) await catalog.record(serialNumber, name, claimant, outcome);
    },
  };
  return { ...catalog, ...attempts };
}

/** A rotation tries a PIN under a name of its own in each round. */
function isName(credentialVersion: string, name: string): boolean {
  return credentialVersion === name || credentialVersion.startsWith(settledVersionStart(name));
}

/** The names of each PIN that a restore may try on members of these clusters: what the catalog has sealed, and what is given. */
export async function pinGroups(
  sources: CredentialSources,
  clusters: readonly ClusterConfiguration[],
): Promise<PinNames[]> {
  const { sealer, catalog } = sources;
  const groups: PinNames[] = [];
  const rotations = await catalog.listPinRotations();
  for (const cluster of clusters) {
    const store = await catalog.findStoreByCluster(cluster.id);
    for (const pin of await plainPins(sources, cluster)) {
      groups.push(namesOfPin(sealer, cluster.id, pin, store));
      pin.destroy();
    }
    const ofRotations = rotations.filter(({ clusterId }) => clusterId === cluster.id);
    for (const sealed of [store, ...(await catalog.listDefaultPins(cluster.id)), ...ofRotations]) {
      const pin = sealed === undefined ? undefined : unsealed(sealer, sealed);
      if (sealed === undefined || pin === undefined) continue;
      groups.push(namesOfPin(sealer, cluster.id, pin, store, [credentialVersionOf(sealed)]));
      pin.destroy();
    }
  }
  return groups;
}

/** Undefined without its sealing key: then it is not tried either, and nothing can be said of it. */
function unsealed(sealer: PasswordSealer, sealed: PasswordPlace & Pick<StoreRecord, 'password'>): Secret | undefined {
  try {
    return new Secret(unsealPassword(sealer, sealed));
  } catch {
    // Whoever needs the PIN says what is wrong with it.
    return undefined;
  }
}
