import type { HsmCall } from '../calls/hsm-call.js';
import type { HsmCluster } from '../clusters/hsm-cluster.js';
import { HoldfastError } from '../errors.js';
import { type ClaimedMac, readArchive } from './archive-reader.js';
import { authenticate } from './authenticate.js';

/** Reads an archive to its end: its form, order, counts and digest. @returns the MACs that it claims @throws ArchiveRefusal */
export async function readClaimedMacs(chunks: AsyncIterable<Uint8Array>): Promise<readonly ClaimedMac[]> {
  let macs: readonly ClaimedMac[] = [];
  for await (const part of readArchive(chunks)) if (part.kind === 'end') macs = part.macs;
  return macs;
}

/**
 * Has the first cluster that can check its MAC over the whole archive. It says nothing of single keys: those are proved by
 * `verifyArchive`.
 * @returns whether a cluster could. @throws ArchiveRefusal if its MAC is another one
 */
export async function authenticateAny(
  claimed: readonly ClaimedMac[],
  connectedCluster: (clusterId: string) => HsmCluster | undefined,
  call: () => HsmCall,
): Promise<boolean> {
  for (const mac of claimed) {
    const cluster = connectedCluster(mac.clusterId);
    if (cluster !== undefined && (await canAuthenticate(mac, cluster, call))) return true;
  }
  return false;
}

/** Members without the generation say nothing of the archive. */
async function canAuthenticate(claimed: ClaimedMac, cluster: HsmCluster, call: () => HsmCall): Promise<boolean> {
  try {
    await authenticate(claimed, {
      make: async ({ data, generation }) => (await cluster.perform('makeBackupMac', { data, generation }, call())).mac,
    });
    return true;
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}
