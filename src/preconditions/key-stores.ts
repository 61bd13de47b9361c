import { existsSync } from 'node:fs';
import { configuredCatalogProblem } from '../composition/configured-catalog.js';
import type { Configuration } from '../config/configuration.js';
import type { SecretReadings } from '../config/secrets.js';
import { defaultCredentialVersion } from '../keystores/connection-targets.js';
import { pinInstead } from '../keystores/default-pin-record.js';
import { credentialVersionOf } from '../keystores/password.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';
import { type CatalogCondition, readCatalogCondition } from '../storage/catalog-condition.js';
import { createPasswordSealer } from '../storage/password-sealer.js';
import { fail, type Finding, ok, warn } from './finding.js';
import type { Surroundings } from './precondition.js';

/**
 * Key stores that will not connect without an operator: FAILED ones, and PINs that a token refused. No HSM is asked.
 */
export async function checkKeyStores({ configuration, secrets }: Surroundings): Promise<Finding[]> {
  const { path } = configuration.catalog;
  // Problems of the catalog are reported by its own check.
  if ((await configuredCatalogProblem(configuration)) !== undefined || !existsSync(path)) return [];
  const condition = readCatalogCondition(path);
  const versions = new Map(
    condition.stores.map(({ name, credentialVersion }) => [credentialVersion, `key store ${name}`]),
  );
  const ofDefault = defaultPin(configuration, secrets, condition);
  if (ofDefault !== undefined) versions.set(ofDefault.credentialVersion, 'the default key store');
  const findings = [
    ...failedStores(condition),
    ...refusedPins(condition, versions),
    ...(ofDefault?.isOutOfDate === true ? [outOfDate(configuration)] : []),
  ];
  return findings.length > 0 ? findings : [ok('key stores', 'none has failed, and no PIN in use was refused')];
}

function failedStores({ stores }: CatalogCondition): Finding[] {
  return stores
    .filter(({ state }) => state === 'FAILED')
    .map(({ name, customKeyStoreId, errorCode }) =>
      fail(
        `key store ${name}`,
        `${customKeyStoreId} is FAILED (${errorCode ?? 'without a code'}), and its keys cannot be used`,
        `${mending(errorCode)}; then holdfast key-store disconnect ${customKeyStoreId}, and connect`,
      ),
    );
}

function mending(errorCode: ConnectionErrorCode | null): string {
  if (errorCode === 'INVALID_CREDENTIALS')
    return 'set the correct password (holdfast key-store update --password-file)';
  if (errorCode === 'USER_LOCKED_OUT') return "have the token's security officer unlock the user PIN";
  if (errorCode === 'CLUSTER_NOT_FOUND') return 'correct the cluster of the configuration, and the token of its member';
  return 'fix the problem that the code names (docs/operating/key-stores.md)';
}

function refusedPins({ refusedCredentials }: CatalogCondition, versions: ReadonlyMap<string, string>): Finding[] {
  return refusedCredentials.flatMap(({ tokenSerialNumber, credentialVersion, date }) => {
    const store = versions.get(credentialVersion);
    if (store === undefined) return [];
    return [
      fail(
        `PIN of ${store}`,
        `token ${tokenSerialNumber} refused it on ${date.toISOString()}; it is not tried again until it is changed`,
        `set the correct PIN; if the token has this one by now: holdfast login-attempts forget ${tokenSerialNumber}`,
      ),
    ];
  });
}

/**
 * The version under which the service tries the PIN of the default key store; undefined if a secret is missing. After a
 * rotation it is that of the catalog.
 */
function defaultPin(
  { defaultKeyStore, sealingKeys }: Configuration,
  { secrets }: SecretReadings,
  { defaultPins }: CatalogCondition,
): { credentialVersion: string; isOutOfDate: boolean } | undefined {
  const pin = secrets.defaultKeyStorePin;
  if (defaultKeyStore === null || pin === null || secrets.sealingKeys.length < sealingKeys.length) return undefined;
  const { cluster: clusterId } = defaultKeyStore;
  const sealer = createPasswordSealer(secrets.sealingKeys);
  const pins = defaultPins.filter((record) => record.clusterId === clusterId);
  const instead = pinInstead(sealer, { pins, rotation: undefined }, pin);
  if (instead !== undefined) return { credentialVersion: credentialVersionOf(instead), isOutOfDate: true };
  return { credentialVersion: defaultCredentialVersion(sealer, { clusterId, pin }), isOutOfDate: false };
}

function outOfDate({ defaultKeyStore }: Configuration): Finding {
  return warn(
    'PIN of the default key store',
    'defaultKeyStore.pin names one that a rotation has replaced; the catalog has the present one',
    `holdfast cluster rotate-pin ${defaultKeyStore?.cluster ?? ''} --pin-out FILE, and put that PIN in its place`,
  );
}
