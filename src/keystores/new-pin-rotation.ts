import type { Secret } from '../secret.js';
import { type KeyStoreAdministration, requireUsableCluster } from './administration.js';
import { generatePin } from './generated-pin.js';
import { checkPassword, type PasswordPlace, sealPassword } from './password.js';
import type { PinRotation } from './pin-rotation.js';

/** The parts of the administration that a new rotation needs. */
export type PinRotationSources = Pick<
  KeyStoreAdministration,
  'hsmClusters' | 'defaultClusterId' | 'passwordSealer' | 'clock'
>;

/**
 * A rotation of the PIN of a key store, custom or default, that no member has begun, and that the catalog does not have yet.
 * @param given the new PIN; left out: a random one. Destroyed.
 * @throws VALIDATION, or as `requireUsableCluster`
 */
export function newPinRotation(core: PinRotationSources, store: PasswordPlace, given?: Secret): PinRotation {
  const { customKeyStoreId, clusterId } = store;
  const cluster = requireUsableCluster(core, clusterId, customKeyStoreId === clusterId ? 'default' : 'custom');
  const place = { customKeyStoreId, clusterId, passwordVersion: store.passwordVersion + 1 };
  const pin = given ?? generatePin(cluster);
  try {
    checkPassword(pin, cluster);
    return {
      ...place,
      password: sealPassword(core.passwordSealer, pin, place),
      startedDate: core.clock.now(),
      members: [...cluster.memberNames].sort().map((memberName) => ({ memberName, phase: 'old', round: 0 })),
    };
  } finally {
    pin.destroy();
  }
}
