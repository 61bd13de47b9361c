import { secretKeyClass } from './material-cache.js';
import type { NativeInventoryEntry } from './native.js';

/** The names of a generation's keys (`native/src/cluster_keys.cc`). */
const clusterKeyNames = ['wraps-aes', 'wraps-generic-secrets', 'wraps-private-keys', 'backup-mac'];

/**
 * The CKA_IDs (hex) of the secret keys in an inventory that could be key material. Left out are:
 * - the cluster's own wrapping keys and backup key;
 * - the object that SoftHSM keeps of a process that was killed while it made a key: it has neither id nor label, and
 *   contains no key. No catalog can know it, and an operator who is alerted about it would search for another catalog.
 */
export function materialIdsIn(entries: readonly NativeInventoryEntry[], clusterId: string): string[] {
  return entries
    .filter(({ objectClass, id, label }) => objectClass === secretKeyClass && (id.byteLength > 0 || label !== ''))
    .map(({ id }) => Buffer.from(id))
    .filter((id) => !isClusterKey(id.toString('latin1'), clusterId))
    .map((id) => id.toString('hex'));
}

/** Ids of cluster keys are text: `holdfast/<cluster>/<generation>/<name>`. */
function isClusterKey(id: string, clusterId: string): boolean {
  const prefix = `holdfast/${clusterId}/`;
  if (!id.startsWith(prefix)) return false;
  const [generation = '', name = '', ...more] = id.slice(prefix.length).split('/');
  return /^[1-9][0-9]*$/.test(generation) && clusterKeyNames.includes(name) && more.length === 0;
}
