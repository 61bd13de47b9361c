/** The PINs of members whose rotation was under way when an archive was made. */
import { OperatorClusters, type OperatorClustersTools } from '../../composition/operator-clusters.js';
import type { ClusterConfiguration } from '../../config/configuration.js';
import { type PinRotation, type PinRotationMember, settledVersionOf } from '../../keystores/pin-rotation.js';
import { type SealedPin, unsealedPin } from '../../keystores/sealed-pin.js';
import { namesOfPin, underAllNames } from './pin-names.js';
import { catalogPin, type CredentialSources } from './restore-pins.js';

/**
 * Finds out which PIN each member of an open rotation has. What the archive says of them is as old as the archive, so each is
 * tried, as a rotation does after a crash: the new PIN once, then the old one once. The catalog records what was found; a rotation whose
 * members all have the new PIN is complete. A member that cannot be asked is left to the service.
 * @param clusterIds of the clusters that are restored. Those whose PIN the operator gives are left alone
 */
export async function settleRotations(
  tools: OperatorClustersTools,
  sources: CredentialSources,
  clusterIds: readonly string[],
): Promise<void> {
  const { catalog, configuration } = tools;
  for (const rotation of await catalog.listPinRotations()) {
    const cluster = configuration.clusters.find(({ id }) => id === rotation.clusterId && clusterIds.includes(id));
    const store = cluster && (await catalogPin(sources, cluster));
    if (cluster === undefined || store === undefined) continue;
    if (rotation.passwordVersion <= store.passwordVersion) continue;
    for (const member of rotation.members) await settle({ tools, sources, cluster, store, rotation }, member);
    await catalog.completePinRotation(rotation.customKeyStoreId);
  }
}

interface Settling {
  tools: OperatorClustersTools;
  sources: CredentialSources;
  cluster: ClusterConfiguration;
  store: SealedPin;
  rotation: PinRotation;
}

async function settle(on: Settling, member: PinRotationMember): Promise<void> {
  const { tools, store, rotation } = on;
  const place = { customKeyStoreId: rotation.customKeyStoreId, memberName: member.memberName };
  let found: 'new' | 'old' | 'lost' | 'changing' = 'lost';
  for (const [phase, sealed] of [['new', rotation] as const, ['old', store] as const]) {
    const answer = await tryPin(on, member, sealed);
    if (answer !== 'refused') found = answer === 'accepted' ? phase : 'changing';
    if (found !== 'lost') break;
  }
  // Refused by what was said to be known: a member that was lost before may have been given one of the two since.
  if (found !== member.phase) await tools.catalog.changePinPhase(place, member.phase, found);
}

/** `unknown`: the member could not be asked. */
async function tryPin(
  { tools, sources, cluster, store, rotation }: Settling,
  { memberName, round }: PinRotationMember,
  sealed: SealedPin,
): Promise<'accepted' | 'refused' | 'unknown'> {
  const configured = cluster.members.filter(({ name }) => name === memberName);
  if (configured.length === 0) return 'unknown';
  const { pin, credentialVersion: ownVersion } = unsealedPin(sources.sealer, sealed);
  // In its own name a refusal would outlast the change that gives the token this PIN.
  const credentialVersion = settledVersionOf(ownVersion, rotation, round);
  const names = namesOfPin(sources.sealer, cluster.id, pin, store, [credentialVersion]);
  const clusters = new OperatorClusters({ ...tools, catalog: underAllNames(tools.catalog, [names]) });
  try {
    const alone = { ...cluster, members: configured, minimumMembers: 1 };
    const outcome = await clusters.connect(alone, { clusterId: cluster.id, pin, credentialVersion });
    if (outcome.connected) return 'accepted';
    return outcome.errorCode === 'INVALID_CREDENTIALS' ? 'refused' : 'unknown';
  } finally {
    await clusters.close();
  }
}
